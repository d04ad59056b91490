// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"goldsmith.dev/goldsmith/e2e/deadline"
)

func TestALostWorkerIsSilentUntilItsPodsAreGivenUp(t *testing.T) {
	if least := deadline.WorkerGivenUp.Timers / 2; nodeIsLost <= least { // no controller manager restarts meanwhile
		t.Errorf("a worker is silent for %s, and its pods are deleted after %s", nodeIsLost, least)
	}
}

func TestWhatFailsIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		tries := 0
		third := func(context.Context) error {
			if tries++; tries < 3 {
				return errors.New("busy")
			}
			return nil
		}
		if err := until(ctx, third); err != nil || tries != 3 {
			t.Errorf("%d tries, and then %v", tries, err)
		}
		busy := errors.New("busy")
		err := until(ctx, func(ctx context.Context) error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return busy
		})
		if !errors.Is(err, busy) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("what never succeeds: %v", err)
		}
	})
}
