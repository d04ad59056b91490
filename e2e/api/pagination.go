// SPDX-License-Identifier: Apache-2.0

package api

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func describePages(w *subject) {
	Describe("a list in pages", func() {
		It("is of one moment, whatever changes between its pages", Label("gate"), func(ctx SpecContext) {
			for _, name := range []string{"a", "b", "c", "d", "e"} {
				w.create(ctx, name, labelled("letter", "yes"))
			}
			w.retryExpired(ctx, func() error {
				first := w.list(ctx, metav1.ListOptions{Limit: 2})
				if w.counted {
					Expect(first.GetRemainingItemCount()).To(HaveValue(BeNumerically(">=", 3)))
				}
				remaining := names(w.list(ctx, metav1.ListOptions{ResourceVersion: first.GetResourceVersion(), ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan}))[2:]
				changed := w.change(ctx, "c", func(object *unstructured.Unstructured) {
					labelled("letter", object.GetLabels()["letter"]+"-again")(object)
				})
				w.remove(ctx, remaining[1])
				w.create(ctx, "", generated)
				rest, err := w.client().List(ctx, metav1.ListOptions{Continue: first.GetContinue()})
				if err != nil {
					return err
				}
				Expect(names(rest)).To(Equal(remaining))
				Expect(rest.Items[0].GetLabels()["letter"] + "-again").To(Equal(changed.GetLabels()["letter"]))
				Expect(rest.GetResourceVersion()).To(Equal(first.GetResourceVersion()))
				return nil
			})
		})
	})
}
