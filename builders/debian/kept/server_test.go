// SPDX-License-Identifier: Apache-2.0

package kept

import (
	"bytes"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

// build is a build with a server, and its client.
type build struct {
	*Client
	socket string
	log    bytes.Buffer
	served chan error
}

func newBuild(t *testing.T, store *Store, namespace string) *build {
	t.Helper()
	b := &build{socket: filepath.Join(t.TempDir(), "s"), served: make(chan error, 1)}
	listener := require.Value(net.Listen("unix", b.socket))(t)
	server := &Server{Store: store, Namespace: namespace, Log: &b.log}
	go func() { b.served <- server.Serve(listener) }()
	b.Client = NewClient(b.socket)
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// get returns what a build gets, or "nothing".
func (b *build) get(t *testing.T, key string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "got")
	_, err := b.Get(t.Context(), key, path)
	if errors.Is(err, ErrNothing) {
		return "nothing"
	}
	require.NoError(t, err)
	return string(require.Value(os.ReadFile(path))(t))
}

func (b *build) put(t *testing.T, key, content string) error {
	t.Helper()
	path := filepath.Join(t.TempDir(), "put")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	_, _, err := b.Put(t.Context(), key, path)
	return err
}

func TestALaterBuildOfTheNamespaceGetsWhatABuildHasKept(t *testing.T) {
	t.Parallel()
	store := &Store{Directory: filepath.Join(t.TempDir(), "cache"), Max: 1 << 20}
	first := newBuild(t, store, "team")
	if got := first.get(t, key(1)); got != "nothing" {
		t.Fatalf("got %s", got)
	}
	content := strings.Repeat("packages ", 100_000)
	require.NoError(t, first.put(t, key(1), content))
	for namespace, want := range map[string]string{"team": content, "tea": "nothing", "other": "nothing"} {
		if got := newBuild(t, store, namespace).get(t, key(1)); got != want {
			t.Errorf("%s gets %.20s", namespace, got)
		}
	}
	if got := newBuild(t, store, "team").get(t, key(2)); got != "nothing" {
		t.Errorf("another key gets %.20s", got)
	}
}

// What runs in the sandbox later cannot keep anything that others get.
func TestAServerTakesNothingButTheContentOfTheFirstKey(t *testing.T) {
	t.Parallel()
	store := &Store{Directory: t.TempDir(), Max: 1 << 20}
	early := newBuild(t, store, "team")
	if early.put(t, key(1), "bad") == nil {
		t.Error("it takes a content without a key")
	}
	asked := newBuild(t, store, "team")
	asked.get(t, key(1))
	if asked.put(t, key(2), "bad") == nil {
		t.Error("it takes a content of another key")
	}
	require.NoError(t, asked.put(t, key(1), "good"))
	if asked.put(t, key(1), "bad") == nil {
		t.Error("it takes a second content")
	}
	found := newBuild(t, store, "team")
	if got := found.get(t, key(1)); got != "good" {
		t.Errorf("got %s", got)
	}
	if found.put(t, key(1), "bad") == nil {
		t.Error("it takes a content although it had one")
	}
	if got := newBuild(t, store, "team").get(t, key(1)); got != "good" {
		t.Errorf("got %s", got)
	}
}

func TestAServerTakesOneConnection(t *testing.T) {
	t.Parallel()
	b := newBuild(t, &Store{Directory: t.TempDir(), Max: 1 << 20}, "team")
	b.get(t, key(1))
	other := NewClient(b.socket)
	if _, err := other.Get(t.Context(), key(2), filepath.Join(t.TempDir(), "got")); err == nil || errors.Is(err, ErrNothing) {
		t.Errorf("a second connection is answered: %v", err)
	}
	require.NoError(t, b.Close())
	require.NoError(t, <-b.served)

	unused := newBuild(t, &Store{Directory: t.TempDir(), Max: 1 << 20}, "team")
	require.NoError(t, unused.Close())
	if _, err := net.Dial("unix", unused.socket); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a client that never connected leaves the socket: %v", err)
	}
}

func TestAContentThatIsLostIsNotHalfGot(t *testing.T) {
	t.Parallel()
	store := &Store{Directory: t.TempDir(), Max: 1 << 20}
	b := newBuild(t, store, "team")
	b.get(t, key(1))
	require.NoError(t, b.put(t, key(1), "content"))
	path := filepath.Join(store.Directory, require.Value(store.entries())(t)[0].Name())
	require.NoError(t, os.WriteFile(path, []byte("damaged"), 0o600))
	later := newBuild(t, store, "team")
	if got := later.get(t, key(1)); got != "nothing" {
		t.Errorf("got %s", got)
	}
	if !strings.Contains(later.log.String(), "is damaged, and was removed") {
		t.Errorf("log %s", &later.log)
	}
	require.NoError(t, later.put(t, key(1), "again"))
}
