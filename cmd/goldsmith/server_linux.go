// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"

	"github.com/spf13/cobra"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/backup"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/boot"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/demo"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/test"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/users"
	"goldsmith.dev/goldsmith/cmd/goldsmith/up"
)

// linuxCommands are the commands that run on Linux only: a server, what works on its data directory, and virtual machines.
var linuxCommands = map[string]func() *cobra.Command{
	"up": up.NewCommand, "demo": demo.NewCommand, "boot": boot.NewCommand, "test": test.NewCommand,
	"backup": backup.NewCommand, "restore": backup.NewRestoreCommand, "user": users.NewCommand,
}

// runChild runs this process as a child of a server, if it was started as one.
func runChild() (code int, ok bool) { return up.RunChild(os.Args) }
