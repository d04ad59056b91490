// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"goldsmith.dev/goldsmith/builders"
	"goldsmith.dev/goldsmith/cmd/goldsmith/up/systemd"
	"goldsmith.dev/goldsmith/jobs/local"
	"goldsmith.dev/goldsmith/jobs/local/process"
	"goldsmith.dev/goldsmith/jobs/render"
)

// NewCommand returns the verb.
func NewCommand() *cobra.Command {
	var file string
	var check bool
	command := &cobra.Command{
		Use:   "up",
		Short: "Serve Goldsmith on this machine until Ctrl-C",
		Long: "Serve the API on this machine until Ctrl-C, run the controllers, and run builders as local processes. " +
			"By default, the data directory holds all data. The data survives a restart.",
		Example: "  goldsmith up\n  goldsmith up --builder shell=/path/to/builder.sh",
		Args:    cobra.NoArgs,
	}
	addSettings(command.Flags(), &Options{}) // read from command.Flags
	command.RunE = func(command *cobra.Command, _ []string) error {
		set := &settings{path: file, line: command.Flags()}
		options, err := set.start()
		if err != nil && !check {
			systemd.NewNotifier().Status("failed: " + err.Error())
		}
		if err != nil {
			return err
		}
		options.Version = command.Root().Version
		if check {
			if err := options.check(command.Context()); err != nil {
				return err
			}
			_, err := fmt.Fprintf(command.OutOrStdout(), "%s are correct\n", checked(file))
			return err
		}
		return serve(command, set, options)
	}
	command.Flags().StringVar(&file, "config", "", "`file` with settings: a YAML mapping whose keys are names of these flags; flags of the command line win")
	command.Flags().BoolVar(&check, "check", false, "check of the flags, of the file of --config and of the files that they name, without a start")
	return command
}

// checked names what --check has checked.
func checked(file string) string {
	if file == "" {
		return "the flags and the files that they name"
	}
	return file + " and the files that it names"
}

// serve runs a server with what its environment has: a terminal, or a service manager and the journal.
func serve(command *cobra.Command, set *settings, options *Options) error {
	ctx, stop := context.WithCancel(command.Context())
	defer stop()
	options.Service, options.Journal = systemd.NewNotifier(), systemd.IsJournal(os.Stderr)
	options.Out, options.Notices, options.Again = command.OutOrStdout(), command.ErrOrStderr(), set.again
	options.Reloads = hangups(ctx, stop)
	log, err := NewLog(io.Discard, options.verbosity)
	switch {
	case err != nil:
		return err
	case options.Journal:
		log.sendTo(&systemd.Log{Out: options.Notices})
		defer command.Root().SetErr(systemd.Lines{Out: options.Notices, Priority: systemd.Error}) // what the command prints after this is an error
	case options.logsToStandardError:
		log.sendTo(options.Notices)
	default:
		options.Log = log
	}
	return Run(ctx, *options)
}

// hangups receives for each SIGHUP, which asks for a reload. If the terminal is closed, it stops the server instead, as it ends other programs.
func hangups(ctx context.Context, stop context.CancelFunc) <-chan struct{} {
	signals, reloads := make(chan os.Signal, 1), make(chan struct{}, 1)
	hadTerminal := hasTerminal() && !signal.Ignored(syscall.SIGHUP) // nohup ignores it
	signal.Notify(signals, syscall.SIGHUP)
	go func() {
		defer signal.Stop(signals)
		for {
			select {
			case <-ctx.Done():
				return
			case <-signals:
			}
			if hadTerminal && !hasTerminal() {
				stop()
				return
			}
			select {
			case reloads <- struct{}{}:
			default: // one is due already
			}
		}
	}()
	return reloads
}

// hasTerminal reports whether the process has a terminal that is open.
func hasTerminal() bool {
	terminal, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	return terminal.Close() == nil
}

// RunChild runs the hidden subcommands. If the arguments (the program's name first) name a hidden subcommand, RunChild runs the
// subcommand and returns its exit code and true.
func RunChild(args []string) (code int, ok bool) {
	for _, builder := range builders.Shipped() {
		if builder.Inside != nil && filepath.Base(args[0]) == builder.Command { // in its sandbox
			return builder.Inside(context.Background(), os.Getenv, os.Stdout, os.Stderr, args[1:]), true
		}
		if len(args) > 1 && args[1] == builder.Command {
			return builder.Main(context.Background(), os.Getenv, os.Stdout, os.Stderr, args[2:]), true
		}
	}
	switch {
	case len(args) > 1 && args[1] == render.CheckSourceCommand:
		return checkSource(args[2:], os.Getenv, os.Getenv(local.EnvMounts)), true
	case len(args) < 2 || args[1] != SuperviseCommand:
		return 0, false
	}
	if err := process.Supervise(); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		return 1, true
	}
	return 0, true
}
