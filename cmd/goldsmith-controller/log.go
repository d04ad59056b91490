// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"

	"github.com/go-logr/logr"

	"goldsmith.dev/goldsmith/cmd/internal/processlog"
	"goldsmith.dev/goldsmith/controllers/quiet"
)

// newLogger returns a logger that writes a line of text for each message.
func newLogger(out io.Writer, verbosity int) logr.Logger {
	return quiet.Demote(processlog.New(out, verbosity), isRepeated)
}

// newProcessLogger also makes the libraries in this process log to the logger that it returns.
func newProcessLogger(out io.Writer, verbosity int) (logr.Logger, error) {
	logger := newLogger(out, verbosity)
	return logger, processlog.Use(logger, verbosity)
}

// isRepeated selects the messages that libraries repeat: at each probe while the caches fill, and at each event of a Secret
// or the APIService.
func isRepeated(line quiet.Line) bool {
	switch line.Message {
	case "healthz check failed", "no cert refresh needed", "Ensuring CA cert":
		return true
	default:
		return false
	}
}
