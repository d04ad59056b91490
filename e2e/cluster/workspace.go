// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/e2e/workspace"
)

// polling is the interval at which specs check for the state that they wait for.
const polling = 100 * time.Millisecond

// Workspace is a namespace for the present spec, with clients of an administrator, on the cluster of an environment.
type Workspace struct {
	workspace.Workspace
	Environment Environment
}

// NewWorkspace opens a workspace before each spec of the present container, with the restricted Pod Security Standard, and closes it
// afterwards.
func NewWorkspace(environment func() Environment) *Workspace {
	w := &Workspace{}
	BeforeEach(func(ctx SpecContext) {
		w.Environment = environment()
		w.Open(ctx, workspace.Options{
			Config: w.Environment.Config, GenerateName: "cluster-", Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
			Patience: w.Environment.Patience, Polling: polling,
			Archived: w.Environment.LogArchive != nil, Recorded: w.Environment.Records != nil,
			Disposable: w.Environment.Disposable,
		})
	})
	AfterEach(func(ctx SpecContext) { w.Close(ctx) })
	return w
}

// PodsOf are the pods of a part of the installation.
func (w *Workspace) PodsOf(ctx context.Context, part string) []corev1.Pod {
	GinkgoHelper()
	pods, err := w.Kube.CoreV1().Pods(Namespace).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=" + part})
	Expect(err).NotTo(HaveOccurred())
	Expect(pods.Items).NotTo(BeEmpty(), part)
	return pods.Items
}

// Leader is the name of the pod of the controller that leads.
func (w *Workspace) Leader(ctx context.Context) string {
	GinkgoHelper()
	lease, err := w.Kube.CoordinationV1().Leases(Namespace).Get(ctx, Controller, metav1.GetOptions{})
	Expect(err).NotTo(HaveOccurred())
	Expect(lease.Spec.HolderIdentity).NotTo(BeNil())
	return *lease.Spec.HolderIdentity
}

// RemoveLeader deletes that pod without a grace period.
func (w *Workspace) RemoveLeader(ctx context.Context) {
	GinkgoHelper()
	Expect(w.Kube.CoreV1().Pods(Namespace).Delete(ctx, w.Leader(ctx), metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))})).To(Succeed())
}
