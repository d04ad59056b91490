// SPDX-License-Identifier: Apache-2.0

package users

import (
	"context"
	_ "embed" // for the roles
	"fmt"
	"slices"
	"strings"
	"sync"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/component-helpers/auth/rbac/validation"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/internal/documents"
	"goldsmith.dev/goldsmith/kustomize"
)

// The groups that give rights in all namespaces, besides user.SystemPrivilegedGroup, which gives every right.
const (
	view  = "view"
	edit  = "edit"
	admin = "admin"
)

// coreRoles are the rights for what the server has of the kinds of Kubernetes.
//
//go:embed roles.yaml
var coreRoles []byte

// Groups returns the groups that users can have.
func Groups() []string { return []string{view, edit, admin, user.SystemPrivilegedGroup} }

func checkGroups(groups []string) error {
	if len(groups) == 0 {
		return fmt.Errorf("set at least one group: %s", strings.Join(Groups(), ", "))
	}
	for _, group := range groups {
		if !slices.Contains(Groups(), group) {
			return fmt.Errorf("unknown group %q: known are %s", group, strings.Join(Groups(), ", "))
		}
	}
	return nil
}

// aggregated is the label of roles that a cluster adds to its own role of a name.
const aggregated = "rbac.authorization.k8s.io/aggregate-to-"

// rulesOf returns the rules of each group but that of all rights: those of a cluster's role of this name, which includes the roles of fewer
// rights, and those of every authenticated user.
var rulesOf = sync.OnceValue(func() map[string][]rbacv1.PolicyRule {
	rules := map[string][]rbacv1.PolicyRule{view: nil, edit: nil, admin: nil}
	for _, document := range slices.Concat(documents.Split(kustomize.Roles), documents.Split(coreRoles)) {
		var role rbacv1.ClusterRole
		if err := yaml.Unmarshal(document.Text, &role); err != nil {
			panic(err) // only of a file of this program
		}
		for group := range rules {
			included := role.Name == "authenticated"
			for _, other := range Groups()[:slices.Index(Groups(), group)+1] {
				included = included || role.Labels[aggregated+other] == "true"
			}
			if included {
				rules[group] = append(rules[group], role.Rules...)
			}
		}
	}
	return rules
})

// Rights are what the groups of a user allow, by the rules of RBAC. It is an authorizer.RuleResolver, too, and has no opinion about other requests.
var Rights authorizer.Authorizer = rights{authorize}

type rights struct{ authorizer.AuthorizerFunc }

// RulesFor lists the rules of the groups of a user in a namespace.
func (rights) RulesFor(_ context.Context, info user.Info, namespace string) (of []authorizer.ResourceRuleInfo, paths []authorizer.NonResourceRuleInfo, _ bool, _ error) {
	for _, group := range info.GetGroups() {
		for _, rule := range rulesIn(namespace, group) {
			if len(rule.Resources) > 0 {
				of = append(of, &authorizer.DefaultResourceRuleInfo{Verbs: rule.Verbs, APIGroups: rule.APIGroups, Resources: rule.Resources, ResourceNames: rule.ResourceNames})
			} else {
				paths = append(paths, &authorizer.DefaultNonResourceRuleInfo{Verbs: rule.Verbs, NonResourceURLs: rule.NonResourceURLs})
			}
		}
	}
	return of, paths, false, nil
}

// rulesIn returns the rules of a group in a namespace. Where the Secrets of SigningKeys are, no group but that of all rights reads Secrets, or
// starts builders, which could read them. Where archives are checked, no other group creates Jobs, whose answers the controller would believe.
func rulesIn(namespace, group string) []rbacv1.PolicyRule {
	ours := namespace == v1alpha1.SystemNamespace || namespace == v1alpha1.ArchiveNamespace
	if _, known := rulesOf()[group]; known && ours {
		group = view
	}
	return rulesOf()[group]
}

// namespaceOf returns the namespace whose rules decide on a request. A list of the Secrets of all namespaces has those of SigningKeys, too.
func namespaceOf(attributes authorizer.Attributes) string {
	if attributes.GetNamespace() == "" && attributes.GetAPIGroup() == "" && attributes.GetResource() == "secrets" {
		return v1alpha1.SystemNamespace
	}
	return attributes.GetNamespace()
}

func authorize(_ context.Context, attributes authorizer.Attributes) (authorizer.Decision, string, error) {
	if attributes.GetUser() == nil {
		return authorizer.DecisionNoOpinion, "", nil
	}
	for _, group := range attributes.GetUser().GetGroups() {
		if covered, _ := validation.Covers(rulesIn(namespaceOf(attributes), group), []rbacv1.PolicyRule{ruleOf(attributes)}); covered {
			return authorizer.DecisionAllow, "allowed by group " + group, nil
		}
	}
	return authorizer.DecisionNoOpinion, "", nil
}

// ruleOf returns the rule that allows a request and no other.
func ruleOf(attributes authorizer.Attributes) rbacv1.PolicyRule {
	asked := rbacv1.PolicyRule{Verbs: []string{attributes.GetVerb()}}
	if !attributes.IsResourceRequest() {
		asked.NonResourceURLs = []string{attributes.GetPath()}
		return asked
	}
	resource := attributes.GetResource()
	if subresource := attributes.GetSubresource(); subresource != "" {
		resource += "/" + subresource
	}
	asked.APIGroups, asked.Resources = []string{attributes.GetAPIGroup()}, []string{resource}
	if name := attributes.GetName(); name != "" {
		asked.ResourceNames = []string{name}
	}
	return asked
}
