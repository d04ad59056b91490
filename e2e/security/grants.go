// SPDX-License-Identifier: Apache-2.0

package security

import (
	"context"
	"fmt"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/e2e/cluster"
)

// partOf selects the objects of an installation.
const partOf = "app.kubernetes.io/part-of=" + cluster.PartOf

// grantsOf returns the permissions that our roles grant to one of our service accounts, each as "verb resource.group".
func grantsOf(ctx context.Context, w *cluster.Workspace, account string) []string {
	GinkgoHelper()
	var grants []string
	add := func(rules []rbacv1.PolicyRule) {
		for _, rule := range rules {
			for _, group := range rule.APIGroups {
				for _, resource := range rule.Resources {
					for _, verb := range rule.Verbs {
						grants = append(grants, call(verb, resource, group))
					}
				}
			}
		}
	}
	isFor := func(subjects []rbacv1.Subject) bool {
		return slices.ContainsFunc(subjects, func(s rbacv1.Subject) bool {
			return s.Kind == rbacv1.ServiceAccountKind && s.Namespace == cluster.Namespace && s.Name == account
		})
	}
	ours := metav1.ListOptions{LabelSelector: partOf}
	clusterBindings, err := w.Kube.RbacV1().ClusterRoleBindings().List(ctx, ours)
	Expect(err).NotTo(HaveOccurred())
	clusterRoles, err := w.Kube.RbacV1().ClusterRoles().List(ctx, ours)
	Expect(err).NotTo(HaveOccurred())
	for _, binding := range clusterBindings.Items {
		for _, role := range clusterRoles.Items {
			if isFor(binding.Subjects) && role.Name == binding.RoleRef.Name {
				add(role.Rules)
			}
		}
	}
	bindings, err := w.Kube.RbacV1().RoleBindings(cluster.Namespace).List(ctx, ours)
	Expect(err).NotTo(HaveOccurred())
	roles, err := w.Kube.RbacV1().Roles(cluster.Namespace).List(ctx, ours)
	Expect(err).NotTo(HaveOccurred())
	for _, binding := range bindings.Items {
		for _, role := range roles.Items {
			if isFor(binding.Subjects) && binding.RoleRef.Kind == "Role" && role.Name == binding.RoleRef.Name {
				add(role.Rules)
			}
		}
	}
	slices.Sort(grants)
	return slices.Compact(grants)
}

// call is a request, or the right to make it, as text. The group of Kubernetes itself has no name.
func call(verb, resource, group string) string {
	if group == "" {
		return fmt.Sprintf("%s %s", verb, resource)
	}
	return fmt.Sprintf("%s %s.%s", verb, resource, group)
}
