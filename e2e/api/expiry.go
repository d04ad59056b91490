// SPDX-License-Identifier: Apache-2.0

package api

import (
	"fmt"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// isExpired is an answer about a version that the storage has forgotten.
func isExpired(err error) bool {
	status, ok := err.(apierrors.APIStatus)
	return ok && status.Status().Code == http.StatusGone && status.Status().Reason == metav1.StatusReasonExpired
}

func describeExpiry(w *subject) {
	// The server needs up to half a minute to forget.
	It("what is forgotten is a 410, and there is a way on from it", func(ctx SpecContext) {
		w.create(ctx, "a", labelled(step, "1"))
		w.create(ctx, "b", labelled(step, "1"))
		page := w.list(ctx, metav1.ListOptions{Limit: 1})
		Expect(names(page)).To(Equal([]string{"a"}))
		running := w.follow(ctx, metav1.ListOptions{ResourceVersion: page.GetResourceVersion(), LabelSelector: "written=last"})
		var err error
		written := 0
		w.Eventually(ctx, func() error { // without changes there is nothing to forget
			written++
			w.change(ctx, "a", labelled("written", fmt.Sprint(written)))
			_, err = w.client().List(ctx, metav1.ListOptions{Continue: page.GetContinue(), Limit: 1})
			return err
		}).Should(Satisfy(isExpired))
		next := w.list(ctx, metav1.ListOptions{Continue: err.(apierrors.APIStatus).Status().Continue, Limit: 1})
		Expect(names(next)).To(Equal([]string{"b"}))
		Expect(next.GetResourceVersion()).To(And(beNewer(page.GetResourceVersion()), Not(Equal(page.GetResourceVersion()))))
		Expect(names(w.list(ctx, metav1.ListOptions{ResourceVersion: page.GetResourceVersion()}))).To(ConsistOf("a", "b"), "it need not be that old")
		w.change(ctx, "b", labelled("written", "last"))
		running.expects(ctx, "ADDED b 1") // a watch that was running goes on
	})
}
