// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubetypes "k8s.io/apimachinery/pkg/types"

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

// patch patches an Image.
func (w *fixture) patch(ctx context.Context, name string, kind kubetypes.PatchType, body string) *v1alpha1.Image {
	GinkgoHelper()
	patched, err := w.Images().Patch(ctx, name, kind, []byte(body), metav1.PatchOptions{})
	Expect(err).NotTo(HaveOccurred())
	return patched
}

// getImage reads the Image web.
func (w *fixture) getImage(ctx context.Context) *v1alpha1.Image {
	GinkgoHelper()
	found, err := w.Images().Get(ctx, "web", metav1.GetOptions{})
	Expect(err).NotTo(HaveOccurred())
	return found
}

// waitForImageDeletion waits until there is no Image of this name.
func (w *fixture) waitForImageDeletion(ctx context.Context, name string) {
	GinkgoHelper()
	w.Eventually(ctx, func(ctx context.Context) error {
		_, err := w.Images().Get(ctx, name, metav1.GetOptions{})
		return err
	}).Should(Satisfy(apierrors.IsNotFound))
}

// release removes the finalizer of the specs from an Image.
func (w *fixture) release(ctx context.Context, name string) {
	GinkgoHelper()
	w.patch(ctx, name, kubetypes.JSONPatchType, `[{"op":"test","path":"/metadata/finalizers","value":["`+finalizer+`"]},{"op":"remove","path":"/metadata/finalizers"}]`)
}

// held is a change of an Image that keeps it after it was deleted.
func held(image *v1alpha1.Image) { image.Finalizers = append(image.Finalizers, finalizer) }

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
