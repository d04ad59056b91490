// SPDX-License-Identifier: Apache-2.0

package mock

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/render"
)

func TestTheArtifactsDependOnTheFilesOfTheSource(t *testing.T) {
	// run builds with a change of the source, and returns an artifact and the log.
	run := func(change func(source *render.InputSource, directory string)) (artifact, log string) {
		input := sampleInput(1, map[string]string{"duration": "0s", "sourceFile": "scripts/hello"})
		input.Source = &render.InputSource{URL: "https://git.example.com/images.git", Revision: "sha1:01"}
		directory := filepath.Join(t.TempDir(), "source")
		require.NoError(t, os.MkdirAll(filepath.Join(directory, "scripts"), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(directory, "scripts/hello"), []byte("echo hello\n"), 0o600))
		require.NoError(t, os.Symlink("scripts", filepath.Join(directory, "link")))
		change(input.Source, directory)
		c := newContract(t, input)
		require.NoError(t, os.Rename(directory, c.getenv(render.EnvSource)))
		if code := c.run(t.Context()); code != 0 {
			t.Fatalf("exit code %d: %s", code, c.stderr.String())
		}
		return string(require.Value(os.ReadFile(filepath.Join(c.getenv(render.EnvOutput), "linux-amd64.raw")))(t)), c.stdout.String()
	}
	first, log := run(func(*render.InputSource, string) {})
	for _, want := range []string{`the source is sha1:01 of https://git.example.com/images.git, 2 files` + "\n", `scripts/hello of the source: "echo hello\n"` + "\n"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s: %s", want, log)
		}
	}
	if same, _ := run(func(source *render.InputSource, _ string) { source.Revision = "sha1:02" }); same != first {
		t.Errorf("another commit with the same files: %s, not %s", same, first)
	}
	for name, change := range map[string]func(directory string) error{
		"content":    func(d string) error { return os.WriteFile(d+"/scripts/hello", []byte("echo"), 0o600) },
		"executable": func(d string) error { return os.Chmod(d+"/scripts/hello", 0o700) },
		"name":       func(d string) error { return os.Rename(d+"/link", d+"/other") },
		"target":     func(d string) error { return errors.Join(os.Remove(d+"/link"), os.Symlink("other", d+"/link")) },
		"link":       func(d string) error { return os.Symlink("hello", d+"/scripts/link") },
		"directory":  func(d string) error { return os.Mkdir(d+"/empty", 0o700) },
		"bytes":      func(d string) error { return os.WriteFile(d+"/\xff\n", nil, 0o600) },
	} {
		if other, _ := run(func(_ *render.InputSource, directory string) { require.NoError(t, change(directory)) }); other == first {
			t.Errorf("the artifact is the same with another %s", name)
		}
	}
}

func TestASourceThatCannotBeReadFailsTheBuild(t *testing.T) {
	input := sampleInput(1, map[string]string{"sourceFile": "../secret"})
	input.Source = &render.InputSource{Revision: "sha1:01"}
	for _, exists := range []bool{false, true} {
		c := newContract(t, input)
		if exists {
			require.NoError(t, os.Mkdir(c.getenv(render.EnvSource), 0o700))
		}
		if code := c.run(t.Context()); code != 1 || !strings.Contains(c.result(t), `"SourceNotReadable"`) {
			t.Errorf("exit code %d, result %s", code, c.result(t))
		}
	}
	input.Resolve = true
	if c := newContract(t, input); c.run(t.Context()) != 0 {
		t.Errorf("the packages are not resolved without the source: %s", c.stderr.String())
	}
}
