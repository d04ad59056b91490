// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func describeDeletion(w *fixture) {
	It("An image whose deletion a finalizer holds gets no more builds", func(ctx SpecContext) {
		w.create(ctx, "web", held)
		w.remove(ctx, "web")
		Expect(w.getImage(ctx).DeletionTimestamp).NotTo(BeNil())
		_, err := w.Images().Instantiate(ctx, "web", &v1alpha1.BuildRequest{}, metav1.CreateOptions{})
		Expect(apierrors.IsConflict(err)).To(BeTrue(), "%v", err)
		w.release(ctx, "web")
		w.waitForImageDeletion(ctx, "web")
	})

	It("A deletion of many takes those that labels and fields select, and answers with them", func(ctx SpecContext) {
		for name, builder := range map[string]string{"a": "gold", "b": "rust", "c": "gold"} {
			w.create(ctx, name, labelled("name", name), func(image *v1alpha1.Image) { image.Spec.Builder.Name = builder })
		}
		var answered v1alpha1.ImageList
		w.ask(ctx, http.MethodDelete, w.at("images?labelSelector=name+in+(a,b)&fieldSelector=spec.builder.name%3Dgold"), "").into(&answered)
		Expect(names(&answered)).To(ConsistOf("a"))
		Expect(names(w.list(ctx, metav1.ListOptions{}))).To(ConsistOf("b", "c"))
	})
}
