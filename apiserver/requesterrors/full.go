// SPDX-License-Identifier: Apache-2.0

package requesterrors

import (
	"errors"
	"net/http"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

const (
	// refusalCounts is how long the check fails after a storage that does not know whether it is full has refused a write.
	refusalCounts = 10 * time.Second
	// reasonInsufficientStorage is the reason of the errors with status 507.
	reasonInsufficientStorage metav1.StatusReason = "InsufficientStorage"
)

// Limited is a storage that knows when it is full. Then its server refuses writes, except those that delete.
type Limited interface {
	// Full returns an error that says what is full and what frees it, or nil.
	Full() error
}

// Space knows whether the storage of a server is full.
type Space struct {
	storage Limited // nil if the storage does not know

	mutex   sync.Mutex
	refused time.Time // when the storage last refused a write because it was full
}

// NewSpace returns the space of a storage. A storage that is not Limited reports that it is full when it refuses a write.
func NewSpace(storage any) *Space {
	known, _ := storage.(Limited)
	return &Space{storage: known}
}

// refusal is the answer to a write while the storage is full, or nil.
func (s *Space) refusal() error {
	if s.storage == nil {
		return nil
	}
	if full := s.storage.Full(); full != nil {
		return insufficientStorage(full.Error())
	}
	return nil
}

// explain turns the error of a storage that refuses writes because it is full into the answer to the client.
func (s *Space) explain(err error) error {
	if !errors.Is(err, rpctypes.ErrNoSpace) {
		return err
	}
	s.mutex.Lock()
	s.refused = time.Now()
	s.mutex.Unlock()
	if refusal := s.refusal(); refusal != nil {
		return refusal
	}
	return insufficientStorage("the storage of the server is full and refuses writes: free space on its disk, or compact and defragment its etcd")
}

// Check is a check of /readyz that fails while the storage is full.
func (s *Space) Check(*http.Request) error {
	if err := s.refusal(); err != nil {
		return err
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if time.Since(s.refused) < refusalCounts {
		return errors.New("the storage is full: it refused a write within the last 10 seconds")
	}
	return nil
}

// insufficientStorage is an error with status 507. Clients try again after a second, because space is freed at any time.
func insufficientStorage(message string) *apierrors.StatusError {
	err := Unavailable(message, metav1.StatusDetails{RetryAfterSeconds: 1})
	err.ErrStatus.Code, err.ErrStatus.Reason = http.StatusInsufficientStorage, reasonInsufficientStorage
	return err
}

// IsFull reports whether a write was refused because the storage is full, or too small for the object.
func IsFull(err error) bool {
	return apierrors.ReasonForError(err) == reasonInsufficientStorage || apierrors.IsRequestEntityTooLargeError(err)
}

// isBeingDeleted reports whether only finalizers or a grace period keep an object.
func isBeingDeleted(object runtime.Object) bool {
	accessor, err := meta.Accessor(object)
	return err == nil && accessor.GetDeletionTimestamp() != nil
}
