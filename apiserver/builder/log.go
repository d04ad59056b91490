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

// QuietLogs has the Kubernetes libraries of this process write errors only, one line each, to out. Without it they
// write about ordinary events to standard error. It is for main functions and tests: the setting is the process's.
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

// Enabled says that nothing but errors is of interest, at any verbosity.
func (s *errorSink) Enabled(int) bool { return false }

// Info drops what is no error.
func (s *errorSink) Info(int, string, ...any) {}

// Error writes an error. That somebody's context ended is no error of the server: it is how informers stop.
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
	// A log that cannot be written has nowhere to say so.
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
