// SPDX-License-Identifier: Apache-2.0

package builds

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/brief"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

// fixture is the workspace of the present spec, with steps about what controllers do with images and builds.
type fixture struct {
	workspace.Workspace
	environment Environment
}

// newFixture opens a workspace before each spec of the present container and closes it afterwards.
func newFixture(environment func() Environment) *fixture {
	w := &fixture{}
	BeforeEach(func(ctx SpecContext) {
		w.environment = environment()
		w.Open(ctx, workspace.Options{
			Config: w.environment.Config, GenerateName: "builds-", Patience: w.environment.Patience, Polling: w.environment.Polling,
			Archived: w.environment.Archived, Recorded: w.environment.Recorded, Disposable: w.environment.Disposable,
		})
	})
	AfterEach(func(ctx SpecContext) {
		if CurrentSpecReport().Failed() {
			w.attachObjects(ctx)
		}
		w.Close(ctx)
	})
	return w
}

// attachObjects adds the images, builds and pods of the namespace to the report entries of a failed spec.
func (w *fixture) attachObjects(ctx context.Context) {
	images, err := w.Images().List(ctx, metav1.ListOptions{})
	for i := range images.Items {
		images.Items[i].ManagedFields = nil
	}
	attach("images", images, err)
	builds, err := w.Builds().List(ctx, metav1.ListOptions{})
	for i := range builds.Items {
		builds.Items[i].ManagedFields = nil
	}
	attach("imagebuilds", builds, err)
	pods, err := w.Kube.CoreV1().Pods(w.Namespace).List(ctx, metav1.ListOptions{})
	for i := range pods.Items {
		pods.Items[i].ManagedFields, pods.Items[i].Spec = nil, corev1.PodSpec{}
	}
	attach("pods", pods, err)
}

// attach adds a report entry.
func attach(name string, list any, err error) {
	text, encoding := json.MarshalIndent(list, "", " ")
	AddReportEntry(name, fmt.Sprintf("%s %v", text, errors.Join(err, encoding)), ReportEntryVisibilityFailureOrVerbose)
}

// waitForImage waits until an Image matches and its status is about its present spec, and returns it.
func (w *fixture) waitForImage(ctx context.Context, name string, wanted ...types.GomegaMatcher) *v1alpha1.Image {
	GinkgoHelper()
	var image *v1alpha1.Image
	w.Eventually(ctx, func(ctx context.Context) (*v1alpha1.Image, error) {
		var err error
		image, err = w.Images().Get(ctx, name, metav1.GetOptions{})
		return image, err
	}).Should(And(append(wanted, beObserved())...), func() string { return brief.Object(image) })
	return image
}

// running waits until the builder of a build's attempt has written to its log.
func (w *fixture) running(ctx context.Context, name string) *v1alpha1.ImageBuild {
	GinkgoHelper()
	build := w.WaitForBuild(ctx, name, inPhase(v1alpha1.BuildRunning))
	w.Eventually(ctx, func(ctx context.Context) (string, error) { return w.ReadLog(ctx, name, nil) }).ShouldNot(BeEmpty())
	return build
}

// lasting is the parameter of a build that lasts at least so long. The build also lasts long enough for a spec's actions
// to reach its builder.
func (w *fixture) lasting(atLeast time.Duration) string {
	return fmt.Sprintf("duration=%s", atLeast+w.environment.BuilderStart)
}

// buildNames are the names of all builds in the namespace.
func (w *fixture) buildNames(ctx context.Context) ([]string, error) {
	list, err := w.Builds().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	names := make([]string, len(list.Items))
	for i := range list.Items {
		names[i] = list.Items[i].Name
	}
	return names, nil
}

// waitForEvents waits until the events of an object, each written as "Type Reason Message", match.
func (w *fixture) waitForEvents(ctx context.Context, kind, name string, wanted types.GomegaMatcher) {
	GinkgoHelper()
	w.Eventually(ctx, func(ctx context.Context) ([]string, error) {
		list, err := w.Kube.CoreV1().Events(w.Namespace).List(ctx, metav1.ListOptions{
			FieldSelector: fmt.Sprintf("involvedObject.kind=%s,involvedObject.name=%s", kind, name),
		})
		var texts []string
		for _, event := range list.Items {
			texts = append(texts, fmt.Sprintf("%s %s %s", event.Type, event.Reason, event.Message))
		}
		return texts, err
	}).Should(wanted)
}

// digests returns the digests of artifacts by target. Equal artifacts of two builds have locations of their own.
func digests(artifacts []v1alpha1.Artifact) map[string]string {
	digests := map[string]string{}
	for _, artifact := range artifacts {
		digests[artifact.Target] = artifact.Digest
	}
	return digests
}
