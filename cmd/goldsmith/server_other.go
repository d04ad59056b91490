// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package main

import "github.com/spf13/cobra"

var linuxCommands map[string]func() *cobra.Command

func runChild() (code int, ok bool) { return 0, false }
