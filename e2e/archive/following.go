// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"maps"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

func describeFollowing(w *fixture) {
	DescribeTable("are followed across the deletion of the pod, without a gap or a repeat",
		func(ctx SpecContext, parameters map[string]string) {
			w.CreateBuild(ctx, workspace.NewBuild("once", "duration=20s", "steps=40", "linesPerStep=25"))
			w.showing(ctx, "once", "step 2/40")
			followed := w.FollowLog(ctx, "once", parameters)
			w.showing(ctx, "once", "step 6/40")
			build, err := w.Builds().Get(ctx, "once", metav1.GetOptions{})
			Expect(err).NotTo(HaveOccurred())
			// The builder keeps writing during the grace period of its pod.
			Expect(w.Kube.CoreV1().Pods(w.Namespace).Delete(ctx, build.Status.Attempts[0].PodName, metav1.DeleteOptions{})).To(Succeed())

			w.Finished(ctx, "once")
			// The log is complete. It is still possible that no client saw how the container ended before its pod was deleted.
			build = w.archived(ctx, "once", "True/Archived", "True/"+v1alpha1.ReasonLogArchivedInPart)
			Expect(build.Status.Phase).To(Equal(v1alpha1.BuildSucceeded))
			Expect(build.Status.Attempts).To(HaveLen(2))
			var text string
			w.Eventually(ctx, followed).Should(Receive(&text))
			Expect(text).To(Equal(w.Log(ctx, "once", withAttempt(parameters, "1")) + w.Log(ctx, "once", withAttempt(parameters, "2"))))
			Expect(text).To(ContainSubstring("told to end: exiting"))
		},
		Entry("as it is", map[string]string{}),
		Entry("with timestamps", map[string]string{"timestamps": "true"}),
	)
}

// withAttempt adds the number of an attempt to parameters.
func withAttempt(parameters map[string]string, attempt string) map[string]string {
	of := map[string]string{"attempt": attempt}
	maps.Copy(of, parameters)
	return of
}
