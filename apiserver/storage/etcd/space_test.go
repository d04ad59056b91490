// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"goldsmith.dev/goldsmith/e2e/require"
)

// patience bounds the wait for what happens within seconds.
const patience = time.Minute

func TestOverwritingDoesNotFillTheDatabase(t *testing.T) {
	server := start(t, "", WithQuota(64<<20)) // what is written during one compaction is less
	client, value := connect(t, server), strings.Repeat("v", 900<<10)
	for range 200 { // more than etcd accepts without compaction
		require.Value(client.Put(t.Context(), "key", value))(t)
	}
	if err := server.Full(); err != nil {
		t.Error(err)
	}
}

func TestVersionsThatExpireLowerTheLimit(t *testing.T) {
	server := start(t, "")
	server.stopSpace()
	server.stopSpace = nil
	client, space := connect(t, server), server.space
	for i := range 20 {
		require.Value(client.Put(t.Context(), fmt.Sprint("key-", i), strings.Repeat("v", 1<<20)))(t)
	}
	space.etcd.KV().Commit()
	space.check(t.Context(), time.Now(), space.etcd.KV().Rev())
	full := space.limit()
	require.NoError(t, space.etcd.Backend().Defrag())
	deleted := require.Value(client.Delete(t.Context(), "key-2", clientv3.WithFromKey()))(t) // 8 of 20
	require.NoError(t, space.compact(t.Context(), deleted.Header.Revision))
	now := time.Now()
	await(t, "the free third of the file is returned, without another write", func() bool {
		now = now.Add(defragmentationInterval)
		space.check(t.Context(), now, 0)
		return space.etcd.Backend().Size() < 16<<20
	})
	deleted = require.Value(client.Delete(t.Context(), "key-", clientv3.WithPrefix()))(t)
	require.NoError(t, space.compact(t.Context(), deleted.Header.Revision))
	space.check(t.Context(), time.Now(), space.etcd.KV().Rev())
	if empty := space.limit(); full < 40<<20 || empty > 2*slack {
		t.Errorf("with 20 MiB of objects the limit is %d bytes, and %d after their end", full, empty)
	}
}

func TestAFullDatabaseSaysSoAndDeletionsEndIt(t *testing.T) {
	directory := t.TempDir()
	server := require.Value(Start(t.Context(), directory, WithQuota(4<<20)))(t)
	client, changes := connect(t, server), make(chan error)
	key := func(i int) string { return fmt.Sprint("key-", i) }
	ctx, cancel := context.WithCancel(t.Context())
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		server.FollowFull(ctx, func(full error) { changes <- full })
	}()
	const objects = 5
	for i := range objects {
		require.Value(client.Put(t.Context(), key(i), strings.Repeat("v", 1<<20)))(t)
	}
	var err error
	var full *FullError
	select {
	case err = <-changes:
	case <-time.After(patience):
	}
	if !errors.As(err, &full) || full.Used < full.Quota || full.Quota != 4<<20 {
		t.Fatalf("got %v", err)
	}
	cancel()
	<-followed
	require.NoError(t, server.Stop())

	server = start(t, directory, WithQuota(4<<20))
	if server.Full() == nil {
		t.Fatal("the restarted server does not know that it is full")
	}
	client = connect(t, server)
	for i := range objects - 1 {
		require.Value(client.Delete(t.Context(), key(i)))(t)
	}
	await(t, "the database is no longer full", func() bool { return server.Full() == nil })
}

func TestTheAlarmOfEtcdIsDisarmed(t *testing.T) {
	directory := t.TempDir()
	server := require.Value(Start(t.Context(), directory))(t)
	raise := func() {
		t.Helper()
		member := uint64(server.etcd.Server.MemberID())
		require.Value(server.etcd.Server.Alarm(t.Context(), &pb.AlarmRequest{Action: pb.AlarmRequest_ACTIVATE, MemberID: member, Alarm: pb.AlarmType_NOSPACE}))(t)
	}
	raise()
	client := connect(t, server)
	await(t, "a running server accepts writes again", func() bool {
		_, err := client.Put(t.Context(), "key", "value")
		if err != nil && !errors.Is(err, rpctypes.ErrNoSpace) {
			t.Fatal(err)
		}
		return err == nil
	})
	server.stopSpace()
	server.stopSpace = nil
	raise() // and nothing disarms it before the stop
	require.NoError(t, server.Stop())
	if _, err := connect(t, start(t, directory)).Put(t.Context(), "key", "value"); err != nil {
		t.Error(err)
	}
}

func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	ticker, deadline := time.NewTicker(10*time.Millisecond), time.After(patience)
	defer ticker.Stop()
	for !condition() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("timed out: %s", what)
		}
	}
}
