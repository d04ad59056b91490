// SPDX-License-Identifier: Apache-2.0

package artifacts

import (
	"bytes"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

// checkHoles holds that a file has a content, and that no more bytes are allocated for it.
func checkHoles(t *testing.T, path, content string, allocated int64) {
	t.Helper()
	if got := string(require.Value(os.ReadFile(path))(t)); got != content {
		t.Errorf("the file of %d bytes differs from the content of %d bytes", len(got), len(content))
	}
	if got := require.Value(os.Stat(path))(t).Sys().(*syscall.Stat_t).Blocks * 512; got > allocated {
		t.Errorf("%d bytes are allocated, want at most %d", got, allocated)
	}
}

func TestZerosAreHoles(t *testing.T) {
	content := make([]byte, 40*block+100)
	copy(content[3*block-5:], "ends in the next block")
	copy(content[20*block:], "begins a block")
	file := require.Value(os.Create(filepath.Join(t.TempDir(), "disk.raw")))(t)
	defer func() { require.NoError(t, file.Close()) }()
	holes := &Sparse{File: file}
	random := rand.New(rand.NewPCG(1, 2))
	for rest := content; len(rest) > 0; {
		n := require.Value(holes.Write(rest[:min(len(rest), 1+random.IntN(3*block))]))(t)
		rest = rest[n:]
	}
	require.NoError(t, holes.Finish())
	checkHoles(t, file.Name(), string(content), 4*block)
}

// disk begins and ends with zeros.
var disk = strings.Repeat("\x00", 20*block) + text + strings.Repeat("\x00", 20*block)

func TestAFetchedFileHasHoles(t *testing.T) {
	build := debian7()
	artifact := &build.Status.Artifacts[0]
	artifact.Digest, artifact.SizeBytes = digestOf(disk), int64(len(disk))
	artifact.Location = strings.ReplaceAll(artifact.Location, digestOf(text), digestOf(disk))

	expired := refuse(http.StatusUnauthorized, "the token has expired")
	f := newFixture(t, cut(30*block), expired, expired)
	if err := f.asked.run(t.Context(), f.connection, build); err == nil {
		t.Fatal("no error")
	}
	checkHoles(t, filepath.Join(f.directory, name+"."+digestOf(disk)[7:19]+".partial"), disk[:30*block], 2*block)
	require.NoError(t, f.asked.run(t.Context(), f.connection, build))
	checkHoles(t, filepath.Join(f.directory, name), disk, 2*block)
	if want := []string{"", "bytes=1966080-", "bytes=1966080-", "bytes=1966080-"}; !slices.Equal(f.ranges, want) {
		t.Errorf("got requests %q", f.ranges)
	}

	var out bytes.Buffer
	f.asked.out, f.asked.file = &out, stdout
	require.NoError(t, f.asked.run(t.Context(), f.connection, build))
	if out.String() != disk {
		t.Errorf("the standard output got %d bytes, want %d", out.Len(), len(disk))
	}
}
