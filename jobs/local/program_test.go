// SPDX-License-Identifier: Apache-2.0

package local

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestAProgramIsIdentifiedByItsContent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "builder")
	known := &programs{}
	link, pipe := path+".link", path+".pipe"
	require.NoError(t, errors.Join(os.Symlink(path, link), unix.Mkfifo(pipe, 0o700)))
	for _, content := range []string{"one", "two", "three"} { // "two" has the length of "one"
		require.NoError(t, os.WriteFile(path+".new", []byte(content), 0o700))
		require.NoError(t, os.Rename(path+".new", path))
		for _, path := range []string{path, path, link} {
			if got, want := known.imageID("image", path), "image@"+contents.Digest([]byte(content)); got != want {
				t.Errorf("%s: got %s, want %s", content, got, want)
			}
		}
	}
	for _, other := range []string{filepath.Dir(path), path + ".missing", pipe} {
		if got := known.imageID("image", other); got != "image" {
			t.Errorf("%s: got %s", other, got)
		}
	}
}
