// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/exit"
	"goldsmith.dev/goldsmith/e2e/require"
)

const (
	repository = "../.."
	// patience is how long all commands of the docs may take together.
	patience = 10 * time.Minute
)

// TestEveryCommandOfTheDocsWorks runs the docs as a reader types them, page by page: all pages in the same directory and with the
// same server, each block in a new shell. A test of jobs/render runs the builder that the page on builders shows. The page on
// scaffolding works in a module of its own, as the scaffold's test does.
func TestEveryCommandOfTheDocsWorks(t *testing.T) {
	r := newReader(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	defer r.stopServer(t)
	for _, page := range pages(t) {
		if base := filepath.Base(page); base == "builders.md" || base == "scaffolding.md" {
			continue
		}
		for _, block := range blocksOf(t, page) {
			ok := t.Run(fmt.Sprintf("%s:%d", filepath.Base(page), block.line), func(t *testing.T) { r.follow(ctx, t, block) })
			if !ok {
				return // later blocks build on this block
			}
		}
	}
}

// links finds the files that a page links to.
var links = regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)

func TestEveryExitCodeIsInTheDocs(t *testing.T) {
	page := read(t, filepath.Join(repository, "docs", "cli.md"))
	for _, code := range []int{exit.Success, exit.Failure, exit.BuildFailed, exit.BuildCancelled, exit.NotSigned, exit.NotVerified, exit.TestsFailed, exit.Vulnerable, exit.Attention, exit.BuildDue, exit.Interrupted} {
		if !strings.Contains(page, fmt.Sprintf("\n| %d |", code)) {
			t.Errorf("docs/cli.md has no row for the exit code %d", code)
		}
	}
}

// pages returns the README, and then the index of the docs with every page that it lists, in its order.
func pages(t *testing.T) []string {
	t.Helper()
	pages := []string{filepath.Join(repository, "README.md"), filepath.Join(repository, "docs", "README.md")}
	for _, found := range links.FindAllStringSubmatch(read(t, pages[1]), -1) {
		page := filepath.Join(repository, "docs", found[1])
		if strings.HasSuffix(page, ".md") && !slices.Contains(pages, page) {
			pages = append(pages, page)
		}
	}
	return pages
}

func read(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	return string(text)
}

// block is a fenced block of a page.
type block struct {
	line           int
	language, text string
	output         string // the expected output: the text of a following block of the language output
}

func blocksOf(t *testing.T, page string) (blocks []block) {
	t.Helper()
	open := false
	for i, line := range strings.SplitAfter(read(t, page), "\n") {
		language, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && open:
			open = false
		case fence:
			open = true
			blocks = append(blocks, block{line: i + 1, language: strings.TrimSpace(language)})
		case open:
			blocks[len(blocks)-1].text += line
		}
	}
	if open {
		t.Fatalf("%s: the last block is not closed", page)
	}
	for i := 1; i < len(blocks); i++ {
		if blocks[i].language != "output" {
			continue
		}
		if !slices.Contains([]string{"sh", "sh cluster", debianLanguage}, blocks[i-1].language) || blocks[i-1].output != "" {
			t.Fatalf("%s:%d: nothing compares this output", page, blocks[i].line)
		}
		blocks[i-1].output = blocks[i].text
		blocks = slices.Delete(blocks, i, i+1)
		i--
	}
	return blocks
}

// clusterLanguages are the languages of blocks that need a cluster: commands, objects, and parts of an overlay.
var clusterLanguages = []string{"sh cluster", "yaml cluster", "yaml kustomization"}

// debianLanguage is the language of blocks that need a mirror of Debian and minutes: TestEveryDebianCommandOfTheDocsWorks runs them.
const debianLanguage = "sh debian"

// releaseLanguages are the languages of blocks that need the files of a release.
var releaseLanguages = []string{"sh deb", "sh tar", "sh deb tar", "sh helm"}

// verifierLanguages are the languages of blocks that need a verifier of other people: the tests in e2e/clients/proof run them.
var verifierLanguages = []string{"sh cosign", "json podman", "yaml kyverno"}

// reader is a user who follows the docs.
type reader struct {
	directory   string // as a checkout is after `make build`
	environment []string
	server      *exec.Cmd // nil while none runs
}

func newReader(t *testing.T) *reader {
	t.Helper()
	directory := t.TempDir()
	program := filepath.Join(directory, "bin", "goldsmith")
	read(t, filepath.Join(repository, "Makefile")) // so that go test knows what make reads
	newProgram(t, program)
	for _, folder := range []string{"examples", "kustomize/config"} {
		require.NoError(t, os.CopyFS(filepath.Join(directory, folder), os.DirFS(filepath.Join(repository, folder))))
	}
	if testing.Short() {
		hurry(t, filepath.Join(directory, "examples"))
	}
	return &reader{directory: directory, environment: []string{
		"PATH=" + filepath.Dir(program) + string(filepath.ListSeparator) + os.Getenv("PATH"),
		"HOME=" + directory,
	}}
}

