// SPDX-License-Identifier: Apache-2.0

package up

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestBuildersAreExecutablesWithNames(t *testing.T) {
	directory := t.TempDir()
	tool, notes := filepath.Join(directory, "tool"), filepath.Join(directory, "notes")
	for path, mode := range map[string]os.FileMode{tool: 0o755, notes: 0o644} {
		require.NoError(t, os.WriteFile(path, nil, mode))
	}
	for _, test := range []struct {
		pairs []string
		err   string
	}{
		{pairs: nil},
		{pairs: []string{"one=" + tool, "two=" + tool}},
		{pairs: []string{tool}, err: "must be name=/absolute/path"},
		{pairs: []string{"Packer=" + tool}, err: "lower case"},
		{pairs: []string{"=" + tool}, err: `name ""`},
		{pairs: []string{"mock=" + tool}, err: "built in"},
		{pairs: []string{"one=" + tool, "one=" + tool}, err: "twice"},
		{pairs: []string{"one=tool"}, err: "must be absolute"},
		{pairs: []string{"one=" + tool + "-missing"}, err: "no such file"},
		{pairs: []string{"one=" + notes}, err: "not an executable"},
		{pairs: []string{"one=" + directory}, err: "not an executable"},
	} {
		builders, err := parseBuilders(test.pairs)
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%q: got error %v, want %q", test.pairs, err, test.err)
			}
			continue
		}
		if err != nil || len(builders) != len(test.pairs) {
			t.Errorf("%q: got %v, error %v", test.pairs, builders, err)
		}
	}
}

func TestTheListOfBuildersTellsWhichExecutablesCanRun(t *testing.T) {
	tool := filepath.Join(t.TempDir(), "tool")
	require.NoError(t, os.WriteFile(tool, nil, 0o700))
	running := &system{options: Options{Executable: tool}, builders: map[string]string{"shell": tool, "gone": tool + "-gone"}}
	made := running.buildersConfigMap().Make()
	for name, want := range map[string]string{"mock": tool + " " + MockBuilderCommand, "shell": tool, "gone": tool + "-gone"} {
		if got := made.Data[name]; got != want {
			t.Errorf("builder %s: %q, want %q", name, got, want)
		}
	}
	want := map[string]string{
		"images.goldsmith.dev/reporting-builders": "gone,mock,shell",
		"problem.images.goldsmith.dev/gone":       "stat " + tool + "-gone: no such file or directory",
	}
	if len(made.Data) != 3 || !maps.Equal(made.Annotations, want) {
		t.Errorf("got %v", made)
	}
}
