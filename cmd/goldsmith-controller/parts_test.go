// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"testing"
)

func untilDone(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestAPartThatFailsEndsTheOthers(t *testing.T) {
	lost := errors.New("lease lost")
	failing := func(context.Context) error { return lost }
	if err := runAll(t.Context(), []part{untilDone, failing, untilDone}); !errors.Is(err, lost) {
		t.Errorf("it ended with %v", err)
	}
}

func TestToldToStopItWaitsForAllParts(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	ended := false
	slow := func(ctx context.Context) error {
		<-ctx.Done()
		ended = true
		return nil
	}
	stop()
	if err := runAll(ctx, []part{slow, untilDone}); err != nil || !ended {
		t.Errorf("it ended with %v, the slow part too: %t", err, ended)
	}
}
