// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"goldsmith.dev/goldsmith/e2e/require"
)

// settings are flags of each type, as they are set.
func settings() (*pflag.FlagSet, func() string) {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.Int("v", 0, "")
	workers, memory, dir := flags.Int("workers", 2, ""), flags.Bool("memory", false, ""), flags.String("data-dir", ".goldsmith", "")
	users, hosts, ttl := flags.StringArray("user", nil, ""), flags.StringSlice("plain-http-registries", nil, ""), flags.Duration("build-ttl", 0, "")
	return flags, func() string { return fmt.Sprint(*workers, *memory, *dir, *users, *hosts, *ttl) }
}

func read(t *testing.T, content string) (*File, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "server.yaml")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	file, err := Read(path)
	if err != nil {
		err = errors.New(strings.ReplaceAll(err.Error(), filepath.Dir(path)+"/", ""))
	}
	return file, err
}

func TestAFileSetsTheFlagsThatTheCommandLineDoesNot(t *testing.T) {
	t.Parallel()
	file, err := read(t, `# comment
workers: 4
memory: true
data-dir: /var/lib/goldsmith
user: [ann, &b "bob, the builder"]
plain-http-registries: localhost
build-ttl: 36h
`)
	require.NoError(t, err)
	flags, got := settings()
	require.NoError(t, errors.Join(flags.Parse([]string{"--workers=8", "--user=eve"}), file.Apply(flags)))
	if want := fmt.Sprint(8, true, "/var/lib/goldsmith", []string{"eve"}, []string{"localhost"}, 36*time.Hour); got() != want {
		t.Errorf("got %s, want %s", got(), want)
	}
	if err := file.Locate(errors.New("--build-ttl 36h: is too long")); !strings.HasSuffix(err.Error(), "server.yaml:7: --build-ttl 36h: is too long") {
		t.Errorf("got %v", err)
	}
	for _, content := range []string{"", "# comments alone\n", "---\n"} {
		if file, err := read(t, content); err != nil || file.Apply(flags) != nil {
			t.Errorf("%q: %v", content, err)
		}
	}
}

func TestMistakesAreToldWithTheirLines(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		"workers: 4\n\nworkres: 4\n":    "server.yaml:3: unknown key workres: did you mean workers?",
		"--user: x":                     "server.yaml:1: unknown key --user: did you mean user?",
		"x: 1":                          "server.yaml:1: unknown key x: keys are the names of the flags that `goldsmith up --help` lists",
		"in: 1":                         "server.yaml:1: unknown key in: keys are the names of the flags that `goldsmith up --help` lists",
		"[x]: 1":                        "server.yaml:1: a key must be the name of a flag, such as workers",
		"workers: four":                 `server.yaml:1: workers: must be a whole number, and not "four"`,
		"workers: '4'":                  `server.yaml:1: workers: must be a whole number, and not "4"`,
		"workers: 99999999999999999999": `server.yaml:1: workers: must be a whole number, and not "99999999999999999999"`,
		"workers: [1, 2]":               "server.yaml:1: workers: must be one value, and not a list",
		"workers:":                      "server.yaml:1: workers: has no value: set one, or remove the key",
		"workers: {a: 1}":               "server.yaml:1: workers: must be a value, or a list of values",
		"memory: maybe":                 `server.yaml:1: memory: must be true or false, and not "maybe"`,
		"data-dir: ~/data":              "server.yaml:1: data-dir: no shell expands the ~ of ~/data: write the whole path",
		"build-ttl: 3 days":             `server.yaml:1: build-ttl: must be a duration, such as 90s, 30m or 36h, and not "3 days"`,
		"user: [ann, [bob]]":            "server.yaml:1: user: must be a value, or a list of values",
		"user: ann\nuser: bob":          "server.yaml:2: user: is also set in line 1: remove one of the two",
		"x: 1\nmemory: 3":               "server.yaml:1: unknown key x: keys are the names of the flags that `goldsmith up --help` lists\nserver.yaml:2: memory: must be true or false, and not \"3\"",
		"- workers":                     "server.yaml:1: must have settings as KEY: VALUE, such as workers: 4",
		"workers":                       "server.yaml:1: must have settings as KEY: VALUE, such as workers: 4",
		"workers: 1\n---\nuser: ann":    "server.yaml:2: a second document begins: write all settings in one document",
		"a: b: c":                       "server.yaml: mapping values are not allowed in this context: correct the YAML",
		"workers: 1\n\tuser: ann":       "server.yaml:2: found a tab character that violates indentation: correct the YAML",
		"\xff":                          "read the configuration server.yaml: it is not UTF-8",
	} {
		file, err := read(t, content)
		if err == nil {
			flags, _ := settings()
			if err = file.Apply(flags); err != nil {
				err = errors.New(strings.ReplaceAll(err.Error(), filepath.Dir(file.path)+"/", ""))
			}
		}
		if err == nil || err.Error() != want {
			t.Errorf("%q: got %v\nwant %s", content, err, want)
		}
	}
	if _, err := Read("/nowhere/server.yaml"); err == nil || err.Error() != "read the configuration /nowhere/server.yaml: no such file or directory" {
		t.Errorf("got %v", err)
	}
}
