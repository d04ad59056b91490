// SPDX-License-Identifier: Apache-2.0

package up

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"k8s.io/klog/v2"
	"k8s.io/klog/v2/textlogger"
	ctrl "sigs.k8s.io/controller-runtime"
)

// logTo sends what the libraries in this process log to a writer.
func logTo(out io.Writer, verbosity int) error {
	var level klog.Level // klog keeps the last one that was set
	if err := level.Set(strconv.Itoa(verbosity)); err != nil {
		return fmt.Errorf("set the verbosity of the log: %w", err)
	}
	logger := textlogger.NewLogger(textlogger.NewConfig(textlogger.Output(out), textlogger.Verbosity(verbosity)))
	klog.SetLoggerWithOptions(logger, klog.ContextualLogger(true))
	ctrl.SetLogger(logger)
	return nil
}

// logToFile sends what the libraries in this process log to the data directory, or nowhere if nothing is kept.
func (d *dataDirectory) logToFile() (closeLog func() error, err error) {
	if d.memory {
		return func() error { return nil }, logTo(io.Discard, 0)
	}
	file, err := os.OpenFile(d.join("up.log"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	closeLog = func() error { return errors.Join(logTo(os.Stderr, 0), file.Close()) }
	return closeLog, logTo(file, 0)
}
