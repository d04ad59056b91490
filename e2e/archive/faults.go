// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/deadline"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

func describeFaults(w *fixture) {
	It("has each line once, although the controller is killed in the middle of it", func(ctx SpecContext) {
		const steps, linesPerStep = 20, 50
		w.CreateBuild(ctx, workspace.NewBuild("once", "duration=20s", fmt.Sprintf("steps=%d", steps), fmt.Sprintf("linesPerStep=%d", linesPerStep)))
		w.showing(ctx, "once", "step 5/20")
		w.RemoveLeader(ctx)

		w.Finished(ctx, "once")
		attempt := w.archived(ctx, "once", "True/Archived").Status.Attempts[0]
		whole := w.fromPod(ctx, attempt, corev1.PodLogOptions{})
		w.withoutPods(ctx)
		text := w.Log(ctx, "once", nil)
		Expect(numberedLines(text)).To(Equal(wholeLines(steps, linesPerStep)))
		Expect(text).To(Equal(whole))
	})

	It("that does not answer holds no build up, and has every log once it answers", func(ctx SpecContext) {
		DeferCleanup(func(ctx SpecContext) { Expect(w.Environment.StartArchive(ctx)).To(Succeed()) })
		Expect(w.Environment.StopArchive(ctx)).To(Succeed())
		names := []string{"good", "bad"}
		w.CreateBuild(ctx, workspace.NewBuild("good", "duration=2s", "steps=2", "linesPerStep=100"))
		w.CreateBuild(ctx, workspace.NewBuild("bad", "linesPerStep=100", "failAt=1"))
		whole := map[string]string{}
		for _, name := range names {
			build := w.archived(ctx, name, "False/"+v1alpha1.ReasonArchiveUnavailable)
			Expect(meta.FindStatusCondition(build.Status.Conditions, v1alpha1.BuildLogArchived).Message).NotTo(BeEmpty())
			whole[name] = w.fromPod(ctx, build.Status.Attempts[0], corev1.PodLogOptions{})
			Expect(w.Log(ctx, name, nil)).To(Equal(whole[name]), "the pod has it")
		}

		Expect(w.Environment.StartArchive(ctx)).To(Succeed())
		for _, name := range names {
			w.archived(ctx, name, "True/Archived")
		}
		w.withoutPods(ctx)
		for _, name := range names {
			Expect(w.Log(ctx, name, nil)).To(Equal(whole[name]))
		}
	})

	It("has what was written before a worker was lost", func(ctx SpecContext) {
		worker := w.WorkerWithoutEtcd(ctx)
		build := onWorker(ctx, w, worker)
		seen := w.showing(ctx, build, "step 5/")
		w.showing(ctx, build, "step 15/") // ten seconds later: what was seen then is not of the last ones
		DeferCleanup(func(ctx SpecContext) {
			Expect(w.Environment.Nodes.Unpause(ctx, worker)).To(Succeed())
			w.WaitForNode(ctx, worker)
		})
		Expect(w.Environment.Nodes.Pause(ctx, worker)).To(Succeed())
		isLost(ctx, w, build)

		w.Cancel(ctx, build, "")
		w.archived(ctx, build, "True/"+v1alpha1.ReasonLogArchivedInPart)
		kept := w.Log(ctx, build, map[string]string{"attempt": "1"})
		Expect(kept).To(HavePrefix(seen))
		lines := numberedLines(kept)
		Expect(lines).To(Equal(wholeLines(lastingSteps, 1)[:len(lines)]))
	})
}

// lastingSteps is how many steps, of a second each, those builds have that a worker is lost under.
const lastingSteps = 600

// onWorker starts builds until one runs on a worker, and returns its name.
func onWorker(ctx context.Context, w *fixture, worker string) string {
	GinkgoHelper()
	for number := range 10 {
		name := fmt.Sprintf("lasting-%d", number)
		w.CreateBuild(ctx, workspace.NewBuild(name, fmt.Sprintf("duration=%ds", lastingSteps), fmt.Sprintf("steps=%d", lastingSteps)))
		w.showing(ctx, name, "step 1/")
		build, err := w.Builds().Get(ctx, name, metav1.GetOptions{})
		Expect(err).NotTo(HaveOccurred())
		if build.Status.Attempts[0].NodeName == worker {
			return name
		}
	}
	Fail("no build was put on worker " + worker)
	return ""
}

// isLost waits until the first attempt of a build has ended with its node.
func isLost(ctx context.Context, w *fixture, name string) {
	GinkgoHelper()
	Eventually(ctx, func(ctx context.Context) ([]v1alpha1.BuildAttempt, error) {
		build, err := w.Builds().Get(ctx, name, metav1.GetOptions{})
		return build.Status.Attempts, err
	}).WithTimeout(deadline.WorkerGivenUp.Deadline()).WithPolling(time.Second).
		Should(ContainElement(HaveField("Failure", HaveValue(HaveField("Reason", v1alpha1.ReasonNodeLost)))))
}