// seconds are the durations of the mock builder in the examples.
var seconds = regexp.MustCompile(`(\{name: duration, value:) [2-9]s\}`)

// hurry shortens the builds of the examples. They take seconds so that readers see progress, and together most of the time of the test.
func hurry(t *testing.T, examples string) {
	t.Helper()
	shortened := 0
	require.NoError(t, filepath.WalkDir(examples, func(path string, _ os.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".yaml" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil || !seconds.Match(text) {
			return err
		}
		shortened++
		return os.WriteFile(path, seconds.ReplaceAll(text, []byte("$1 1s}")), 0o600)
	}))
	if shortened == 0 {
		t.Error("no example has a duration to shorten")
	}
}

// newProgram builds the program of `make build`. With -short it links to the test binary, which TestMain lets stand in for the
// program: building takes a third of the test, and go test would not know the dependencies of the program.
func newProgram(t *testing.T, path string) {
	t.Helper()
	if testing.Short() {
		binary, err := os.Executable()
		require.NoError(t, errors.Join(err, os.Mkdir(filepath.Dir(path), 0o755), os.Symlink(binary, path)))
		return
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-s -w -X main.version="+version, "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// follow runs a block. A block without a language is a picture. TestEveryClusterCommandOfTheDocsWorks runs the blocks for a
// cluster.
func (r *reader) follow(ctx context.Context, t *testing.T, block block) {
	t.Helper()
	switch {
	case block.language == "sh" && strings.HasPrefix(block.text, "goldsmith up"):
		r.compare(t, block, r.startServer(ctx, t, block.text))
	case block.language == "sh" && strings.HasPrefix(block.text, "goldsmith console"):
		r.compare(t, block, r.interrupt(ctx, t, block.text, "Ctrl-C"))
	case block.language == "sh":
		r.compare(t, block, r.run(ctx, t, block.script(), ""))
	case block.language == "yaml":
		r.run(ctx, t, "goldsmith kubectl apply --dry-run=server --validate=strict -f -", block.text)
	case block.language == "js": // run by the specs in e2e/browser
	case slices.Contains(verifierLanguages, block.language): // run by the tests in e2e/clients/proof
	case slices.Contains(releaseLanguages, block.language): // run by the tests in e2e/release
	case block.language != "" && block.language != debianLanguage && !slices.Contains(clusterLanguages, block.language):
		t.Errorf("nothing checks a block of %s", block.language)
	}
}

// run runs commands in a new shell. Each command must succeed. make only has to know the target, because CI runs make. kubectl
// is the kubectl in goldsmith, because there may be no other.
func (r *reader) run(ctx context.Context, t *testing.T, commands, input string) (output string) {
	t.Helper()
	checkout, err := filepath.Abs(repository)
	require.NoError(t, err)
	script := "make() { command make --dry-run --directory='" + checkout + "' \"$@\" >/dev/null; }\n" +
		"kubectl() { goldsmith kubectl \"$@\"; }\n" + commands
	shell := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script)
	shell.Dir, shell.Env, shell.Stdin = r.directory, r.environment, strings.NewReader(input)
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	shell.Cancel = func() error { return syscall.Kill(-shell.Process.Pid, syscall.SIGKILL) }
	out, err := shell.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("%v (%v)", err, context.Cause(ctx))
	}
	return string(out)
}

// interrupt runs a command that ends with Ctrl-C, presses it after the line with a text, and returns the lines up to it.
func (r *reader) interrupt(ctx context.Context, t *testing.T, command, last string) (output string) {
	t.Helper()
	shell := exec.CommandContext(ctx, "bash", "-c", "exec "+command)
	shell.Dir, shell.Env = r.directory, r.environment
	out := require.Value(shell.StdoutPipe())(t)
	require.NoError(t, shell.Start())
	for lines := bufio.NewScanner(out); !strings.Contains(output, last) && lines.Scan(); {
		output += lines.Text() + "\n"
	}
	require.NoError(t, shell.Process.Signal(os.Interrupt))
	if err := shell.Wait(); err != nil {
		t.Errorf("%v, after %q", err, output)
	}
	return output
}

