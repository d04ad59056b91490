// SPDX-License-Identifier: Apache-2.0

package caches

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"

	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
)

// api serves watches of pods, except during an outage.
type api struct {
	mutex  sync.Mutex
	outage error
	open   *watch.FakeWatcher
}

func (a *api) list(context.Context, metav1.ListOptions) (runtime.Object, error) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}}, a.outage
}

func (a *api) watch(_ context.Context, options metav1.ListOptions) (watch.Interface, error) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if a.outage != nil {
		return nil, a.outage
	}
	a.open = watch.NewFakeWithChanSize(2, false)
	if options.SendInitialEvents != nil {
		a.open.Action(watch.Bookmark, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			ResourceVersion: "1", Annotations: map[string]string{metav1.InitialEventsAnnotationKey: "true"},
		}})
	}
	return a.open, nil
}

// fail ends the watch, and has every request fail until recover.
func (a *api) fail(outage error) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.outage = outage
	a.open.Stop()
	a.open = nil
}

func (a *api) recover() {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.outage = nil
}

func (a *api) watched() bool {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return a.open != nil
}

func TestAnInformerWatchesAgainSoonAfterAnOutage(t *testing.T) {
	for name, outage := range map[string]error{
		"of kube-apiserver":      fmt.Errorf("dial: %w", syscall.ECONNREFUSED),
		"of our API servers":     apierrors.NewGenericServerResponse(http.StatusServiceUnavailable, "watch", corev1.Resource("pods"), "", "", 0, true),
		"of the API's existence": apierrors.NewGenericServerResponse(http.StatusNotFound, "watch", corev1.Resource("pods"), "", "404 page not found", 0, true),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				served := &api{}
				source := &toolscache.ListWatch{ListWithContextFunc: served.list, WatchFuncWithContext: served.watch}
				informer := newInformer(source, &corev1.Pod{}, 0, toolscache.Indexers{})
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					informer.RunWithContext(ctx)
				}()
				defer func() {
					stop()
					<-ended
				}()
				synctest.Wait()
				if !served.watched() {
					t.Fatal("the informer does not watch")
				}
				time.Sleep(3 * time.Second) // the fake clock of the bubble, as below
				served.fail(outage)
				time.Sleep(time.Minute)
				served.recover()
				time.Sleep(reconciliation.UnavailableRetry)
				synctest.Wait()
				if !served.watched() {
					t.Errorf("the informer does not watch %s after the API recovered", reconciliation.UnavailableRetry)
				}
			})
		})
	}
}

func TestARequestForAWatchThatIsRefusedForAnotherReasonIsNotRepeated(t *testing.T) {
	asked := 0
	_, err := withRetries(func(context.Context, metav1.ListOptions) (watch.Interface, error) {
		asked++
		return nil, apierrors.NewResourceExpired("too old resource version")
	})(t.Context(), metav1.ListOptions{})
	if !apierrors.IsResourceExpired(err) || asked != 1 {
		t.Errorf("asked %d times, got %v", asked, err)
	}
}
