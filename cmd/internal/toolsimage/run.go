// SPDX-License-Identifier: Apache-2.0

// Package toolsimage is the command line of the programs in container images that also have tools of Debian packages, which the programs make.
package toolsimage

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"goldsmith.dev/goldsmith/builders/debian/tools"
	"goldsmith.dev/goldsmith/cmd/internal/buildversion"
)

// Program is a program of a container image.
type Program struct {
	// Name is the name of the program, and Version what the linker has set, or empty.
	Name, Version string
	// Main runs the program without a subcommand, as a builder.
	Main func(ctx context.Context, getenv func(string) string, stdout, stderr io.Writer, args []string) int
	// Path returns the directory of the tools below the cache of the user, and Make makes them in a directory.
	Path func(cache string) string
	Make func(ctx context.Context, directory string, options tools.Options) error
}

// Run runs the program with arguments, or what they ask for: its version, or the tools. It returns the exit code.
func (p Program) Run(args []string) int {
	command := ""
	if len(args) > 0 {
		command = args[0]
	}
	switch command {
	case "--version":
		fmt.Println(p.Name, buildversion.Get(p.Version))
		return 0
	case "tools":
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		if err := p.makeTools(ctx, args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, "Error:", err)
			return 1
		}
		return 0
	default:
		return p.Main(context.Background(), os.Getenv, os.Stdout, os.Stderr, args)
	}
}

// makeTools makes the tools of the program in a directory, by default in the cache of the user, and prints the directory.
func (p Program) makeTools(ctx context.Context, args []string) error {
	var directory string
	switch len(args) {
	case 0:
		cache, err := os.UserCacheDir()
		if err != nil {
			return fmt.Errorf("find the cache of the user: %w", err)
		}
		directory = p.Path(cache)
	case 1:
		directory = args[0]
	default:
		return fmt.Errorf("usage: %s tools [DIRECTORY]", p.Name)
	}
	if err := tools.Missing(ctx); err != nil {
		return err
	}
	if err := p.Make(ctx, directory, tools.Options{Getenv: os.Getenv, Log: os.Stderr}); err != nil {
		return err
	}
	fmt.Println(directory)
	return nil
}
