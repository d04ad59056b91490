// SPDX-License-Identifier: Apache-2.0

// Package demo is the verb that shows what Goldsmith does: it types the commands of a first session, and fails if a command
// fails. It never touches anything but its own data directory.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/datadir"
	"goldsmith.dev/goldsmith/cmd/goldsmith/up"
	"goldsmith.dev/goldsmith/examples"
)

const (
	// limit is how long the whole demo may take.
	limit = 5 * time.Minute
	// pace is how long the images may take to become ready.
	pace = "2m"
)

// examplesWord stands for the directory of the examples.
const examplesWord = "EXAMPLES"

// steps are the commands that a user types after `goldsmith up`, in order, without the program's name.
var steps = [][]string{
	{"kubectl", "apply", "-f", examplesWord},
	{"logs", "debian", "-f"},
	{"kubectl", "wait", "images", "--all", "--for=condition=Ready", "--timeout=" + pace},
	{"kubectl", "get", "images,imagebuilds"},
	{"kubectl", "get", "image", "debian", "-o", `jsonpath={range .status.latestSuccessful.artifacts[*]}{.target} {.digest}{"\n"}{end}`},
}

type options struct {
	dataDirectory string
	keep          bool
	version       string // of this program
}

// NewCommand returns the verb.
func NewCommand() *cobra.Command {
	asked := &options{}
	command := &cobra.Command{
		Use:   "demo",
		Short: "Start a server, build the examples, show the results, and stop",
		Long: "Start a server, build the examples, show each command and its output, and stop the server. " +
			"With --keep, the server runs until Ctrl-C, and the command keeps the data directory.",
		Example: "  goldsmith demo\n" +
			"  goldsmith demo --keep",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			asked.version = command.Root().Version
			return run(command.Context(), asked, command.OutOrStdout(), command.ErrOrStderr())
		},
	}
	command.Flags().StringVar(&asked.dataDirectory, "data-dir", "",
		"data directory, which the command keeps (default: a temporary directory, which the command deletes; with --keep: ./"+datadir.Default+")")
	command.Flags().BoolVar(&asked.keep, "keep", false, "server that runs until Ctrl-C, and a data directory that is kept")
	return command
}

func run(ctx context.Context, asked *options, out, complaints io.Writer) (err error) {
	temporary, err := os.MkdirTemp("", "goldsmith-demo-")
	if err != nil {
		return fmt.Errorf("make a temporary directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temporary)) }()
	manifests := filepath.Join(temporary, "examples")
	if err := os.Mkdir(manifests, 0o700); err != nil {
		return fmt.Errorf("make a directory for the examples: %w", err)
	}
	if err := examples.Write(manifests); err != nil {
		return err
	}
	switch {
	case asked.dataDirectory != "":
	case asked.keep:
		asked.dataDirectory = datadir.Default
	default:
		asked.dataDirectory = filepath.Join(temporary, "data")
	}

	started := time.Now()
	narrator := &narrator{out: out, complaints: complaints}
	narrator.line("$ goldsmith up --data-dir %s &", asked.dataDirectory)
	server, err := startServer(ctx, asked.dataDirectory, asked.version, out)
	if err != nil {
		return err
	}
	if err := narrator.session(ctx, server, manifests); err != nil {
		return errors.Join(err, server.stop())
	}
	if asked.keep {
		narrator.line("\nThe demo took %s, and its server continues until Ctrl-C. In a second terminal:\n\n"+
			"  export KUBECONFIG=%s\n"+
			"  goldsmith kubectl get images\n"+
			"  goldsmith build debian --follow", time.Since(started).Round(time.Second/10), server.kubeconfig)
		return errors.Join(narrator.err, server.wait())
	}
	narrator.line("\n$ kill -INT %%1")
	if err := server.stop(); err != nil {
		return err
	}
	narrator.line("\nAll of it took %s.", time.Since(started).Round(time.Second/10))
	return narrator.err
}

// server is `goldsmith up` in this process.
type server struct {
	kubeconfig string
	cancel     context.CancelFunc
	ended      chan error
}

func startServer(ctx context.Context, dataDirectory, version string, out io.Writer) (*server, error) {
	log, err := up.NewLog(io.Discard, 0)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	started := &server{cancel: cancel, ended: make(chan error, 1)}
	ready := make(chan struct{})
	go func() {
		started.ended <- up.Run(ctx, up.Options{
			DataDirectory: dataDirectory,
			Version:       version,
			Out:           out,
			Log:           log,
			OnReady: func(_ *rest.Config, kubeconfig string) {
				started.kubeconfig = kubeconfig
				close(ready)
			},
		})
	}()
	select {
	case <-ready:
		return started, nil
	case err := <-started.ended:
		cancel()
		return nil, errors.Join(errors.New("the server ended before it was ready"), err)
	}
}

func (s *server) stop() error {
	s.cancel()
	return <-s.ended
}

// wait returns once the server has ended, which it also does when the context that it was started with is done.
func (s *server) wait() error {
	return <-s.ended
}

// narrator shows commands and runs them.
type narrator struct {
	out, complaints io.Writer
	environment     []string
	err             error // the first failure to write
}

func (n *narrator) line(format string, args ...any) {
	if _, err := fmt.Fprintf(n.out, format+"\n", args...); err != nil && n.err == nil {
		n.err = err
	}
}

// session runs the steps with a server, within the limit.
func (n *narrator) session(ctx context.Context, server *server, manifests string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the demo took longer than %s", limit))
	defer cancel()
	n.environment = append(os.Environ(), "KUBECONFIG="+server.kubeconfig)
	n.line("$ export KUBECONFIG=%s", server.kubeconfig)
	for _, step := range steps {
		if err := n.run(ctx, replaceWord(step, examplesWord, manifests)); err != nil {
			return errors.Join(err, context.Cause(ctx))
		}
	}
	return n.err
}

// run runs this program with arguments.
func (n *narrator) run(ctx context.Context, arguments []string) error {
	line := "goldsmith " + shellLine(arguments)
	n.line("\n$ %s", line)
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program's own file: %w", err)
	}
	command := exec.CommandContext(ctx, program, arguments...)
	command.Env = n.environment
	command.Stdout, command.Stderr = n.out, n.complaints
	if err := command.Run(); err != nil {
		return fmt.Errorf("`%s`: %w", line, err)
	}
	return nil
}

// shellLine returns arguments as a user types them in a shell. No argument has a single quote.
func shellLine(arguments []string) string {
	words := make([]string, len(arguments))
	for i, argument := range arguments {
		words[i] = argument
		if strings.ContainsAny(argument, " {}[]*$\"\\") {
			words[i] = "'" + argument + "'"
		}
	}
	return strings.Join(words, " ")
}

func replaceWord(words []string, from, to string) []string {
	words = slices.Clone(words)
	for i := range words {
		if words[i] == from {
			words[i] = to
		}
	}
	return words
}
