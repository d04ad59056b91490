// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/storage/schema"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestASnapshotIsRestoredWithGreaterRevisions(t *testing.T) {
	for name, running := range map[string]bool{"while a server runs": true, "while none runs": false} {
		t.Run(name, func(t *testing.T) {
			// Longer than a socket's path can be: the socket is elsewhere.
			directory := filepath.Join(t.TempDir(), "a-directory-with-a-name-that-is-so-long-that-the-path-of-a-socket-in-it-would-be-too-long-for-the-kernel")
			server := start(t, directory)
			put(t, server, "before")
			if !running {
				require.NoError(t, server.Stop())
			}
			file := filepath.Join(t.TempDir(), "snapshot")
			require.NoError(t, Save(t.Context(), directory, file))
			if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the snapshot: %v, %v", info, err)
			}
			if running {
				put(t, server, "after")
			}
			at := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
			early := filepath.Join(t.TempDir(), "early")
			require.NoError(t, Restore(early, file, at.Add(-time.Minute)))
			rolledBack := require.Value(connect(t, start(t, early)).Put(t.Context(), "lost", "value"))(t)
			restored := filepath.Join(t.TempDir(), "restored")
			require.NoError(t, Restore(restored, file, at))
			again := start(t, restored)
			client := connect(t, again)
			all := require.Value(client.Get(t.Context(), "", clientv3.WithPrefix(), clientv3.WithKeysOnly()))(t)
			if len(all.Kvs) != 1 || string(all.Kvs[0].Key) != "before" {
				t.Errorf("restored %v", all.Kvs)
			}
			// A client that waits for a revision from before the restoration, or from after an earlier one, has to list again.
			for _, seen := range []int64{3, rolledBack.Header.Revision + 1} {
				watching, stop := context.WithTimeout(t.Context(), time.Minute)
				watched := <-client.Watch(watching, "", clientv3.WithPrefix(), clientv3.WithRev(seen))
				stop()
				if watched.CompactRevision == 0 {
					t.Errorf("a watch from revision %d got %+v", seen, watched)
				}
			}
			if err := Restore(restored, file, at); err == nil {
				t.Error("a member was restored over another")
			}
		})
	}
}

// The checksum of a snapshot can be right although etcd cannot start from the snapshot.
func TestADamagedSnapshotIsNotRestored(t *testing.T) {
	directory, whole := t.TempDir(), filepath.Join(t.TempDir(), "snapshot")
	put(t, start(t, directory), "key")
	require.NoError(t, Save(t.Context(), directory, whole))
	content := require.Value(os.ReadFile(whole))(t)
	for name, test := range map[string]struct {
		damage func(path string) error // of the database without its checksum
		cause  string
	}{
		"no database": {func(path string) error { return os.WriteFile(path, make([]byte, 4*4096), 0) }, "invalid database"},
		"a part":      {func(path string) error { return os.Truncate(path, 4*4096) }, "bytes"},
		"no objects": {func(path string) error {
			database, err := bolt.Open(path, 0, nil)
			if err != nil {
				return err
			}
			return errors.Join(database.Update(func(tx *bolt.Tx) error { return tx.DeleteBucket(schema.Key.Name()) }), database.Close())
		}, "bucket"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "snapshot")
			require.NoError(t, errors.Join(os.WriteFile(file, content[:len(content)-sha256.Size], 0o600), test.damage(file)))
			damaged, err := os.ReadFile(file)
			sum := sha256.Sum256(damaged)
			require.NoError(t, errors.Join(err, os.WriteFile(file, append(damaged, sum[:]...), 0o600)))
			if err := Restore(t.TempDir(), file, time.Now()); err == nil || !strings.Contains(err.Error(), test.cause) {
				t.Errorf("got %v, want %s", err, test.cause)
			}
		})
	}
}

func connect(t *testing.T, server *Server) *clientv3.Client {
	t.Helper()
	client := require.Value(server.Connect())(t)
	t.Cleanup(func() { _ = client.Close() }) // its server may have stopped
	return client
}

func put(t *testing.T, server *Server, key string) {
	t.Helper()
	require.Value(connect(t, server).Put(context.Background(), key, "value"))(t)
}
