// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strconv"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/textlogger"
	ctrl "sigs.k8s.io/controller-runtime"

	"goldsmith.dev/goldsmith/controllers/quiet"
)

// newLogger returns a logger that writes a line of text for each message.
func newLogger(out io.Writer, verbosity int) logr.Logger {
	logger := textlogger.NewLogger(textlogger.NewConfig(textlogger.Output(out), textlogger.Verbosity(verbosity)))
	return quiet.Demote(logger, isRepeated)
}

// newProcessLogger also makes the libraries in this process log to the logger that it returns.
func newProcessLogger(out io.Writer, verbosity int) (logr.Logger, error) {
	var level klog.Level // klog keeps the last level that was set
	if err := level.Set(strconv.Itoa(verbosity)); err != nil {
		return logr.Logger{}, fmt.Errorf("set the verbosity of the log: %w", err)
	}
	logger := newLogger(out, verbosity)
	klog.SetLoggerWithOptions(logger, klog.ContextualLogger(true))
	ctrl.SetLogger(logger)
	return logger, nil
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
