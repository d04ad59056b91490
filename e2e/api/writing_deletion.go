// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"
	"net/url"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func describeDeletion(w *subject) {
	It("A deletion has preconditions, and waits for finalizers", func(ctx SpecContext) {
		old := w.create(ctx, "web", addFinalizer)
		version := old.GetResourceVersion()
		w.change(ctx, "web", labelled("a", "b"))
		err := w.client().Delete(ctx, "web", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{ResourceVersion: &version}})
		Expect(apierrors.IsConflict(err)).To(BeTrue(), "%v", err)
		Expect(w.client().Delete(ctx, "web", metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(old.GetUID()))})).To(Succeed())
		Expect(w.read(ctx).GetDeletionTimestamp()).NotTo(BeNil())
		w.release(ctx, "web")
		w.waitForDeletion(ctx)
	})

	It("A deletion of many takes those that labels and fields select, and answers with them", func(ctx SpecContext) {
		for name, value := range map[string]string{"a": w.value, "b": w.other, "c": w.value} {
			w.create(ctx, name, labelled("name", name), set(w.edited, value))
		}
		var answered unstructured.UnstructuredList
		w.ask(ctx, http.MethodDelete, w.path("?labelSelector=name+in+(a,b)&fieldSelector="+url.QueryEscape("metadata.name!=b,"+w.selector)), "").into(&answered)
		Expect(names(&answered)).To(ConsistOf("a"))
		Expect(names(w.list(ctx, metav1.ListOptions{}))).To(ConsistOf("b", "c"))
	})
}

func describeImageDeletion(w *fixture) {
	It("An image whose deletion a finalizer holds gets no more builds", func(ctx SpecContext) {
		images(w).create(ctx, "web", addFinalizer)
		images(w).remove(ctx, "web")
		_, err := w.Images().Instantiate(ctx, "web", &v1alpha1.BuildRequest{}, metav1.CreateOptions{})
		Expect(apierrors.IsConflict(err)).To(BeTrue(), "%v", err)
		images(w).release(ctx, "web")
	})
}
