// SPDX-License-Identifier: Apache-2.0

package workspace

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// CheckArchive has an archive of packages checked at once: the controller creates it anew.
func (w *Workspace) CheckArchive(ctx context.Context, url string) {
	GinkgoHelper()
	archives := w.Goldsmith.ImagesV1alpha1().Archives()
	list, err := archives.List(ctx, metav1.ListOptions{})
	Expect(err).NotTo(HaveOccurred())
	for i := range list.Items {
		if list.Items[i].Spec.URI == url {
			Expect(archives.Delete(ctx, list.Items[i].Name, metav1.DeleteOptions{})).To(Succeed())
		}
	}
}
