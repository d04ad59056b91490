// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// WorkerWithoutEtcd is a worker that Goldsmith does not need: its etcd runs elsewhere.
func (w *Workspace) WorkerWithoutEtcd(ctx context.Context) string {
	GinkgoHelper()
	pods := w.PodsOf(ctx, Etcd)
	workers := slices.DeleteFunc(slices.Clone(w.Environment.Nodes.Workers()), func(worker string) bool {
		return slices.ContainsFunc(pods, func(pod corev1.Pod) bool { return pod.Spec.NodeName == worker })
	})
	Expect(workers).NotTo(BeEmpty(), "there is a worker without etcd")
	return workers[0]
}

// WaitForNode waits until a node is ready.
func (w *Workspace) WaitForNode(ctx context.Context, name string) {
	GinkgoHelper()
	w.Eventually(ctx, func(ctx context.Context) ([]corev1.NodeCondition, error) {
		node, err := w.Kube.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		return node.Status.Conditions, err
	}).Should(ContainElement(And(HaveField("Type", corev1.NodeReady), HaveField("Status", corev1.ConditionTrue))))
}
