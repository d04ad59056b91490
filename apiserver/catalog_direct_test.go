// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"context"
	"fmt"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

var _ = Describe("an Image of a kind", Ordered, func() {
	var warned warnings
	var recording versioned.Interface
	var namespace string
	var objects dynamic.ResourceInterface
	BeforeAll(func(ctx SpecContext) {
		declare(ctx, "guardeds", "Guarded")
		DeferCleanup(func(ctx SpecContext) { remove(ctx, "guardeds") })
		recorder := rest.CopyConfig(config)
		recorder.WarningHandler = &warned
		recording = must(versioned.NewForConfig(recorder))
	})
	BeforeEach(func(ctx SpecContext) {
		namespace = newNamespace()
		objects = must(dynamic.NewForConfig(config)).Resource(debianServers.GroupVersion().WithResource("guardeds")).Namespace(namespace)
		object := newServer("web")
		object.SetKind("Guarded")
		must(objects.Create(ctx, object, metav1.CreateOptions{}))
		warned = nil
	})
	// policy sets what happens to direct writes.
	policy := func(ctx context.Context, value v1alpha1.ImageKindDirectWrites) {
		GinkgoHelper()
		must(client.ImagesV1alpha1().ImageKinds().Patch(ctx, "guardeds", types.MergePatchType, fmt.Appendf(nil, `{"spec": {"directWrites": %q}}`, value), metav1.PatchOptions{}))
		Eventually(ctx, func() bool { return established(ctx, "guardeds") }).Should(BeTrue())
	}
	patch := func(ctx context.Context, patch string, subresources ...string) (*v1alpha1.Image, error) {
		return recording.ImagesV1alpha1().Images(namespace).Patch(ctx, "web", types.MergePatchType, []byte(patch), metav1.PatchOptions{}, subresources...)
	}
	// disk is the list of parameters with another size of the disk.
	disk := func(ctx context.Context, size string) string {
		GinkgoHelper()
		image := must(imagesIn(namespace).Get(ctx, "web", metav1.GetOptions{}))
		var items []string
		for _, parameter := range image.Spec.Parameters {
			if parameter.Name == "disk" {
				parameter.Value = size
			}
			items = append(items, fmt.Sprintf(`{"name": %q, "value": %q}`, parameter.Name, parameter.Value))
		}
		return `{"spec": {"parameters": [` + strings.Join(items, ", ") + `]}}`
	}
	const builder = `{"spec": {"builder": {"name": "other"}}}`

	It("has no value that the kind refuses, however it is written", func(ctx SpecContext) {
		_, err := patch(ctx, builder)
		Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
		Expect(err).To(MatchError(And(ContainSubstring(`spec.builder.name: Invalid value: "other": kind Guarded sets spec.builder.name`),
			ContainSubstring(`the Image is guardeds.catalog.goldsmith.dev "web": change that object, or remove the label catalog.goldsmith.dev/kind`))))
		Expect(errorOf(patch(ctx, disk(ctx, "33Gi")))).To(MatchError(ContainSubstring(`"33Gi": is no value of spec.size of a Guarded`)))
		applied := []byte(`{"apiVersion": "images.goldsmith.dev/v1alpha1", "kind": "Image", "metadata": {"name": "web"}, "spec": {"builder": {"name": "other"}}}`)
		_, err = imagesIn(namespace).Patch(ctx, "web", types.ApplyPatchType, applied, metav1.PatchOptions{FieldManager: "theirs", Force: new(true)})
		Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
		image := must(imagesIn(namespace).Get(ctx, "web", metav1.GetOptions{}))
		image.Spec.Targets[0].Format = "raw"
		Expect(errorOf(imagesIn(namespace).Update(ctx, image, metav1.UpdateOptions{}))).To(MatchError(ContainSubstring("spec.targets")))
		image = image.DeepCopy()
		image.ObjectMeta = metav1.ObjectMeta{Name: "made", Labels: map[string]string{v1alpha1.ImageKindLabel: "guardeds"}}
		Expect(errorOf(imagesIn(namespace).Create(ctx, image, metav1.CreateOptions{}))).To(MatchError(ContainSubstring("spec.targets")))

		must(patch(ctx, disk(ctx, "100Gi")))
		Expect(specOf(must(objects.Get(ctx, "web", metav1.GetOptions{})))).To(HaveKeyWithValue("size", "large"))
		free := must(patch(ctx, `{"metadata": {"labels": {"team": "red"}, "finalizers": ["example.com/a"]}, "spec": {"suspend": true, "runPolicy": "Parallel"}}`))
		Expect(free.Status.Conformance).To(BeNil())
		must(patch(ctx, `{"metadata": {"finalizers": null}}`))
		Expect(warned).NotTo(ContainElement(ContainSubstring("guardeds")))
	})

	It("has such a value with a warning and a report, if the kind accepts it, and keeps it", func(ctx SpecContext) {
		policy(ctx, v1alpha1.ImageKindReport)
		DeferCleanup(func(ctx SpecContext) { policy(ctx, v1alpha1.ImageKindEnforce) })
		reported := must(patch(ctx, builder))
		Expect(reported.Status.Conformance).To(HaveField("Fields", ConsistOf("spec.builder.name")))
		Expect(reported.Status.Conformance.Message).To(ContainSubstring("kind Guarded sets spec."))
		Expect(warned).To(ContainElement(And(HavePrefix(`spec.builder.name: Invalid value: "other"`), ContainSubstring(`guardeds.catalog.goldsmith.dev "web"`))))
		warned = nil
		hidden := must(patch(ctx, disk(ctx, "33Gi")))
		Expect(hidden.Status.Conformance.Fields).To(Equal([]string{"spec.builder.name", "spec.parameters[disk]"}))
		Expect(warned).To(ContainElement(HavePrefix("spec.parameters[")))
		Expect(warned).NotTo(ContainElement(ContainSubstring("Guarded sets")), "it is no longer new")
		view := must(objects.Get(ctx, "web", metav1.GetOptions{}))
		Expect(specOf(view)).NotTo(HaveKey("size"))
		Expect(view.Object["status"]).NotTo(HaveKey("conformance"))

		policy(ctx, v1alpha1.ImageKindEnforce)
		forged := must(imagesIn(namespace).Get(ctx, "web", metav1.GetOptions{}))
		forged.Status.Conformance = nil
		Expect(must(imagesIn(namespace).UpdateStatus(ctx, forged, metav1.UpdateOptions{})).Status.Conformance).NotTo(BeNil())
		must(patch(ctx, `{"metadata": {"labels": {"team": "red"}}, "spec": {"suspend": true}}`))
		Expect(errorOf(patch(ctx, `{"spec": {"builder": {"name": "third"}}}`))).To(Satisfy(apierrors.IsInvalid))
		must(objects.Patch(ctx, "web", types.MergePatchType, []byte(`{"spec": {"size": "small", "packages": ["vim"]}}`), metav1.PatchOptions{}))
		Expect(must(imagesIn(namespace).Get(ctx, "web", metav1.GetOptions{})).Status.Conformance.Fields).To(Equal([]string{"spec.builder.name"}))
		Expect(must(patch(ctx, `{"spec": {"builder": {"name": "mock"}}}`)).Status.Conformance).To(BeNil())
	})

	It("becomes one if all of it conforms", func(ctx SpecContext) {
		release := func() {
			GinkgoHelper()
			Expect(must(patch(ctx, `{"metadata": {"labels": {"catalog.goldsmith.dev/kind": null}}}`)).Labels).To(BeEmpty())
		}
		const adopt = `{"metadata": {"labels": {"catalog.goldsmith.dev/kind": "guardeds"}}}`
		revision := must(imagesIn(namespace).Get(ctx, "web", metav1.GetOptions{})).Labels[v1alpha1.ImageKindRevisionLabel]
		release()
		Expect(must(patch(ctx, adopt)).Labels).To(HaveKeyWithValue(v1alpha1.ImageKindRevisionLabel, revision))
		release()
		must(patch(ctx, builder))
		must(patch(ctx, disk(ctx, "33Gi")))
		Expect(errorOf(patch(ctx, adopt))).To(MatchError(And(ContainSubstring("spec.builder.name"), ContainSubstring("spec.parameters["),
			ContainSubstring("change the field, or leave out the label catalog.goldsmith.dev/kind=guardeds"))))
		policy(ctx, v1alpha1.ImageKindReport)
		DeferCleanup(func(ctx SpecContext) { policy(ctx, v1alpha1.ImageKindEnforce) })
		Expect(must(patch(ctx, adopt)).Status.Conformance.Fields).To(Equal([]string{"spec.builder.name", "spec.parameters[disk]"}))
		release()
		Expect(must(imagesIn(namespace).Get(ctx, "web", metav1.GetOptions{})).Status.Conformance).To(BeNil())
	})

	It("has the revision that the server gave it", func(ctx SpecContext) {
		image := must(imagesIn(namespace).Get(ctx, "web", metav1.GetOptions{}))
		revision := image.Labels[v1alpha1.ImageKindRevisionLabel]
		for _, forged := range []string{`"zzz"`, "null"} {
			Expect(must(patch(ctx, `{"metadata": {"labels": {"catalog.goldsmith.dev/revision": `+forged+`}}}`)).Labels).To(HaveKeyWithValue(v1alpha1.ImageKindRevisionLabel, revision))
		}
		image.ObjectMeta = metav1.ObjectMeta{Name: "made", Labels: map[string]string{v1alpha1.ImageKindLabel: "guardeds", v1alpha1.ImageKindRevisionLabel: "zzz"}}
		image.Spec.Parameters = slices.DeleteFunc(image.Spec.Parameters, func(p v1alpha1.Parameter) bool { return p.Name == "host" })
		image.Spec.Parameters = append(image.Spec.Parameters, v1alpha1.Parameter{Name: "host", Value: "srv-made"})
		Expect(must(imagesIn(namespace).Create(ctx, image, metav1.CreateOptions{})).Labels).To(HaveKeyWithValue(v1alpha1.ImageKindRevisionLabel, revision))
	})

	It("is free if its kind is not served", func(ctx SpecContext) {
		unknown := must(patch(ctx, `{"metadata": {"labels": {"catalog.goldsmith.dev/kind": "nothings"}}, "spec": {"builder": {"name": "other"}}}`))
		Expect(unknown.Status.Conformance).To(BeNil())
		Expect(warned).To(ContainElement(ContainSubstring("no kind nothings.catalog.goldsmith.dev is served")))
		warned = nil
		must(patch(ctx, `{"spec": {"builder": {"name": "third"}}}`))
		Expect(warned).NotTo(ContainElement(ContainSubstring("nothings")))
	})

	It("does not change with its kind, and is not held to a later revision", func(ctx SpecContext) {
		kinds := client.ImagesV1alpha1().ImageKinds()
		template := func(ctx context.Context, policy string) {
			GinkgoHelper()
			must(kinds.Patch(ctx, "guardeds", types.MergePatchType, []byte(`{"spec": {"template": {"runPolicy": `+policy+`}}}`), metav1.PatchOptions{}))
			Eventually(ctx, func() bool { return established(ctx, "guardeds") }).Should(BeTrue())
		}
		template(ctx, `"Parallel"`)
		DeferCleanup(func(ctx SpecContext) { template(ctx, "null") })
		outdated := must(patch(ctx, `{"metadata": {"labels": {"team": "red"}}, "spec": {"suspend": true}}`))
		Expect(outdated.Status.Conformance).To(BeNil())
		must(objects.Patch(ctx, "web", types.MergePatchType, []byte(`{"spec": {"size": "large"}}`), metav1.PatchOptions{}))
		Expect(errorOf(patch(ctx, `{"spec": {"runPolicy": "SerialLatestOnly"}}`))).To(Satisfy(apierrors.IsInvalid))
		must(patch(ctx, `{"spec": {"runPolicy": "Parallel"}}`))
	})
})
