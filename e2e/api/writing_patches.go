// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func describePatches(w *subject) {
	Describe("A merge patch", func() {
		It("that removes a field brings its default back", func(ctx SpecContext) {
			w.create(ctx, "web")
			Expect(field(w.patch(ctx, "web", types.MergePatchType, `{"spec":{"retry":{"limit":7}}}`), "spec.retry.limit")).To(BeEquivalentTo(7))
			Expect(field(w.patch(ctx, "web", types.MergePatchType, `{"spec":{"retry":null}}`), "spec.retry.limit")).To(BeEquivalentTo(2))
		})

		It("that changes nothing is no new version, and one of metadata no new generation", func(ctx SpecContext) {
			w.create(ctx, "web", labelled("a", "b"))
			before := w.waitUntilObserved(ctx)
			Expect(w.patch(ctx, "web", types.MergePatchType, `{"metadata":{"labels":{"a":"b"}},"spec":{"suspend":true}}`)).To(BeComparableTo(before))
			Expect(w.patch(ctx, "web", types.MergePatchType, `{}`)).To(BeComparableTo(before))
			after := w.patch(ctx, "web", types.MergePatchType, `{"metadata":{"labels":{"a":"c"}}}`)
			Expect(after.GetResourceVersion()).NotTo(Equal(before.GetResourceVersion()))
			Expect(after.GetGeneration()).To(Equal(before.GetGeneration()))
		})
	})

	It("A JSON patch changes a field, if its test holds", func(ctx SpecContext) {
		w.create(ctx, "web")
		path := "/" + strings.ReplaceAll(w.edited, ".", "/")
		change := `[{"op":"test","path":"` + path + `","value":"` + w.value + `"},{"op":"replace","path":"` + path + `","value":"` + w.other + `"}]`
		Expect(field(w.patch(ctx, "web", types.JSONPatchType, change), w.edited)).To(Equal(w.other))
		_, err := w.client().Patch(ctx, "web", types.JSONPatchType, []byte(change), metav1.PatchOptions{})
		Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
	})

	if !w.strategic {
		It("A strategic merge patch is refused with 415", func(ctx SpecContext) {
			w.create(ctx, "web")
			_, err := w.client().Patch(ctx, "web", types.StrategicMergePatchType, []byte(`{}`), metav1.PatchOptions{})
			Expect(apierrors.ReasonForError(err)).To(Equal(metav1.StatusReasonUnsupportedMediaType), "%v", err)
		})
	}
}

func describeStrategicPatches(w *fixture) {
	// parameters has an Image with these parameters, each with its own name as its value.
	parameters := func(names ...string) func(*v1alpha1.Image) {
		return func(image *v1alpha1.Image) {
			for _, name := range names {
				image.Spec.Parameters = append(image.Spec.Parameters, v1alpha1.Parameter{Name: name, Value: name})
			}
		}
	}

	patch := func(ctx context.Context, body string) *v1alpha1.Image {
		GinkgoHelper()
		patched, err := w.Images().Patch(ctx, "web", types.StrategicMergePatchType, []byte(body), metav1.PatchOptions{})
		Expect(err).NotTo(HaveOccurred())
		return patched
	}

	Describe("A strategic merge patch", func() {
		It("merges the lists that have a merge key and replaces the others", func(ctx SpecContext) {
			w.create(ctx, "web", parameters("a", "b"))
			images(w).change(ctx, "web", addFinalizer)
			patched := patch(ctx, `{"metadata":{"finalizers":["example.com/more"]},"spec":{"parameters":[{"name":"c"}]}}`)
			Expect(patched.Finalizers).To(ConsistOf(finalizer, "example.com/more"))
			Expect(patched.Spec.Parameters).To(ConsistOf(
				v1alpha1.Parameter{Name: "a", Value: "a"}, v1alpha1.Parameter{Name: "b", Value: "b"}, v1alpha1.Parameter{Name: "c"}))
			patched = patch(ctx, `{"spec":{"parameters":[{"name":"b","$patch":"delete"},{"name":"c","value":"d"}],"targets":[{"platform":"linux/arm64","format":"raw"}]}}`)
			Expect(patched.Spec.Parameters).To(ConsistOf(v1alpha1.Parameter{Name: "a", Value: "a"}, v1alpha1.Parameter{Name: "c", Value: "d"}))
			Expect(patched.Spec.Targets).To(Equal([]v1alpha1.Target{{Platform: "linux/arm64", Format: v1alpha1.ArtifactFormatRaw}}), "it has two keys")

			patched = patch(ctx, `{"metadata":{"$deleteFromPrimitiveList/finalizers":["`+finalizer+`","example.com/more"]},"spec":{"timeouts":{"$patch":"replace","run":"7m"}}}`)
			Expect(patched.Finalizers).To(BeEmpty())
			Expect(patched.Spec.Timeouts.Run.String()).To(Equal("7m"))
			Expect(patched.Spec.Timeouts.Start.String()).To(Equal("10m"), "the default")
		})

		It("merges conditions by their types", func(ctx SpecContext) {
			build := w.finishedBuild(ctx, "once")
			const kept = `{"type":"LogArchived","status":"True","reason":"Kept","message":"","lastTransitionTime":"2026-01-01T00:00:00Z"}`
			others := func(build *v1alpha1.ImageBuild) []metav1.Condition { // there may be an archive of logs, and a database
				return slices.DeleteFunc(slices.Clone(build.Status.Conditions), func(c metav1.Condition) bool {
					return c.Type == v1alpha1.BuildLogArchived || c.Type == v1alpha1.BuildRecorded
				})
			}
			Expect(others(build)).NotTo(BeEmpty())
			patched, err := w.Builds().Patch(ctx, "once", types.StrategicMergePatchType,
				[]byte(`{"status":{"conditions":[`+kept+`]}}`), metav1.PatchOptions{}, "status")
			Expect(err).NotTo(HaveOccurred())
			Expect(others(patched)).To(Equal(others(build)))
			Expect(patched.Status.Conditions).To(ContainElement(HaveField("Reason", "Kept")))
			patched, err = w.Builds().Patch(ctx, "once", types.StrategicMergePatchType,
				[]byte(`{"status":{"conditions":[{"type":"LogArchived","$patch":"delete"}]}}`), metav1.PatchOptions{}, "status")
			Expect(err).NotTo(HaveOccurred())
			build.Status.Conditions, patched.Status.Conditions = others(build), others(patched)
			Expect(patched.Status).To(Equal(build.Status))
		})
	})
}
