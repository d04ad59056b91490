// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	typed "goldsmith.dev/goldsmith/apis/generated/clientset/versioned/typed/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

var _ = Describe("Instantiating an Image with parameters", func() {
	var images typed.ImageInterface
	BeforeEach(func(ctx SpecContext) {
		images = imagesIn(newNamespace())
		image := newImage("debian")
		image.Spec.Parameters = []v1alpha1.Parameter{{Name: "edition", Value: "server"}, {Name: "steps", Value: "5"}}
		image.Spec.RunPolicy = v1alpha1.RunPolicySerialLatestOnly
		must(images.Create(ctx, image, metav1.CreateOptions{}))
	})
	with := func(id string, parameters ...v1alpha1.Parameter) *v1alpha1.BuildRequest {
		return &v1alpha1.BuildRequest{RequestID: id, Parameters: parameters}
	}

	It("replaces and adds them for one build, and records that", func(ctx SpecContext) {
		overrides := []v1alpha1.Parameter{{Name: "steps", Value: "1"}, {Name: "debug", Value: "yes"}}
		build := must(images.Instantiate(ctx, "debian", with("first", overrides...), metav1.CreateOptions{}))
		Expect(build.Spec.Inputs.Parameters).To(Equal([]v1alpha1.Parameter{
			{Name: "edition", Value: "server"}, {Name: "steps", Value: "1"}, {Name: "debug", Value: "yes"},
		}))
		Expect(build.Spec.Trigger.Parameters).To(Equal(overrides))
		Expect(build.Spec.RunPolicy).To(Equal(v1alpha1.RunPolicySerialLatestOnly))
		Expect(build.Spec.OneOff).To(HaveValue(BeTrue()))
		next := must(images.Instantiate(ctx, "debian", with("second"), metav1.CreateOptions{}))
		Expect(next.Spec.Inputs.Parameters).To(Equal([]v1alpha1.Parameter{{Name: "edition", Value: "server"}, {Name: "steps", Value: "5"}}))
		Expect(next.Spec.Trigger.Parameters).To(BeEmpty())
		Expect(next.Spec.OneOff).To(BeNil())
		same := must(images.Instantiate(ctx, "debian", with("third", v1alpha1.Parameter{Name: "steps", Value: "5"}), metav1.CreateOptions{}))
		Expect(same.Spec.OneOff).To(HaveValue(BeFalse()), "the parameters are the Image's own")
	})

	It("answers the same request with the same build, even with other parameters", func(ctx SpecContext) {
		first := must(images.Instantiate(ctx, "debian", with("same", v1alpha1.Parameter{Name: "steps", Value: "1"}), metav1.CreateOptions{}))
		second := must(images.Instantiate(ctx, "debian", with("same", v1alpha1.Parameter{Name: "steps", Value: "2"}), metav1.CreateOptions{}))
		Expect(second).To(Equal(first))
	})

	It("refuses bad ones, and too many together with the Image's, without giving a number", func(ctx SpecContext) {
		_, err := images.Instantiate(ctx, "debian", with("bad", v1alpha1.Parameter{Name: "a b"}, v1alpha1.Parameter{Name: "c"}, v1alpha1.Parameter{Name: "c"}), metav1.CreateOptions{})
		Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
		Expect(fieldsOf(err)).To(ConsistOf("parameters[0].name", "parameters[2].name"))

		many := make([]v1alpha1.Parameter, 63)
		for i := range many {
			many[i].Name = "p" + string(rune('A'+i%26)) + string(rune('A'+i/26))
		}
		Expect(errorOf(images.Instantiate(ctx, "debian", with("many", many...), metav1.CreateOptions{}))).To(
			And(beInvalid("parameters"), MatchError(ContainSubstring("the parameters of the Image count too"))))
		image := must(images.Get(ctx, "debian", metav1.GetOptions{}))
		Expect(image.Status).To(Equal(newImageStatus(image)))
	})
})
