// SPDX-License-Identifier: Apache-2.0

package datadir

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/e2e/require"
)

// contents returns the files of a directory by their paths, with their modes and times.
func contents(t *testing.T, directory string) map[string]string {
	t.Helper()
	found := map[string]string{}
	require.NoError(t, filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		content := []byte(nil)
		if err == nil && entry.Type().IsRegular() {
			content, err = os.ReadFile(path)
		}
		found[path] = info.Mode().String() + info.ModTime().String() + string(content)
		return err
	}))
	return found
}

func TestADataDirectoryOfANewerVersionIsLeftAlone(t *testing.T) {
	t.Parallel()
	const install, damaged = "install goldsmith v0.2 or later", "version.json is damaged: "
	for name, test := range map[string]struct {
		record, program string
		complaint       []string // none: it is used
		after           string
	}{
		"no record":               {"", "v0.1.0", nil, `{"format":1,"version":"v0.1.0"}`},
		"the same":                {`{"format":1,"version":"v0.1.0"}`, "v0.1.0", nil, `{"format":1,"version":"v0.1.0"}`},
		"a newer patch":           {`{"format":1,"version":"v0.1.7"}`, "v0.1.0", nil, `{"format":1,"version":"v0.1.0"}`},
		"an older minor":          {`{"format":1,"version":"v0.1.7"}`, "v0.3.0", nil, `{"format":1,"version":"v0.3.0"}`},
		"0.0":                     {`{"format":1,"version":"v0.0.3"}`, "v0.1.0", nil, `{"format":1,"version":"v0.1.0"}`},
		"a snapshot of the same":  {`{"format":1,"version":"v0.1.0-5-gabc1234"}`, "v0.1.0", nil, `{"format":1,"version":"v0.1.0"}`},
		"fields that are unknown": {`{"format":1,"version":"v0.1.3","oldest":1}`, "v0.1.0", nil, `{"format":1,"version":"v0.1.0"}`},
		"a program of no release": {`{"format":1,"version":"v0.2.0"}`, "4cb4f038", nil, `{"format":1,"version":"v0.2.0"}`},
		"a commit":                {`{"format":1,"version":"4cb4f038"}`, "v0.1.0", nil, `{"format":1,"version":"v0.1.0"}`},
		"no version":              {`{"format":1}`, "devel", nil, `{"format":1}`},

		"a newer minor":          {`{"format":1,"version":"v0.2.0"}`, "v0.1.9", []string{"goldsmith v0.1.9: goldsmith v0.2.0 has written it\n", install, "restore a backup that goldsmith v0.1 has made"}, ""},
		"a pre-release":          {`{"format":1,"version":"v0.2.0-rc.1"}`, "v0.1.0", []string{"goldsmith v0.2.0-rc.1", install}, ""},
		"v2":                     {`{"format":1,"version":"v2.0.0"}`, "v0.9.0", []string{"install goldsmith v2.0 or later"}, ""},
		"a newer format":         {`{"format":2,"version":"v0.2.0"}`, "devel", []string{"has written it in format 2, but this program reads formats up to 1", install, "that this program has made"}, ""},
		"a format of no release": {`{"format":9,"version":"4cb4f038"}`, "v0.1.0", []string{"install the version that wrote it, or a later version"}, ""},

		"an empty record":   {"\x00", "v0.1.0", []string{damaged, "rm "}, ""},
		"half a record":     {`{"format":1,"ver`, "v0.1.0", []string{damaged, "if no version newer than goldsmith v0.1.0 has used the directory"}, ""},
		"no format":         {`{"version":"v0.1.0"}`, "v0.1.0", []string{damaged + "it has no format"}, ""},
		"format 0":          {`{"format":0,"version":"v0.1.0"}`, "v0.1.0", []string{damaged}, ""},
		"an endless format": {`{"format":1e99}`, "v0.1.0", []string{damaged}, ""},
		"a list":            {`[1]`, "v0.1.0", []string{damaged}, ""},
		"too large":         {strings.Repeat(" ", MaxServerFile) + `{"format":1}`, "v0.1.0", []string{damaged}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "data")
			if test.record != "" {
				record := strings.TrimPrefix(test.record, "\x00")
				require.NoError(t, errors.Join(os.Mkdir(path, 0o700), os.WriteFile(filepath.Join(path, VersionFile), []byte(record), 0o600)))
				require.NoError(t, os.WriteFile(filepath.Join(path, "lock"), []byte("1234567"), 0o600))
				before := contents(t, path)
				if len(test.complaint) > 0 {
					defer func() {
						if after := contents(t, path); !maps.Equal(before, after) {
							t.Errorf("it was changed: %v, before %v", after, before)
						}
					}()
				}
			}
			claimed, err := Claim(t.Context(), path, test.program, false, clock.RealClock{}, atOnce)
			if len(test.complaint) > 0 {
				for _, part := range test.complaint {
					if err == nil || !strings.Contains(err.Error(), part) {
						t.Errorf("got error %v, want %s", err, part)
					}
				}
				return
			}
			require.NoError(t, err)
			content := require.Value(os.ReadFile(filepath.Join(path, VersionFile)))(t)
			if strings.TrimSpace(string(content)) != test.after {
				t.Errorf("got record %s, want %s", content, test.after)
			}
			release(t, claimed)
		})
	}
}

// Nothing of the directory is read or kept in memory mode.
func TestInMemoryTheVersionDoesNotMatter(t *testing.T) {
	path := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(path, VersionFile), []byte(`{"format":9,"version":"v9.0.0"}`), 0o600))
	release(t, claim(t, path, true))
	if content := require.Value(os.ReadFile(filepath.Join(path, VersionFile)))(t); !strings.Contains(string(content), "v9.0.0") {
		t.Errorf("got record %s", content)
	}
}
