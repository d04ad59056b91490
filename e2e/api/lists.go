// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// list lists images.
func (w *fixture) list(ctx context.Context, options metav1.ListOptions) *v1alpha1.ImageList {
	GinkgoHelper()
	list, err := w.Images().List(ctx, options)
	Expect(err).NotTo(HaveOccurred())
	return list
}

// retryExpired repeats a read of an old version while the server answers that the version is expired: the storage is compacted
// every few seconds.
func (w *fixture) retryExpired(ctx context.Context, read func() error) {
	GinkgoHelper()
	var last error
	w.Eventually(ctx, func() bool {
		last = read()
		return apierrors.IsResourceExpired(last)
	}).Should(BeFalse(), "old versions are forgotten at once")
	Expect(last).NotTo(HaveOccurred())
}

// names are those of a list, in its order.
func names(list *v1alpha1.ImageList) []string {
	names := []string{}
	for i := range list.Items {
		names = append(names, list.Items[i].Name)
	}
	return names
}

// newer matches the version than and all later versions.
func newer(than string) gomegatypes.GomegaMatcher {
	return WithTransform(func(version string) (int, error) {
		return resourceversion.CompareResourceVersion(version, than)
	}, BeNumerically(">=", 0))
}

// generated has the server choose the name.
func generated(image *v1alpha1.Image) {
	image.GenerateName = "generated-"
}

// labelled gives an image a label.
func labelled(key, value string) func(*v1alpha1.Image) {
	return func(image *v1alpha1.Image) {
		if image.Labels == nil {
			image.Labels = map[string]string{}
		}
		image.Labels[key] = value
	}
}

// remove deletes an image.
func (w *fixture) remove(ctx context.Context, name string) {
	GinkgoHelper()
	Expect(w.Images().Delete(ctx, name, metav1.DeleteOptions{})).To(Succeed())
}
