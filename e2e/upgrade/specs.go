// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/e2e/cluster"
	"goldsmith.dev/goldsmith/e2e/faults/load"
)

// Specs are the specs that disturb no others.
func Specs(environment func() cluster.Environment) {
	Describe("An upgrade", Label("upgrade", "installation"), func() {
		w, p := cluster.NewWorkspace(environment), cluster.NewWorkspace(environment)

		// The certificate waits for the kubelet most of the time, and requests of other specs are not to fail either.
		It("of the serving certificate fails no request", func(ctx SpecContext) {
			requests := startProbe(ctx, p)
			served(ctx, w, renew(ctx, w))
			requests.expectNoFailure()
		})
	})
}

// ClusterSpecs install another release. They need the cluster for themselves, a clone of the repository that has the commit before
// HEAD, and Docker.
func ClusterSpecs(environment func() cluster.Environment) {
	Describe("An upgrade", Label("upgrade", "installation"), func() {
		// The requests of the probe are about another namespace than the builds.
		w, p := cluster.NewWorkspace(environment), cluster.NewWorkspace(environment)

		Context("from the commit before", func() {
			// This runs before the workspaces, which need the installation.
			BeforeEach(func(ctx SpecContext) {
				present := environment()
				before, err := releaseBefore(ctx, present.Overlay)
				Expect(err).NotTo(HaveOccurred())
				if before.commit == "" {
					AddReportEntry("no earlier commit can be installed: upgrading from the present one with another tag", ReportEntryVisibilityAlways)
				}
				earlier, err := before.prepare(ctx, present, GinkgoT().TempDir())
				Expect(err).NotTo(HaveOccurred())
				Expect(present.Discard(ctx)).To(Succeed())
				Expect(earlier.Install(ctx)).To(Succeed())
			})

			It("loses no build and fails no request", func(ctx SpecContext) {
				logEnds := startFollower(ctx, p)
				builds := load.Start(ctx, w, "duration=20s", "steps=5")
				builds.Running(ctx, load.Builds/2)
				requests := startProbe(ctx, p)

				Expect(w.Environment.Install(ctx)).To(Succeed())
				onlyVersion(ctx, w, w.Environment.Version)
				var logEnd error
				w.Eventually(ctx, logEnds).Should(Receive(&logEnd))
				Expect(logEnd).To(HaveOccurred(), "the log of a running build seems to be whole, because its API server has stopped")
				builds.SucceededAtOnce(ctx)
				requests.expectNoFailure()
			})
		})
	})
}

// onlyVersion waits until nothing of any other version runs, not even what was told to end.
func onlyVersion(ctx context.Context, w *cluster.Workspace, version string) {
	GinkgoHelper()
	w.Eventually(ctx, func(ctx context.Context) ([]string, error) {
		pods, err := w.Kube.CoreV1().Pods(cluster.Namespace).List(ctx, metav1.ListOptions{
			LabelSelector: "app.kubernetes.io/name in (" + cluster.APIServer + "," + cluster.Controller + ")",
		})
		return images(pods.Items), err
	}).WithPolling(time.Second).Should(And(HaveLen(4), HaveEach(HaveSuffix(":"+version))))
}

func images(pods []corev1.Pod) []string {
	var images []string
	for _, pod := range pods {
		for _, container := range pod.Spec.Containers {
			images = append(images, container.Image)
		}
	}
	return images
}
