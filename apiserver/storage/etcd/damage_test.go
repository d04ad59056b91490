// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	bolt "go.etcd.io/bbolt"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/storage/schema"
	"go.uber.org/zap"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestDamagedFilesAreNamed(t *testing.T) {
	whole := t.TempDir()
	server := require.Value(Start(t.Context(), whole))(t)
	client, err := server.Connect()
	for i := 0; err == nil && i < 20; i++ {
		_, err = client.Put(t.Context(), fmt.Sprint("key-", i), strings.Repeat("x", 1000))
	}
	require.NoError(t, errors.Join(err, client.Close(), server.Stop()))
	const log, segment, database = "wal", "wal/0000000000000000-0000000000000000.wal", "snap/db"
	overwrite := func(at, length int64) func(string) error {
		return func(path string) error {
			file, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = file.WriteAt(make([]byte, length), at)
			return errors.Join(err, file.Close())
		}
	}
	replace := func(before, after string) func(string) error {
		return func(path string) error {
			content, err := os.ReadFile(path)
			return errors.Join(err, os.WriteFile(path, bytes.ReplaceAll(content, []byte(before), []byte(after)), 0o600))
		}
	}
	truncate := func(size int64) func(string) error {
		return func(path string) error { return os.Truncate(path, size) }
	}
	const key, changed = "\x00\x00\x00\x00\x00\x00\x00\x0a_", "\xff\x00\x00\x00\x00\x00\x00\x0a_" // begin what etcd stores of one revision
	for name, test := range map[string]struct {
		file   string
		damage func(path string) error
		path   string // that is named
		cause  string
	}{
		"empty log":                   {segment, truncate(0), segment, "it has no beginning"},
		"zeroed log":                  {segment, overwrite(0, 1<<20), segment, "it has no beginning"},
		"log without its end":         {segment, truncate(10_000), segment, "it ends with entry"},
		"zeros in the log":            {segment, overwrite(10_000, 3000), segment, "but the database has entry"},
		"changed entry":               {segment, overwrite(8000, 10), log, "crc mismatch"},
		"missing log":                 {log, os.RemoveAll, log, "it has no files"},
		"missing file of the log":     {segment, os.Remove, log, "it has no files"},
		"truncated database":          {database, truncate(40_000), database, "it has 40000 of"},
		"database without its header": {database, truncate(100), database, "invalid database"},
		"zeroed database":             {database, overwrite(0, 1<<20), database, "invalid database"},
		"zeros in the database":       {database, overwrite(3*4096, 4*4096), database, "assertion failed"},
		"changed key in the database": {database, replace(key, changed), database, "is in a wrong place"},
		"a value that is no object":   {database, addNoObject, "..", "failed to unmarshal"},
	} {
		t.Run(name, func(t *testing.T) {
			directory := t.TempDir()
			require.NoError(t, os.CopyFS(directory, os.DirFS(whole)))
			member := filepath.Join(memberDirectory(directory), "member")
			require.NoError(t, test.damage(filepath.Join(member, test.file)))
			server, err := Start(t.Context(), directory)
			if err == nil {
				t.Fatal(errors.Join(errors.New("started"), server.Stop()))
			}
			damage, ok := errors.AsType[*DamageError](err)
			if want := filepath.Join(member, test.path); !ok || damage.Path != want || !strings.Contains(damage.Cause.Error(), test.cause) {
				t.Errorf("got %v, want %s: %s", err, want, test.cause)
			}
		})
	}
}

func TestAMissingDatabaseIsBuiltFromAWholeLog(t *testing.T) {
	directory := t.TempDir()
	for _, lost := range []bool{false, true} {
		if lost {
			require.NoError(t, os.Remove(filepath.Join(memberDirectory(directory), "member", "snap", "db")))
		}
		server := require.Value(Start(t.Context(), directory))(t)
		client, err := server.Connect()
		if err == nil && !lost {
			_, err = client.Put(t.Context(), "key", "value")
		} else if err == nil {
			var found *clientv3.GetResponse
			if found, err = client.Get(t.Context(), "key"); err == nil && (len(found.Kvs) != 1 || string(found.Kvs[0].Value) != "value") {
				t.Errorf("found %v", found)
			}
		}
		require.NoError(t, errors.Join(err, client.Close(), server.Stop()))
	}
}

// addNoObject adds a value that etcd cannot read at its start, for which it ends its process in a goroutine of its own.
func addNoObject(path string) error {
	database, err := bolt.Open(path, 0, nil)
	if err != nil {
		return err
	}
	return errors.Join(database.Update(func(tx *bolt.Tx) error {
		return tx.Bucket(schema.Key.Name()).Put([]byte("\x7f\xff\xff\xff\xff\xff\xff\xff_\x00\x00\x00\x00\x00\x00\x00\x00"), []byte{0xff})
	}), database.Close())
}

func TestWhyTheProcessEndsIsTheLastLine(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"full disk": {
			&os.PathError{Op: "write", Path: "/data/wal/0.wal", Err: syscall.ENOSPC},
			"failed to save: write /data/wal/0.wal: no space left on device: the file system of /data/wal is full: free space, then start again; every confirmed write is stored",
		},
		"another cause": {errors.New("no reason"), "failed to save: no reason"},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			code := 0
			ending := endings{out: &out, exit: func(exitCode int) { code = exitCode; runtime.Goexit() }}
			ending.running.Store(true)
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				ending.logger().Error("slow disk")
				ending.logger().Fatal("failed to save", zap.Error(test.err))
			}()
			<-ended
			if want := "Error: etcd ends this process: " + test.want + "\n"; out.String() != want || code != 1 {
				t.Errorf("got %q, %d, want %q", out.String(), code, want)
			}
		})
	}
}
