// SPDX-License-Identifier: Apache-2.0

package kustomize_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"goldsmith.dev/goldsmith/e2e/permissions"
	"goldsmith.dev/goldsmith/e2e/require"
)

// clusters are the roles that every cluster has, and that ours are bound to.
var clusters = []string{"ClusterRole/system:auth-delegator", "Role/extension-apiserver-authentication-reader"}

// reports is the only role, with its binding, for accounts outside of Goldsmith. It allows to create imagebuilds/report and
// imagebuilds/attest.
const reports = "goldsmith-builder-reports"

// catalog is the API group of the kinds of images.
const catalog = "catalog.goldsmith.dev"

// role is a Role or a ClusterRole.
type role struct {
	object
	rules []rbacv1.PolicyRule
}

func roles(objects []object) []role {
	var found []role
	for _, each := range objects {
		switch value := each.value.(type) {
		case *rbacv1.Role:
			found = append(found, role{each, value.Rules})
		case *rbacv1.ClusterRole:
			found = append(found, role{each, value.Rules})
		}
	}
	return found
}

func rolesNameWhatTheyAllow(t *testing.T, built installation) {
	escalation := []string{"escalate", "bind", "impersonate"}
	for _, each := range roles(built.objects) {
		if len(each.rules) == 0 {
			t.Errorf("%s allows nothing", each)
		}
		for _, rule := range each.rules {
			resources := rule.Resources
			if slices.Equal(rule.APIGroups, []string{catalog}) {
				resources = nil // kinds are not known beforehand
			}
			if slices.Contains(slices.Concat(rule.APIGroups, resources, rule.Verbs, rule.NonResourceURLs), "*") {
				t.Errorf("%s has a wildcard: %+v", each, rule)
			}
			if slices.ContainsFunc(rule.Verbs, func(verb string) bool { return slices.Contains(escalation, verb) }) {
				t.Errorf("%s can become more than it is: %v", each, rule.Verbs)
			}
		}
	}
}

// Every account has permission to report and to attest, and no other permission.
func everyAccountMayReport(t *testing.T, built installation) {
	want := []rbacv1.PolicyRule{{APIGroups: []string{"images.goldsmith.dev"}, Resources: []string{"imagebuilds/report", "imagebuilds/attest"}, Verbs: []string{"create"}}}
	for _, each := range roles(built.objects) {
		if each.name == reports && !reflect.DeepEqual(each.rules, want) {
			t.Errorf("%s allows %+v", each, each.rules)
		}
	}
}

// bothKnowTheSameBuilders ensures that plans match the builds that follow.
func bothKnowTheSameBuilders(t *testing.T, built installation) {
	told := map[string][]string{}
	for _, each := range workloads(built.objects) {
		for _, argument := range each.template.Spec.Containers[0].Args {
			if strings.Contains(argument, "-builder") {
				told[each.name] = append(told[each.name], argument)
			}
		}
	}
	server, controller := told["goldsmith-apiserver"], told["goldsmith-controller"]
	if len(server) == 0 || !slices.Equal(server, controller) {
		t.Errorf("goldsmith-apiserver is told %q and goldsmith-controller %q", server, controller)
	}
}

// signer is the role that reads the keys of SigningKeys.
const signer = "goldsmith-signer"

// Secrets are those of our own namespace. Roles name them, except where the signer reads the keys, whose names are not known beforehand.
func rolesReachOnlyOurSecrets(t *testing.T, built installation) {
	for _, each := range roles(built.objects) {
		for _, rule := range each.rules {
			if !slices.Contains(rule.Resources, "secrets") {
				continue
			}
			if each.kind.Kind == "ClusterRole" {
				t.Errorf("%s is about Secrets in all namespaces", each)
			}
			if each.name == signer {
				if !slices.Equal(rule.Verbs, []string{"get"}) {
					t.Errorf("%s can %v Secrets", each, rule.Verbs)
				}
				continue
			}
			if !slices.Equal(rule.Verbs, []string{"create"}) && len(rule.ResourceNames) == 0 {
				t.Errorf("%s is about any Secret: %v", each, rule.Verbs)
			}
			if built.has(certManager) {
				t.Errorf("%s is about Secrets, which cert-manager keeps", each)
			}
		}
	}
}

func bindingsAreOfRolesAndAccountsThatThereAre(t *testing.T, built installation) {
	known := slices.Clone(clusters)
	for _, each := range roles(built.objects) {
		known = append(known, each.kind.Kind+"/"+each.name)
	}
	accounts := names(built.objects, "ServiceAccount")
	bound := map[string]bool{}
	check := func(name string, ref rbacv1.RoleRef, subjects []rbacv1.Subject) {
		bound[ref.Kind+"/"+ref.Name] = true
		if !slices.Contains(known, ref.Kind+"/"+ref.Name) {
			t.Errorf("%s is of %s %s, which there is not", name, ref.Kind, ref.Name)
		}
		if len(subjects) == 0 {
			t.Errorf("%s is for nobody", name)
		}
		if name == reports {
			everyAccount := rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: "system:serviceaccounts"}
			if ref.Name != reports || !slices.Equal(subjects, []rbacv1.Subject{everyAccount}) {
				t.Errorf("%s is of %s for %+v", name, ref.Name, subjects)
			}
			return
		}
		for _, subject := range subjects {
			if subject.Kind != "ServiceAccount" || subject.Namespace != namespace || !slices.Contains(accounts, subject.Name) {
				t.Errorf("%s is for %+v", name, subject)
			}
		}
	}
	for _, each := range of[*rbacv1.RoleBinding](built.objects) {
		check(each.Name, each.RoleRef, each.Subjects)
		if each.RoleRef.Name == "goldsmith-builds" && each.Namespace != archives {
			t.Errorf("Goldsmith may create Jobs in %s", each.Namespace)
		}
	}
	for _, each := range of[*rbacv1.ClusterRoleBinding](built.objects) {
		check(each.Name, each.RoleRef, each.Subjects)
		if each.RoleRef.Name == "goldsmith-builds" && built.has(namespaced) {
			t.Error("Goldsmith may create Jobs in every namespace")
		}
	}
	for _, each := range roles(built.objects) {
		aggregated := slices.Contains([]string{"goldsmith-view", "goldsmith-edit", "goldsmith-admin", "goldsmith-catalog-view", "goldsmith-catalog-edit"}, each.name)
		if !aggregated && !bound[each.kind.Kind+"/"+each.name] {
			t.Errorf("nobody has %s", each)
		}
	}
}

