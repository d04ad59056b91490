// SPDX-License-Identifier: Apache-2.0

package ownfile

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"goldsmith.dev/goldsmith/e2e/require"
)

const victim = "precious"

func TestOnlyFilesOfThisUserAreWritten(t *testing.T) {
	const nobody = 65534
	for name, tt := range map[string]struct {
		make  func(path, victim string) error
		write bool // whether it is written
		root  bool // whether only root can make it
	}{
		"new":               {func(string, string) error { return nil }, true, false},
		"of this user":      {func(path, _ string) error { return os.WriteFile(path, []byte("a long former content"), 0o600) }, true, false},
		"a link":            {func(path, victim string) error { return os.Symlink(victim, path) }, false, false},
		"a link to nothing": {func(path, victim string) error { return os.Symlink(victim+"-new", path) }, false, false},
		"a second name":     {func(path, victim string) error { return os.Link(victim, path) }, false, false},
		"a pipe":            {func(path, _ string) error { return unix.Mkfifo(path, 0o600) }, false, false},
		"a directory":       {func(path, _ string) error { return os.Mkdir(path, 0o700) }, false, false},
		"a file of somebody else": {func(path, _ string) error {
			return errors.Join(os.WriteFile(path, nil, 0o666), os.Chown(path, nobody, nobody))
		}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.root && os.Geteuid() != 0 {
				t.Log("only root can make this file: left out")
				return
			}
			path, kept := filepath.Join(t.TempDir(), "file"), filepath.Join(t.TempDir(), victim)
			require.NoError(t, os.WriteFile(kept, []byte(victim), 0o600))
			require.NoError(t, tt.make(path, kept))
			err := Write(path, []byte("new"), 0o600)
			if tt.write != (err == nil) || !tt.write && name != "a directory" && !errors.Is(err, ErrForeign) {
				t.Errorf("the error is %v", err)
			}
			if tt.write {
				if content := require.Value(os.ReadFile(path))(t); string(content) != "new" {
					t.Errorf("the file has %q", content)
				}
			}
			if content := require.Value(os.ReadFile(kept))(t); string(content) != victim {
				t.Errorf("the other file has %q", content)
			}
			if _, err := os.Lstat(kept + "-new"); err == nil {
				t.Error("a link was followed")
			}
		})
	}
}

func TestTrustedIsWhatNobodyElseCanReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.NoError(t, os.Symlink(path, path+"-link"))
	for _, of := range []string{path, path + "-link"} {
		if err := Trusted(of); err != nil {
			t.Error(err)
		}
	}
	if os.Geteuid() != 0 {
		return
	}
	require.NoError(t, os.Chown(path, 65534, 65534))
	for _, of := range []string{path, path + "-link"} {
		if err := Trusted(of); !errors.Is(err, ErrForeign) {
			t.Errorf("%s: %v", of, err)
		}
	}
}
