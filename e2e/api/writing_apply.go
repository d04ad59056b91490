// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	apply "goldsmith.dev/goldsmith/apis/generated/applyconfiguration/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

func describeApply(w *subject) {
	applied := func(ctx context.Context, object *unstructured.Unstructured, options metav1.ApplyOptions) *unstructured.Unstructured {
		GinkgoHelper()
		applied, err := w.client().Apply(ctx, "web", object, options)
		Expect(err).NotTo(HaveOccurred())
		return applied
	}

	Describe("An apply", func() {
		It("owns what is in it, and neither defaults nor what it ignores", func(ctx SpecContext) {
			object := applied(ctx, w.object("web", set("status.activeBuilds", int64(7))), managedBy("one"))
			Expect(object).To(beNew())
			Expect(object.GetManagedFields()).To(HaveExactElements(And(
				HaveField("APIVersion", w.resource.GroupVersion().String()), HaveField("FieldsType", "FieldsV1"), HaveField("Time", Not(BeNil())))))
			Expect(owned(object, "one Apply")).To(MatchJSON(w.fields))
			before := w.waitUntilObserved(ctx)
			Expect(applied(ctx, w.object("web"), managedBy("one"))).To(BeComparableTo(before), "the same again")
		})

		It("of what another one owns is a conflict that names both, and everything at once", func(ctx SpecContext) {
			applied(ctx, w.object("web"), managedBy("one"))
			w.waitUntilObserved(ctx)
			_, err := w.client().Patch(ctx, "web", types.MergePatchType, []byte(`{"spec":{"suspend":true,"retry":{"limit":7}}}`), metav1.PatchOptions{FieldManager: "editor"})
			Expect(err).NotTo(HaveOccurred())
			other := w.object("web", set(w.edited, w.other), set("spec.retry.limit", int64(3)))
			_, err = w.client().Apply(ctx, "web", other, managedBy("two"))

			Expect(apierrors.IsConflict(err)).To(BeTrue(), "%v", err)
			var status apierrors.APIStatus
			Expect(errors.As(err, &status)).To(BeTrue())
			Expect(status.Status().Message).To(HavePrefix("Apply failed with 2 conflicts: "))
			Expect(status.Status().Details.Causes).To(ConsistOf(
				metav1.StatusCause{Type: metav1.CauseTypeFieldManagerConflict, Message: `conflict with "one"`, Field: "." + w.edited},
				And(HaveField("Type", metav1.CauseTypeFieldManagerConflict), HaveField("Field", ".spec.retry.limit"),
					HaveField("Message", MatchRegexp(`^conflict with "editor" using `+w.resource.GroupVersion().String()+`( at \S+)?$`)))))
			Expect(field(w.read(ctx), w.edited)).To(Equal(w.value))

			forced := applied(ctx, other, metav1.ApplyOptions{FieldManager: "two", Force: true})
			Expect(field(forced, w.edited)).To(Equal(w.other))
			Expect(owned(forced, "one Apply")).NotTo(ContainSubstring(`"f:` + w.edited[strings.LastIndex(w.edited, ".")+1:]))
		})
	})
}

func managedBy(manager string) metav1.ApplyOptions { return metav1.ApplyOptions{FieldManager: manager} }

