// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
)

// QuietLogs makes the Kubernetes libraries of this process log only errors, one line each, to out. Without it they log
// ordinary events to standard error. It is for main functions and tests, because the setting is global to the process.
func QuietLogs(out io.Writer) {
	klog.SetLogger(logr.New(&errorSink{out: &lockedWriter{out: out}}))
}

// errorSink is a log that drops everything but errors.
type errorSink struct {
	out    io.Writer
	name   string
	values []any
}

// Init has nothing to prepare.
func (s *errorSink) Init(logr.RuntimeInfo) {}

// Enabled is false: no information is logged, at any verbosity.
func (s *errorSink) Enabled(int) bool { return false }

// Info drops information.
func (s *errorSink) Info(int, string, ...any) {}

// Error writes an error. It drops the end of a context, which is no error of the server: informers stop by it.
func (s *errorSink) Error(err error, message string, values ...any) {
	if errors.Is(err, context.Canceled) {
		return
	}
	var line strings.Builder
	line.WriteString(s.name + message)
	if err != nil {
		line.WriteString(": " + err.Error())
	}
	all := slices.Concat(s.values, values)
	for i := 0; i+1 < len(all); i += 2 {
		fmt.Fprintf(&line, " %v=%v", all[i], all[i+1])
	}
	// A failure to write the log cannot be reported anywhere.
	_, _ = fmt.Fprintln(s.out, line.String())
}

// WithValues returns a log that adds values to each error.
func (s *errorSink) WithValues(values ...any) logr.LogSink {
	return &errorSink{out: s.out, name: s.name, values: slices.Concat(s.values, values)}
}

// WithName returns a log that puts a name before each error.
func (s *errorSink) WithName(name string) logr.LogSink {
	return &errorSink{out: s.out, name: s.name + name + ": ", values: s.values}
}

type lockedWriter struct {
	mutex sync.Mutex
	out   io.Writer
}

func (w *lockedWriter) Write(line []byte) (int, error) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.out.Write(line)
}
