// SPDX-License-Identifier: Apache-2.0

package imagekind

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

// Limits of the stored ImageKinds together: each served kind needs some 35 times its size in memory, also in clients that read its schema.
const (
	maxKinds = 128
	maxMiB   = 4
	maxTotal = maxMiB << 20
)

// limited creates and changes ImageKinds one at a time, as long as they keep the limits together. Several replicas of a server can exceed them
// by one ImageKind each.
type limited struct {
	*resources.Store
	turn chan struct{}
}

func newLimited(store *resources.Store) *limited { return &limited{store, make(chan struct{}, 1)} }

// begin waits for its turn, or until the request ends.
func (l *limited) begin(ctx context.Context) error {
	select {
	case l.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *limited) end() { <-l.turn }

// Create creates an ImageKind.
func (l *limited) Create(ctx context.Context, object runtime.Object, validate rest.ValidateObjectFunc, options *metav1.CreateOptions) (runtime.Object, error) {
	if err := l.begin(ctx); err != nil {
		return nil, err
	}
	defer l.end()
	return l.Store.Create(ctx, object, l.creation(validate), options)
}

// Update changes an ImageKind, or creates one if server-side apply does.
func (l *limited) Update(ctx context.Context, name string, object rest.UpdatedObjectInfo, createValidation rest.ValidateObjectFunc,
	updateValidation rest.ValidateObjectUpdateFunc, forceAllowCreate bool, options *metav1.UpdateOptions) (runtime.Object, bool, error) {
	if err := l.begin(ctx); err != nil {
		return nil, false, err
	}
	defer l.end()
	validateUpdate := func(ctx context.Context, object, old runtime.Object) error {
		if err := l.check(ctx, object, old); err != nil {
			return err
		}
		return updateValidation(ctx, object, old)
	}
	return l.Store.Update(ctx, name, object, l.creation(createValidation), validateUpdate, forceAllowCreate, options)
}

func (l *limited) creation(validate rest.ValidateObjectFunc) rest.ValidateObjectFunc {
	return func(ctx context.Context, object runtime.Object) error {
		if err := l.check(ctx, object, nil); err != nil {
			return err
		}
		return validate(ctx, object)
	}
}

// check refuses an ImageKind that is new or larger than before, if it exceeds a limit. Others can be changed also beyond the limits.
func (l *limited) check(ctx context.Context, object, old runtime.Object) error {
	kind := object.(*v1alpha1.ImageKind)
	size := kind.Spec.Size()
	if former, ok := old.(*v1alpha1.ImageKind); ok && size <= former.Spec.Size() {
		return nil
	}
	list, err := l.List(ctx, &internalversion.ListOptions{})
	if err != nil {
		return fmt.Errorf("count ImageKinds: %w", err)
	}
	stored := list.(*v1alpha1.ImageKindList).Items
	count := 1
	for i := range stored {
		if stored[i].Name != kind.Name {
			count++
			size += stored[i].Spec.Size()
		}
	}
	return exceeded(kind.Name, count, size, old == nil)
}

// exceeded returns the error for an ImageKind with which there are so many, of this size together.
func exceeded(name string, count, size int, created bool) error {
	var reason error
	switch {
	case created && count > maxKinds:
		reason = fmt.Errorf("a server has at most %d ImageKinds: delete one that has no objects", maxKinds)
	case size > maxTotal:
		reason = fmt.Errorf("the specs of all ImageKinds would have %d bytes, and at most %d MiB are allowed together: shorten schemas, such as their descriptions, or delete an ImageKind", size, maxMiB)
	default:
		return nil
	}
	return apierrors.NewForbidden(v1alpha1.Resource("imagekinds"), name, reason)
}
