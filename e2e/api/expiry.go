// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// expired is an answer about a version that the storage has forgotten.
func expired(err error) bool {
	status, ok := err.(apierrors.APIStatus)
	return ok && status.Status().Code == http.StatusGone && status.Status().Reason == metav1.StatusReasonExpired
}

func describeExpiry(w *fixture) {
	// One spec: the server needs up to half a minute to forget.
	It("what is forgotten is a 410, and there is a way on from it", func(ctx SpecContext) {
		w.create(ctx, "a", labelled(step, "1"))
		w.create(ctx, "b", labelled(step, "1"))
		w.create(ctx, "c", labelled(step, "1"))
		page := w.list(ctx, metav1.ListOptions{Limit: 1})
		old := page.ResourceVersion
		Expect(names(page)).To(Equal([]string{"a"}))
		running := w.follow(ctx, metav1.ListOptions{ResourceVersion: old})
		listing, watching := w.inform(ctx, false), w.inform(ctx, true)
		w.remove(ctx, "c")
		w.create(ctx, "d", labelled(step, "1"))
		written := 0
		write := func() { // without changes there is nothing to forget
			written++
			w.ChangeImage(ctx, "a", labelled("written", fmt.Sprint(written)))
		}

		By("the next page")
		var err error
		w.Eventually(ctx, func() error {
			write()
			_, err = w.Images().List(ctx, metav1.ListOptions{Continue: page.Continue, Limit: 1})
			return err
		}).Should(Satisfy(expired))
		inconsistent := err.(apierrors.APIStatus).Status().Continue // of this answer: another server may not have forgotten yet
		Expect(err).To(MatchError(ContainSubstring("consistent")))
		Expect(inconsistent).NotTo(BeEmpty())
		next := w.list(ctx, metav1.ListOptions{Continue: inconsistent, Limit: 1})
		Expect(names(next)).To(Equal([]string{"b"}))
		Expect(next.ResourceVersion).To(And(newer(old), Not(Equal(old))))
		w.retryExpired(ctx, func() error { // from here on it is of one moment again
			next := w.list(ctx, metav1.ListOptions{Continue: inconsistent, Limit: 1})
			last, err := w.Images().List(ctx, metav1.ListOptions{Continue: next.Continue})
			if err == nil {
				Expect(names(last)).To(Equal([]string{"d"}))
				Expect(last.ResourceVersion).To(Equal(next.ResourceVersion))
			}
			return err
		})

		By("a list of exactly that version")
		for _, query := range []string{"?resourceVersionMatch=Exact", "?limit=1", "?limit=1&resourceVersionMatch=Exact"} {
			w.Eventually(ctx, func() metav1.Status {
				gone := w.get(ctx, w.at("images"+query+"&resourceVersion="+old))
				if gone.code == http.StatusOK {
					return metav1.Status{}
				}
				return gone.status()
			}).Should(And(HaveField("Code", BeEquivalentTo(http.StatusGone)), HaveField("Reason", metav1.StatusReasonExpired)), query)
		}

		By("what need not be that old")
		Expect(names(w.list(ctx, metav1.ListOptions{ResourceVersion: old}))).To(ContainElement("d"))
		Expect(names(w.list(ctx, metav1.ListOptions{ResourceVersion: old, Limit: 1, ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan}))).To(Equal([]string{"a"}))
		Expect(w.get(ctx, w.at("images/d?resourceVersion="+url.QueryEscape(old))).code).To(Equal(http.StatusOK))

		By("watches that were running")
		w.ChangeImage(ctx, "d", labelled(step, "2"))
		running.steps = map[string]string{"a": "1", "b": "1", "c": "1"}
		running.expects(ctx, "DELETED c 1", "ADDED d 1", "MODIFIED d 2")
		for _, informed := range []*informed{listing, watching} {
			w.Eventually(ctx, informed.steps).Should(Equal(map[string]string{"a": "1", "b": "1", "d": "2"}))
		}

		By("a watch from that version: it is refused, or everything comes")
		w.allOrExpired(ctx, old)
	})

	It("a version from before the server began is a 410 for a watch, or everything comes", func(ctx SpecContext) {
		w.create(ctx, "web", labelled(step, "1"))
		w.allOrExpired(ctx, "1")
	})
}

// allOrExpired watches from an old version. The watch cache may remember what the storage has forgotten.
func (w *fixture) allOrExpired(ctx context.Context, version string) {
	GinkgoHelper()
	watching, err := w.Images().Watch(ctx, metav1.ListOptions{ResourceVersion: version})
	if err != nil {
		Expect(err).To(Satisfy(expired))
		return
	}
	DeferCleanup(watching.Stop)
	w.create(ctx, "new")
	seen := map[string]bool{}
	for {
		event := w.receive(ctx, watching)
		if status, ok := event.Object.(*metav1.Status); ok {
			Expect(event.Type).To(BeEquivalentTo("ERROR"))
			Expect(seen).To(BeEmpty())
			Expect(apierrors.FromObject(status)).To(Satisfy(expired))
			return
		}
		image := event.Object.(*v1alpha1.Image)
		seen[image.Name] = true
		if image.Name == "new" {
			break
		}
	}
	for _, name := range names(w.list(ctx, metav1.ListOptions{})) {
		if name != "a" && name != "b" { // which are older
			Expect(seen).To(HaveKey(name))
		}
	}
}
