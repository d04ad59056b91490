// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestComponentsStopInTheReverseOrder(t *testing.T) {
	var stopped []string
	parts := newComponents()
	for _, name := range []string{"server", "agent", "controllers"} {
		parts.start(t.Context(), name, func(ctx context.Context) error {
			<-ctx.Done()
			stopped = append(stopped, name) // never two at a time
			return nil
		})
	}
	asked, ask := context.WithCancel(t.Context())
	ask()
	parts.wait(asked)
	if err := parts.stop(); err != nil {
		t.Error(err)
	}
	if want := []string{"controllers", "agent", "server"}; !slices.Equal(stopped, want) {
		t.Errorf("stopped %v", stopped)
	}
}

func TestTheFailureOfOneComponentEndsTheWaitAndIsReported(t *testing.T) {
	failure := errors.New("out of luck")
	for name, run := range map[string]func(context.Context) error{
		"out of luck":     func(context.Context) error { return failure },
		"ended by itself": func(context.Context) error { return nil },
	} {
		parts := newComponents()
		parts.start(t.Context(), "server", func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		})
		parts.start(t.Context(), "agent", run)
		parts.wait(t.Context())
		err := parts.stop()
		if err == nil || !strings.Contains(err.Error(), "agent: "+name) || strings.Contains(err.Error(), "server") {
			t.Errorf("got %v, want %q of the agent only", err, name)
		}
	}
}

func TestTheEndOfOneComponentEndsTheStartOfTheOthers(t *testing.T) {
	parts := newComponents()
	starting, started := parts.whileRunning(t.Context())
	defer started()
	parts.start(t.Context(), "server", func(ctx context.Context) error {
		<-ctx.Done()
		return nil
	})
	if starting.Err() != nil {
		t.Fatal("the context ended before any component")
	}
	parts.start(t.Context(), "agent", func(context.Context) error { return context.Canceled })
	<-starting.Done()
	if err := parts.stop(); err == nil || !strings.Contains(err.Error(), "agent") {
		t.Errorf("got %v, want the end of the agent, which nobody asked for", err)
	}
}
