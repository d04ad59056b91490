// SPDX-License-Identifier: Apache-2.0

package queuedbuild

import (
	"context"
	"maps"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/jobs/queue"
)

const (
	// sharesAge is how old what the Namespaces say may be.
	sharesAge = 3 * time.Second
	// sharesTimeout is how long reading them may take: an answer without them is better than none.
	sharesTimeout = 2 * time.Second
)

var namespaces = corev1.SchemeGroupVersion.WithResource("namespaces")

// shares are what Namespaces say that they may have, read when they are asked for and kept for a while.
type shares struct {
	namespaces lister
	clock      clock.PassiveClock

	mutex sync.Mutex
	read  time.Time
	known map[string]queue.Share
}

// lister lists the metadata of Namespaces.
type lister interface {
	List(ctx context.Context, options metav1.ListOptions) (*metav1.PartialObjectMetadataList, error)
}

// get returns the shares by name. Where Namespaces cannot be read they are as they were, or those of all namespaces.
func (s *shares) get(ctx context.Context) map[string]queue.Share {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if now := s.clock.Now(); s.read.IsZero() || now.Sub(s.read) >= sharesAge {
		s.read = now
		s.refresh(ctx)
	}
	return maps.Clone(s.known)
}

func (s *shares) refresh(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, sharesTimeout)
	defer cancel()
	list, err := s.namespaces.List(ctx, metav1.ListOptions{ResourceVersion: "0"}) // from a cache
	if err != nil {
		klog.FromContext(ctx).V(2).Info("the queue is shown without the settings of Namespaces", "err", err)
		return
	}
	known := map[string]queue.Share{}
	for i := range list.Items {
		// What makes no sense counts as not there, as for the controller, which says so.
		if share, _ := queue.ShareOf(list.Items[i].Annotations); share != (queue.Share{}) {
			known[list.Items[i].Name] = share
		}
	}
	s.known = known
}
