// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/resourceversion"
)

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
func names(list *unstructured.UnstructuredList) []string {
	names := []string{}
	for i := range list.Items {
		names = append(names, list.Items[i].GetName())
	}
	return names
}

// beNewer matches the version than and all later versions.
func beNewer(than string) gomegatypes.GomegaMatcher {
	return WithTransform(func(version string) (int, error) {
		return resourceversion.CompareResourceVersion(version, than)
	}, BeNumerically(">=", 0))
}
