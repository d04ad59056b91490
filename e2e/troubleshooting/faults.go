// SPDX-License-Identifier: Apache-2.0

package troubleshooting

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/e2e/cluster"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

// repository is where the commands of the page are run, seen from a package of suites.
const repository = "../.."

// kubectl runs kubectl, which must succeed.
func kubectl(ctx context.Context, w *cluster.Workspace, arguments ...string) {
	GinkgoHelper()
	output, err := w.Environment.Kubectl(ctx, arguments...).CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), "%s", output)
}

// stop scales a part of the installation to zero, and waits until its pods are deleted.
func stop(ctx context.Context, w *cluster.Workspace, kind, part string) {
	GinkgoHelper()
	kubectl(ctx, w, "--namespace="+cluster.Namespace, "scale", kind+"/"+part, "--replicas=0")
	kubectl(ctx, w, "--namespace="+cluster.Namespace, "wait", "--for=delete", "pods", "--selector=app.kubernetes.io/name="+part, "--timeout=2m")
}

// trustEtcdAuthority has kube-apiserver trust the authority of etcd's certificate instead of ours.
func trustEtcdAuthority(ctx context.Context, w *cluster.Workspace) {
	GinkgoHelper()
	secret, err := w.Kube.CoreV1().Secrets(cluster.Namespace).Get(ctx, cluster.Etcd+"-tls", metav1.GetOptions{})
	Expect(err).NotTo(HaveOccurred())
	Expect(secret.Data["ca.crt"]).NotTo(BeEmpty())
	kubectl(ctx, w, "patch", "apiservice", cluster.APIService, "--type=merge",
		fmt.Sprintf(`--patch={"spec":{"caBundle":%q}}`, base64.StdEncoding.EncodeToString(secret.Data["ca.crt"])))
}

// forbid removes the permissions of a part of the installation for an API group.
func forbid(ctx context.Context, w *cluster.Workspace, part, group string) {
	GinkgoHelper()
	roles := w.Kube.RbacV1().ClusterRoles()
	role, err := roles.Get(ctx, part, metav1.GetOptions{})
	Expect(err).NotTo(HaveOccurred())
	before := len(role.Rules)
	for i := range role.Rules {
		role.Rules[i].APIGroups = slices.DeleteFunc(role.Rules[i].APIGroups, func(g string) bool { return g == group })
	}
	role.Rules = slices.DeleteFunc(role.Rules, func(rule rbacv1.PolicyRule) bool { return len(rule.APIGroups) == 0 })
	Expect(role.Rules).NotTo(HaveLen(before), "a rule for %s", group)
	_, err = roles.Update(ctx, role, metav1.UpdateOptions{})
	Expect(err).NotTo(HaveOccurred())
}

// restart replaces the pods of a part of the installation.
func restart(ctx context.Context, w *cluster.Workspace, part string) {
	GinkgoHelper()
	kubectl(ctx, w, "--namespace="+cluster.Namespace, "delete", "pods", "--selector=app.kubernetes.io/name="+part, "--now", "--wait")
}

// expectBuildSucceeds expects a build to succeed. An API that has just recovered may refuse the first requests.
func expectBuildSucceeds(ctx context.Context, w *cluster.Workspace) {
	GinkgoHelper()
	build := workspace.NewBuild("works")
	w.Eventually(ctx, func(ctx context.Context) error {
		_, err := w.Builds().Create(ctx, build, metav1.CreateOptions{})
		if apierrors.IsAlreadyExists(err) {
			return nil // the object was created, but the answer was lost
		}
		return err
	}).Should(Succeed())
	w.Succeeded(ctx, build.Name)
}
