// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"fmt"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/archive"
	"goldsmith.dev/goldsmith/e2e/cluster"
	"goldsmith.dev/goldsmith/e2e/deadline"
	"goldsmith.dev/goldsmith/e2e/faults/load"
)

// outage is how long the API is unavailable.
const outage = 5 * time.Minute

// describeOutage is one spec, because each of its waits is long and all of them can pass at the same time.
func describeOutage(w, ofLog *cluster.Workspace) {
	It("An API that is unavailable for five minutes is waited for, although a worker and the garbage collector are lost meanwhile", func(ctx SpecContext) {
		present, absent := newNamespace(ctx, w), newNamespace(ctx, w)
		By("deleting a namespace while the API is there")
		deleteNamespace(ctx, w, present)
		waitForNamespaceDeletion(ctx, w, present)

		By("having the log of a build on the worker that will be lost")
		log := archive.StartOnWorker(ctx, ofLog, ofLog.WorkerWithoutEtcd(ctx))

		By("taking the API away from builds that run, and a worker from some of them")
		untilWorkerLost := 25*time.Second + deadline.BuilderStart.Deadline()
		builds := load.Start(ctx, w, fmt.Sprintf("duration=%s,10s", untilWorkerLost), "steps=5")
		builds.Running(ctx, load.Builds/2)
		restoreAPI := stopAPI(ctx, w)
		start := time.Now()
		worker, restoreWorker := loseWorker(ctx, w)
		before := restarts(ctx, w, worker)
		waitForOutage(ctx, w)
		jobs := uidsOfJobs(ctx, w)

		By("letting the garbage collector work, the second time one that has never seen our API")
		orphan := newOrphan(ctx, w, buildKind)
		waitForCollection(ctx, w, secretKind)
		kill(ctx, w, collector(ctx, w))
		waitForCollection(ctx, w, secretKind)
		lost := buildsLostWith(ctx, w, worker)

		By("waiting for the five minutes to be over")
		Consistently(ctx, func(g Gomega) {
			g.Expect(uidsOfJobs(ctx, w)).To(ContainElements(jobs), "no Job is deleted")
			g.Expect(uidsOfConfigMaps(ctx, w)).To(ContainElement(orphan.UID), "and not even what really has no owner")
			g.Expect(restarts(ctx, w, worker)).To(Equal(before), "no controller gives up")
		}).WithTimeout(time.Until(start.Add(outage))).WithPolling(2 * time.Second).Should(Succeed())

		// Not earlier: Kubernetes retries with a growing back-off.
		By("deleting a namespace while the API is unavailable")
		deleteNamespace(ctx, w, absent)
		waitForStuckNamespace(ctx, w, absent)

		By("bringing the API back")
		restoreAPI(ctx)
		Expect(w.Environment.WaitAvailable(ctx)).To(Succeed())
		nextAttempts(ctx, w, lost, worker)

		By("finding in the archive what the lost builder had written")
		log.ExpectKept(ctx)

		By("bringing the worker back, where the builders of lost attempts now end")
		restoreWorker(ctx)
		for _, build := range builds.Succeeded(ctx) {
			attempts := build.Status.Attempts
			switch {
			case slices.Contains(lost, build.Name):
				Expect(attempts).To(HaveLen(2), build.Name)
			case attempts[0].NodeName == worker && attempts[0].Outcome == v1alpha1.AttemptDisrupted:
				// The attempt succeeded while the success could not be recorded, and Kubernetes deleted the pod with its status.
				Expect(attempts).To(HaveExactElements(HaveField("Failure.Reason", v1alpha1.ReasonPodDeleted), HaveField("Outcome", v1alpha1.AttemptSucceeded)), build.Name)
			default:
				Expect(attempts).To(HaveLen(1), build.Name)
			}
		}

		By("seeing that what had to wait is done")
		waitForNamespaceDeletion(ctx, w, absent)
		waitForCollection(ctx, w, buildKind) // a new orphan: the back-off of the first is long by now
	})
}

// stopAPI stops all API servers at once, and returns a function that starts them. The end of the spec starts them at the latest.
func stopAPI(ctx context.Context, w *cluster.Workspace) (restore func(context.Context)) {
	GinkgoHelper()
	servers := w.PodsOf(ctx, cluster.APIServer)
	scale := func(ctx context.Context, replicas int) {
		GinkgoHelper()
		_, err := w.Kube.AppsV1().Deployments(cluster.Namespace).Patch(ctx, cluster.APIServer, types.MergePatchType,
			fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas), metav1.PatchOptions{})
		Expect(err).NotTo(HaveOccurred())
	}
	restore = func(ctx context.Context) { scale(ctx, len(servers)) }
	DeferCleanup(restore)
	scale(ctx, 0)
	deletePods(ctx, w, servers...)
	waitForProcessesToEnd(ctx, w, servers...)
	return restore
}

// waitForOutage waits until kube-apiserver answers requests for our API with 503.
func waitForOutage(ctx context.Context, w *cluster.Workspace) {
	GinkgoHelper()
	w.Eventually(ctx, func(ctx context.Context) bool {
		_, err := w.Images().List(ctx, metav1.ListOptions{})
		return apierrors.IsServiceUnavailable(err)
	}).Should(BeTrue())
}

// restarts are those of the controllers that are not on a lost worker.
func restarts(ctx context.Context, w *cluster.Workspace, worker string) map[types.UID]int32 {
	GinkgoHelper()
	counts := map[types.UID]int32{}
	for _, pod := range w.PodsOf(ctx, cluster.Controller) {
		if pod.Spec.NodeName != worker && pod.DeletionTimestamp == nil {
			Expect(pod.Status.ContainerStatuses).To(HaveLen(1), pod.Name)
			counts[pod.UID] = pod.Status.ContainerStatuses[0].RestartCount
		}
	}
	Expect(counts).NotTo(BeEmpty(), "a controller on another worker than %s", worker)
	return counts
}
