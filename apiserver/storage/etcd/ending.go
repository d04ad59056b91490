// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"
	"syscall"

	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// endings handles why etcd wants to end this process, which etcd tells only its logger, in any of its goroutines: a file that it
// cannot read at its start, or a full disk.
type endings struct {
	running atomic.Bool
	started chan error // receives the cause before running
	out     io.Writer  // gets the cause in one line afterwards
	exit    func(code int)
}

func newEndings() *endings {
	return &endings{started: make(chan error, 1), out: os.Stderr, exit: os.Exit}
}

// logger logs nothing else.
func (e *endings) logger() *zap.Logger {
	return zap.New(zapcore.NewNopCore(), zap.WithFatalHook(e), zap.WithPanicHook(e))
}

// OnWrite implements zapcore.CheckWriteHook for messages after which etcd does not continue.
func (e *endings) OnWrite(entry *zapcore.CheckedEntry, fields []zapcore.Field) {
	cause := errors.New(entry.Message)
	for _, field := range fields {
		if err, ok := field.Interface.(error); ok {
			cause = fmt.Errorf("%s: %w", entry.Message, err)
		}
	}
	if !e.running.Load() {
		e.fail(cause)
		runtime.Goexit()
	}
	if file, ok := errors.AsType[*os.PathError](cause); ok && isFull(cause) {
		cause = fmt.Errorf("%w: the file system of %s is full: free space, then start again; every confirmed write is stored", cause, filepath.Dir(file.Path))
	}
	_, _ = fmt.Fprintf(e.out, "Error: etcd ends this process: %v\n", cause) // nothing is left to report a failure to
	e.exit(1)
}

// fail ends the start. The first cause counts.
func (e *endings) fail(cause error) {
	select {
	case e.started <- cause:
	default:
	}
}

// isFull reports whether a file system, or the quota of a user on it, is full.
func isFull(err error) bool {
	return slices.ContainsFunc([]error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG}, func(full error) bool { return errors.Is(err, full) })
}

// run starts etcd, and returns once it is started or cannot start. After a fault in one of its goroutines it cannot be closed, and
// keeps its files until this process ends.
func (s *Server) run(config *embed.Config) error {
	s.endings = newEndings()
	config.ZapLoggerBuilder = embed.NewZapLoggerBuilder(s.endings.logger())
	type result struct {
		etcd *embed.Etcd
		err  error
	}
	started := make(chan result, 1)
	go func() {
		defer func() {
			if cause := recover(); cause != nil {
				s.endings.fail(fmt.Errorf("%v", cause))
			}
		}()
		etcd, err := embed.StartEtcd(config)
		started <- result{etcd, err}
	}()
	select {
	case r := <-started:
		s.etcd = r.etcd
		return r.err
	case cause := <-s.endings.started:
		return cannotStart(config.Dir, cause)
	}
}

// cannotStart describes a cause for which etcd would have ended this process.
func cannotStart(member string, cause error) error {
	if isFull(cause) {
		return cause
	}
	return &DamageError{Path: member, Cause: cause}
}
