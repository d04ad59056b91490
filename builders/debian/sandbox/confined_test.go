// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/builders/debian/tools"
	"goldsmith.dev/goldsmith/e2e/require"
)

// probe is what a program finds in the sandbox.
type probe struct {
	UID, Processes int
	Capabilities   string
	Read, Written  []string // of the paths in the input
	Mounts, Home   []string
}

// TestMain makes the test binary the program in the sandbox.
func TestMain(m *testing.M) {
	if os.Args[0] != tools.Program {
		os.Exit(m.Run())
	}
	found := probe{UID: os.Getuid(), Mounts: names(tools.Mounts), Home: names("/home")}
	for _, name := range names("/proc") {
		if strings.Trim(name, "0123456789") == "" {
			found.Processes++
		}
	}
	status, _ := os.ReadFile("/proc/self/status")
	_, found.Capabilities, _ = strings.Cut(string(status), "CapEff:\t")
	found.Capabilities, _, _ = strings.Cut(found.Capabilities, "\n")
	input, _ := os.ReadFile(os.Getenv("GOLDSMITH_INPUT"))
	for path := range strings.FieldsSeq(string(input)) {
		if _, err := os.ReadFile(path); err == nil {
			found.Read = append(found.Read, path)
		}
		if file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600); err == nil {
			_ = file.Close()
			found.Written = append(found.Written, path)
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

func names(directory string) (names []string) {
	entries, _ := os.ReadDir(directory)
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// TestTheProgramSeesNothingElseOfTheMachine needs what Missing names, and makes the tools if they do not exist.
func TestTheProgramSeesNothingElseOfTheMachine(t *testing.T) {
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	require.NoError(t, tools.Missing(t.Context()))
	directory := tools.Path(cache)
	require.NoError(t, tools.Make(t.Context(), directory, tools.Options{Getenv: os.Getenv, Log: os.Stderr}))

	pod := t.TempDir()
	at := func(name string) string { return filepath.Join(pod, name) }
	hidden := []string{at("log"), at("input"), "/etc/shadow", "/root/.profile", "/sys/kernel/notes", "/proc/sys/kernel/core_pattern", "/new", tools.Mounts + "/new", tools.Mounts + "/input"}
	shared := []string{tools.Mounts + "/output/disk", tools.Mounts + "/result", "/tmp/new"}
	for name, content := range map[string]string{"log": "secret", "input": strings.Join(slices.Concat(hidden, shared), "\n"), "result": ""} {
		require.NoError(t, os.WriteFile(at(name), []byte(content), 0o600))
	}
	require.NoError(t, errors.Join(os.Mkdir(at("output"), 0o700), os.Mkdir(at("tmp"), 0o700)))
	program, err := os.Executable()
	require.NoError(t, err)
	arguments, environment := command(directory, program, func(name string) string {
		return map[string]string{"GOLDSMITH_INPUT": at("input"), "GOLDSMITH_OUTPUT": at("output"), "GOLDSMITH_RESULT": at("result"), "TMPDIR": at("tmp")}[name]
	})
	run := exec.CommandContext(t.Context(), "bwrap", arguments...)
	run.Env = environment
	var complaints bytes.Buffer
	run.Stderr = &complaints
	said, err := run.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &complaints)
	}
	var found probe
	require.NoError(t, json.Unmarshal(said, &found))
	if found.UID != tools.ID || strings.Trim(found.Capabilities, "0") != "" || found.Processes > 2 {
		t.Errorf("user %d, capabilities %s, %d processes", found.UID, found.Capabilities, found.Processes)
	}
	if !slices.Equal(found.Written, shared) {
		t.Errorf("it can write to %q, want %q", found.Written, shared)
	}
	for _, path := range found.Read {
		if path == at("log") || path == at("input") || path == "/root/.profile" {
			t.Errorf("it can read %s", path)
		}
	}
	if got, want := fmt.Sprint(found.Mounts, found.Home), "[input output result] []"; got != want {
		t.Errorf("it sees %s, want %s", got, want)
	}
}
