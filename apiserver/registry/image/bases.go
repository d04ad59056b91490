// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"errors"
	"path"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/store"
	"goldsmith.dev/goldsmith/apiserver/requesterrors"
)

// bases prevents cycles of Images that are based on each other. This rule is about several objects, so the writes that set or
// change a base are serialized: each checks and writes under a lock of the namespace, which all servers share. Other writes
// take no lock and read no other Images.
type bases struct {
	images *genericregistry.Store
	lock   func(ctx context.Context, name string) (lock, error)
}

// lock is a locks.Lock.
type lock interface {
	Lost() <-chan struct{}
	Unlock()
}

// setsBase reports whether a write sets another Image as the base. old is nil for a creation. The rules of the spec refuse an Image
// that is based on itself.
func setsBase(image, old *v1alpha1.Image) bool {
	base := image.Spec.Base.ImageRef
	return base != nil && base.Name != image.Name && (old == nil || old.Spec.Base.ImageRef == nil || old.Spec.Base.ImageRef.Name != base.Name)
}

// validate refuses a base that would close a cycle. The other Images cannot change meanwhile, because the write holds the lock.
func (b *bases) validate(ctx context.Context, image, old *v1alpha1.Image) field.ErrorList {
	if !setsBase(image, old) {
		return nil
	}
	return ValidateBases(image, func(name string) (*v1alpha1.Image, error) {
		return store.Get[*v1alpha1.Image](ctx, b.images, name)
	})
}

func (b *bases) beginCreate(ctx context.Context, object runtime.Object, _ *metav1.CreateOptions) (genericregistry.FinishFunc, error) {
	return b.begin(ctx, object, nil)
}

func (b *bases) beginUpdate(ctx context.Context, object, old runtime.Object, _ *metav1.UpdateOptions) (genericregistry.FinishFunc, error) {
	existing, err := store.As[*v1alpha1.Image](old)
	if err != nil {
		return nil, err
	}
	if writing, ok := ctx.Value(writingKey{}).(*writing); ok {
		writing.before = existing
	}
	return b.begin(ctx, object, existing)
}

// begin takes the lock, unless an earlier try of the same write did. The lock outlasts the store's hooks for an update, which
// end before the write.
func (b *bases) begin(ctx context.Context, object runtime.Object, old *v1alpha1.Image) (genericregistry.FinishFunc, error) {
	image, err := store.As[*v1alpha1.Image](object)
	if err != nil {
		return nil, err
	}
	writing, _ := ctx.Value(writingKey{}).(*writing)
	if writing == nil || writing.lock != nil || !setsBase(image, old) {
		return notYet, nil
	}
	lock, err := b.lock(ctx, path.Join("images", apirequest.NamespaceValue(ctx)))
	if err != nil {
		return nil, err
	}
	writing.hold(ctx, lock)
	return notYet, nil
}

func notYet(context.Context, bool) {}

type writingKey struct{}

// writing is a write of an Image from its beginning to its end, with its lock, if it took one.
type writing struct {
	before *v1alpha1.Image // the stored Image, at the last try of an update
	lock   lock
	abort  context.CancelCauseFunc
}

func startWriting(ctx context.Context) (context.Context, *writing) {
	ctx, abort := context.WithCancelCause(ctx)
	writing := &writing{abort: abort}
	return context.WithValue(ctx, writingKey{}, writing), writing
}

// hold keeps the lock until the write ends, and ends the write if the lock is lost before.
func (w *writing) hold(ctx context.Context, lock lock) {
	w.lock = lock
	if lock.Lost() == nil {
		return
	}
	go func() {
		select {
		case <-lock.Lost():
			w.abort(lockLost())
		case <-ctx.Done():
		}
	}()
}

func (w *writing) end() {
	w.abort(nil)
	if w.lock != nil {
		w.lock.Unlock()
	}
}

// explain returns the loss of the lock as the error of a write, if that is the cause.
func (w *writing) explain(ctx context.Context, err error) error {
	var lost *apierrors.StatusError
	if err != nil && errors.As(context.Cause(ctx), &lost) {
		return lost
	}
	return err
}

func lockLost() error {
	return requesterrors.Unavailable("the server lost the lock while it checked the base of the image: try again",
		metav1.StatusDetails{RetryAfterSeconds: 1})
}
