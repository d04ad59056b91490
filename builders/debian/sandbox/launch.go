// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"

	"goldsmith.dev/goldsmith/builders/debian"
	"goldsmith.dev/goldsmith/builders/debian/kept"
	"goldsmith.dev/goldsmith/builders/debian/tools"
	"goldsmith.dev/goldsmith/jobs/local/process"
	"goldsmith.dev/goldsmith/jobs/progress"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

const (
	exitFailed     = 1
	exitUsage      = 2
	exitSignalled  = 128 // and the signal
	exitTerminated = exitSignalled + int(syscall.SIGTERM)

	envCache = "XDG_CACHE_HOME"
)

// Environment returns the variables, as NAME=VALUE, that Main needs besides those of the builder contract: where programs and the cache of
// the user are, the proxies, and a directory of at most limit bytes for packages that are kept for later builds. None are kept without it.
func Environment(getenv func(string) string, kept string, limit int64) []string {
	variables := tools.Proxies(getenv)
	if path := getenv("PATH"); path != "" {
		variables = append(variables, "PATH="+path)
	}
	if cache, err := os.UserCacheDir(); err == nil {
		variables = append(variables, envCache+"="+cache)
	}
	if kept != "" {
		variables = append(variables, envKept+"="+kept, envKeptMax+"="+strconv.FormatInt(limit, 10))
	}
	return variables
}

// Main makes the tools of the builder if they do not exist yet, runs the program of the builder in its sandbox, and returns the exit code of the
// program. getenv looks up the variables of the builder contract, and those of Environment. If the builder refuses its input or cannot be started,
// Main writes a result with the reason. SIGTERM to the process group ends the builder as in a pod. SIGKILL of this process kills the builder.
// It takes no arguments.
func Main(ctx context.Context, getenv func(string) string, stdout, stderr io.Writer, args []string) int {
	if len(args) > 0 {
		complain(stderr, fmt.Errorf("it takes no arguments: its input is the file that $%s names", render.EnvInput))
		return exitUsage
	}
	failure := debian.Check(getenv) // the tools take half a minute and the network
	if failure == nil {
		ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
		defer stop()
		code, err := launch(ctx, getenv, stdout, stderr)
		if err == nil {
			return code
		}
		failure = failureOf(err)
		if ctx.Err() != nil {
			complain(stderr, errors.New("told to end"))
			return exitTerminated
		}
	}
	complain(stderr, errors.New(failure.Message))
	said := result.Result{Version: result.Version, Outcome: result.OutcomeFailed, Failure: failure} // Goldsmith cuts the message
	if err := debian.WriteResult(getenv(render.EnvResult), said); err != nil {
		complain(stderr, err)
	}
	return exitFailed
}

func complain(stderr io.Writer, err error) {
	_, _ = fmt.Fprintf(stderr, "debian builder: %v\n", err) // a failure to write the log cannot be reported anywhere
}

// launch runs the program of the builder, and returns its exit code. An error means that it has not run.
func launch(ctx context.Context, getenv func(string) string, stdout, stderr io.Writer) (code int, err error) {
	if err := tools.Missing(ctx); err != nil {
		return 0, missingError{err}
	}
	directory, held, err := makeTools(ctx, getenv, stdout)
	if err != nil {
		return 0, err
	}
	defer func() { _ = held.Close() }() // only read from
	program, err := os.Executable()
	if err != nil {
		return 0, fmt.Errorf("find the program of the builder: %w", err)
	}
	bwrap, err := exec.LookPath("bwrap")
	if err != nil {
		return 0, missingError{err}
	}
	// SIGTERM is for the builder in the sandbox, which gets it with the process group: bwrap would end the sandbox at once.
	signal.Ignore(syscall.SIGTERM)
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	// A program in the sandbox could open an inherited file again, for writing: it gets none, and this process holds the tools until it ends.
	if err := process.CloseOnExec(); err != nil {
		return 0, err
	}
	runtime.LockOSThread() // bwrap ends with the thread that has started it
	defer runtime.UnlockOSThread()
	arguments, environment := command(directory, program, getenv)
	socket, err := serveKept(getenv, stdout)
	if err != nil {
		_, _ = fmt.Fprintf(stdout, "nothing is kept for later builds: %v\n", err) // as in complain
	}
	if socket != "" {
		environment = append(environment, kept.EnvSocket+"="+socket)
	}
	builder := exec.Command(bwrap, arguments...)
	builder.Env, builder.Stdout, builder.Stderr = environment, stdout, stderr
	err = builder.Run()
	if _, ended := errors.AsType[*exec.ExitError](err); ended {
		if status, _ := builder.ProcessState.Sys().(syscall.WaitStatus); status.Signaled() {
			return exitSignalled + int(status.Signal()), nil
		}
		return builder.ProcessState.ExitCode(), nil
	}
	if err != nil {
		return 0, fmt.Errorf("run %s: %w", bwrap, err)
	}
	return 0, nil
}

// makeTools returns the directory of the tools, and a file that holds them. It makes the tools if that is due.
func makeTools(ctx context.Context, getenv func(string) string, stdout io.Writer) (directory string, held *os.File, err error) {
	cache := getenv(envCache)
	if cache == "" {
		return "", nil, fmt.Errorf("find the cache of the user: set HOME or %s where goldsmith up starts", envCache)
	}
	directory = tools.Path(cache)
	reporting := progress.New(getenv)
	defer reporting.Close()
	for {
		if tools.NeedsRenewal(directory) {
			reporting.Report("tools", 0, "making the tools of the builder, once in 30 days")
			_, _ = fmt.Fprintf(stdout, "making the tools of the builder in %s, once in 30 days\n", directory) // as in complain
		}
		if err := tools.Make(ctx, directory, tools.Options{Getenv: getenv, Log: stdout}); err != nil {
			return "", nil, err
		}
		held, err = tools.Hold(directory)
		if !errors.Is(err, fs.ErrNotExist) { // or else they have been replaced meanwhile
			return directory, held, err
		}
	}
}

// missingError is what the machine lacks.
type missingError struct{ error }

// failureOf returns what the result says about an error.
func failureOf(err error) *result.Failure {
	reason := debian.ReasonToolsNotMade
	switch {
	case errors.As(err, &missingError{}):
		reason = debian.ReasonToolsMissing
	case errors.Is(err, tools.ErrMirror):
		reason = debian.ReasonMirror
	case errors.Is(err, tools.ErrDiskFull):
		reason = debian.ReasonDiskFull
	}
	return debian.NewFailure(reason, err.Error())
}
