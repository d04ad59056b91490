// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"goldsmith.dev/goldsmith/e2e/require"
)

func start(t *testing.T, directory string, options ...Option) *Server {
	t.Helper()
	server := require.Value(Start(context.Background(), directory, options...))(t)
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return server
}

func TestListensOnlyOnASocketThatNoOtherUserCanReach(t *testing.T) {
	before := listeners(t)
	server := start(t, t.TempDir())
	endpoint := require.Value(url.Parse(server.Endpoint()))(t)
	for path := range listeners(t) {
		if !before[path] && filepath.Dir(path) != filepath.Dir(endpoint.Path) {
			t.Errorf("listens on %q besides %q", path, endpoint.Path)
		}
	}
	if !listeners(t)[endpoint.Path] {
		t.Errorf("does not listen on %q", endpoint.Path)
	}
	info := require.Value(os.Stat(filepath.Dir(endpoint.Path)))(t)
	if info.Mode().Perm() != 0o700 {
		t.Errorf("the socket's directory has mode %o", info.Mode().Perm())
	}
	if got := len(server.etcd.Peers); got != 0 {
		t.Errorf("%d peer listeners", got)
	}
}

// listeners returns the unix sockets that this process listens on, abstract ones with their @.
func listeners(t *testing.T) map[string]bool {
	t.Helper()
	own := ownSockets(t)
	table := require.Value(os.ReadFile("/proc/net/unix"))(t)
	paths := map[string]bool{}
	for line := range strings.SplitSeq(string(table), "\n") {
		// Num RefCount Protocol Flags Type St Inode Path
		fields := strings.Fields(line)
		const acceptsConnections = "00010000"
		if len(fields) == 8 && fields[3] == acceptsConnections && own[fields[6]] {
			paths[fields[7]] = true
		}
	}
	return paths
}

// ownSockets returns the inodes of this process's sockets.
func ownSockets(t *testing.T) map[string]bool {
	t.Helper()
	descriptors := require.Value(os.ReadDir("/proc/self/fd"))(t)
	inodes := map[string]bool{}
	for _, descriptor := range descriptors {
		// A descriptor may be closed meanwhile: then it was no listener of ours.
		target, err := os.Readlink(filepath.Join("/proc/self/fd", descriptor.Name()))
		if err == nil && strings.HasPrefix(target, "socket:[") {
			inodes[strings.Trim(target, "socket:[]")] = true
		}
	}
	return inodes
}

func TestASecondServerOnTheSameDirectoryIsRefusedAtOnce(t *testing.T) {
	directory := t.TempDir()
	start(t, directory)
	if _, err := Start(context.Background(), directory); !errors.Is(err, ErrInUse) {
		t.Fatalf("got %v", err)
	}
}

func TestADeepDirectoryGetsAShortSocketPath(t *testing.T) {
	deep := filepath.Join(t.TempDir(), strings.Repeat("d", 120))
	server := start(t, deep)
	endpoint := require.Value(url.Parse(server.Endpoint()))(t)
	if len(endpoint.Path) > maxSocketPath {
		t.Errorf("%q has %d bytes", endpoint.Path, len(endpoint.Path))
	}
}

