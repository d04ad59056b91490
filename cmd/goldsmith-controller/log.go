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

// logTo sends what this process and its libraries log to a writer, a line of text for each fact.
func logTo(out io.Writer, verbosity int) (logr.Logger, error) {
	var level klog.Level // klog keeps the last one that was set
	if err := level.Set(strconv.Itoa(verbosity)); err != nil {
		return logr.Logger{}, fmt.Errorf("set the verbosity of the log: %w", err)
	}
	logger := textlogger.NewLogger(textlogger.NewConfig(textlogger.Output(out), textlogger.Verbosity(verbosity)))
	logger = quiet.Demote(logger, isRepeated)
	klog.SetLoggerWithOptions(logger, klog.ContextualLogger(true))
	ctrl.SetLogger(logger)
	return logger, nil
}

// isRepeated picks what libraries say each time that they look: at each probe while the caches fill, and at each news of
// a Secret or the APIService.
func isRepeated(line quiet.Line) bool {
	switch line.Message {
	case "healthz check failed", "no cert refresh needed", "Ensuring CA cert":
		return true
	default:
		return false
	}
}
