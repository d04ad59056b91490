// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/backup"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/users"
)

// processLog is the log of the libraries in the test's process.
var processLog *Log

// TestMain lets the test binary stand in for the goldsmith executable: for the children of a server, and for the program that
// executable returns.
func TestMain(m *testing.M) {
	if code, ok := RunChild(os.Args); ok {
		os.Exit(code)
	}
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-") { // go test passes flags only
		os.Exit(runVerb())
	}
	var err error
	processLog, err = NewLog(io.Discard, 0)
	// More tests run in parallel than there are cores, because these tests wait more than they compute.
	if err := errors.Join(err, flag.Set("test.parallel", "6")); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// runVerb runs the verbs of this package as cmd/goldsmith does, and returns the exit code.
func runVerb() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := &cobra.Command{Use: "goldsmith", SilenceUsage: true, Version: os.Getenv(releaseVariable)}
	root.AddCommand(NewCommand(), backup.NewCommand(), backup.NewRestoreCommand(), users.NewCommand())
	if root.ExecuteContext(ctx) != nil {
		return 1
	}
	return 0
}
