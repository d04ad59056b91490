// SPDX-License-Identifier: Apache-2.0

package up

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	_ "unsafe" // for go:linkname

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	_ "k8s.io/apiserver/pkg/storage/storagebackend/factory" // has what etcdClientLogger is linked to
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/textlogger"
	ctrl "sigs.k8s.io/controller-runtime"
)

// etcdClientLogger is the log of the API server library's etcd clients. It has no setter, and goes to standard error:
// among other things a warning for each request whose client went away meanwhile, as those of a stopping controller do.
//
//go:linkname etcdClientLogger k8s.io/apiserver/pkg/storage/storagebackend/factory.etcd3ClientLogger
var etcdClientLogger *zap.Logger

// logTo sends what the libraries in this process log to a writer.
func logTo(out io.Writer, verbosity int) error {
	var level klog.Level // klog keeps the last one that was set
	if err := level.Set(strconv.Itoa(verbosity)); err != nil {
		return fmt.Errorf("set the verbosity of the log: %w", err)
	}
	logger := textlogger.NewLogger(textlogger.NewConfig(textlogger.Output(out), textlogger.Verbosity(verbosity)))
	klog.SetLoggerWithOptions(logger, klog.ContextualLogger(true))
	ctrl.SetLogger(logger)
	etcdClientLogger = newEtcdClientLogger(out)
	return nil
}

func newEtcdClientLogger(out io.Writer) *zap.Logger {
	encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	core := zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(out)), zapcore.InfoLevel)
	// That the log cannot be written has nowhere to go.
	return zap.New(core, zap.ErrorOutput(zapcore.AddSync(io.Discard))).Named("etcd-client")
}

// logToFile sends what the libraries in this process log to the data directory, or nowhere if nothing is kept. When the
// log is closed, what they log goes nowhere.
func (d *dataDirectory) logToFile() (closeLog func() error, err error) {
	if d.memory {
		return func() error { return nil }, logTo(io.Discard, 0)
	}
	file, err := os.OpenFile(d.join("up.log"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	closeLog = func() error { return errors.Join(logTo(io.Discard, 0), file.Close()) }
	return closeLog, logTo(file, 0)
}
