// SPDX-License-Identifier: Apache-2.0

package oci

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestAnImageAlwaysHasTheSameBytesAndIsReadBack(t *testing.T) {
	directory := t.TempDir()
	path := func(name string) string { return filepath.Join(directory, name) }
	rootFS := bytes.Repeat([]byte("a root file system "), 1000)
	require.NoError(t, os.WriteFile(path("rootfs"), rootFS, 0o600))
	image := Image{RootFS: path("rootfs"), Architecture: "amd64", Cmd: []string{"/bin/sh"}, Time: time.Unix(1e9, 0).UTC(), Work: directory}
	require.NoError(t, image.Write(path("image.tar")))
	const want = "0bc5c0a74b160979a45a7330b018b3d0002f25d02ad652068805cb961637726a"
	if got := fmt.Sprintf("%x", sha256.Sum256(require.Value(os.ReadFile(path("image.tar")))(t))); got != want {
		t.Errorf("the digest of the image is %s, want %s: a new release of the compressor changes it, nothing else may", got, want)
	}
	made := require.Value(Unpack(t.Context(), path("image.tar"), "linux/amd64", path("again")))(t)
	if again := require.Value(os.ReadFile(path("again")))(t); !made.Equal(image.Time) || !bytes.Equal(again, rootFS) {
		t.Errorf("the image of %v is read back as %d bytes of %v", image.Time, len(again), made)
	}
	if _, err := Unpack(t.Context(), path("rootfs"), "linux/amd64", path("other")); !errors.Is(err, ErrForeign) {
		t.Errorf("what is no layout: %v", err)
	}
}
