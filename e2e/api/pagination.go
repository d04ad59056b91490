// SPDX-License-Identifier: Apache-2.0

package api

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func describePages(w *fixture) {
	Describe("a list in pages", func() {
		It("is of one moment, whatever changes between its pages", Label("gate"), func(ctx SpecContext) {
			for _, name := range []string{"a", "b", "c", "d", "e"} {
				w.create(ctx, name, labelled("letter", "yes"))
			}
			w.retryExpired(ctx, func() error {
				first := w.list(ctx, metav1.ListOptions{Limit: 2})
				Expect(first.RemainingItemCount).To(HaveValue(BeNumerically(">=", 3)))
				remaining := names(w.list(ctx, metav1.ListOptions{ResourceVersion: first.ResourceVersion, ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan}))[2:]
				changed := w.ChangeImage(ctx, "c", func(image *v1alpha1.Image) { image.Labels["letter"] += "-again" })
				w.remove(ctx, remaining[1])
				w.create(ctx, "", generated)
				rest, err := w.Images().List(ctx, metav1.ListOptions{Continue: first.Continue})
				if err != nil {
					return err
				}
				Expect(names(rest)).To(Equal(remaining))
				Expect(rest.Items[0].Labels["letter"] + "-again").To(Equal(changed.Labels["letter"]))
				Expect(rest.ResourceVersion).To(Equal(first.ResourceVersion))
				return nil
			})
		})
	})
}
