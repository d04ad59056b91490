// SPDX-License-Identifier: Apache-2.0

// Command goldsmith is all of Goldsmith in one file: a server for this machine, and the verbs for any server.
// Called as kubectl-goldsmith it is a plugin of kubectl.
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/printers"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/exit"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

func main() {
	if code, ok := runChild(); ok {
		os.Exit(code)
	}
	os.Exit(run())
}

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once

	return execute(ctx, newRootCommand())
}

// execute runs a command and returns its exit code. It prints no error for an interruption, because the user knows. Output that
// cannot be written fails every command, including those that print with libraries that ignore the error.
func execute(ctx context.Context, root *cobra.Command) int {
	out := output.NewChecked(root.OutOrStdout())
	if !printers.IsTerminal(root.OutOrStdout()) { // commands recognize a terminal by its file
		root.SetOut(out)
	}
	addCompletionCommand(root)
	refuseUnknownSubcommands(root)
	root.SetErr(output.NewEscaping(root.ErrOrStderr()))
	root.PersistentPreRun = func(command *cobra.Command, _ []string) {
		if _, unescaped := command.Annotations[output.Unescaped]; !unescaped {
			command.SetOut(output.NewEscaping(command.OutOrStdout()))
		}
	}
	verb, err := root.ExecuteContextC(ctx)
	if err == nil {
		err = out.Err()
	}
	if unreachable, ok := errors.AsType[*client.UnreachableError](err); ok {
		err = unreachable // the request and its address around the message would only hide the next step
	}
	if other, ok := errors.AsType[*client.OtherKindError](err); ok {
		err = other.ForVerb(verb)
	}
	if deleted, ok := errors.AsType[*client.DeletedBuildError](err); ok {
		err = deleted.ForVerb(verb)
	}
	err = explainUnknownVerb(root, client.MissingRights(verb, err))
	code := exit.Code(ctx, err)
	if err != nil && code != exit.Interrupted && !exit.IsShown(err) {
		root.PrintErrln("Error:", err)
	}
	return code
}
