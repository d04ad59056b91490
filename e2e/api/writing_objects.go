// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// finalizer is a finalizer that only the specs remove.
const finalizer = "example.com/hold"

// observedImage waits until the controller has observed the spec of the Image web, and returns it: from then on only the spec writes to it.
func (w *fixture) observedImage(ctx context.Context) *v1alpha1.Image {
	GinkgoHelper()
	var image *v1alpha1.Image
	w.Eventually(ctx, func(ctx context.Context) (*v1alpha1.Image, error) {
		var err error
		image, err = w.Images().Get(ctx, "web", metav1.GetOptions{})
		return image, err
	}).Should(WithTransform(func(image *v1alpha1.Image) bool {
		return image.Status.ObservedGeneration == image.Generation
	}, BeTrue()))
	return image
}

// newBuild is a build that ends at once, without a pod: its builder is not registered.
func newBuild(name string) *v1alpha1.ImageBuild {
	build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Name: name}}
	build.Spec.Inputs = image(name).Spec.BuildInputs
	build.Spec.Inputs.Builder.Name = "nobody"
	return build
}

// finishedBuild creates such a build and waits for its end: from then on only the spec writes to it.
func (w *fixture) finishedBuild(ctx context.Context, name string) *v1alpha1.ImageBuild {
	GinkgoHelper()
	w.CreateBuild(ctx, newBuild(name))
	return w.Settled(ctx, name)
}

// getImage reads the Image web.
func (w *fixture) getImage(ctx context.Context) *v1alpha1.Image {
	GinkgoHelper()
	found, err := w.Images().Get(ctx, "web", metav1.GetOptions{})
	Expect(err).NotTo(HaveOccurred())
	return found
}

// owner is an entry of the managed fields, written as "manager operation subresource".
func owner(entry metav1.ManagedFieldsEntry) string {
	text := entry.Manager + " " + string(entry.Operation)
	if entry.Subresource != "" {
		text += " " + entry.Subresource
	}
	return text
}

// owned are the fields, in the form of FieldsV1, of all entries of such an owner.
func owned(object metav1.Object, wanted string) string {
	var text strings.Builder
	for _, entry := range object.GetManagedFields() {
		if owner(entry) == wanted {
			text.Write(entry.FieldsV1.GetRawBytes())
		}
	}
	return text.String()
}