func describeImageApply(w *fixture) {
	// wanted is an Image of a user that starts no builds.
	wanted := func(reference string) *apply.ImageApplyConfiguration {
		return apply.Image("web", w.Namespace).WithSpec(apply.ImageSpec().WithSuspend(true).
			WithBuilder(apply.BuilderReference().WithName("mock")).
			WithBase(apply.Base().WithReference(reference)).
			WithTargets(apply.Target().WithPlatform("linux/amd64").WithFormat(v1alpha1.ArtifactFormatRaw)))
	}
	// only returns the Image web with nothing but this spec.
	only := func(spec *apply.ImageSpecApplyConfiguration) *apply.ImageApplyConfiguration {
		return apply.Image("web", w.Namespace).WithSpec(spec)
	}
	applied := func(ctx context.Context, configuration *apply.ImageApplyConfiguration, options metav1.ApplyOptions) *v1alpha1.Image {
		GinkgoHelper()
		image, err := w.Images().Apply(ctx, configuration, options)
		Expect(err).NotTo(HaveOccurred())
		return image
	}

	Describe("An apply", func() {
		It("merges lists by their keys", func(ctx SpecContext) {
			parameter := func(name, value string) *apply.ParameterApplyConfiguration {
				return apply.Parameter().WithName(name).WithValue(value)
			}
			first := wanted("debian:bookworm")
			first.Spec.WithParameters(parameter("a", "1"), parameter("b", "1"))
			applied(ctx, first, managedBy("one"))
			image := applied(ctx, only(apply.ImageSpec().WithParameters(parameter("c", "2")).
				WithTargets(apply.Target().WithPlatform("linux/arm64").WithFormat(v1alpha1.ArtifactFormatRaw))), managedBy("two"))
			Expect(image.Spec.Parameters).To(ConsistOf(HaveField("Name", "a"), HaveField("Name", "b"), HaveField("Name", "c")))
			Expect(image.Spec.Targets).To(HaveLen(2))
			_, err := w.Images().Apply(ctx, only(apply.ImageSpec().WithParameters(parameter("a", "2"))), managedBy("two"))
			Expect(err).To(MatchError(ContainSubstring(`conflict with "one": .spec.parameters[name="a"].value`)))

			twice := only(apply.ImageSpec().WithParameters(parameter("d", "1"), parameter("d", "2")))
			_, err = w.Images().Apply(ctx, twice, managedBy("two"))
			Expect(err).To(MatchError(ContainSubstring("duplicate")))
		})

		It("of a build that is recorded may say the same again, and label it", func(ctx SpecContext) {
			build := w.finishedBuild(ctx, "record")
			manifest := apply.ImageBuild("record", w.Namespace).WithLabels(map[string]string{"a": "b"})
			labelled, err := w.Builds().Apply(ctx, manifest, managedBy("one"))
			Expect(err).NotTo(HaveOccurred())
			Expect(labelled.Spec).To(Equal(build.Spec))
			_, err = w.Builds().Apply(ctx, manifest.WithSpec(apply.ImageBuildSpec().WithInputs(apply.BuildInputs().
				WithBase(apply.Base().WithReference("debian:trixie")))), metav1.ApplyOptions{FieldManager: "one", Force: true})
			Expect(err).To(workspace.BeInvalid("spec.inputs.base"))
		})
	})

	Describe("An apply to the status", func() {
		It("owns the status, and nothing of the rest", func(ctx SpecContext) {
			applied(ctx, wanted("debian:bookworm"), managedBy("one"))
			w.observedImage(ctx)
			image, err := w.Images().ApplyStatus(ctx, wanted("debian:trixie").WithLabels(map[string]string{"a": "b"}).
				WithStatus(apply.ImageStatus().WithActiveBuilds(7)), managedBy("two"))
			Expect(err).NotTo(HaveOccurred())
			Expect(image.Status.ActiveBuilds).To(BeEquivalentTo(7))
			Expect(image.Spec.Base.Reference).To(Equal("debian:bookworm"))
			Expect(image.Labels).To(BeEmpty())
			Expect(owned(image, "two Apply status")).To(MatchJSON(`{"f:status":{"f:activeBuilds":{}}}`))

			_, err = w.Images().ApplyStatus(ctx, apply.Image("web", w.Namespace).WithStatus(apply.ImageStatus().WithActiveBuilds(8)), managedBy("three"))
			Expect(err).To(MatchError(ContainSubstring(`conflict with "two" with subresource "status": .status.activeBuilds`)))
		})
	})

	Describe("What a manager has applied", func() {
		It("is extracted without what others have applied to the same list", func(ctx SpecContext) {
			configuration := wanted("debian:bookworm")
			configuration.Spec.WithParameters(apply.Parameter().WithName("a").WithValue("x"))
			applied(ctx, configuration, managedBy("one"))
			other := only(apply.ImageSpec().WithParameters(apply.Parameter().WithName("b").WithValue("y")))
			image := applied(ctx, other, managedBy("two"))
			Expect(apply.ExtractImage(image, "one")).To(Equal(configuration))
			Expect(apply.ExtractImage(image, "two")).To(Equal(other))
		})
	})
}
