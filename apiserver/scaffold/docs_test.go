// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

const (
	repository = "../.."
	page       = repository + "/docs/scaffolding.md"
	serving    = "API_TOKEN=secret ./widgets-apiserver"
)

// TestFromNothingToAServedKind follows the page, block by block, beside a checkout, and then checks the result.
func TestFromNothingToAServedKind(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles servers for minutes: make test-all runs it, and .ci/full each night")
	}
	r := newReader(t)
	defer r.stopServer(t)
	for _, block := range r.blocks(t) {
		if ok := t.Run(fmt.Sprintf("line %d", block.line), func(t *testing.T) { r.follow(t, block.text) }); !ok {
			return // what comes next builds on it
		}
	}
	r.run(t, `test -z "$(gofmt -l .)"`)
	r.run(t, "go vet ./...")
	r.run(t, `go vet -vettool="$(go tool -n scaffold)" ./apis/...`)
	r.run(t, `test "$(go tool scaffold validate-types ./apis/... 2>&1)" = ""`)
	t.Run("nothing is scaffolded twice", func(t *testing.T) { scaffoldsNothingTwice(t, r) })
	t.Run("wrong types are found and mended", func(t *testing.T) { findsAndMends(t, r) })
}

func scaffoldsNothingTwice(t *testing.T, r *reader) {
	r.run(t, `
		find . -type f -exec sha256sum {} + | sort > ../before
		if go tool scaffold resource --group widgets.example.com --kind Gadget 2> ../refused; then exit 1; fi
		if go tool scaffold storage --name ledger 2>> ../refused; then exit 1; fi
		grep apiserver/gadget/strategy.go ../refused && grep apiserver/ledger/backend.go ../refused
		find . -type f -exec sha256sum {} + | sort | diff ../before -`)
}

func findsAndMends(t *testing.T, r *reader) {
	r.run(t, `
		sed -i 's/observedGeneration,omitempty/observedGeneration/' apis/widgets/v1alpha1/widget_types.go
		code=0; go tool scaffold validate-types ./apis/... 2> ../found || code=$?
		test $code = 3
		grep 'WidgetStatus.ObservedGeneration should have the omitempty tag' ../found
		if go vet -vettool="$(go tool -n scaffold)" ./apis/...; then exit 1; fi
		go tool scaffold validate-types -fix ./apis/... || true
		go tool scaffold validate-types ./apis/...`)
}

// reader is somebody who follows the page.
type reader struct {
	directory string // the module
	port      string
	server    *exec.Cmd // nil while it does not run
}

func newReader(t *testing.T) *reader {
	t.Helper()
	root, err := filepath.Abs(repository)
	if err != nil {
		t.Fatal(err)
	}
	parent := t.TempDir()
	if err := os.Symlink(root, filepath.Join(parent, "goldsmith")); err != nil {
		t.Fatal(err)
	}
	directory := filepath.Join(parent, "widgets")
	if err := os.Mkdir(directory, 0o777); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(parent, "bin", "goldsmith"), "./cmd/goldsmith")
	build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	_, port, err := net.SplitHostPort(require.FreeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	return &reader{directory: directory, port: port}
}

// block is a block of commands on the page.
type block struct {
	line int
	text string
}

func (r *reader) blocks(t *testing.T) (blocks []block) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	open := false
	for i, line := range strings.SplitAfter(strings.ReplaceAll(string(text), "8443", r.port), "\n") {
		switch {
		case strings.HasPrefix(line, "```") && open:
			open = false
		case strings.HasPrefix(line, "```sh"):
			open = true
			blocks = append(blocks, block{line: i + 1})
		case strings.HasPrefix(line, "```"):
			t.Fatalf("line %d: nothing runs a block of %s", i+1, line)
		case open:
			blocks[len(blocks)-1].text += line
		}
	}
	return blocks
}

func (r *reader) follow(t *testing.T, text string) {
	t.Helper()
	if strings.HasPrefix(text, serving) {
		r.startServer(t, strings.TrimSpace(text))
		return
	}
	r.run(t, text)
}

// run runs commands in a new shell, each of which must succeed. There may be no other kubectl than that of goldsmith.
func (r *reader) run(t *testing.T, commands string) {
	t.Helper()
	shell := r.shell(t.Context(), "set -x\n"+commands)
	out, err := shell.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// shell is bash in the module, and the leader of a process group with everything that it starts.
func (r *reader) shell(ctx context.Context, script string) *exec.Cmd {
	shell := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", "kubectl() { ../bin/goldsmith kubectl \"$@\"; }\n"+script)
	shell.Dir = r.directory
	// The flags are those of this module's programs, so that shared packages are compiled once. The page ends with go vet.
	shell.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath -ldflags=-w -vet=off")
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	shell.Cancel = func() error { return syscall.Kill(-shell.Process.Pid, syscall.SIGKILL) }
	return shell
}

// startServer returns once the server reports that it serves.
func (r *reader) startServer(t *testing.T, command string) {
	t.Helper()
	// Not the context of this block: the server runs until the page ends.
	server := r.shell(context.Background(), "export "+strings.Replace(command, " ./", "\nexec ./", 1))
	server.Stderr = os.Stderr
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	r.server = server
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.HasSuffix(lines.Text(), "serves on https://127.0.0.1:"+r.port) {
			return
		}
	}
	t.Fatal("the server ended before it served")
}

// stopServer is Ctrl-C.
func (r *reader) stopServer(t *testing.T) {
	t.Helper()
	if r.server == nil {
		return
	}
	if err := r.server.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := r.server.Wait(); err != nil {
		t.Errorf("the server ended with %v", err)
	}
}
