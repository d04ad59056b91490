// SPDX-License-Identifier: Apache-2.0

package mock

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/progress"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

const (
	exitUsage      = 2
	exitTerminated = 128 + int(syscall.SIGTERM)
	// maxStages is how many stages a builder may report.
	maxStages = 32
)

// Main runs the mock builder and returns its exit code. getenv looks up the variables of the builder contract. SIGTERM,
// and the end of ctx, is how it is told to end. It takes no arguments.
func Main(ctx context.Context, getenv func(string) string, stdout, stderr io.Writer, args []string) int {
	if len(args) > 0 {
		complain(stderr, fmt.Errorf("it takes no arguments: its input is the file that $%s names", render.EnvInput))
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	reporting := progress.New(getenv)
	defer reporting.Close()

	b := newBuilder(ctx, getenv, stdout, stderr)
	b.report = reporting.Report
	return b.run(ctx, getenv(render.EnvInput))
}

func complain(stderr io.Writer, err error) {
	// A failure to write the log cannot be reported anywhere.
	_, _ = fmt.Fprintf(stderr, "mock builder: %v\n", err)
}

// builder is one run of the mock builder.
type builder struct {
	getenv     func(string) string
	baseDir    string
	outputDir  string
	resultPath string
	stdout     io.Writer
	stderr     io.Writer
	// stop is closed when the builder is told to end; nil once it has answered.
	stop <-chan struct{}
	// report reports the progress.
	report func(stage string, percent int, message string)

	behaviour behaviour
}

// newBuilder is a run that is told to end by the end of ctx.
func newBuilder(ctx context.Context, getenv func(string) string, stdout, stderr io.Writer) *builder {
	return &builder{
		getenv:     getenv,
		baseDir:    getenv(render.EnvBase),
		outputDir:  getenv(render.EnvOutput),
		resultPath: getenv(render.EnvResult),
		stdout:     stdout,
		stderr:     stderr,
		stop:       ctx.Done(),
		report:     func(string, int, string) {},
	}
}

func (b *builder) run(ctx context.Context, inputPath string) int {
	input, made, err := readInput(inputPath)
	if err != nil {
		return b.refuse("InvalidInput", err)
	}
	if input.Probe != nil {
		return b.probe(ctx, input.Probe)
	}
	b.behaviour, err = newBehaviour(input.Parameters, input.Attempt)
	if err != nil {
		return b.refuse("InvalidParameter", err)
	}
	base, err := b.readBase(input.Base.Artifacts)
	if err != nil {
		return b.refuse("BaseNotReadable", err)
	}
	source, err := b.readSource(ctx, input)
	if err != nil {
		return b.refuse("SourceNotReadable", err)
	}
	ingredients, err := b.resolve(ctx, base)
	if err != nil {
		return b.refuse(reasonOf(err), err)
	}
	if input.Resolve {
		return b.answerPackages()
	}
	if source != nil {
		made["source"] = source
	}
	if ingredients != nil {
		made["ingredients"] = ingredients
	}
	if stopped := b.work(input); stopped {
		return exitTerminated
	}
	if b.behaviour.fails {
		return b.fail()
	}
	if !b.behaviour.reproducible {
		made["build"], made["attempt"] = input.Build, input.Attempt
	}
	return b.finish(input.Targets, made)
}

// refuse ends a build that cannot continue, whatever its parameters.
func (b *builder) refuse(reason string, err error) int {
	complain(b.stderr, err)
	failure := &result.Failure{Reason: reason, Message: err.Error()}
	if reason == reasonArchiveUnavailable || reason == reasonArchiveOlder {
		failure.Class = v1alpha1.FailureInfrastructure
	}
	b.leave(result.Result{Outcome: result.OutcomeFailed, Failure: failure})
	return 1
}

// work logs and waits, up to the step that it fails in. It returns true if it was told to end and does so.
func (b *builder) work(input *render.Input) (stopped bool) {
	steps := b.behaviour.steps
	b.logf("mock builder: build %s/%s, attempt %d, base %s, %d files, %d targets, %v in %d steps\n",
		input.Build.Namespace, input.Build.Name, input.Attempt, cmp.Or(input.Base.Reference, input.Base.Build),
		len(input.Files), len(input.Targets), b.behaviour.duration, steps)
	if steps == 0 {
		return !b.behaviour.fails && b.wait(b.behaviour.duration)
	}
	for step := 1; step <= steps; step++ {
		b.reportStep(step)
		if b.logStep(step) {
			return true
		}
		if b.behaviour.fails && step == b.behaviour.failAt {
			return false
		}
		if b.wait(b.behaviour.duration / time.Duration(steps)) {
			return true
		}
	}
	b.reportStep(steps + 1)
	return false
}

// reportStep says that a step begins: the one after the last, that all are done. A build that takes no time has nothing to
// report, and of many steps each is not a stage of its own.
func (b *builder) reportStep(step int) {
	steps := b.behaviour.steps
	percent, text := (step-1)*100/steps, fmt.Sprintf("step %d/%d", min(step, steps), steps)
	switch {
	case b.behaviour.duration == 0:
	case steps <= maxStages:
		b.report(text, percent, "")
	default:
		b.report("", percent, text)
	}
}

// logStep logs a step's lines. It returns true if it was told to end and does so.
func (b *builder) logStep(step int) (stopped bool) {
	for line := 1; line <= b.behaviour.linesPerStep; line++ {
		text := fmt.Sprintf("step %d/%d line %d/%d", step, b.behaviour.steps, line, b.behaviour.linesPerStep)
		if b.behaviour.lineBytes > 0 {
			text = resize(text, b.behaviour.lineBytes-len("\n"))
		}
		b.logf("%s\n", text)
		if b.toldToEnd() {
			return true
		}
	}
	return false
}

// wait waits, and returns true if it was told to end and does so. It stops waiting if it was told to end and hurries.
func (b *builder) wait(duration time.Duration) (stopped bool) {
	timer := time.NewTimer(duration)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return false
		case <-b.stop:
			if b.answerTerm() {
				return true
			}
			if b.behaviour.onTerm == onTermHurry {
				return false
			}
		}
	}
}

func (b *builder) toldToEnd() bool {
	select {
	case <-b.stop:
		return b.answerTerm()
	default:
		return false
	}
}

// answerTerm answers SIGTERM, once. It returns true if the builder ends.
func (b *builder) answerTerm() bool {
	b.stop = nil
	switch b.behaviour.onTerm {
	case onTermIgnore:
		b.logf("told to end: ignored\n")
		return false
	case onTermHurry:
		b.behaviour.duration = 0
		b.logf("told to end: hurrying\n")
		return false
	}
	b.logf("told to end: exiting\n")
	return true
}

func (b *builder) logf(format string, args ...any) {
	// A log that cannot be written does not fail a build.
	_, _ = fmt.Fprintf(b.stdout, format, args...)
}

// resize is text of exactly size bytes, cut or filled up.
func resize(text string, size int) string {
	if len(text) >= size {
		return text[:size]
	}
	return text + " " + strings.Repeat("x", size-len(text)-1)
}
