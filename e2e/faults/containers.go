// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/e2e/cluster"
)

// kill kills the processes of pods, as a crash does, and waits until their containers have restarted.
func kill(ctx context.Context, w *cluster.Workspace, pods ...corev1.Pod) {
	GinkgoHelper()
	for _, pod := range pods {
		Expect(pod.Status.ContainerStatuses).NotTo(BeEmpty(), pod.Name)
		for _, container := range pod.Status.ContainerStatuses {
			Expect(w.Environment.KillContainer(ctx, pod.Spec.NodeName, container.ContainerID)).To(Succeed(), pod.Name)
		}
	}
	for _, pod := range pods {
		w.Eventually(ctx, func(ctx context.Context) ([]corev1.ContainerStatus, error) {
			now, err := w.Kube.CoreV1().Pods(pod.Namespace).Get(ctx, pod.Name, metav1.GetOptions{})
			return now.Status.ContainerStatuses, err
		}).Should(HaveEach(And(
			HaveField("RestartCount", BeNumerically(">", pod.Status.ContainerStatuses[0].RestartCount)),
			HaveField("State.Running", Not(BeNil())),
		)), pod.Name)
	}
}

// deletePods deletes pods without a grace period.
func deletePods(ctx context.Context, w *cluster.Workspace, pods ...corev1.Pod) {
	GinkgoHelper()
	for _, pod := range pods {
		err := w.Kube.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))})
		Expect(err).NotTo(HaveOccurred(), pod.Name)
	}
}

// waitForProcessesToEnd waits until the processes of deleted pods have ended. A process that is paused with its worker while it ends
// keeps its connections, and clients that watch through them receive no events.
func waitForProcessesToEnd(ctx context.Context, w *cluster.Workspace, pods ...corev1.Pod) {
	GinkgoHelper()
	for _, pod := range pods {
		w.Eventually(ctx, func(ctx context.Context) ([]byte, error) {
			return w.Environment.Nodes.Run(ctx, pod.Spec.NodeName, "crictl", "pods", "--quiet", "--state", "ready",
				"--label", "io.kubernetes.pod.uid="+string(pod.UID))
		}).Should(BeEmpty(), pod.Name)
	}
}

// leader is the pod of the controller that holds the lease.
func leader(ctx context.Context, w *cluster.Workspace) corev1.Pod {
	GinkgoHelper()
	pod, err := w.Kube.CoreV1().Pods(cluster.Namespace).Get(ctx, w.Leader(ctx), metav1.GetOptions{})
	Expect(err).NotTo(HaveOccurred())
	return *pod
}
