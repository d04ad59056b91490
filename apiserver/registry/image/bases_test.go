// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"errors"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

// fakeLock counts how often it was taken and given back.
type fakeLock struct {
	taken, given int
	lost         chan struct{}
	err          error
}

func (l *fakeLock) take(context.Context, string) (lock, error) {
	if l.err != nil {
		return nil, l.err
	}
	l.taken++
	return l, nil
}

func (l *fakeLock) Lost() <-chan struct{} { return l.lost }

func (l *fakeLock) Unlock() { l.given++ }

func basedOn(base string) *v1alpha1.Image {
	image := &v1alpha1.Image{}
	image.Name = "a"
	if base != "" {
		image.Spec.Base.ImageRef = &v1alpha1.BaseImageReference{Name: base}
	}
	return image
}

func TestOnlyWritesThatSetABaseTakeTheLock(t *testing.T) {
	channel := basedOn("b")
	channel.Spec.Base.ImageRef.Channel = "stable"
	for name, test := range map[string]struct {
		image, old *v1alpha1.Image
		want       int
	}{
		"a creation with a base":    {basedOn("b"), nil, 1},
		"a creation without":        {basedOn(""), nil, 0},
		"a first base":              {basedOn("b"), basedOn(""), 1},
		"another base":              {basedOn("b"), basedOn("c"), 1},
		"the same base":             {basedOn("b"), basedOn("b"), 0},
		"another channel of a base": {channel, basedOn("b"), 0},
		"a base less":               {basedOn(""), basedOn("b"), 0},
	} {
		t.Run(name, func(t *testing.T) {
			lock := &fakeLock{}
			rule := &bases{lock: lock.take}
			ctx, writing := startWriting(t.Context())
			for range 3 { // as often as the store tries
				var err error
				if test.old == nil {
					_, err = rule.beginCreate(ctx, test.image, nil)
				} else {
					_, err = rule.beginUpdate(ctx, test.image, test.old, nil)
				}
				require.NoError(t, err)
			}
			if lock.given != 0 {
				t.Error("the lock was given back before the write")
			}
			writing.end()
			if lock.taken != test.want || lock.given != test.want {
				t.Errorf("the lock was taken %d times and given back %d times, want %d", lock.taken, lock.given, test.want)
			}
		})
	}
}

func TestAWriteWithoutTheLockIsNone(t *testing.T) {
	lock := &fakeLock{err: errors.New("taken")}
	ctx, writing := startWriting(t.Context())
	defer writing.end()
	if _, err := (&bases{lock: lock.take}).beginCreate(ctx, basedOn("b"), nil); !errors.Is(err, lock.err) {
		t.Errorf("got %v", err)
	}
}

func TestAWriteEndsWhenItsLockIsLost(t *testing.T) {
	lock := &fakeLock{lost: make(chan struct{})}
	ctx, writing := startWriting(t.Context())
	defer writing.end()
	if _, err := (&bases{lock: lock.take}).beginCreate(ctx, basedOn("b"), nil); err != nil {
		t.Fatal(err)
	}
	failure := errors.New("the storage's")
	if err := writing.explain(ctx, failure); !errors.Is(err, failure) {
		t.Errorf("before it was lost: %v", err)
	}
	close(lock.lost)
	<-ctx.Done()
	if err := writing.explain(ctx, ctx.Err()); !apierrors.IsServiceUnavailable(err) {
		t.Errorf("got %v", err)
	}
	if err := writing.explain(ctx, nil); err != nil {
		t.Errorf("of a write that was done before: %v", err)
	}
}
