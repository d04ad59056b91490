// SPDX-License-Identifier: Apache-2.0

package local

import (
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestABackupHasAllFilesOfALog(t *testing.T) {
	const pod = "11111111-93a4-4c53-b4d6-6c1d8f0d2a11/"
	for path, want := range map[string]bool{
		pod + "log": true, pod + "log.1.0": true, pod + "log.12.34567": true, pod + "started": true,
		pod + "log.x.0": false, pod + "log.01.0": false, pod + "output/log.1.0": false, pod + "report-token": false, "log.1.0": false,
	} {
		if _, _, kept := Kept(path, 0); kept != want {
			t.Errorf("%s: kept is %t", path, kept)
		}
	}
}

func TestABackupTakesTheFilesOfBuildersAsTheyAre(t *testing.T) {
	const pod, huge = "11111111-93a4-4c53-b4d6-6c1d8f0d2a11/", 64 << 30
	dir := t.TempDir()
	write := func(content string) func(string) error {
		return func(path string) error { return os.WriteFile(path, []byte(content), 0o600) }
	}
	sparse := func(content string) func(string) error {
		return func(path string) error { return errors.Join(write(content)(path), os.Truncate(path, huge)) }
	}
	want := map[string]string{}
	var reported []string
	for path, file := range map[string]struct {
		make     func(path string) error
		kept     string // what the backup begins with, or nothing
		reported bool
	}{
		pod + "result":        {sparse(""), strings.Repeat("\x00", 4096), true},
		pod + "log":           {sparse("a line\n"), "a line\n\x00", true}, // to the end of its block
		pod + "log.1.0":       {write("the end\n"), "the end\n", false},
		pod + "log.2.0":       {func(path string) error { return os.Symlink("/etc/passwd", path) }, "", true},
		pod + "log.3.0":       {func(path string) error { return os.Symlink("log.1.0", path) }, "", true},
		pod + "input":         {func(path string) error { return unix.Mkfifo(path, 0o600) }, "", true},
		pod + "started":       {func(path string) error { return os.Mkdir(path, 0o700) }, "", true},
		pod + "output/result": {write("{}"), "", false},
		"22222222-93a4-4c53-b4d6-6c1d8f0d2a11/result": {write(strings.Repeat("x", 5000) + "end"), strings.Repeat("x", 4093) + "end", true},
		"other/log": {write("of nobody"), "", false},
	} {
		full := filepath.Join(dir, path)
		require.NoError(t, errors.Join(os.MkdirAll(filepath.Dir(full), 0o700), file.make(full)))
		if file.kept != "" {
			want[path] = file.kept
		}
		if file.reported {
			reported = append(reported, path)
		}
	}
	got := map[string]string{}
	err := Export(dir, func(path string, content io.Reader) error {
		read, err := io.ReadAll(content)
		got[path] = string(read[:min(len(read), len(want[path]))])
		if len(read) > 4<<20 {
			t.Errorf("%d bytes of %s are in the backup", len(read), path)
		}
		return err
	}, func(path string, _ error) {
		if i := slices.Index(reported, path); i >= 0 {
			reported = slices.Delete(reported, i, i+1)
		} else {
			t.Errorf("%s is reported without need, or twice", path)
		}
	})
	if err != nil || !maps.Equal(got, want) || len(reported) > 0 {
		t.Errorf("%v\nexported %q\nwant     %q\nnot reported: %v", err, got, want, reported)
	}
	if err := Export(filepath.Join(dir, "missing"), nil, nil); err != nil {
		t.Errorf("of an agent that never ran: %v", err)
	}
}
