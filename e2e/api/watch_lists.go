// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func describeWatchLists(w *fixture) {
	asked := metav1.ListOptions{
		SendInitialEvents:    new(true),
		AllowWatchBookmarks:  true,
		ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan,
	}

	Describe("a list that is watched", func() {
		DescribeTable("begins with every object, and says where that ends:", func(ctx SpecContext, count int) {
			w.fill(ctx, count)
			last := w.create(ctx, "last", labelled(step, "1"))
			for _, from := range []string{"", last.ResourceVersion} {
				options := asked
				options.ResourceVersion = from
				watching, err := w.Images().Watch(ctx, options)
				Expect(err).NotTo(HaveOccurred())
				DeferCleanup(watching.Stop)
				initial, end := w.untilInitialEventsEnd(ctx, watching)
				Expect(initial).To(HaveLen(count + 1))
				Expect(end).To(newer(last.ResourceVersion))
			}
		},
			Entry("of one object", 0),
			Entry("of 1,000 objects", 999),
		)

		It("of nothing ends at once", func(ctx SpecContext) {
			options := asked
			options.FieldSelector = "metadata.name=nothing"
			watching, err := w.Images().Watch(ctx, options)
			Expect(err).NotTo(HaveOccurred())
			DeferCleanup(watching.Stop)
			initial, end := w.untilInitialEventsEnd(ctx, watching)
			Expect(initial).To(BeEmpty())
			Expect(end).To(newer("1"))
			w.create(ctx, "nothing")
			event := w.receive(ctx, watching)
			for event.Type == watch.Bookmark { // an ordinary one may come at any time
				event = w.receive(ctx, watching)
			}
			Expect(event.Type).To(Equal(watch.Added))
		})

		It("goes on as any watch does", func(ctx SpecContext) {
			w.create(ctx, "web", labelled(step, "1"))
			watch := w.follow(ctx, asked)
			watch.expects(ctx, "ADDED web 1", "BOOKMARK")
			w.ChangeImage(ctx, "web", labelled(step, "2"))
			watch.expects(ctx, "MODIFIED web 2")
			w.remove(ctx, "web")
			watch.expects(ctx, "DELETED web 2")
		})

		It("can be had without the objects", func(ctx SpecContext) {
			list := w.create(ctx, "web", labelled(step, "1"))
			options := asked
			options.SendInitialEvents, options.ResourceVersion = new(false), list.ResourceVersion
			watch := w.follow(ctx, options)
			watch.steps["web"] = "1"
			w.create(ctx, "other", labelled(step, "1"))
			watch.expects(ctx, "ADDED other 1")
		})

		It("needs no bookmarks", func(ctx SpecContext) {
			w.create(ctx, "web", labelled(step, "1"))
			options := asked
			options.AllowWatchBookmarks = false
			options.ResourceVersion = "0"
			Expect(w.refusalOf(ctx, options)).To(Succeed())
		})
	})
}

// fill creates this many images.
func (w *fixture) fill(ctx context.Context, count int) {
	GinkgoHelper()
	const writers = 16
	var filling sync.WaitGroup
	for writer := range writers {
		filling.Go(func() {
			defer GinkgoRecover()
			for i := writer; i < count; i += writers {
				w.create(ctx, fmt.Sprintf("image-%04d", i), labelled(step, strconv.Itoa(i)))
			}
		})
	}
	filling.Wait()
}

// untilInitialEventsEnd returns the names of the initial events, and the version at their end.
func (w *fixture) untilInitialEventsEnd(ctx context.Context, watching watch.Interface) (names map[string]bool, version string) {
	GinkgoHelper()
	names = map[string]bool{}
	for {
		event := w.receive(ctx, watching)
		image, ok := event.Object.(*v1alpha1.Image)
		Expect(ok).To(BeTrue(), "%v", event)
		switch event.Type {
		case watch.Added:
			Expect(names).NotTo(HaveKey(image.Name))
			names[image.Name] = true
		case watch.Bookmark:
			Expect(image.Annotations).To(HaveKeyWithValue(metav1.InitialEventsAnnotationKey, "true"))
			Expect(image.Name).To(BeEmpty())
			return names, image.ResourceVersion
		default:
			Expect(event.Type).To(Equal(watch.Modified)) // by the controller
			Expect(names).To(HaveKey(image.Name))
		}
	}
}

// refusalOf is the error of a watch, at its beginning or in its first event.
func (w *fixture) refusalOf(ctx context.Context, options metav1.ListOptions) error {
	GinkgoHelper()
	watching, err := w.Images().Watch(ctx, options)
	if err != nil {
		return err
	}
	DeferCleanup(watching.Stop)
	event := w.receive(ctx, watching)
	if event.Type == watch.Error {
		return apierrors.FromObject(event.Object)
	}
	return nil
}
