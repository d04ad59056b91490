// SPDX-License-Identifier: Apache-2.0

package filelock_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"goldsmith.dev/goldsmith/apiserver/storage/filelock"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestTheLockIsHeldOnceUntilItIsClosed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	for range 2 {
		held, err := filelock.Take(path)
		require.NoError(t, err)
		if _, err := filelock.Take(path); !errors.Is(err, filelock.ErrHeld) {
			t.Errorf("a second holder gets %v", err)
		}
		if holder := filelock.Holder(path); holder != os.Getpid() {
			t.Errorf("process %d holds the lock, not %d", holder, os.Getpid())
		}
		copied := require.Value(unix.Dup(int(held.Fd())))(t) // as a process that is being started has it
		require.NoError(t, held.Close())
		defer func() { require.NoError(t, unix.Close(copied)) }()
	}
}

func TestAwaitHasTheLockOnceItsHolderHasClosedIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	held := require.Value(filelock.Take(path))(t)
	interrupted, interrupt := context.WithCancel(t.Context())
	interrupt()
	if _, err := filelock.Await(interrupted, path); !errors.Is(err, filelock.ErrHeld) || !errors.Is(err, context.Canceled) {
		t.Errorf("an interrupted waiter gets %v", err)
	}
	require.NoError(t, os.WriteFile(path, []byte("1\n"), 0o600))
	go func() { _ = held.Close() }() // the waiter fails, or waits for ever, without it
	next, err := filelock.Await(t.Context(), path)
	require.NoError(t, err)
	if holder := filelock.Holder(path); holder != os.Getpid() {
		t.Errorf("process %d holds the lock, not %d", holder, os.Getpid())
	}
	if _, err := filelock.Take(path); !errors.Is(err, filelock.ErrHeld) {
		t.Errorf("another holder gets %v", err)
	}
	require.NoError(t, next.Close())
}

func TestTheHolderIsUnknownWithoutItsNumber(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	for range 2 {
		if holder := filelock.Holder(path); holder != 0 {
			t.Errorf("got %d", holder)
		}
		require.NoError(t, os.WriteFile(path, nil, 0o600)) // as earlier versions left it
	}
	require.NoError(t, errors.Join(os.Remove(path), unix.Mkfifo(path, 0o600)))
	if holder := filelock.Holder(path); holder != 0 {
		t.Errorf("of a named pipe, got %d", holder)
	}
}
