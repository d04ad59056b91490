// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	testingclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/metrics"
	"goldsmith.dev/goldsmith/e2e/require"
)

// silentCache has builds whose events have not arrived.
type silentCache struct {
	cache.Cache
	builds []v1alpha1.ImageBuild
}

func (c silentCache) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	for i := range c.builds {
		if c.builds[i].Name == key.Name {
			c.builds[i].DeepCopyInto(into.(*v1alpha1.ImageBuild))
			return nil
		}
	}
	return apierrors.NewNotFound(v1alpha1.Resource("imagebuilds"), key.Name)
}

func (c silentCache) List(_ context.Context, into client.ObjectList, _ ...client.ListOption) error {
	into.(*v1alpha1.ImageBuildList).Items = c.builds
	return nil
}

func TestBuildsWhoseEventsHaveNotArrivedStartInTheOrderOfTheirNumbers(t *testing.T) {
	var builds []v1alpha1.ImageBuild
	for number, name := range []string{"web-1", "web-2"} {
		build := v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID(name), ResourceVersion: "7"}}
		build.Spec.ImageRef = &v1alpha1.ImageReference{Name: "web", UID: "web"}
		build.Spec.Number = new(int64(number + 1))
		build.Spec.RunPolicy = v1alpha1.RunPolicySerial
		builds = append(builds, build)
	}
	measured, err := metrics.NewQueue(prometheus.NewRegistry())
	require.NoError(t, err)
	q := New(Options{Cache: silentCache{builds: builds}, Metrics: measured, Clock: testingclock.NewFakePassiveClock(time.Now())})
	q.open, q.due = true, workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	defer q.due.ShutDown()
	if admitted, _ := q.Admission(t.Context(), &builds[1]); admitted {
		t.Error("the second build started first")
	}
	if admitted, why := q.Admission(t.Context(), &builds[0]); !admitted {
		t.Errorf("the first build waits: %s", why)
	}
}
