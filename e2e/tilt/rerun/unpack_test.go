// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

func archive(t *testing.T, headers ...*tar.Header) io.Reader {
	t.Helper()
	buffer := &bytes.Buffer{}
	writer := tar.NewWriter(buffer)
	for _, header := range headers {
		if header.Typeflag == tar.TypeReg {
			header.Size = int64(len("content"))
		}
		require.NoError(t, writer.WriteHeader(header))
		if header.Typeflag != tar.TypeReg {
			continue
		}
		if _, err := writer.Write([]byte("content")); err != nil {
			t.Fatal(err)
		}
	}
	require.NoError(t, writer.Close())
	return buffer
}

func TestAFileIsReplacedWhileItRuns(t *testing.T) {
	folder := t.TempDir()
	running := filepath.Join(folder, "live", "prog")
	copyExecutable(t, "sleep", running)
	command := exec.CommandContext(t.Context(), running, "3600")
	require.NoError(t, command.Start())
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })

	in := archive(t,
		&tar.Header{Typeflag: tar.TypeDir, Name: "live/"},
		&tar.Header{Typeflag: tar.TypeReg, Name: "live/prog", Mode: 0o755})
	require.NoError(t, unpack([]string{"-C", folder, "-x", "-f", "-"}, in))
	content, err := os.ReadFile(running)
	if err != nil || string(content) != "content" {
		t.Errorf("the file has %q (%v)", content, err)
	}
	if info, err := os.Stat(running); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the file is %v (%v), want it executable", info.Mode(), err)
	}
}

func copyExecutable(t *testing.T, name, to string) {
	t.Helper()
	from, err := exec.LookPath(name)
	require.NoError(t, err)
	content, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o755))
	require.NoError(t, os.WriteFile(to, content, 0o755))
}

func TestWhatIsNotUnpacked(t *testing.T) {
	for name, header := range map[string]*tar.Header{
		"a file outside the folder": {Typeflag: tar.TypeReg, Name: "../outside", Mode: 0o644},
		"a link":                    {Typeflag: tar.TypeSymlink, Name: "link", Linkname: "/etc"},
	} {
		folder := filepath.Join(t.TempDir(), "inside")
		require.NoError(t, os.Mkdir(folder, 0o755))
		if err := unpack([]string{"-C", folder, "-x", "-f", "-"}, archive(t, header)); err == nil {
			t.Errorf("%s: no error", name)
		}
		if _, err := os.Lstat(filepath.Join(folder, header.Name)); err == nil {
			t.Errorf("%s: was made", name)
		}
	}
}

func TestWhatTarCannotDoIsRefused(t *testing.T) {
	for _, args := range [][]string{
		{"-C", "/", "-c", "-f", "-"},
		{"-C", "/", "-f", "-"},
		{"-x", "-f", "archive.tar"},
		{"-x", "-f", "-", "file"},
	} {
		if err := unpack(args, bytes.NewReader(nil)); err == nil {
			t.Errorf("tar %v: no error", args)
		}
	}
}
