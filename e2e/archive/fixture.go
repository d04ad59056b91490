// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/cluster"
)

// fixture is the workspace of the present spec, with steps about pods and archived logs.
type fixture struct {
	*cluster.Workspace
}

func newFixture(environment func() cluster.Environment) *fixture {
	return &fixture{cluster.NewWorkspace(environment)}
}

// uidOf is the UID of a build.
func (w *fixture) uidOf(ctx context.Context, build string) string {
	GinkgoHelper()
	found, err := w.Builds().Get(ctx, build, metav1.GetOptions{})
	Expect(err).NotTo(HaveOccurred())
	return string(found.UID)
}

// archived waits until the condition LogArchived of a build is one of those wanted, each written as "Status/Reason", and returns the
// build.
func (w *fixture) archived(ctx context.Context, name string, wanted ...string) *v1alpha1.ImageBuild {
	GinkgoHelper()
	return w.WaitForCondition(ctx, name, v1alpha1.BuildLogArchived, wanted...)
}

// fromPod is the log of an attempt as the kubelet, or what stands for it, gives it.
func (w *fixture) fromPod(ctx context.Context, attempt v1alpha1.BuildAttempt, options corev1.PodLogOptions) string {
	GinkgoHelper()
	text, err := w.Kube.CoreV1().Pods(w.Namespace).GetLogs(attempt.PodName, &options).DoRaw(ctx)
	Expect(err).NotTo(HaveOccurred())
	return string(text)
}

// withoutPods deletes the Jobs of a namespace, and waits until no pod is left: all that is read now is the archive's.
func (w *fixture) withoutPods(ctx context.Context) {
	GinkgoHelper()
	background := metav1.DeletePropagationBackground
	Expect(w.Kube.BatchV1().Jobs(w.Namespace).DeleteCollection(ctx, metav1.DeleteOptions{PropagationPolicy: &background}, metav1.ListOptions{})).To(Succeed())
	w.Eventually(ctx, w.pods).Should(BeEmpty())
}

func (w *fixture) pods(ctx context.Context) ([]corev1.Pod, error) {
	pods, err := w.Kube.CoreV1().Pods(w.Namespace).List(ctx, metav1.ListOptions{})
	return pods.Items, err
}

// showing waits until the log of a build shows this, and returns the log.
func (w *fixture) showing(ctx context.Context, build, wanted string) string {
	GinkgoHelper()
	var text string
	w.Eventually(ctx, func(ctx context.Context) (string, error) {
		var err error
		text, err = w.ReadLog(ctx, build, nil)
		return text, err
	}).Should(ContainSubstring(wanted))
	return text
}

var numbered = regexp.MustCompile(`(?m)^step \d+/\d+ line \d+/\d+`)

// wholeLines are the numbered lines of an attempt of the mock builder, each exactly once and in their order.
func wholeLines(steps, linesPerStep int) []string {
	var lines []string
	for step := 1; step <= steps; step++ {
		for line := 1; line <= linesPerStep; line++ {
			lines = append(lines, fmt.Sprintf("step %d/%d line %d/%d", step, steps, line, linesPerStep))
		}
	}
	return lines
}

// numberedLines are those of a log.
func numberedLines(log string) []string {
	return numbered.FindAllString(log, -1)
}

// linesOf are the lines of a log, with their newlines.
func linesOf(log string) []string {
	return strings.SplitAfter(strings.TrimSuffix(log, "\n"), "\n")
}
