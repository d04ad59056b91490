// SPDX-License-Identifier: Apache-2.0

package watches

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/watch"
)

// Clients can make the watch cache wait, for instance for a version that does not exist yet.
func TestFewWatchesBeginAtATimeAndOneThatWaitsHoldsBackNone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		objects, began := newSharedObjects(), make(chan struct{}, 3*maxBeginning)
		for range maxBeginning {
			go func() {
				_, _ = objects.watch(ctx, func() (watch.Interface, error) { // it waits until the end
					<-ctx.Done()
					return nil, errors.New("waited in vain")
				})
			}()
		}
		synctest.Wait()
		for range 2 * maxBeginning {
			go func() {
				_, err := objects.watch(ctx, func() (watch.Interface, error) {
					began <- struct{}{}
					return watch.NewFake(), nil
				})
				if err != nil {
					t.Error(err)
				}
			}()
		}
		for _, step := range []struct {
			wait time.Duration
			want int
		}{{maxWait - 1, 0}, {1, maxBeginning}, {begun, 2 * maxBeginning}} {
			time.Sleep(step.wait) // of the test's own clock
			synctest.Wait()
			if len(began) != step.want {
				t.Errorf("%d watches have begun, want %d", len(began), step.want)
			}
		}
		cancel()
	})
}
