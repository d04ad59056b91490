// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/fake"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

// TestAWaitEndsSoonAfterAnOutage waits for a build that finishes while the server restarts, which takes minutes.
func TestAWaitEndsSoonAfterAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const outage = 5 * time.Minute
		begin := time.Now()
		build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Name: "web-1", ResourceVersion: "1"}}
		finished := build.DeepCopy()
		finished.ResourceVersion, finished.Status.Finished = "2", true
		watches, asked, longest := 0, begin, time.Duration(0)
		source := &cache.ListWatch{
			ListWithContextFunc: func(context.Context, metav1.ListOptions) (runtime.Object, error) {
				return &v1alpha1.ImageBuildList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}, Items: []v1alpha1.ImageBuild{*build}}, nil
			},
			WatchFuncWithContext: func(context.Context, metav1.ListOptions) (watch.Interface, error) {
				events := watch.NewFakeWithChanSize(1, false)
				longest, asked = max(longest, time.Since(asked)), time.Now()
				switch watches++; {
				case watches == 1:
					events.Stop() // the server stops
				case time.Since(begin) < outage:
					return nil, fmt.Errorf("dial: %w", syscall.ECONNREFUSED)
				default:
					events.Modify(finished)
				}
				return events, nil
			},
		}
		connection := &Connection{Interface: fake.NewClientset()}
		ctx := logr.NewContext(t.Context(), funcr.New(func(_, line string) { t.Errorf("the user sees %s", line) }, funcr.Options{}))
		_, err := until(ctx, connection, source, &v1alpha1.ImageBuild{}, nil, ErrBuildDeleted, func(build *v1alpha1.ImageBuild) bool { return build.Status.Finished })
		require.NoError(t, err)
		if longest > 2*RetryInterval {
			t.Errorf("the server was not asked for %s", longest)
		}
	})
}
