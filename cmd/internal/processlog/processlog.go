// SPDX-License-Identifier: Apache-2.0

// Package processlog is the log of a process: lines of text, also of the libraries in the process.
package processlog

import (
	"fmt"
	"io"
	"strconv"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/textlogger"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// New returns a logger that writes a line of text for each message up to a verbosity.
func New(out io.Writer, verbosity int) logr.Logger {
	return textlogger.NewLogger(textlogger.NewConfig(textlogger.Output(out), textlogger.Verbosity(verbosity)))
}

// Use makes the libraries in this process log to a logger, up to a verbosity.
func Use(logger logr.Logger, verbosity int) error {
	var level klog.Level // klog keeps the last level that was set
	if err := level.Set(strconv.Itoa(verbosity)); err != nil {
		return fmt.Errorf("set the verbosity of the log: %w", err)
	}
	klog.SetLoggerWithOptions(logger, klog.ContextualLogger(true))
	log.SetLogger(logger)
	return nil
}
