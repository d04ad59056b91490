// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package sandbox

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
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
	Inherited      []string // what is open besides the standard streams, in any process
}

// launchArgument is the argument with which the test binary is the launcher.
const launchArgument = "launch"

// TestMain makes the test binary the launcher, and the program in the sandbox.
func TestMain(m *testing.M) {
	switch {
	case os.Args[0] == tools.Program && os.Getenv("GOLDSMITH_BASE") != "":
		waitForTheEnd()
	case os.Args[0] == tools.Program:
		reportProbe()
	case len(os.Args) > 1 && os.Args[1] == launchArgument:
		os.Exit(Main(context.Background(), os.Getenv, os.Stdout, os.Stderr, nil))
	}
	os.Exit(m.Run())
}

func waitForTheEnd() {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM)
	fmt.Println("started")
	<-asked
	fmt.Println("told to end")
	os.Exit(exitTerminated)
}

func reportProbe() {
	found := probe{UID: os.Getuid(), Mounts: names(tools.Mounts), Home: names("/home"), Inherited: inherited()}
	for _, name := range names("/proc") {
		if strings.Trim(name, "0123456789") == "" {
			found.Processes++
		}
	}
	status, _ := os.ReadFile("/proc/self/status")
	_, found.Capabilities, _ = strings.Cut(string(status), "CapEff:\t")
	found.Capabilities, _, _ = strings.Cut(found.Capabilities, "\n")
	paths, _ := os.ReadFile(os.Getenv("GOLDSMITH_OUTPUT") + "/paths")
	for path := range strings.FieldsSeq(string(paths)) {
		if _, err := os.ReadFile(path); err == nil {
			found.Read = append(found.Read, path)
		}
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
		_ = file.Close()
		if err == nil || os.Chmod(path, 0o600) == nil {
			found.Written = append(found.Written, path)
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// inherited returns the files of all processes, and those of its own that the runtime of Go has not opened.
func inherited() (files []string) {
	descriptors, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, descriptor := range descriptors {
		file, err := os.Readlink(descriptor)
		if number := filepath.Base(descriptor); (len(number) > 1 || number > "2") && err == nil && !strings.HasPrefix(file, "anon_inode:") {
			files = append(files, descriptor+" "+file)
		}
	}
	return files
}

func names(directory string) (names []string) {
	entries, _ := os.ReadDir(directory)
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

const validInput = `{"version":1,"base":{"reference":"debian:trixie"}}`

// newLauncher returns the launcher with a cache and variables of the builder contract.
func newLauncher(t *testing.T, cache string, variables ...string) *exec.Cmd {
	t.Helper()
	launcher := exec.CommandContext(t.Context(), require.Value(os.Executable())(t), launchArgument)
	launcher.Env = slices.Concat(variables, []string{"PATH=" + os.Getenv("PATH"), envCache + "=" + cache})
	return launcher
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
	hidden := []string{at("log"), at("input"), "/etc/shadow", "/etc/passwd", "/root/.profile", "/sys/kernel/notes", "/proc/sys/kernel/core_pattern", "/new", "/proc/1/root/new",
		tools.Program, "/proc/1/exe", tools.Mounts + "/new", tools.Mounts + "/input"}
	shared := []string{tools.Mounts + "/output/disk", tools.Mounts + "/result", "/tmp/new"}
	require.NoError(t, errors.Join(os.Mkdir(at("output"), 0o700), os.Mkdir(at("tmp"), 0o700)))
	for name, content := range map[string]string{"log": "secret", "input": validInput, "result": "", "output/paths": strings.Join(slices.Concat(hidden, shared), "\n")} {
		require.NoError(t, os.WriteFile(at(name), []byte(content), 0o600))
	}
	launcher := newLauncher(t, cache, "GOLDSMITH_INPUT="+at("input"), "GOLDSMITH_OUTPUT="+at("output"), "GOLDSMITH_RESULT="+at("result"), "TMPDIR="+at("tmp"))
	launcher.ExtraFiles = []*os.File{require.Value(os.Open(at("log")))(t)} // as a shell leaves some open
	var complaints bytes.Buffer
	launcher.Stderr = &complaints
	said, err := launcher.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &complaints)
	}
	var found probe
	require.NoError(t, json.Unmarshal(said, &found))
	if found.UID != tools.ID || strings.Trim(found.Capabilities, "0") != "" || found.Processes > 1 {
		t.Errorf("user %d, capabilities %s, %d processes", found.UID, found.Capabilities, found.Processes)
	}
	if len(found.Inherited) > 0 {
		t.Errorf("it has open files: %q", found.Inherited)
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

// TestTheBuilderEndsWithItsLauncher holds that SIGTERM reaches the program in the sandbox, and that SIGKILL of the launcher kills it.
func TestTheBuilderEndsWithItsLauncher(t *testing.T) {
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	for name, test := range map[string]struct {
		kill func(pid int) error
		want string
	}{
		"told":   {func(pid int) error { return syscall.Kill(-pid, syscall.SIGTERM) }, "started\ntold to end\nexit status 143"},
		"killed": {func(pid int) error { return syscall.Kill(pid, syscall.SIGKILL) }, "started\nsignal: killed"},
	} {
		t.Run(name, func(t *testing.T) {
			pod := t.TempDir()
			require.NoError(t, errors.Join(os.WriteFile(pod+"/input", []byte(validInput), 0o600), os.WriteFile(pod+"/result", nil, 0o600)))
			launcher := newLauncher(t, cache, "GOLDSMITH_INPUT="+pod+"/input", "GOLDSMITH_BASE="+pod, "GOLDSMITH_OUTPUT="+pod, "GOLDSMITH_RESULT="+pod+"/result", "TMPDIR="+pod)
			launcher.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			output := require.Value(launcher.StdoutPipe())(t)
			require.NoError(t, launcher.Start())
			lines := bufio.NewScanner(output)
			var said []string
			for lines.Scan() { // until no process has the pipe
				said = append(said, lines.Text())
				if lines.Text() == "started" {
					program := require.Value(os.Open(tools.Path(cache) + tools.Program))(t)
					if err := syscall.Flock(int(program.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); !errors.Is(err, syscall.EWOULDBLOCK) {
						t.Errorf("the tools are not held: %v", err)
					}
					require.NoError(t, program.Close())
					require.NoError(t, test.kill(launcher.Process.Pid))
				}
			}
			if got := strings.Join(said, "\n") + "\n" + launcher.Wait().Error(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
