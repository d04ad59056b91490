// SPDX-License-Identifier: Apache-2.0

package imagekind

import (
	"context"
	"errors"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

func TestLimitsOfImageKindsTogether(t *testing.T) {
	for _, test := range []struct {
		name        string
		count, size int
		created     bool
		want        string
	}{
		{"the last one", maxKinds, maxTotal, true, ""},
		{"one more", maxKinds + 1, 0, true, "a server has at most 128 ImageKinds: delete one that has no objects"},
		{"a larger one", maxKinds, maxTotal + 1, true, "the specs of all ImageKinds would have 4194305 bytes, and at most 4 MiB are allowed together: shorten schemas"},
		{"one of too many that grows", maxKinds + 1, maxTotal, false, ""},
		{"one that grows too large", 1, maxTotal + 1, false, "at most 4 MiB are allowed together"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := exceeded("servers", test.count, test.size, test.created)
			if (err == nil) != (test.want == "") || err != nil && (!apierrors.IsForbidden(err) || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestWaitingForATurnEndsWithTheRequest(t *testing.T) {
	l := newLimited(nil)
	if err := l.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.begin(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	l.end()
	if err := l.begin(t.Context()); err != nil {
		t.Error(err)
	}
}
