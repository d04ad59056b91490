// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/datadir"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/users"
	"goldsmith.dev/goldsmith/e2e/require"
)

// stored is a file with one user.
func stored(name string) []byte {
	return fmt.Appendf(nil, "users:\n- {name: %s, groups: [view], tokenSHA256: '%064d', created: 2026-01-02T03:04:05Z}\n", name, 1)
}

// TestARefreshDoesNotUndoAReload removes a user by a reload while a refresh reads the file.
func TestARefreshDoesNotUndoAReload(t *testing.T) {
	t.Parallel()
	data := &datadir.Directory{Path: t.TempDir()}
	path := users.Path(data.Path)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	for i := range 500 { // either can be first
		p := require.Value(newPeople(data, []string{"bob"}, true, func(string) {}))(t)
		token := p.tokens()["bob"]
		require.NoError(t, os.WriteFile(path, append(stored("ann"), strings.Repeat("#\n", i)...), 0o600)) // another size is another version
		refreshed := make(chan struct{})
		go func() {
			p.refresh()
			close(refreshed)
		}()
		_, err := p.apply(nil)
		require.NoError(t, err)
		<-refreshed
		if _, ok, err := p.AuthenticateToken(context.Background(), token); ok || err != nil {
			t.Fatalf("the user that the reload removed is authenticated: %t, %v", ok, err)
		}
		if len(p.current) != 1 {
			t.Fatalf("users: %v", p.current)
		}
	}
}

// TestAFileThatCannotBeReadIsReadAgain is not parallel: meanwhile, the process can open no file.
func TestAFileThatCannotBeReadIsReadAgain(t *testing.T) { //nolint:paralleltest // see above
	data := &datadir.Directory{Path: t.TempDir()}
	path := users.Path(data.Path)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, stored("ann"), 0o600))
	var told []string
	p := require.Value(newPeople(data, nil, true, func(line string) { told = append(told, line) }))(t)
	require.NoError(t, os.WriteFile(path, []byte("users: []\n"), 0o600))
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Max: limit.Max}))
	p.refresh()
	p.refresh()
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
	if len(p.current) != 1 {
		t.Errorf("users who may be users no longer: %v", p.current)
	}
	p.refresh()
	if len(p.current) != 0 {
		t.Errorf("users after the removal: %v", p.current)
	}
	require.NoError(t, os.WriteFile(path, []byte("users: mistake\n"), 0o600))
	p.refresh()
	p.refresh()
	want := []string{"users: read the users: open ", "users: removed ann", "users: " + path + ": "}
	for i, line := range told {
		if len(told) != len(want) || !strings.HasPrefix(line, want[i]) {
			t.Fatalf("told %q", told)
		}
	}
}

func TestAReloadKeepsTokensInMemory(t *testing.T) {
	t.Parallel()
	data := require.Value(datadir.Claim(t.Context(), t.TempDir(), "v1", true, nil, nil))(t)
	p := require.Value(newPeople(data, []string{"bob"}, false, func(string) {}))(t)
	before := p.tokens()["bob"]
	if news, err := p.apply([]string{"bob", "eve"}); news != "registered eve" || err != nil {
		t.Errorf("the reload: %q, %v", news, err)
	}
	if p.tokens()["bob"] != before {
		t.Error("the reload replaces a token")
	}
	require.NoError(t, data.Release())
}
