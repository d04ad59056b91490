// SPDX-License-Identifier: Apache-2.0

// Command debian-builder is the program in the container image of the builder debian. With the subcommand tools it makes the other contents
// of the image.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"goldsmith.dev/goldsmith/builders/debian/program"
	"goldsmith.dev/goldsmith/builders/debian/tools"
	"goldsmith.dev/goldsmith/cmd/internal/buildversion"
)

// version is set by the linker, or empty.
var version string

func main() {
	os.Exit(run(os.Args[1:]))
}

func run(args []string) int {
	command := ""
	if len(args) > 0 {
		command = args[0]
	}
	switch command {
	case "--version":
		fmt.Println("debian-builder", buildversion.Get(version))
		return 0
	case "tools":
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		if err := makeTools(ctx, args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, "Error:", err)
			return 1
		}
		return 0
	default:
		return program.Main(context.Background(), os.Getenv, os.Stdout, os.Stderr, args)
	}
}

// makeTools makes the tools of the builder in a directory, by default in the cache of the user, and prints the directory.
func makeTools(ctx context.Context, args []string) error {
	var directory string
	switch len(args) {
	case 0:
		cache, err := os.UserCacheDir()
		if err != nil {
			return fmt.Errorf("find the cache of the user: %w", err)
		}
		directory = tools.Path(cache)
	case 1:
		directory = args[0]
	default:
		return fmt.Errorf("usage: debian-builder tools [DIRECTORY]")
	}
	if err := tools.Missing(ctx); err != nil {
		return err
	}
	if err := tools.Make(ctx, directory, tools.Options{Getenv: os.Getenv, Log: os.Stderr}); err != nil {
		return err
	}
	fmt.Println(directory)
	return nil
}
