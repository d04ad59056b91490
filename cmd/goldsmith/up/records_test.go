// SPDX-License-Identifier: Apache-2.0

package up

import (
	"os"
	"path/filepath"
	"testing"

	"goldsmith.dev/goldsmith/cmd/internal/records"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestRecordsAreInTheDataDirectoryUnlessSomebodySaysOtherwise(t *testing.T) {
	elsewhere := filepath.Join(t.TempDir(), "elsewhere.db")
	for name, c := range map[string]struct {
		flag, environment string
		want              string // a file; empty for none
	}{
		"nobody":          {"", "", "records.db"},
		"the flag":        {"sqlite://" + elsewhere, "", elsewhere},
		"the environment": {"", "sqlite://" + elsewhere, elsewhere},
		"both":            {"sqlite://" + elsewhere, "sqlite:///nowhere/records.db", elsewhere},
		"who wants none":  {records.None, "sqlite://" + elsewhere, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(records.Variable, c.environment)
			directory := t.TempDir()
			options := &Options{DataDirectory: directory, Records: records.Flags{Address: c.flag}}
			data := require.Value(options.claim(t.Context()))(t)
			defer func() { require.NoError(t, data.Release()) }()
			database, err := options.openRecords(t.Context(), data)
			require.NoError(t, err)
			if err := database.Close(); err != nil {
				t.Error(err)
			}
			if c.want == "" {
				if database != nil {
					t.Error("there is a database")
				}
				return
			}
			if !filepath.IsAbs(c.want) {
				c.want = filepath.Join(directory, c.want)
			}
			info, err := os.Stat(c.want)
			require.NoError(t, err)
			if info.Mode().Perm() != 0o600 {
				t.Errorf("%s has mode %o", c.want, info.Mode().Perm())
			}
		})
	}
}
