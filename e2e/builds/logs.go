// SPDX-License-Identifier: Apache-2.0

package builds

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

func describeLogs(w *fixture) {
	Describe("The log of a build", func() {
		It("is followed from before there is one to the end of the last attempt, and can be read of each", Label("gate"), func(ctx SpecContext) {
			image := workspace.NewImage("web", longer)
			image.Spec.Retry = &v1alpha1.RetryPolicy{Backoff: &v1alpha1.Backoff{Initial: duration(0)}}
			w.CreateImage(ctx, image)
			w.running(ctx, "web-1")
			w.ChangeImage(ctx, "web", setting("duration=200ms", "steps=4", "linesPerStep=3", "failAttempts=1", "retryable=true"))
			w.WaitForBuild(ctx, "web-2", inPhase(v1alpha1.BuildQueued))

			log := w.FollowLog(ctx, "web-2", nil)
			w.Cancel(ctx, "web-1", "")
			w.Succeeded(ctx, "web-2")
			first, second := w.Log(ctx, "web-2", map[string]string{"attempt": "1"}), w.Log(ctx, "web-2", map[string]string{"attempt": "2"})
			Expect(first).To(ContainSubstring("attempt 1"))
			Expect(second).To(And(ContainSubstring("attempt 2"), ContainSubstring("step 4/4 line 3/3")))
			Expect(w.Log(ctx, "web-2", nil)).To(Equal(second))
			w.Eventually(ctx, log).Should(Receive(Equal(first + second)))

			_, err := w.ReadLog(ctx, "web-2", map[string]string{"attempt": "3"})
			Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%v", err)
		})

		It("can be read in part", func(ctx SpecContext) {
			w.CreateBuild(ctx, workspace.NewBuild("once", "duration=2s", "steps=2"))
			w.Succeeded(ctx, "once")
			whole := w.Log(ctx, "once", nil)
			lines := strings.SplitAfter(strings.TrimSuffix(whole, "\n"), "\n")
			Expect(lines).To(HaveLen(3), whole)

			Expect(w.Log(ctx, "once", map[string]string{"tailLines": "1"})).To(Equal("step 2/2 line 1/1\n"))
			Expect(w.Log(ctx, "once", map[string]string{"tailLines": "0"})).To(BeEmpty())
			Expect(w.Log(ctx, "once", map[string]string{"limitBytes": "10"})).To(Equal(whole[:10]))

			stamped := strings.SplitAfter(strings.TrimSuffix(w.Log(ctx, "once", map[string]string{"timestamps": "true"}), "\n"), "\n")
			Expect(stamped).To(HaveLen(3))
			var written []time.Time
			for i, line := range stamped {
				stamp, text, _ := strings.Cut(line, " ")
				Expect(text).To(Equal(lines[i]))
				at, err := time.Parse(time.RFC3339Nano, stamp)
				Expect(err).NotTo(HaveOccurred())
				written = append(written, at)
			}
			Expect(slices.IsSortedFunc(written, time.Time.Compare)).To(BeTrue(), "%v", written)
			// Written a second apart, lines may be read at once on a busy machine, and are stamped then.
			since := written[len(written)-1].UTC().Truncate(time.Second)
			first := slices.IndexFunc(written, func(at time.Time) bool { return !at.Before(since) })
			Expect(w.Log(ctx, "once", map[string]string{"sinceTime": since.Format(time.RFC3339)})).To(Equal(strings.Join(lines[first:], "") + "\n"))
		})

		It("is whole, however much there is of it", func(ctx SpecContext) {
			w.CreateBuild(ctx, workspace.NewBuild("once", "linesPerStep=10000", "lineBytes=40", "failAt=1"))
			failed := w.WaitForBuild(ctx, "once", failedWith("User/BuilderFailed"))
			text := w.Log(ctx, "once", nil)
			Expect(strings.Count(text, "\n")).To(BeNumerically(">", 10000))
			Expect(text).To(ContainSubstring("line 10000/10000"))
			Expect(len(failed.Status.Failure.LogTail)).To(And(BeNumerically(">", 2048-100), BeNumerically("<=", 2048))) // in whole lines
			Expect(text).To(HaveSuffix("\n" + failed.Status.Failure.LogTail))
		})

		It("is empty, with a warning that says why, where nothing was started", func(ctx SpecContext) {
			build := workspace.NewBuild("once")
			build.Spec.Inputs.Builder.Name = "nobodys"
			w.CreateBuild(ctx, build)
			w.WaitForBuild(ctx, "once", failedWith("Config/BuilderNotFound"))

			w.hasNoLog(ctx, "once", "no attempt was started")
		})

		It("is refused where the question makes no sense", func(ctx SpecContext) {
			w.CreateBuild(ctx, workspace.NewBuild("once"))
			w.Succeeded(ctx, "once")
			_, err := w.ReadLog(ctx, "once", map[string]string{"attempt": "0", "tailLines": "-1", "limitBytes": "0"})
			Expect(err).To(workspace.BeInvalid("attempt", "tailLines", "limitBytes"))
			_, err = w.ReadLog(ctx, "nobodys", nil)
			Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%v", err)
		})
	})
}

// hasNoLog expects that the log of a build is empty, with such a warning, whether it is followed or not.
func (w *fixture) hasNoLog(ctx context.Context, build, warning string) {
	GinkgoHelper()
	for _, following := range []bool{false, true} {
		result := workspace.LogRequest(w.Goldsmith, w.Namespace, build, map[string]string{"follow": strconv.FormatBool(following)}).Do(ctx)
		Expect(result.Error()).NotTo(HaveOccurred())
		Expect(result.Raw()).To(BeEmpty())
		Expect(result.Warnings()).To(ConsistOf(HaveField("Text", ContainSubstring(warning))))
	}
}
