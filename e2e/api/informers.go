// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/http"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// informed is client-go's informer store of the images of a namespace.
type informed struct {
	store cache.Store
	// watchLists counts the watches that asked for initial events.
	watchLists atomic.Int32
}

// inform keeps the images of the present namespace until the spec ends: from a list and a watch after it, or from one
// watch that begins with the list.
func (w *fixture) inform(ctx context.Context, watchList bool) *informed {
	GinkgoHelper()
	informed := &informed{}
	config := rest.CopyConfig(w.Config)
	config.Wrap(func(transport http.RoundTripper) http.RoundTripper {
		return counting{transport, &informed.watchLists}
	})
	goldsmith, err := versioned.NewForConfig(config)
	Expect(err).NotTo(HaveOccurred())
	images := goldsmith.ImagesV1alpha1().Images(w.Namespace)
	requests := semantics{&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			return images.List(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			return images.Watch(ctx, options)
		},
	}, !watchList}

	informer := cache.NewSharedIndexInformer(requests, &v1alpha1.Image{}, 0, nil)
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		informer.RunWithContext(running)
	}()
	DeferCleanup(func(ctx SpecContext) {
		stop()
		Eventually(ctx, done).WithTimeout(w.environment.Patience).Should(BeClosed())
	})
	informed.store = informer.GetStore()
	w.Eventually(ctx, informer.HasSynced).Should(BeTrue())
	hasWatchedLists := informed.watchLists.Load() > 0
	Expect(hasWatchedLists).To(Equal(watchList))
	return informed
}

// steps are the images that are known, and their labels "step".
func (i *informed) steps() map[string]string {
	steps := map[string]string{}
	for _, object := range i.store.List() {
		image := object.(*v1alpha1.Image)
		steps[image.Name] = image.Labels[step]
	}
	return steps
}

// semantics tells client-go whether the server can be asked for watch lists.
type semantics struct {
	*cache.ListWatch
	unsupported bool
}

// IsWatchListSemanticsUnSupported is client-go's question.
func (s semantics) IsWatchListSemanticsUnSupported() bool { return s.unsupported }

type counting struct {
	http.RoundTripper
	watchLists *atomic.Int32
}

// RoundTrip sends a request.
func (c counting) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL.Query().Get("sendInitialEvents") == "true" {
		c.watchLists.Add(1)
	}
	return c.RoundTripper.RoundTrip(request)
}
