// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"
	"net/url"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func describePages(w *fixture) {
	Describe("a list in pages", func() {
		BeforeEach(func(ctx SpecContext) {
			for _, name := range []string{"a", "b", "c", "d", "e"} {
				w.create(ctx, name, labelled("letter", "yes"))
			}
		})

		It("says how many objects remain, and ends", func(ctx SpecContext) {
			w.retryExpired(ctx, func() error {
				var pages [][]string
				var remaining []any
				versions := map[string]bool{}
				options := metav1.ListOptions{Limit: 2}
				for {
					page, err := w.Images().List(ctx, options)
					if err != nil {
						return err
					}
					pages = append(pages, names(page))
					remaining = append(remaining, page.RemainingItemCount)
					versions[page.ResourceVersion] = true
					if options.Continue = page.Continue; page.Continue == "" {
						break
					}
				}
				Expect(pages).To(Equal([][]string{{"a", "b"}, {"c", "d"}, {"e"}}))
				Expect(remaining).To(HaveExactElements(HaveValue(BeEquivalentTo(3)), HaveValue(BeEquivalentTo(1)), BeNil()))
				Expect(versions).To(HaveLen(1))
				return nil
			})
		})

		It("is one page if the limit is not less than what there is", func(ctx SpecContext) {
			page := w.list(ctx, metav1.ListOptions{Limit: 5})
			Expect(page.Items).To(HaveLen(5))
			Expect(page.Continue).To(BeEmpty())
			Expect(page.RemainingItemCount).To(BeNil())
		})

		DescribeTable("does not count what a selection leaves", func(ctx SpecContext, options metav1.ListOptions) {
			w.retryExpired(ctx, func() error {
				options.Limit, options.Continue = 3, ""
				first := w.list(ctx, options)
				Expect(names(first)).To(Equal([]string{"a", "b", "c"}))
				Expect(first.Continue).NotTo(BeEmpty())
				Expect(first.RemainingItemCount).To(BeNil())
				options.Continue = first.Continue
				second, err := w.Images().List(ctx, options)
				if err != nil {
					return err
				}
				Expect(names(second)).To(Equal([]string{"d", "e"}))
				Expect(second.Continue).To(BeEmpty())
				return nil
			})
		},
			Entry("by labels", metav1.ListOptions{LabelSelector: "letter=yes"}),
			Entry("by fields", metav1.ListOptions{FieldSelector: "spec.suspend=true"}),
		)

		It("is of one moment, whatever changes between its pages", Label("gate"), func(ctx SpecContext) {
			w.retryExpired(ctx, func() error {
				first := w.list(ctx, metav1.ListOptions{Limit: 2})
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

		It("goes on behind an object that is gone", func(ctx SpecContext) {
			w.retryExpired(ctx, func() error {
				first := w.list(ctx, metav1.ListOptions{Limit: 2})
				last := first.Items[1].Name
				w.remove(ctx, last)
				rest, err := w.Images().List(ctx, metav1.ListOptions{Continue: first.Continue, Limit: 1})
				if err != nil {
					w.create(ctx, last)
					return err
				}
				Expect(names(rest)).To(Equal([]string{"c"}))
				return nil
			})
		})

		It("goes on from a version of 0, too", func(ctx SpecContext) {
			w.retryExpired(ctx, func() error {
				first := w.list(ctx, metav1.ListOptions{Limit: 4})
				rest, err := w.Images().List(ctx, metav1.ListOptions{Continue: first.Continue, ResourceVersion: "0"})
				if err == nil {
					Expect(names(rest)).To(Equal([]string{"e"}))
				}
				return err
			})
		})

		DescribeTable("cannot go on", func(ctx SpecContext, query string, code int, says string) {
			for _, kind := range []string{w.at("images"), w.at("imagebuilds"), w.atBuiltIn("configmaps")} {
				first := w.list(ctx, metav1.ListOptions{Limit: 1})
				refused := w.get(ctx, kind+strings.ReplaceAll(query, "{token}", url.QueryEscape(first.Continue)))
				Expect(refused.code).To(Equal(code), "%s: %s", kind, refused.body)
				Expect(refused.status().Message).To(ContainSubstring(says), kind)
			}
		},
			Entry("with a token that is none", "?continue=bad", http.StatusBadRequest, "continue"),
			Entry("with a token that means nothing", "?continue=e30", http.StatusBadRequest, "continue"),
			// {"v":"meta.k8s.io/v1","rv":1,"start":"../../secrets"}
			Entry("outside of the resource", "?continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiIuLi8uLi9zZWNyZXRzIn0", http.StatusBadRequest, "continue"),
			Entry("at another version", "?continue={token}&resourceVersion=7", http.StatusBadRequest, "resource version"),
		)

		It("cannot go on with another match", func(ctx SpecContext) {
			first := w.list(ctx, metav1.ListOptions{Limit: 1})
			for _, match := range []string{"Exact", "NotOlderThan"} {
				query := "?continue=" + url.QueryEscape(first.Continue) + "&resourceVersionMatch=" + match
				for _, kind := range []string{w.at("images"), w.atBuiltIn("configmaps")} {
					refused := w.get(ctx, kind+query)
					Expect(refused.code).To(Equal(http.StatusUnprocessableEntity), "%s: %s", kind, refused.body)
					Expect(refused.status().Message).To(ContainSubstring("resourceVersionMatch is forbidden when continue is provided"))
				}
			}
		})
	})
}
