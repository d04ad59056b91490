// SPDX-License-Identifier: Apache-2.0

package up

import (
	"fmt"
	"io"
	"os"
	"sync"
	_ "unsafe" // for go:linkname

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	_ "k8s.io/apiserver/pkg/storage/storagebackend/factory" // has the variable that etcdClientLogger is linked to

	"goldsmith.dev/goldsmith/cmd/internal/ownfile"
	"goldsmith.dev/goldsmith/cmd/internal/processlog"
)

// etcdClientLogger is the logger of the API server library's etcd clients, which has no setter. By default it writes to standard
// error. Among other messages it writes a warning for each request whose client has disconnected, such as a stopping controller.
//
//go:linkname etcdClientLogger k8s.io/apiserver/pkg/storage/storagebackend/factory.etcd3ClientLogger
var etcdClientLogger *zap.Logger

// Log is the writer to which the libraries in this process log. It is set once, at the start of the process, because goroutines
// of a stopped server may still log, or flush the log.
type Log struct {
	lock sync.Mutex
	out  io.Writer
}

// NewLog lets the libraries in this process log to a writer, up to a verbosity. A process calls NewLog once, before it serves.
func NewLog(out io.Writer, verbosity int) (*Log, error) {
	log := &Log{out: out}
	if err := processlog.Use(processlog.New(log, verbosity), verbosity); err != nil {
		return nil, err
	}
	etcdClientLogger = newEtcdClientLogger(log)
	return log, nil
}

// Write writes to the current writer.
func (l *Log) Write(p []byte) (int, error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.out.Write(p)
}

// sendTo replaces the current writer, and returns the previous writer.
func (l *Log) sendTo(out io.Writer) (before io.Writer) {
	l.lock.Lock()
	defer l.lock.Unlock()
	before, l.out = l.out, out
	return before
}

func newEtcdClientLogger(out io.Writer) *zap.Logger {
	encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	core := zapcore.NewCore(encoder, zapcore.AddSync(out), zapcore.InfoLevel)
	// An error of writing the log cannot be logged.
	return zap.New(core, zap.ErrorOutput(zapcore.AddSync(io.Discard))).Named("etcd-client")
}

// keepLog writes a log to a file until restore is called.
func keepLog(path string, log *Log) (restore func() error, err error) {
	file, err := ownfile.Open(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	before := log.sendTo(file)
	return func() error {
		log.sendTo(before)
		return file.Close()
	}, nil
}
