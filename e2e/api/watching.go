// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"
)

// step is a label that specs count their changes with.
const step = "step"

// eventReader reads the events of a watch of a subject. It skips the changes of controllers, which leave the labels alone.
type eventReader struct {
	fixture *fixture
	watch   watch.Interface
	steps   map[string]string // by name: of the last event
	// version is the resource version of the last event.
	version string
}

// follow watches the objects until the spec ends.
func (s *subject) follow(ctx context.Context, options metav1.ListOptions) *eventReader {
	GinkgoHelper()
	watching, err := s.client().Watch(ctx, options)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(watching.Stop)
	return &eventReader{fixture: s.fixture, watch: watching, steps: map[string]string{}}
}

// next is the next event: "ADDED web 1" where the label step is 1, or "BOOKMARK" at the end of the initial events.
func (s *eventReader) next(ctx context.Context) string {
	GinkgoHelper()
	for {
		event := s.fixture.receive(ctx, s.watch)
		object, ok := event.Object.(*unstructured.Unstructured)
		Expect(ok).To(BeTrue(), "%s %v", event.Type, event.Object)
		if s.version != "" {
			Expect(object.GetResourceVersion()).To(beNewer(s.version))
		}
		s.version = object.GetResourceVersion()
		if event.Type == watch.Bookmark {
			if object.GetAnnotations()[metav1.InitialEventsAnnotationKey] == "true" { // others may be sent at any time
				return string(watch.Bookmark)
			}
			continue
		}
		told := string(event.Type) + " " + object.GetName()
		last, known := s.steps[object.GetName()]
		if event.Type == watch.Modified && known && last == object.GetLabels()[step] {
			continue
		}
		s.steps[object.GetName()] = object.GetLabels()[step]
		if object.GetLabels()[step] != "" {
			told += " " + object.GetLabels()[step]
		}
		return told
	}
}

// receive waits for an event. At the end of the watch it has no object.
func (w *fixture) receive(ctx context.Context, watching watch.Interface) watch.Event {
	GinkgoHelper()
	deadline, cancel := context.WithTimeout(ctx, w.environment.Patience)
	defer cancel()
	select {
	case event := <-watching.ResultChan():
		return event
	case <-deadline.Done():
		Fail("no event comes")
	}
	return watch.Event{}
}

// expects waits for the next events, in this order.
func (s *eventReader) expects(ctx context.Context, events ...string) {
	GinkgoHelper()
	for _, event := range events {
		Expect(s.next(ctx)).To(Equal(event))
	}
}
