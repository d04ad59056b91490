// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
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
}
