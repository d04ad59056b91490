// SPDX-License-Identifier: Apache-2.0

package exit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestEveryWayToEndHasItsCode(t *testing.T) {
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	failed := &Error{Code: BuildFailed, Err: errors.New("build debian-1: Failed")}
	for _, test := range []struct {
		name string
		ctx  context.Context
		err  error
		want int
	}{
		{"nothing wrong", t.Context(), nil, 0},
		{"nothing wrong, told to end", interrupted, nil, 0},
		{"anything", t.Context(), errors.New("no"), 1},
		{"a failed build", t.Context(), fmt.Errorf("wrapped: %w", failed), 2},
		{"a cancelled build", t.Context(), &Error{Code: BuildCancelled, Err: errors.New("Cancelled")}, 3},
		{"interrupted", interrupted, fmt.Errorf("wait: %w", context.Canceled), 130},
		{"another error while interrupted", interrupted, errors.New("no"), 1},
	} {
		if got := Code(test.ctx, test.err); got != test.want {
			t.Errorf("%s: got %d, want %d", test.name, got, test.want)
		}
	}
}

func TestHelpNamesEveryCode(t *testing.T) {
	for _, code := range []int{Success, Failure, BuildFailed, BuildCancelled, NotSigned, NotVerified, TestsFailed, BuildDue, Interrupted} {
		if !strings.Contains(Help, fmt.Sprintf("\n  %-5d", code)) {
			t.Errorf("no %d in:\n%s", code, Help)
		}
	}
}