func TestWhatKilledServersLeftIsRemoved(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	place := func(name string, mode os.FileMode, files ...string) string {
		t.Helper()
		directory := filepath.Join(os.TempDir(), name)
		require.NoError(t, os.Mkdir(directory, mode))
		for _, file := range files {
			path := filepath.Join(directory, file)
			if strings.HasSuffix(file, ".sock") {
				listener := require.Value(net.ListenUnix("unix", &net.UnixAddr{Name: path}))(t)
				listener.SetUnlinkOnClose(false)
				require.NoError(t, listener.Close())
			} else {
				require.NoError(t, os.WriteFile(path, nil, 0o600))
			}
		}
		return directory
	}
	old := func(directory string) string {
		t.Helper()
		require.NoError(t, os.Chtimes(directory, time.Now().Add(-time.Hour), time.Now().Add(-time.Hour)))
		return directory
	}
	removed := []string{
		place("goldsmith-etcd-socket", 0o700, "lock", "etcd.sock", "http.sock"),
		place("goldsmith-etcd-memory", 0o700, "lock", "endpoint", "member"),
		old(place("goldsmith-etcd-unlocked", 0o700)),
	}
	kept := []string{
		place("goldsmith-etcd-new", 0o700),
		place("goldsmith-etcd-shared", 0o755, "lock"),
		old(place("goldsmith-etcd-other", 0o700, "data")),
		old(place("etcd-of-others", 0o700, "lock", "etcd.sock")),
	}
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	require.NoError(t, os.Mkdir(elsewhere, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(elsewhere, "lock"), nil, 0o600))
	require.NoError(t, os.Symlink(elsewhere, filepath.Join(os.TempDir(), "goldsmith-etcd-link")))
	listening := place("goldsmith-etcd-listening", 0o700)
	listener := require.Value(net.Listen("unix", filepath.Join(listening, "etcd.sock")))(t)
	old(listening)
	defer func() { _ = listener.Close() }() // nothing was sent
	running := start(t, filepath.Join(t.TempDir(), strings.Repeat("d", 120)))

	start(t, t.TempDir())
	for _, directory := range removed {
		if _, err := os.Lstat(directory); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", directory, err)
		}
	}
	for _, path := range append(kept, filepath.Join(elsewhere, "lock"), listening, require.Value(url.Parse(running.Endpoint()))(t).Path) {
		if _, err := os.Lstat(path); err != nil {
			t.Error(err)
		}
	}
}

func TestMemoryLeavesNothingBehind(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	server := require.Value(Start(context.Background(), ""))(t)
	require.NoError(t, server.Stop())
	left := require.Value(os.ReadDir(os.TempDir()))(t)
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestOldVersionsExpire(t *testing.T) {
	server := start(t, "", WithCompactionInterval(50*time.Millisecond))
	client := connect(t, server)
	put := func(value string) int64 {
		t.Helper()
		return require.Value(client.Put(t.Context(), "key", value))(t).Header.GetRevision()
	}
	first := put("first")
	put("second")
	for {
		_, err := client.Get(t.Context(), "key", clientv3.WithRev(first))
		if errors.Is(err, rpctypes.ErrCompacted) {
			return
		}
		if err != nil { // the test's own deadline, at the latest
			t.Fatal(err)
		}
		put("another") // compaction happens while there are writes
	}
}

func TestRestartsOnItsData(t *testing.T) {
	directory := t.TempDir()
	first := require.Value(Start(context.Background(), directory, WithCompactionInterval(time.Second)))(t)
	member := first.etcd.Server.MemberID()
	require.NoError(t, first.Stop())
	if got := start(t, directory).etcd.Server.MemberID(); got != member {
		t.Errorf("member %s became %s", member, got)
	}
}

func TestSegmentsAreSmallAndThoseOfOlderVersionsAreRead(t *testing.T) {
	directory := t.TempDir()
	first := require.Value(Start(context.Background(), directory))(t)
	require.Value(connect(t, first).Put(t.Context(), "key", "value"))(t)
	require.NoError(t, first.Stop())
	segments, err := filepath.Glob(filepath.Join(directory, "etcd", "member", "wal", "*.wal"))
	if err != nil || len(segments) != 1 {
		t.Fatalf("segments %v, %v", segments, err)
	}
	info, err := os.Stat(segments[0])
	if err != nil || info.Size() != segmentBytes {
		t.Fatalf("an empty segment has %d bytes, %v", info.Size(), err)
	}
	const before = 64 * 1000 * 1000 // the size in older versions: zeros after the last record
	require.NoError(t, os.Truncate(segments[0], before))
	for range 2 { // the second start reads what the first one wrote behind the old records
		server := require.Value(Start(context.Background(), directory))(t)
		got, err := connect(t, server).Get(t.Context(), "key")
		if err != nil || len(got.Kvs) != 1 {
			t.Fatalf("got %v, %v", got, err)
		}
		require.Value(connect(t, server).Put(t.Context(), "key", strings.Repeat("v", 1<<20)))(t)
		require.NoError(t, server.Stop())
	}
}
