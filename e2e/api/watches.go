// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func describeWatches(w *fixture) {
	Describe("a watch", func() {
		It("goes on where a list ended: nothing is lost, and nothing comes twice", Label("gate"), func(ctx SpecContext) {
			w.create(ctx, "old", labelled(step, "1"))
			list := w.list(ctx, metav1.ListOptions{})
			w.create(ctx, "new", labelled(step, "1"))
			w.ChangeImage(ctx, "old", labelled(step, "2"))
			watch := w.follow(ctx, metav1.ListOptions{ResourceVersion: list.ResourceVersion})
			watch.steps["old"] = "1"
			watch.expects(ctx, "ADDED new 1", "MODIFIED old 2")
			w.remove(ctx, "old")
			w.ChangeImage(ctx, "new", labelled(step, "2"))
			watch.expects(ctx, "DELETED old 2", "MODIFIED new 2")
		})

		It("tells of what there is first, without a version", func(ctx SpecContext) {
			w.create(ctx, "a", labelled(step, "1"))
			w.create(ctx, "b", labelled(step, "1"))
			w.ChangeImage(ctx, "a", labelled(step, "2"))
			watch := w.follow(ctx, metav1.ListOptions{})
			watch.expectsInAnyOrder(ctx, "ADDED a 2", "ADDED b 1")
			w.ChangeImage(ctx, "b", labelled(step, "2"))
			watch.expects(ctx, "MODIFIED b 2")
		})

		It("tells of what there was at some time first, from version 0", func(ctx SpecContext) {
			w.create(ctx, "a", labelled(step, "1"))
			before := w.create(ctx, "b", labelled(step, "1"))
			// Every replica that answers now has observed both.
			w.Eventually(ctx, func() int {
				return len(w.list(ctx, metav1.ListOptions{ResourceVersion: before.ResourceVersion}).Items)
			}).Should(Equal(2))
			watch := w.follow(ctx, metav1.ListOptions{ResourceVersion: "0"})
			watch.expectsInAnyOrder(ctx, "ADDED a 1", "ADDED b 1")
			w.remove(ctx, "a")
			watch.expects(ctx, "DELETED a 1")
		})

		It("of one object is by its name", func(ctx SpecContext) {
			w.create(ctx, "a")
			version := w.list(ctx, metav1.ListOptions{}).ResourceVersion
			watch := w.follow(ctx, metav1.ListOptions{ResourceVersion: version, FieldSelector: "metadata.name=b"})
			w.ChangeImage(ctx, "a", labelled(step, "1"))
			w.create(ctx, "b", labelled(step, "1"))
			w.ChangeImage(ctx, "b", labelled(step, "2"))
			w.remove(ctx, "a")
			w.remove(ctx, "b")
			watch.expects(ctx, "ADDED b 1", "MODIFIED b 2", "DELETED b 2")
		})

		DescribeTable("has a path of its own, from before there was a parameter:", func(ctx SpecContext, path string) {
			w.create(ctx, "web", labelled(step, "1"))
			path = strings.ReplaceAll(path, "{namespace}", w.Namespace)
			events := w.events(ctx, root+path)
			Expect(<-events).To(And(HaveField("Type", "ADDED"), HaveField("Object.Name", "web")))
			w.remove(ctx, "web")
			Eventually(ctx, events).WithTimeout(w.environment.Patience).Should(Receive(HaveField("Type", "DELETED")))
		},
			Entry("of a namespace", "/watch/namespaces/{namespace}/images"),
			Entry("of an object", "/watch/namespaces/{namespace}/images/web"),
			Entry("of everything", "/watch/images?fieldSelector=metadata.namespace={namespace}"),
		)

		It("tells fifty watchers the same, in the same order", func(ctx SpecContext) {
			const watchers, writers, changes = 50, 4, 5
			version := w.list(ctx, metav1.ListOptions{}).ResourceVersion
			watches := make([]watch.Interface, watchers)
			for i := range watches {
				var err error
				watches[i], err = w.Images().Watch(ctx, metav1.ListOptions{ResourceVersion: version})
				Expect(err).NotTo(HaveOccurred())
				DeferCleanup(watches[i].Stop)
			}
			w.write(ctx, writers, changes)
			w.create(ctx, "last")

			received := make([][]string, watchers)
			for i, reader := range watches {
				received[i] = w.untilAdded(ctx, reader, "last")
			}
			Expect(len(received[0])).To(BeNumerically(">=", writers*(changes+2)))
			for i := range received {
				Expect(received[i]).To(Equal(received[0]))
			}
		})

		It("leads to what a list shows, whatever is written at the same time", func(ctx SpecContext) {
			const writers, changes = 4, 10
			done := make(chan struct{})
			go func() {
				defer GinkgoRecover()
				defer close(done)
				w.write(ctx, writers, changes)
			}()
			list := w.list(ctx, metav1.ListOptions{})
			watching, err := w.Images().Watch(ctx, metav1.ListOptions{ResourceVersion: list.ResourceVersion})
			Expect(err).NotTo(HaveOccurred())
			DeferCleanup(watching.Stop)
			Eventually(ctx, done).WithTimeout(w.environment.Patience).Should(BeClosed())

			objects := map[string]string{}
			for i := range list.Items {
				objects[list.Items[i].Name] = list.Items[i].ResourceVersion
			}
			w.create(ctx, "last")
			for _, event := range w.untilAdded(ctx, watching, "last") {
				var kind, name, version string
				_, err := fmt.Sscan(event, &kind, &name, &version)
				Expect(err).NotTo(HaveOccurred())
				_, known := objects[name]
				Expect(known).To(Equal(kind != string(watch.Added)), event)
				objects[name] = version
				if kind == string(watch.Deleted) {
					delete(objects, name)
				}
			}
			var now []string
			for name := range objects {
				now = append(now, name)
			}
			Expect(names(w.list(ctx, metav1.ListOptions{}))).To(ConsistOf(now))
		})
	})
}

