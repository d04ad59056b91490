// SPDX-License-Identifier: Apache-2.0

// Package follow shows the progress of a build until the build has finished: a line for each phase, the log of each attempt, and the
// outcome. The log has an output of its own, so that a program can read the log alone. The outcome also decides the exit code of the
// verb.
package follow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/printers"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/exit"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/shellword"
)

// tick is the interval at which the last line of a terminal is rewritten with the current elapsed time.
const tick = time.Second

// Options set which output is shown, and where.
type Options struct {
	// Log selects the log, as for the log subresource. Build ignores Log.Follow. With Log.Attempt, Build follows only
	// that attempt.
	Log v1alpha1.ImageBuildLogOptions
	// Lines selects lines of the log. Without it, the whole log is shown.
	Lines *TestLines
	// NeedsLog makes Build fail if the log of the last attempt is no longer kept.
	NeedsLog bool
	// WithoutLog shows everything but the log.
	WithoutLog bool
	// Out receives the log.
	Out io.Writer
	// Stderr receives everything except the log. Defaults to io.Discard.
	Stderr io.Writer
	// Style is the style of the text for Told.
	Style output.Style
	// Program is the name by which users run this program. Connection has the flags that name the server. Messages that suggest
	// a next command contain both.
	Program, Connection string
	// Clock defaults to the real one.
	Clock clock.WithTicker
}

// OptionsOf returns the options of a command that follows a build.
func OptionsOf(command *cobra.Command) Options {
	stderr := command.ErrOrStderr()
	return Options{
		Out: command.OutOrStdout(), Stderr: output.Colours(stderr), Style: output.StyleOf(command, stderr),
		Program: command.Root().DisplayName(), Connection: ConnectionFlags(command),
	}
}

// ConnectionFlags returns the flags by which the user named the server, for the commands that messages suggest.
func ConnectionFlags(command *cobra.Command) string {
	var text strings.Builder
	for _, flag := range client.Given(command) {
		text.WriteString(" --" + flag.Name + "=" + shellword.Quote(flag.Value.String()))
	}
	return text.String()
}

// Build shows the progress of a build, and returns the build once it has finished and its log is written. With Log.Attempt, Build
// returns once the log of that attempt is written, even if the build has not finished. A restart of the server does not end Build.
// If ctx is done earlier, Build writes that the build continues.
func Build(ctx context.Context, connection *client.Connection, name string, options Options) (*v1alpha1.ImageBuild, error) {
	return followUntilFinished(ctx, buildOf(connection, name), options)
}

// ObjectBuild is Build for a build of an object of the catalog, whose users need no permissions for builds.
func ObjectBuild(ctx context.Context, connection *client.Connection, object *client.Object, build *v1alpha1.ImageBuild, options Options) (*v1alpha1.ImageBuild, error) {
	return followUntilFinished(ctx, buildOfObject(connection, object, build), options)
}

