// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/metadata"
	restclient "k8s.io/client-go/rest"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/dynamic"
	"goldsmith.dev/goldsmith/jobs/catalog/names"
)

// ServedKindsAnnotation of an APIService names the kinds that a replica of the server serves. kube-aggregator reads discovery and OpenAPI
// of an APIService at once when the object changes, and otherwise up to two minutes later.
const ServedKindsAnnotation = v1alpha1.CatalogGroup + "/served-kinds"

// announcementInterval is the shortest time between two announcements: kube-apiserver merges its OpenAPI document for each of them.
// maxAnnouncementInterval is the longest one, of announcements that fail.
const (
	announcementInterval    = time.Second
	maxAnnouncementInterval = time.Minute
)

var apiServices = schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"}

// announcer writes what a replica serves into the APIServices of the group. The value differs between replicas: kube-aggregator may
// ask a replica that still has the former kinds, so it has to ask again after the last replica.
type announcer struct {
	client  metadata.Interface
	replica types.UID
	// queue has the revisions to write.
	queue workqueue.TypedRateLimitingInterface[string]
	// newest is the only revision that is still to be written.
	newest atomic.Pointer[string]
}

// newAnnouncer returns an announcer that writes to the cluster of a connection.
func newAnnouncer(core *restclient.Config) (*announcer, error) {
	client, err := metadata.NewForConfig(core)
	if err != nil {
		return nil, fmt.Errorf("connect to the APIServices of the kinds: %w", err)
	}
	limiter := workqueue.NewTypedItemExponentialFailureRateLimiter[string](announcementInterval, maxAnnouncementInterval)
	return &announcer{client: client, replica: uuid.NewUUID(), queue: workqueue.NewTypedRateLimitingQueue(limiter)}, nil
}

// announce lets run write a revision, unless it is the one before. A nil announcer ignores it.
func (a *announcer) announce(revision string) {
	if a == nil {
		return
	}
	if before := a.newest.Swap(&revision); before == nil || *before != revision {
		a.queue.Add(revision)
	}
}

// run writes revisions until ctx is done. It repeats what fails.
func (a *announcer) run(ctx context.Context) {
	context.AfterFunc(ctx, a.queue.ShutDown)
	wait.UntilWithContext(ctx, a.writeNext, announcementInterval)
}

func (a *announcer) writeNext(ctx context.Context) {
	revision, stopped := a.queue.Get()
	if stopped {
		return
	}
	defer a.queue.Done(revision)
	if revision != *a.newest.Load() {
		a.queue.Forget(revision)
		return
	}
	if err := a.write(ctx, revision); err != nil {
		klog.FromContext(ctx).Error(err, "Tell kube-aggregator that kinds have changed, which it learns within two minutes otherwise: it is repeated")
		a.queue.AddRateLimited(revision)
		return
	}
	a.queue.Forget(revision)
}

// write writes a revision into all APIServices. One that is not registered has nobody to tell.
func (a *announcer) write(ctx context.Context, revision string) error {
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, ServedKindsAnnotation, revision+"."+string(a.replica))
	for _, version := range names.Versions() {
		name := version + "." + v1alpha1.CatalogGroup
		_, err := a.client.Resource(apiServices).Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: "goldsmith-apiserver"})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("annotate APIService %s: %w", name, err)
		}
	}
	return nil
}

// revisionOf identifies the served kinds, in any order.
func revisionOf(served []dynamic.Kind) string {
	all := make([]string, len(served))
	for i, kind := range served {
		all[i] = kind.Definition.Name + " " + kind.Revision
	}
	slices.Sort(all)
	return fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(all, "\n"))))[:16]
}
