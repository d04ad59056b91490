// SPDX-License-Identifier: Apache-2.0

package up

import (
	"errors"
	"flag"
	"io"
	"os"
	"testing"
)

// processLog is what the libraries in the test's process log.
var processLog *Log

// TestMain lets the test binary stand in for the goldsmith executable where a server starts its children from it.
func TestMain(m *testing.M) {
	if code, ok := RunChild(os.Args); ok {
		os.Exit(code)
	}
	// The tests that run in parallel wait more than they compute.
	flag.Parse()
	var err error
	processLog, err = NewLog(io.Discard, 0)
	if err := errors.Join(err, flag.Set("test.parallel", "6")); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
