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
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/cluster"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

// world is the namespace of the present spec.
type world struct {
	*cluster.Workspace
}

func newWorld(environment func() cluster.Environment) *world {
	return &world{cluster.NewWorkspace(environment)}
}

func (w *world) create(ctx context.Context, build *v1alpha1.ImageBuild) {
	GinkgoHelper()
	_, err := w.Builds().Create(ctx, build, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
}

// uidOf is the UID of a build.
func (w *world) uidOf(ctx context.Context, build string) string {
	GinkgoHelper()
	found, err := w.Builds().Get(ctx, build, metav1.GetOptions{})
	Expect(err).NotTo(HaveOccurred())
	return string(found.UID)
}

// change gives an Image the inputs of these parameters.
func (w *world) change(ctx context.Context, image string, parameters ...string) {
	GinkgoHelper()
	Expect(retry.RetryOnConflict(retry.DefaultRetry, func() error {
		current, err := w.Images().Get(ctx, image, metav1.GetOptions{})
		if err != nil {
			return err
		}
		current.Spec.BuildInputs = workspace.NewInputs(parameters...)
		_, err = w.Images().Update(ctx, current, metav1.UpdateOptions{})
		return err
	})).To(Succeed())
}

// archived waits until the condition LogArchived of a build is as one of those wanted, written as "Status/Reason", and
// returns the build.
func (w *world) archived(ctx context.Context, name string, wanted ...string) *v1alpha1.ImageBuild {
	GinkgoHelper()
	var build *v1alpha1.ImageBuild
	w.Eventually(ctx, func(ctx context.Context) (string, error) {
		var err error
		build, err = w.Builds().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return "", err
		}
		condition := meta.FindStatusCondition(build.Status.Conditions, v1alpha1.BuildLogArchived)
		if condition == nil {
			return fmt.Sprintf("none, in phase %s", build.Status.Phase), nil
		}
		return fmt.Sprintf("%s/%s", condition.Status, condition.Reason), nil
	}).Should(BeElementOf(wanted))
	Expect(build.Status.Finished).To(BeTrue(), "nothing is said of the log of a build that runs")
	return build
}

// fromPod is the log of an attempt as the kubelet, or what stands for it, gives it.
func (w *world) fromPod(ctx context.Context, attempt v1alpha1.BuildAttempt, options corev1.PodLogOptions) string {
	GinkgoHelper()
	text, err := w.Kube.CoreV1().Pods(w.Namespace).GetLogs(attempt.PodName, &options).DoRaw(ctx)
	Expect(err).NotTo(HaveOccurred())
	return string(text)
}

// read reads the log of a build through our API.
func (w *world) read(ctx context.Context, build string, parameters map[string]string) (string, error) {
	request := w.Goldsmith.ImagesV1alpha1().RESTClient().Get().
		Namespace(w.Namespace).Resource("imagebuilds").Name(build).SubResource("log")
	for name, value := range parameters {
		request = request.Param(name, value)
	}
	result := request.Do(ctx)
	if err := result.Error(); err != nil { // Raw does not read what the server says
		return "", err
	}
	body, err := result.Raw()
	return string(body), err
}

func (w *world) log(ctx context.Context, build string, parameters map[string]string) string {
	GinkgoHelper()
	text, err := w.read(ctx, build, parameters)
	Expect(err).NotTo(HaveOccurred())
	return text
}

// withoutPods deletes the Jobs of a namespace, and waits until no pod is left: all that is read now is the archive's.
func (w *world) withoutPods(ctx context.Context) {
	GinkgoHelper()
	background := metav1.DeletePropagationBackground
	Expect(w.Kube.BatchV1().Jobs(w.Namespace).DeleteCollection(ctx, metav1.DeleteOptions{PropagationPolicy: &background}, metav1.ListOptions{})).To(Succeed())
	w.Eventually(ctx, w.pods).Should(BeEmpty())
}

func (w *world) pods(ctx context.Context) ([]corev1.Pod, error) {
	pods, err := w.Kube.CoreV1().Pods(w.Namespace).List(ctx, metav1.ListOptions{})
	return pods.Items, err
}

// showing waits until the log of a build shows this, and returns the log.
func (w *world) showing(ctx context.Context, build, wanted string) string {
	GinkgoHelper()
	var text string
	w.Eventually(ctx, func(ctx context.Context) (string, error) {
		var err error
		text, err = w.read(ctx, build, nil)
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
