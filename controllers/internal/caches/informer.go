// SPDX-License-Identifier: Apache-2.0

package caches

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"

	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
)

// newInformer makes an informer that watches again within two seconds after its API recovers. The backoff of client-go lasts 13 to 51
// seconds at the end of an outage of half a minute, and up to 60 seconds later. Until the informer watches again, no build ends, because
// nobody sees the end of its pod. That backoff cannot be configured (https://github.com/kubernetes/kubernetes/issues/136943), so the
// informer does not see that the API is unavailable.
func newInformer(source toolscache.ListerWatcher, example runtime.Object, resync time.Duration, indexers toolscache.Indexers) toolscache.SharedIndexInformer {
	client := toolscache.ToListerWatcherWithContext(source)
	return toolscache.NewSharedIndexInformer(&toolscache.ListWatch{
		ListWithContextFunc:  client.ListWithContext,
		WatchFuncWithContext: withRetries(client.WatchWithContext),
	}, example, resync, indexers)
}

// withRetries repeats the request for a watch at a fixed interval while the API is unavailable.
func withRetries(request toolscache.WatchFuncWithContext) toolscache.WatchFuncWithContext {
	return func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
		for {
			started, err := request(ctx, options)
			if err == nil || !reconciliation.Unavailable(err) {
				return started, err
			}
			select {
			case <-ctx.Done():
				return nil, err
			case <-time.After(reconciliation.UnavailableRetry):
			}
		}
	}
}