// masks replace the parts of the output that differ between two runs of the docs.
var masks = []struct {
	pattern *regexp.Regexp
	mask    string
}{
	{regexp.MustCompile(`-[2456789b-df-hj-np-tv-xz]{8,10}-[2456789b-df-hj-np-tv-xz]{5}\b`), "-POD"}, // the name of a Deployment's pod
	{regexp.MustCompile(`//[a-z2-7]{26}\.localhost:\d+`), "//ADDRESS"},
	{regexp.MustCompile(`#code=[A-Z2-7]{26}\b`), "#code=CODE"},
	{regexp.MustCompile(`sha256:[0-9a-f]+`), "DIGEST"},
	{regexp.MustCompile(`[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}`), "UID"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d[\d:.]*Z?`), "TIME"},
	// Builds of an image, their Jobs and pods: another page may build it more often. Before durations: a hash can look like one.
	{regexp.MustCompile(`\b([a-z]+)-\d+(-[0-9a-f]{7}(-[a-z0-9]{5})?)?\b`), "$1-NUMBER"},
	{regexp.MustCompile(`\b(\d+(\.\d+)? ?(ms|[dhms]))+\b`), "DURATION"},
	{regexp.MustCompile(`\bv\d+\.\d+\.\d+\b`), "VERSION"},
	{regexp.MustCompile(`\b[\d.]+ ?[KMG]?i?B\b`), "SIZE"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "ADDRESS"},
	{regexp.MustCompile(`\b(in DURATION|now)\b`), "SOON"},
	{regexp.MustCompile(`\b[0-9a-f]{12}\b`), "DIGEST"},
	{regexp.MustCompile(` +`), " "}, // columns are as wide as their longest value
	{regexp.MustCompile(` \n`), "\n"},
}

// omitted is a line of a page that stands for any number of lines.
const omitted = "…"

func (r *reader) compare(t *testing.T, block block, output string) {
	t.Helper()
	block.compare(t, strings.ReplaceAll(output, r.directory, "/home/me"))
}

// script returns the commands of a block. If nothing compares their output, the log of the test shows each command.
func (b block) script() string {
	if b.output == "" {
		return "set -x\n" + b.text
	}
	return b.text
}

// compare holds that the output of commands matches the page, apart from masked and omitted parts.
func (b block) compare(t *testing.T, output string) {
	t.Helper()
	if b.output == "" {
		return
	}
	shown, output := masked(b.output), masked(output+"\n")
	if !showsOutput(shown, output) {
		t.Errorf("the page shows\n%s\nand the commands write\n%s", shown, output)
	}
}

func masked(text string) string {
	for _, m := range masks {
		text = m.pattern.ReplaceAllString(text, m.mask)
	}
	return text
}

func showsOutput(shown, output string) bool {
	pattern := strings.ReplaceAll(regexp.QuoteMeta("\n"+shown), "\n"+omitted+"\n", "\n(.*\n)*")
	return regexp.MustCompile("^" + pattern + "\n*$").MatchString("\n" + output)
}

func TestShownOutputIsCompared(t *testing.T) {
	const pods = "debian-2-1ffb758-7gvkr\nweb-67944dbccf-2rcmg is ready after 9 s: v1.37.1\n"
	const written = "NAME       DURATION   AGE\n" +
		"debian-1   3s         14s\n" +
		"debian-2   4m10s      9s \n" +
		"  linux/amd64/raw  sha256:5893be153290  183B\n" +
		pods
	for name, c := range map[string]struct {
		shown string
		want  bool
	}{
		"other times, digests and numbers": {"NAME DURATION AGE\ndebian-7 8s 1h\ndebian-8 500ms 2d\n  linux/amd64/raw sha256:00 1.5KiB\ndebian-12-0123abc-x2b4z\nweb-5cddf4f94c-dglsq is ready after 29 s: v1.36.4\n", true},
		"lines are omitted":                {"NAME DURATION AGE\n…\n  linux/amd64/raw sha256:00 1B\n" + pods, true},
		"no line is omitted":               {"NAME DURATION AGE\n…\ndebian-1 1s 1s\ndebian-2 1s 1s\n  linux/amd64/raw sha256:00 1B\n" + pods, true},
		"another image":                    {"NAME DURATION AGE\n…\nweb-2 1s 1s\n  linux/amd64/raw sha256:00 1B\n" + pods, false},
		"a column is missing":              {"NAME AGE\n…\n  linux/amd64/raw sha256:00 1B\n" + pods, false},
		"a line is missing":                {"NAME DURATION AGE\ndebian-1 3s 14s\n  linux/amd64/raw sha256:00 1B\n" + pods, false},
		"no digest":                        {"NAME DURATION AGE\n…\n  linux/amd64/raw none 1B\n" + pods, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := showsOutput(masked(c.shown), masked(written)); got != c.want {
				t.Errorf("got %t, want %t", got, c.want)
			}
		})
	}
}

// startServer starts a server and returns its output until it is ready. It stops a running server first, as a reader would.
func (r *reader) startServer(ctx context.Context, t *testing.T, command string) (output string) {
	t.Helper()
	r.stopServer(t)
	server := exec.CommandContext(ctx, "bash", "-c", "exec "+command) // the process is the server, and gets the signals
	server.Dir, server.Env, server.Stderr = r.directory, r.environment, os.Stderr
	out, err := server.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, server.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		t.Log(lines.Text())
		output += lines.Text() + "\n"
		if strings.HasPrefix(lines.Text(), "kubeconfig: ") { // the last line that it prints
			r.server = server
			return output
		}
	}
	t.Fatalf("the server was never ready: %v", server.Wait())
	return ""
}

// stopServer stops the server as Ctrl-C does.
func (r *reader) stopServer(t *testing.T) {
	t.Helper()
	if r.server == nil {
		return
	}
	require.NoError(t, r.server.Process.Signal(os.Interrupt))
	if err := r.server.Wait(); err != nil {
		t.Errorf("`goldsmith up` ended with %v", err)
	}
	r.server = nil
}
