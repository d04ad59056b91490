// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// What to do instead of commands that run on Linux only.
const (
	useOtherServer  = "use a server on a Linux machine or in a cluster: set KUBECONFIG or --kubeconfig"
	useOtherMachine = "run it on the machine with the data directory"
	bootElsewhere   = "fetch the disk with `goldsmith artifacts get`, and boot it in a virtual machine"
	testElsewhere   = "build the image again with `goldsmith build`, which tests it on its server"
)

// onLinux returns a command of linuxCommands. Programs of other systems lack its code: there, the command fails with the next step.
func onLinux(name, instead string) *cobra.Command {
	if newCommand := linuxCommands[name]; newCommand != nil {
		return newCommand()
	}
	return newLinuxOnlyCommand(name, instead)
}

func newLinuxOnlyCommand(name, instead string) *cobra.Command {
	err := fmt.Errorf("goldsmith %s runs on Linux only: %s", name, instead)
	return &cobra.Command{
		Use:                name,
		Short:              "Runs on Linux only",
		Long:               "This command runs on Linux only. Here, " + instead + ".",
		DisableFlagParsing: true, // so that any line gets the error
		RunE:               func(*cobra.Command, []string) error { return err },
	}
}
