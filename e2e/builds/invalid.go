// SPDX-License-Identifier: Apache-2.0

package builds

import (
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubetypes "k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

func describeInvalidObjects(w *fixture) {
	Describe("An object that is refused", func() {
		It("for its size is refused clearly", func(ctx SpecContext) {
			image := workspace.NewImage("web")
			image.Spec.Source = &v1alpha1.Source{Inline: &v1alpha1.InlineSource{Files: map[string]string{"motd": strings.Repeat("x", 3<<20)}}}
			_, err := w.Images().Create(ctx, image, metav1.CreateOptions{})
			Expect(apierrors.IsRequestEntityTooLargeError(err)).To(BeTrue(), "%v", err)
			Expect(err).To(MatchError(ContainSubstring("3145728")))

			image.Spec.Source.Inline.Files["motd"] = strings.Repeat("x", 2<<20)
			_, err = w.Images().Create(ctx, image, metav1.CreateOptions{})
			Expect(err).To(workspace.BeInvalid("spec.source.inline.files"))
			Expect(err).To(MatchError(And(ContainSubstring("65536"), WithTransform(func(text string) int { return len(text) }, BeNumerically("<", 1000)))))
		})
	})
}

func describeInvalidFields(w *fixture) {
	Describe("An object that is refused", func() {
		It("for what is in an image has every offending field named", func(ctx SpecContext) {
			_, err := w.Images().Create(ctx, &v1alpha1.Image{
				ObjectMeta: metav1.ObjectMeta{Name: strings.Repeat("n", 46)},
				Spec: v1alpha1.ImageSpec{
					BuildInputs: v1alpha1.BuildInputs{
						Builder:    v1alpha1.BuilderReference{Name: "mock", Image: "example.com/builder"},
						Base:       v1alpha1.Base{Reference: "debian bookworm"},
						Source:     &v1alpha1.Source{Inline: &v1alpha1.InlineSource{Files: map[string]string{"../motd": ""}}, ConfigMapRef: &v1alpha1.ConfigMapReference{}},
						Parameters: []v1alpha1.Parameter{{Name: "a"}, {Name: "a"}, {Name: "b c"}},
						Targets:    []v1alpha1.Target{{Platform: "linux", Format: "tar"}},
					},
					RunPolicy: "Whenever",
					Timeouts:  &v1alpha1.BuildTimeouts{Start: duration(1500 * time.Millisecond), Run: duration(1000 * time.Hour)},
					Retry:     &v1alpha1.RetryPolicy{Limit: new(int32(11)), Classes: []v1alpha1.FailureClass{"Cancelled"}, Backoff: &v1alpha1.Backoff{Initial: duration(2 * time.Minute), Max: duration(time.Minute)}},
					History:   &v1alpha1.HistoryLimits{Succeeded: new(int32(0)), Failed: new(int32(-1))},
				},
			}, metav1.CreateOptions{})
			Expect(err).To(workspace.BeInvalid(
				"metadata.name", "spec.builder", "spec.base.reference", "spec.source", "spec.source.inline.files[../motd]", "spec.source.configMapRef.name",
				"spec.parameters[1].name", "spec.parameters[2].name", "spec.targets[0].platform", "spec.targets[0].format", "spec.runPolicy",
				"spec.timeouts.start", "spec.timeouts.run", "spec.retry.limit", "spec.retry.classes[0]", "spec.retry.backoff.max",
				"spec.history.succeeded", "spec.history.failed",
			))
			images, err := w.Images().List(ctx, metav1.ListOptions{})
			Expect(err).NotTo(HaveOccurred())
			Expect(images.Items).To(BeEmpty())
		})

		It("for what is missing in an image has every such field named", func(ctx SpecContext) {
			_, err := w.Images().Create(ctx, &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Name: "web"}}, metav1.CreateOptions{})
			Expect(err).To(workspace.BeInvalid("spec.builder", "spec.base", "spec.targets"))
		})

		It("for what a change would do leaves the image as it was", func(ctx SpecContext) {
			w.CreateImage(ctx, workspace.NewImage("web"))
			before := w.waitForImage(ctx, "web", built(1))
			_, err := workspace.ChangeImage(ctx, w.Images(), "web", func(image *v1alpha1.Image) { image.Spec.Targets, image.Spec.Base.Reference = nil, "" })
			Expect(err).To(workspace.BeInvalid("spec.base", "spec.targets"))
			Expect(w.Images().Get(ctx, "web", metav1.GetOptions{})).To(HaveField("Spec", before.Spec))
		})

		It("for what only the server says about a build has every such field named", func(ctx SpecContext) {
			build := workspace.NewBuild(strings.Repeat("n", 56))
			build.Spec.ImageRef = &v1alpha1.ImageReference{Name: "web", UID: "1"}
			build.Spec.Number = new(int64(1))
			build.Spec.ImageGeneration = new(int64(1))
			build.Spec.Trigger = &v1alpha1.BuildTrigger{Reason: v1alpha1.TriggerCreated}
			build.Spec.CancelRequested = &v1alpha1.CancelRequested{Time: metav1.Now()}
			_, err := w.Builds().Create(ctx, build, metav1.CreateOptions{})
			Expect(err).To(workspace.BeInvalid("metadata.name", "spec.imageRef", "spec.number", "spec.imageGeneration", "spec.trigger", "spec.cancelRequested"))
		})

		It("for a change of what a build was asked for has the field named", func(ctx SpecContext) {
			w.CreateBuild(ctx, workspace.NewBuild("once"))
			w.Succeeded(ctx, "once")
			_, err := w.Builds().Patch(ctx, "once", kubetypes.MergePatchType,
				[]byte(`{"spec":{"inputs":{"base":{"reference":"debian:trixie"}},"retry":{"limit":5}}}`), metav1.PatchOptions{})
			Expect(err).To(workspace.BeInvalid("spec.inputs.base", "spec.retry"))
		})
	})

	Describe("A field that nobody knows", func() {
		const manifest = `{"apiVersion":"images.goldsmith.dev/v1alpha1","kind":"Image","metadata":{"name":"web"},
			"spec":{"colour":"gold","suspend":true,"builder":{"name":"mock"},"base":{"reference":"debian:bookworm"},"targets":[{"platform":"linux/amd64","format":"raw"}]}}`
		post := func(ctx SpecContext, parameters ...string) rest.Result {
			request := w.Goldsmith.ImagesV1alpha1().RESTClient().Post().Namespace(w.Namespace).Resource("images").
				SetHeader("Content-Type", "application/json").Body([]byte(manifest))
			for _, parameter := range parameters {
				name, value, _ := strings.Cut(parameter, "=")
				request = request.Param(name, value)
			}
			return request.Do(ctx)
		}

		It("gets a warning", func(ctx SpecContext) {
			result := post(ctx)
			Expect(result.Error()).NotTo(HaveOccurred())
			Expect(result.Warnings()).To(ConsistOf(HaveField("Text", Equal(`unknown field "spec.colour"`))))
			w.waitForImage(ctx, "web")
		})

		It("is refused under strict validation", func(ctx SpecContext) {
			err := post(ctx, "fieldValidation=Strict").Error()
			Expect(apierrors.IsBadRequest(err)).To(BeTrue(), "%v", err)
			Expect(err).To(MatchError(ContainSubstring(`unknown field "spec.colour"`)))
			_, err = w.Images().Get(ctx, "web", metav1.GetOptions{})
			Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%v", err)
		})
	})
}
