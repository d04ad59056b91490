// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/cluster"
	"goldsmith.dev/goldsmith/e2e/deadline"
)

// loseWorker pauses a worker that Goldsmith does not need, and returns a function that resumes it. The end of the spec resumes it
// at the latest.
func loseWorker(ctx context.Context, w *cluster.Workspace) (worker string, restore func(context.Context)) {
	GinkgoHelper()
	nodes := w.Environment.Nodes
	worker = w.WorkerWithoutEtcd(ctx)
	frozen := true
	restore = func(ctx context.Context) {
		GinkgoHelper()
		if frozen {
			Expect(nodes.Unpause(ctx, worker)).To(Succeed())
			frozen = false
		}
		w.WaitForNode(ctx, worker)
	}
	// Again, if need be: runc gives up if a process of the node is busy in the kernel for too long
	// (https://github.com/opencontainers/runc/pull/4388).
	w.Eventually(ctx, func(ctx context.Context) error { return nodes.Pause(ctx, worker) }).Should(Succeed())
	DeferCleanup(restore)
	return worker, restore
}

// buildsLostWith waits until Kubernetes has given up the pods of a frozen worker that had not ended, and returns the
// names of their builds.
func buildsLostWith(ctx context.Context, w *cluster.Workspace, worker string) []string {
	GinkgoHelper()
	var builds []string
	Eventually(ctx, func(g Gomega, ctx context.Context) {
		pods, err := w.Kube.CoreV1().Pods(w.Namespace).List(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=" + worker})
		g.Expect(err).NotTo(HaveOccurred())
		builds = nil
		for _, pod := range pods.Items {
			if succeeded(pod) {
				continue
			}
			g.Expect(pod.DeletionTimestamp).NotTo(BeNil(), pod.Name)
			builds = append(builds, pod.Labels[v1alpha1.LabelBuild])
		}
	}).WithTimeout(deadline.WorkerGivenUp.Deadline()).WithPolling(time.Second).Should(Succeed())
	Expect(builds).NotTo(BeEmpty(), "builds were running on worker %s", worker)
	return builds
}

// succeeded reports whether the container of a builder succeeded. A lost worker may not have reported the phase of the pod.
func succeeded(pod corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.ContainerStatuses, func(container corev1.ContainerStatus) bool {
		return container.State.Terminated != nil && container.State.Terminated.ExitCode == 0
	})
}

// nextAttempts waits until each of these builds has gone on with a second attempt, elsewhere.
func nextAttempts(ctx context.Context, w *cluster.Workspace, builds []string, worker string) {
	GinkgoHelper()
	for _, name := range builds {
		w.Eventually(ctx, func(ctx context.Context) ([]v1alpha1.BuildAttempt, error) {
			build, err := w.Builds().Get(ctx, name, metav1.GetOptions{})
			return build.Status.Attempts, err
		}).Should(HaveExactElements(
			And(HaveField("NodeName", worker), HaveField("Failure.Reason", v1alpha1.ReasonNodeLost)),
			HaveField("NodeName", And(Not(BeEmpty()), Not(Equal(worker)))),
		), name)
	}
}