func followUntilFinished(ctx context.Context, build *source, options Options) (*v1alpha1.ImageBuild, error) {
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	if options.Stderr == nil {
		options.Stderr = io.Discard
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	f := &follower{
		Options: options, source: build, terminal: printers.IsTerminal(output.Terminal(options.Out)),
		observed: make(chan *v1alpha1.ImageBuild), ended: make(chan error, 1),
		chunks: make(chan []byte), broken: make(chan error), logEnded: make(chan error, 1),
	}
	if escaping, ok := options.Out.(*output.Escaping); ok {
		f.escaping = escaping.ForLog()
		f.Out = f.escaping
	}
	go func() {
		f.ended <- build.observe(watching, func(build *v1alpha1.ImageBuild) {
			select {
			case f.observed <- build:
			case <-watching.Done():
			}
		})
	}()
	err := f.run(watching)
	if ctx.Err() != nil {
		_, _ = io.WriteString(f.Stderr, f.interrupted()) // a failed write is ignored: the caller gets the error of ctx
		return nil, ctx.Err()
	}
	return f.build, err
}

// Outcome returns an error with an exit code for a finished build that did not succeed. Build has already shown the
// outcome.
func Outcome(build *v1alpha1.ImageBuild) error {
	code := exit.BuildFailed
	switch build.Status.Phase {
	case v1alpha1.BuildSucceeded:
		return nil
	case v1alpha1.BuildCancelled:
		code = exit.BuildCancelled
	}
	return &exit.Error{Code: code, Err: fmt.Errorf("build %s: %s", build.Name, build.Status.Phase), Shown: true}
}

// follower handles all events in a single loop. Only the loop writes.
type follower struct {
	Options
	*source
	escaping *output.Escaping // Out, if Out is an escaping writer
	terminal bool             // true if Out is a terminal: Out and Told then write to the same lines

	observed chan *v1alpha1.ImageBuild // each state of the build that the watch returns
	ended    chan error                // the end of the watch: nil once the build has finished
	chunks   chan []byte               // chunks of the log that is being read
	broken   chan error                // errors that broke the log off; the log is opened again
	logEnded chan error                // the end of the log of an attempt

	build    *v1alpha1.ImageBuild            // the last observation; nil before the first
	shown    v1alpha1.BuildPhase             // phase that was shown last
	attempt  int32                           // attempt whose log was opened last; 0 before the first
	reading  bool                            // true while that log is being read
	gone     *goneError                      // set if that log is no longer kept
	endShown bool                            // true once the end of that attempt was shown
	tested   map[string]v1alpha1.TestOutcome // outcomes of tests that were shown
	reason   string                          // why the build waits, as shown last
	ticked   string                          // why the build waited at the last tick
	lost     bool                            // true after that log broke off, until the next chunk
	midLine  bool                            // true if the last byte of the log does not end a line
	drawn    int                             // number of characters that draw wrote on the last line; 0 if there are none
}

func (f *follower) run(ctx context.Context) error {
	ticker := f.Clock.NewTicker(tick)
	defer ticker.Stop()
	finished := false
	for {
		var err error
		select {
		case <-ctx.Done():
			return errors.Join(f.erase(), ctx.Err())
		case f.build = <-f.observed:
			err = errors.Join(f.advance(ctx), f.showTests(), f.showWaitReason())
		case err = <-f.ended:
			finished = true
		case chunk := <-f.chunks:
			err = f.writeLog(chunk)
		case trouble := <-f.broken:
			err = f.showTrouble(trouble)
		case err = <-f.logEnded:
			err = errors.Join(f.endLog(ctx, err), f.showTests())
		case <-ticker.C():
			err = f.showLastingReason()
		}
		if err != nil {
			return errors.Join(f.erase(), err)
		}
		switch {
		case f.reading:
		case f.Log.Attempt != nil && f.attempt > 0:
			return errors.Join(f.erase(), f.missingLog())
		case finished && f.attempt >= f.build.Status.CurrentAttempt:
			return errors.Join(f.writeLines(f.outcomeLines(ctx)), f.missingLog())
		}
		if err := f.draw(); err != nil {
			return err
		}
	}
}

// advance shows what has changed in the build, and opens the log of the next attempt. While a log is read, advance does nothing.
// endLog calls advance again.
func (f *follower) advance(ctx context.Context) error {
	if f.reading || f.build == nil {
		return nil
	}
	status := &f.build.Status
	for i := range status.Attempts {
		attempt := &status.Attempts[i]
		last := status.Finished && attempt.Number == status.CurrentAttempt // the outcome shows this failure
		if attempt.Number == f.attempt && attempt.Failure != nil && !last && !f.endShown {
			f.endShown = true
			if err := f.writeLines(attemptEndLines(f.Style, attempt)); err != nil {
				return err
			}
		}
	}
	if next, ok := f.nextAttempt(); ok {
		return f.openLog(ctx, next)
	}
	if status.Phase == f.shown {
		return nil
	}
	f.shown = status.Phase
	return f.writeLines(phaseLines(f.Style, f.build))
}

// showWaitReason shows why a queued build waits, again after each change of the reason.
func (f *follower) showWaitReason() error {
	reason := waiting(f.build)
	if reason == "" {
		f.reason = ""
	}
	if f.build.Status.Phase != v1alpha1.BuildQueued {
		return nil
	}
	return f.showReason(reason)
}

// showLastingReason shows why an admitted build waits. Each attempt waits briefly for its pod. Therefore a reason is shown only if it lasts
// from one tick to the next.
func (f *follower) showLastingReason() error {
	reason := waiting(f.build)
	lasts := reason == f.ticked
	f.ticked = reason
	if !lasts {
		return nil
	}
	return f.showReason(reason)
}

// showReason shows a reason, unless it is empty or was shown last.
func (f *follower) showReason(reason string) error {
	if reason == "" || reason == f.reason {
		return nil
	}
	f.reason = reason
	return f.writeLines([]string{f.Style.Faint(output.Step) + " " + reason})
}

// nextAttempt returns the attempt whose log is shown next, and false if that attempt does not exist yet. The first attempt is the
// attempt that the user named, by default the one that made the artifacts.
func (f *follower) nextAttempt() (int32, bool) {
	next := f.attempt + 1
	switch {
	case f.Log.Attempt != nil:
		return *f.Log.Attempt, f.attempt == 0
	case f.attempt == 0 && f.Log.TailLines == nil && f.build.Status.MadeBy() > 0:
		next = f.build.Status.MadeBy() // and then those that test what it made
	case f.attempt == 0:
		next = max(next, f.build.Status.CurrentAttempt)
	}
	return next, f.build.Status.CurrentAttempt >= next
}

func (f *follower) openLog(ctx context.Context, attempt int32) error {
	log := &attemptLog{
		source: f.source, options: f.Log, clock: f.Clock, chunks: f.chunks, broken: f.broken,
	}
	log.options.Attempt, log.options.Follow = &attempt, true
	if f.attempt > 0 {
		log.options.TailLines = nil // TailLines applies only to the first log
	}
	known := f.endShown // the user has already seen how the previous attempt ended
	f.attempt, f.reading, f.gone, f.endShown, f.shown = attempt, !f.WithoutLog, nil, false, f.build.Status.Phase
	if attempt <= f.build.Status.CurrentAttempt { // for a later attempt, the server answers that the attempt does not exist
		if err := f.writeLines([]string{attemptLine(f.Style, f.build, attempt, known)}); err != nil {
			return err
		}
	}
	if f.WithoutLog {
		return f.advance(ctx)
	}
	go func() { f.logEnded <- log.read(ctx) }()
	return nil
}

// endLog handles the end of a log. If the log is no longer kept, endLog tells the user, and continues to follow the
// build.
func (f *follower) endLog(ctx context.Context, err error) error {
	f.reading, f.lost = false, false
	if gone, ok := errors.AsType[*goneError](err); ok {
		f.gone = gone
		if err = nil; !f.NeedsLog || !f.build.Status.Finished {
			err = f.writeLines([]string{goneLine(f.Style, gone)})
		}
	}
	if f.Lines != nil {
		err = errors.Join(err, f.writeOut(f.Lines.End()))
	}
	if f.escaping != nil {
		err = errors.Join(err, f.escaping.Flush())
	}
	if err != nil {
		return err
	}
	return f.advance(ctx)
}

// missingLog returns an error if NeedsLog is set and the log is no longer kept.
func (f *follower) missingLog() error {
	if f.gone == nil || !f.NeedsLog {
		return nil
	}
	return fmt.Errorf("read the log of build %s: %w", f.name, f.gone)
}

func (f *follower) writeLog(chunk []byte) error {
	f.lost = false
	if f.Lines != nil {
		chunk = f.Lines.Select(chunk)
	}
	return f.writeOut(chunk)
}

// writeOut writes what is shown of the log.
func (f *follower) writeOut(chunk []byte) error {
	if len(chunk) == 0 {
		return nil
	}
	if err := f.erase(); err != nil {
		return err
	}
	if _, err := f.Out.Write(chunk); err != nil {
		return fmt.Errorf("write the log: %w", err)
	}
	f.midLine = chunk[len(chunk)-1] != '\n'
	return nil
}

// showTrouble shows the first of consecutive failures.
func (f *follower) showTrouble(trouble error) error {
	if f.lost {
		return nil
	}
	f.lost = true
	return f.writeLines([]string{troubleLine(f.Style, trouble)})
}

// writeLines writes lines to Told.
func (f *follower) writeLines(lines []string) error {
	if err := f.erase(); err != nil {
		return err
	}
	if f.terminal && f.midLine && len(lines) > 0 {
		f.midLine = false
		lines = append([]string{""}, lines...)
	}
	for _, line := range lines {
		if _, err := fmt.Fprintln(f.Stderr, line); err != nil {
			return fmt.Errorf("write how build %s continues: %w", f.name, err)
		}
	}
	return nil
}

// interrupted returns the message for a user who stops following an unfinished build.
func (f *follower) interrupted() string {
	if f.build == nil || f.build.Status.Finished {
		return ""
	}
	text := fmt.Sprintf("\nbuild %s continues. ", f.name)
	if f.object == nil {
		text += fmt.Sprintf("To cancel it:\n  %s cancel %s%s\n", f.Program, f.name, f.Connection)
	}
	return text + fmt.Sprintf("To follow it again:\n  %s logs %s -f%s\n", f.Program, f.arguments(), f.Connection)
}
