// SPDX-License-Identifier: Apache-2.0

package security

import (
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	client "goldsmith.dev/goldsmith/apis/generated/clientset/versioned/typed/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/cluster"
)

// user is a user with some roles in the namespace of a spec, and no other permissions.
type user struct {
	name      string
	namespace string
	kube      kubernetes.Interface
	goldsmith versioned.Interface
}

// newUser is a user with these ClusterRoles in the namespace.
func newUser(ctx context.Context, w *cluster.Workspace, name string, roles ...string) user {
	GinkgoHelper()
	for _, role := range roles {
		bind(ctx, w, rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role}, rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: name})
	}
	config := w.Environment.As(name)
	u := user{name: name, namespace: w.Namespace, kube: kubernetes.NewForConfigOrDie(config), goldsmith: versioned.NewForConfigOrDie(config)}
	for _, role := range roles { // a binding counts a moment after it is made
		verb := "create"
		if strings.Contains(role, "view") {
			verb = "list"
		}
		w.Eventually(ctx, func(ctx context.Context) bool { return isAllowed(ctx, u, verb, "images") }).Should(BeTrue())
	}
	return u
}

// bind gives a subject a role in the namespace.
func bind(ctx context.Context, w *cluster.Workspace, role rbacv1.RoleRef, subject rbacv1.Subject) {
	GinkgoHelper()
	_, err := w.Kube.RbacV1().RoleBindings(w.Namespace).Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "binding-"}, RoleRef: role, Subjects: []rbacv1.Subject{subject},
	}, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
}

// grant gives a user one permission in the namespace, for one object.
func grant(ctx context.Context, w *cluster.Workspace, who user, verb, resource, name string) {
	GinkgoHelper()
	role, err := w.Kube.RbacV1().Roles(w.Namespace).Create(ctx, &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "grant-"},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{resource}, ResourceNames: []string{name}, Verbs: []string{verb}}},
	}, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	bind(ctx, w, rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name}, rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: who.name})
}

func (u user) images() client.ImageInterface {
	return u.goldsmith.ImagesV1alpha1().Images(u.namespace)
}

func (u user) builds() client.ImageBuildInterface {
	return u.goldsmith.ImagesV1alpha1().ImageBuilds(u.namespace)
}
