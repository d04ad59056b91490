// SPDX-License-Identifier: Apache-2.0

package api

import (
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

func describePatches(w *fixture) {
	// parameters has an Image with these parameters, each with its own name as its value.
	parameters := func(names ...string) func(*v1alpha1.Image) {
		return func(image *v1alpha1.Image) {
			for _, name := range names {
				image.Spec.Parameters = append(image.Spec.Parameters, v1alpha1.Parameter{Name: name, Value: name})
			}
		}
	}

	Describe("A JSON patch", func() {
		It("tests, adds, replaces, moves, copies and removes, in this order", func(ctx SpecContext) {
			w.create(ctx, "web", parameters("a", "b"), labelled("old", "x"))
			patched := w.patch(ctx, "web", types.JSONPatchType, `[
				{"op":"test","path":"/spec/parameters/1/name","value":"b"},
				{"op":"add","path":"/spec/parameters/0","value":{"name":"first","value":"1"}},
				{"op":"add","path":"/spec/parameters/-","value":{"name":"last","value":"9"}},
				{"op":"replace","path":"/spec/base/reference","value":"debian:trixie"},
				{"op":"move","from":"/metadata/labels/old","path":"/metadata/labels/new~1name"},
				{"op":"copy","from":"/spec/parameters/0/value","path":"/metadata/labels/copied"},
				{"op":"remove","path":"/spec/parameters/1"}]`)
			Expect(patched.Spec.Parameters).To(HaveExactElements(
				HaveField("Name", "first"), HaveField("Name", "b"), HaveField("Name", "last")))
			Expect(patched.Spec.Base.Reference).To(Equal("debian:trixie"))
			Expect(patched.Labels).To(Equal(map[string]string{"new/name": "x", "copied": "1"}))
		})

		It("whose test fails changes nothing at all", func(ctx SpecContext) {
			w.create(ctx, "web")
			before := w.observedImage(ctx, "web")
			_, err := w.Images().Patch(ctx, "web", types.JSONPatchType, []byte(`[
				{"op":"replace","path":"/spec/base/reference","value":"debian:trixie"},
				{"op":"test","path":"/spec/builder/name","value":"other"}]`), metav1.PatchOptions{})
			Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
			Expect(w.getImage(ctx, "web")).To(BeComparableTo(before))
		})
	})

	Describe("A merge patch", func() {
		It("merges objects, replaces lists and removes what is null", func(ctx SpecContext) {
			w.create(ctx, "web", parameters("a", "b"), labelled("a", "x"), labelled("b", "x"))
			patched := w.patch(ctx, "web", types.MergePatchType,
				`{"metadata":{"labels":{"a":null,"c":"y"}},"spec":{"parameters":[{"name":"c"}],"retry":{"limit":1}}}`)
			Expect(patched.Labels).To(Equal(map[string]string{"b": "x", "c": "y"}))
			Expect(patched.Spec.Parameters).To(Equal([]v1alpha1.Parameter{{Name: "c"}}))
			Expect(patched.Spec.Retry.Limit).To(HaveValue(BeEquivalentTo(1)))
			Expect(patched.Spec.Retry.Backoff.Initial).NotTo(BeNil())
		})

		It("that removes a field brings its default back", func(ctx SpecContext) {
			w.create(ctx, "web")
			w.patch(ctx, "web", types.MergePatchType, `{"spec":{"retry":{"limit":7}}}`)
			patched := w.patch(ctx, "web", types.MergePatchType, `{"spec":{"retry":null,"runPolicy":null}}`)
			Expect(patched.Spec.Retry.Limit).To(HaveValue(BeEquivalentTo(2)))
			Expect(patched.Spec.RunPolicy).To(Equal(v1alpha1.RunPolicySerial))
		})

		It("is validated as what it makes of the object", func(ctx SpecContext) {
			w.create(ctx, "web")
			_, err := w.Images().Patch(ctx, "web", types.MergePatchType, []byte(`{"spec":{"targets":null,"base":{"reference":"two words"}}}`), metav1.PatchOptions{})
			Expect(err).To(workspace.BeInvalid("spec.targets", "spec.base.reference"))
		})

		It("that changes nothing is no new version, and one of metadata no new generation", func(ctx SpecContext) {
			w.create(ctx, "web", labelled("a", "b"))
			before := w.observedImage(ctx, "web")
			Expect(w.patch(ctx, "web", types.MergePatchType, `{"metadata":{"labels":{"a":"b"}},"spec":{"suspend":true}}`)).To(BeComparableTo(before))
			Expect(w.patch(ctx, "web", types.MergePatchType, `{}`)).To(BeComparableTo(before))
			after := w.patch(ctx, "web", types.MergePatchType, `{"metadata":{"labels":{"a":"c"}}}`)
			Expect(after.ResourceVersion).NotTo(Equal(before.ResourceVersion))
			Expect(after.Generation).To(Equal(before.Generation))
		})

		It("of a version is done if that is the newest one", func(ctx SpecContext) {
			w.create(ctx, "web")
			newest := w.observedImage(ctx, "web").ResourceVersion
			patch := `{"metadata":{"resourceVersion":"` + newest + `","labels":{"a":"b"}}}`
			Expect(w.patch(ctx, "web", types.MergePatchType, patch).Labels).To(HaveKey("a"))
			_, err := w.Images().Patch(ctx, "web", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
			Expect(err).To(MatchError(ContainSubstring("the object has been modified; please apply your changes to the latest version and try again")))
		})
	})

	Describe("A strategic merge patch", func() {
		It("merges the lists that have a merge key and replaces the others", func(ctx SpecContext) {
			w.create(ctx, "web", parameters("a", "b"), held)
			patched := w.patch(ctx, "web", types.StrategicMergePatchType, `{"metadata":{"finalizers":["example.com/more"]},"spec":{"parameters":[{"name":"c"}]}}`)
			Expect(patched.Finalizers).To(ConsistOf(finalizer, "example.com/more"))
			Expect(patched.Spec.Parameters).To(ConsistOf(
				v1alpha1.Parameter{Name: "a", Value: "a"}, v1alpha1.Parameter{Name: "b", Value: "b"}, v1alpha1.Parameter{Name: "c"}))
			patched = w.patch(ctx, "web", types.StrategicMergePatchType,
				`{"spec":{"parameters":[{"name":"b","$patch":"delete"},{"name":"c","value":"d"}],"targets":[{"platform":"linux/arm64","format":"raw"}]}}`)
			Expect(patched.Spec.Parameters).To(ConsistOf(v1alpha1.Parameter{Name: "a", Value: "a"}, v1alpha1.Parameter{Name: "c", Value: "d"}))
			Expect(patched.Spec.Targets).To(Equal([]v1alpha1.Target{{Platform: "linux/arm64", Format: v1alpha1.ArtifactFormatRaw}}), "it has two keys")

			patched = w.patch(ctx, "web", types.StrategicMergePatchType,
				`{"metadata":{"$deleteFromPrimitiveList/finalizers":["`+finalizer+`","example.com/more"]},"spec":{"timeouts":{"$patch":"replace","run":"7m"}}}`)
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

	DescribeTable("A patch of the status changes that and nothing else:", func(ctx SpecContext, kind types.PatchType, patch string) {
		w.create(ctx, "web")
		before := w.observedImage(ctx, "web")
		patched := w.patch(ctx, "web", kind, patch, "status")
		Expect(patched.Status.ActiveBuilds).To(BeEquivalentTo(7))
		Expect(patched.Spec).To(Equal(before.Spec))
		Expect(patched.Labels).To(BeEmpty())
		Expect(patched.Generation).To(Equal(before.Generation))
		changed := w.patch(ctx, "web", types.MergePatchType, `{"status":{"activeBuilds":9}}`)
		Expect(changed.Status.ActiveBuilds).NotTo(BeEquivalentTo(9))
	},
		Entry("by JSON patch", types.JSONPatchType, `[{"op":"add","path":"/status/activeBuilds","value":7},
			{"op":"add","path":"/metadata/labels","value":{"a":"b"}},{"op":"replace","path":"/spec/suspend","value":false}]`),
		Entry("by merge patch", types.MergePatchType, `{"metadata":{"labels":{"a":"b"}},"spec":{"suspend":false},"status":{"activeBuilds":7}}`),
		Entry("by strategic merge patch", types.StrategicMergePatchType, `{"metadata":{"labels":{"a":"b"}},"spec":{"suspend":false},"status":{"activeBuilds":7}}`),
	)
}
