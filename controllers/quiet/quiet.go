// SPDX-License-Identifier: Apache-2.0

// Package quiet keeps lines that libraries repeat out of a log.
package quiet

import "github.com/go-logr/logr"

// Verbosity is the verbosity at which demoted lines are logged.
const Verbosity = 2

// Line is a line that is about to be logged.
type Line struct {
	// Name of the logger, without the names of its parents.
	Name string
	// Message of the line.
	Message string
	// Error is true if the line is logged as an error.
	Error bool
}

// Demote returns a logger that logs the lines that a rule picks as information of a higher verbosity. A logger without a
// sink is returned as it is.
func Demote(logger logr.Logger, rule func(Line) bool) logr.Logger {
	if logger.GetSink() == nil {
		return logger
	}
	return logger.WithSink(&sink{LogSink: logger.GetSink(), rule: rule})
}

type sink struct {
	logr.LogSink
	rule func(Line) bool
	name string
}

// Info logs a line, or demotes it.
func (s *sink) Info(level int, message string, keysAndValues ...any) {
	if s.rule(Line{Name: s.name, Message: message}) {
		level += Verbosity
		if !s.Enabled(level) {
			return
		}
	}
	deeper(s.LogSink, 1).Info(level, message, keysAndValues...)
}

// Error logs a line, or demotes it.
func (s *sink) Error(err error, message string, keysAndValues ...any) {
	if !s.rule(Line{Name: s.name, Message: message, Error: true}) {
		deeper(s.LogSink, 1).Error(err, message, keysAndValues...)
		return
	}
	if s.Enabled(Verbosity) {
		deeper(s.LogSink, 1).Info(Verbosity, message, append(keysAndValues, "err", err)...)
	}
}

// WithName remembers the name.
func (s *sink) WithName(name string) logr.LogSink {
	return &sink{LogSink: s.LogSink.WithName(name), rule: s.rule, name: name}
}

// WithValues passes values on.
func (s *sink) WithValues(keysAndValues ...any) logr.LogSink {
	return &sink{LogSink: s.LogSink.WithValues(keysAndValues...), rule: s.rule, name: s.name}
}

// WithCallDepth keeps the lines' places in the code.
func (s *sink) WithCallDepth(depth int) logr.LogSink {
	return &sink{LogSink: deeper(s.LogSink, depth), rule: s.rule, name: s.name}
}

func deeper(of logr.LogSink, depth int) logr.LogSink {
	if inner, ok := of.(logr.CallDepthLogSink); ok {
		return inner.WithCallDepth(depth)
	}
	return of
}
