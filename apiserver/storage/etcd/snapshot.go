// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/snapshot"
	restore "go.etcd.io/etcd/etcdutl/v3/snapshot"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// endpointName is the file of a data directory with the endpoint of its server, whose socket may be elsewhere.
const endpointName = "endpoint"

// Save writes a snapshot of a data directory to a new file with mode 0600. A server of this or another process may use the
// directory meanwhile: the snapshot is the state at one revision.
func Save(ctx context.Context, directory, file string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("save a snapshot of etcd in %s: %w", directory, err)
		}
	}()
	var endpoint string
	switch server, err := Start(ctx, directory); {
	case errors.Is(err, ErrInUse):
		content, err := os.ReadFile(filepath.Join(directory, endpointName))
		if err != nil {
			return err
		}
		endpoint = strings.TrimSpace(string(content))
	case err != nil:
		return err
	default:
		defer func() { err = errors.Join(err, server.Stop()) }()
		endpoint = server.Endpoint()
	}
	config, err := clientConfig(directory, endpoint)
	if err != nil {
		return err
	}
	_, err = snapshot.SaveWithVersion(ctx, zap.NewNop(), config, file)
	return err
}

// Restore creates a data directory from a snapshot. now is the current time. The directory must not have a member of etcd
// yet. Resource versions continue far above those of the snapshot, and every older version counts as compacted. So a client
// that has seen a version from after the snapshot lists again instead of waiting for that version.
//
// Resource versions are raised by the time in milliseconds. So they also exceed the versions that were written after an
// earlier restoration of the same snapshot, if there were fewer than a thousand writes a second.
//
// Errors: a DamageError for a snapshot from which etcd cannot start.
func Restore(directory, file string, at time.Time) (err error) {
	if _, err := appliedIndex(file); err != nil {
		return fmt.Errorf("restore etcd in %s: %w", directory, &DamageError{Path: file, Cause: err})
	}
	defer recoverInto(&err)
	logger := zap.New(zapcore.NewNopCore(), zap.WithFatalHook(zapcore.WriteThenPanic)) // what would end this process ends the restoration
	err = restore.NewV3(logger).Restore(restore.RestoreConfig{
		SnapshotPath:        file,
		Name:                memberName,
		OutputDataDir:       memberDirectory(directory),
		PeerURLs:            []string{peerURL},
		InitialCluster:      memberName + "=" + peerURL,
		InitialClusterToken: "etcd-cluster",
		RevisionBump:        uint64(at.UnixMilli()),
		MarkCompacted:       true,
	})
	if err != nil {
		return fmt.Errorf("restore etcd in %s: %w", directory, err)
	}
	return nil
}

// Keys returns all keys of a data directory, which no server may use meanwhile.
func Keys(ctx context.Context, directory string) (keys []string, err error) {
	server, err := Start(ctx, directory)
	if err != nil {
		return nil, fmt.Errorf("list the keys of etcd in %s: %w", directory, err)
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	client, err := server.Connect()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	all, err := client.Get(ctx, "", clientv3.WithPrefix(), clientv3.WithKeysOnly())
	if err != nil {
		return nil, fmt.Errorf("list the keys of etcd in %s: %w", directory, err)
	}
	for _, pair := range all.Kvs {
		keys = append(keys, string(pair.Key))
	}
	return keys, nil
}

func memberDirectory(directory string) string { return filepath.Join(directory, "etcd") }
