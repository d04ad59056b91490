// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/watch"
)

// Until a watch has begun, it has copies of all past events.
func TestFewWatchesBeginAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		objects, began := newSharedObjects(), make(chan struct{}, 2*maxBeginning)
		for range 2 * maxBeginning {
			go func() {
				if _, err := objects.watch(ctx, func() (watch.Interface, error) {
					began <- struct{}{}
					return watch.NewFake(), nil
				}); err != nil {
					t.Error(err)
				}
			}()
		}
		for _, want := range []int{maxBeginning, 2 * maxBeginning} {
			synctest.Wait()
			if len(began) != want {
				t.Errorf("%d watches have begun, want %d", len(began), want)
			}
			time.Sleep(begun) // of the test's own clock
		}
		stop()
	})
}