// write starts several writers. Each writer creates two images, changes both, and deletes one image.
func (w *fixture) write(ctx context.Context, writers, changes int) {
	GinkgoHelper()
	var writing sync.WaitGroup
	for writer := range writers {
		writing.Go(func() {
			defer GinkgoRecover()
			kept, removed := fmt.Sprintf("kept-%d", writer), fmt.Sprintf("removed-%d", writer)
			w.create(ctx, kept)
			w.create(ctx, removed)
			for i := range changes {
				w.ChangeImage(ctx, kept, labelled(step, fmt.Sprint(i)))
			}
			w.remove(ctx, removed)
		})
	}
	writing.Wait()
}

// untilAdded returns the events until that of the creation of an image, as type, name and version. Versions only grow.
func (w *fixture) untilAdded(ctx context.Context, watching watch.Interface, last string) []string {
	GinkgoHelper()
	var received []string
	version := "1"
	for {
		event := w.receive(ctx, watching)
		image, ok := event.Object.(*v1alpha1.Image)
		Expect(ok).To(BeTrue(), "%v", event)
		Expect(image.ResourceVersion).To(And(newer(version), Not(Equal(version))))
		version = image.ResourceVersion
		received = append(received, fmt.Sprint(event.Type, " ", image.Name, " ", version))
		if image.Name == last {
			return received
		}
	}
}

// events reads a watch as it comes, until the spec ends or the watch does.
func (w *fixture) events(ctx context.Context, path string, headers ...string) <-chan wireEvent {
	reading, stop := context.WithCancel(ctx)
	events := make(chan wireEvent, 100)
	go func() {
		defer GinkgoRecover()
		defer close(events)
		response := w.send(reading, http.MethodGet, path, "", headers...)
		defer func() { _ = response.Body.Close() }()
		Expect(response.StatusCode).To(Equal(http.StatusOK))
		readEvents(response.Body, events)
	}()
	DeferCleanup(func() {
		stop()
		for range events { // until its reader has ended
		}
	})
	return events
}
