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
	// sharesAge is the maximum age of the settings of Namespaces.
	sharesAge = 3 * time.Second
	// sharesTimeout is how long reading Namespaces may take. An answer without their settings is better than no answer.
	sharesTimeout = 2 * time.Second
)

var namespaces = corev1.SchemeGroupVersion.WithResource("namespaces")

// shares are the shares that Namespaces set. They are read on request and kept for a while.
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

// get returns the shares by name. If Namespaces cannot be read, it returns the last shares, or none, so that the defaults apply.
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
		// The share describes invalid settings; the controller reports them.
		if share, _ := queue.ShareOf(list.Items[i].Annotations); share != (queue.Share{}) {
			known[list.Items[i].Name] = share
		}
	}
	s.known = known
}