// onlyTheRoleOfBuildsCreatesJobs ensures that the component namespaced has to remove only one role binding.
func onlyTheRoleOfBuildsCreatesJobs(t *testing.T, built installation) {
	for _, each := range of[*rbacv1.ClusterRole](built.objects) {
		for _, rule := range each.Rules {
			writes := slices.ContainsFunc(rule.Verbs, func(verb string) bool { return !slices.Contains([]string{"get", "list", "watch"}, verb) })
			runs := slices.ContainsFunc(rule.Resources, func(resource string) bool { return resource == "jobs" || resource == "pods" })
			if writes && runs && each.Name != "goldsmith-builds" {
				t.Errorf("%s may %v %v", each.Name, rule.Verbs, rule.Resources)
			}
		}
	}
}

// The cluster's roles contain each other: what is in view is in edit, and what is in edit is in admin. With the component catalog-only they
// have no permissions for Images.
func usersGetTheirPermissionsByTheClustersRoles(t *testing.T, built installation) {
	wanted, err := permissions.ByRole()
	require.NoError(t, err)
	allowed := map[string][]string{}
	for _, each := range of[*rbacv1.ClusterRole](built.objects) {
		for _, into := range permissions.Roles {
			if each.Labels["rbac.authorization.k8s.io/aggregate-to-"+into] != "true" || each.Name == "goldsmith-catalog-"+into {
				continue
			}
			if each.Name != "goldsmith-"+into || built.has(catalogOnly) {
				t.Errorf("%s becomes part of %s", each.Name, into)
			}
			for _, rule := range each.Rules {
				for _, resource := range rule.Resources {
					for _, verb := range rule.Verbs {
						allowed[into] = append(allowed[into], verb+" "+resource)
					}
				}
			}
		}
	}
	if built.has(catalogOnly) {
		wanted = nil
	}
	for _, role := range permissions.Roles {
		if diff := cmp.Diff(wanted[role], allowed[role], cmpopts.SortSlices(strings.Compare)); diff != "" {
			t.Errorf("permissions of goldsmith-%s (-of the package permissions +of the manifests):\n%s", role, diff)
		}
	}
}

// theCatalogIsForUsersOfEveryNamespace ensures that users with view can read all objects of the catalog, and users with edit can change
// them.
func theCatalogIsForUsersOfEveryNamespace(t *testing.T, built installation) {
	for into, verbs := range map[string][]string{"view": {"get", "list", "watch"}, "edit": {"create", "update", "patch", "delete", "deletecollection"}} {
		index := slices.IndexFunc(built.objects, func(o object) bool { return o.name == "goldsmith-catalog-"+into })
		if index < 0 {
			t.Errorf("there is no role for %s", into)
			continue
		}
		role := built.objects[index].value.(*rbacv1.ClusterRole)
		want := []rbacv1.PolicyRule{{APIGroups: []string{catalog}, Resources: []string{"*"}, Verbs: verbs}}
		if !reflect.DeepEqual(role.Rules, want) || role.Labels["rbac.authorization.k8s.io/aggregate-to-"+into] != "true" {
			t.Errorf("%s has labels %v, and allows %+v", role.Name, role.Labels, role.Rules)
		}
	}
}

// theConsoleHasNoPermissions ensures that whoever takes over the console gets no token of the cluster, and that no role is bound to its account.
func theConsoleHasNoPermissions(t *testing.T, built installation) {
	const account = "goldsmith-console"
	for _, each := range workloads(built.objects) {
		spec := each.template.Spec
		if each.name != account {
			if spec.ServiceAccountName == account {
				t.Errorf("%s runs as the console", each)
			}
			continue
		}
		if spec.ServiceAccountName != account || spec.AutomountServiceAccountToken == nil || *spec.AutomountServiceAccountToken {
			t.Errorf("%s runs as %q, with a token", each, spec.ServiceAccountName)
		}
		for _, volume := range spec.Volumes {
			if volume.Projected != nil {
				t.Errorf("%s mounts %+v", each, volume.Projected)
			}
		}
	}
	subjects := map[string][]rbacv1.Subject{}
	for _, each := range of[*rbacv1.RoleBinding](built.objects) {
		subjects[each.Name] = each.Subjects
	}
	for _, each := range of[*rbacv1.ClusterRoleBinding](built.objects) {
		subjects[each.Name] = append(subjects[each.Name], each.Subjects...)
	}
	for name, subjects := range subjects {
		if slices.ContainsFunc(subjects, func(subject rbacv1.Subject) bool { return subject.Name == account }) {
			t.Errorf("%s gives the console permissions", name)
		}
	}
	for _, each := range of[*corev1.ServiceAccount](built.objects) {
		if each.Name == account && (each.AutomountServiceAccountToken == nil || *each.AutomountServiceAccountToken) {
			t.Errorf("pods of %s get its token", each.Name)
		}
	}
}
