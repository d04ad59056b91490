// SPDX-License-Identifier: Apache-2.0

package requesterrors

import (
	"context"
	"errors"
	"strings"

	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/storage"
)

// Storage returns a storage that reports too large objects and wrong versions as errors of the client, and a full storage with
// what frees it. Every request of a resource and its subresources passes through it.
func Storage(of storage.Interface, space *Space) storage.Interface {
	return explainingStorage{of, space}
}

type explainingStorage struct {
	storage.Interface
	space *Space
}

// Create stores a new object.
func (s explainingStorage) Create(ctx context.Context, key string, object, out runtime.Object, ttl uint64) error {
	if refusal := s.space.refusal(); refusal != nil {
		// An object that exists needs no space, and clients may depend on that answer.
		if s.Interface.Get(ctx, key, storage.GetOptions{}, out) == nil {
			return storage.NewKeyExistsError(key, 0)
		}
		return refusal
	}
	err := s.Interface.Create(ctx, key, object, out, ttl)
	if errors.Is(err, storage.ErrResourceVersionSetOnCreate) {
		return apierrors.NewBadRequest("metadata.resourceVersion: remove it: a new object has no version yet")
	}
	return s.space.explain(explainTooLarge(err))
}

// Get reads an object.
func (s explainingStorage) Get(ctx context.Context, key string, options storage.GetOptions, out runtime.Object) error {
	if err := validVersion("resourceVersion", options.ResourceVersion); err != nil {
		return err
	}
	return s.Interface.Get(ctx, key, options, out)
}

// Watch follows objects.
func (s explainingStorage) Watch(ctx context.Context, key string, options storage.ListOptions) (watch.Interface, error) {
	if err := validVersion("resourceVersion", options.ResourceVersion); err != nil {
		return nil, err
	}
	return s.Interface.Watch(ctx, key, options)
}

// GuaranteedUpdate changes an object. While the storage is full, it changes only objects that are being deleted.
func (s explainingStorage) GuaranteedUpdate(ctx context.Context, key string, destination runtime.Object, ignoreNotFound bool,
	preconditions *storage.Preconditions, update storage.UpdateFunc, cached runtime.Object) error {
	unlessFull := func(input runtime.Object, meta storage.ResponseMeta) (runtime.Object, *uint64, error) {
		output, ttl, err := update(input, meta)
		if err == nil && !isBeingDeleted(output) {
			err = s.space.refusal()
		}
		return output, ttl, err
	}
	return s.space.explain(explainTooLarge(s.Interface.GuaranteedUpdate(ctx, key, destination, ignoreNotFound, preconditions, unlessFull, cached)))
}

// Delete deletes an object. etcd allows that even while it is full.
func (s explainingStorage) Delete(ctx context.Context, key string, out runtime.Object, preconditions *storage.Preconditions,
	validate storage.ValidateObjectFunc, cached runtime.Object, options storage.DeleteOptions) error {
	return s.space.explain(s.Interface.Delete(ctx, key, out, preconditions, validate, cached, options))
}

// tooLargeError means that an object is too large for etcd. Clients get a 413. The generic server's handlers still recognize
// etcd's own error, and try again without managed fields.
type tooLargeError struct{}

// etcdTooLarge is etcd's message, by which the handlers recognize the error.
const etcdTooLarge = "etcdserver: request is too large"

func (tooLargeError) Error() string { return etcdTooLarge }

// Code is the code of etcd's error.
func (tooLargeError) Code() codes.Code { return codes.InvalidArgument }

// Status is the answer to the client.
func (tooLargeError) Status() metav1.Status {
	return apierrors.NewRequestEntityTooLargeError("the object is too large to be stored").Status()
}

// explainTooLarge turns the errors of etcd and its client for a too large object into a tooLargeError.
func explainTooLarge(err error) error {
	if err == nil {
		return nil
	}
	var coded interface{ Code() codes.Code }
	if errors.As(err, &coded) && coded.Code() == codes.InvalidArgument && strings.Contains(err.Error(), etcdTooLarge) {
		return tooLargeError{}
	}
	status, isStatus := grpcstatus.FromError(err)
	if isStatus && status.Code() == codes.ResourceExhausted && strings.Contains(status.Message(), "message larger than max") {
		return tooLargeError{}
	}
	return err
}
