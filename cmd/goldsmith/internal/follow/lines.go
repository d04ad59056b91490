// SPDX-License-Identifier: Apache-2.0

package follow

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dustin/go-humanize"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/kubectl/pkg/util/term"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/explain"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

// phaseLines returns lines about the phase of an unfinished build while no log is being read. Most phases have no line, because
// conditions and attempts contain more detail.
func phaseLines(style output.Style, build *v1alpha1.ImageBuild) []string {
	switch build.Status.Phase {
	case v1alpha1.BuildRetrying:
		return []string{fmt.Sprintf("%s waiting for attempt %s", style.Faint(output.Step), attemptOfMax(build, build.Status.CurrentAttempt+1))}
	case v1alpha1.BuildCancelling:
		return []string{style.Faint(output.Step) + " cancelling" + requestedBy(build)}
	default:
		return nil
	}
}

// waiting returns why the builder of a build does not run yet: the phase, and the reason and message of the condition that delays the
// build. The text is empty if no condition delays the build. phaseLines covers a build that waits for its next attempt.
func waiting(build *v1alpha1.ImageBuild) string {
	if build == nil {
		return ""
	}
	switch build.Status.Phase {
	case v1alpha1.BuildPending, v1alpha1.BuildQueued, v1alpha1.BuildStarting, v1alpha1.BuildRunning, v1alpha1.BuildTesting:
	default:
		return ""
	}
	condition := build.Status.Delay()
	if condition == nil {
		return ""
	}
	reason := strings.ToLower(string(build.Status.Phase)) + ": " + condition.Reason
	if condition.Message != "" {
		reason += ": " + output.OneLine(condition.Message)
	}
	return reason
}

// cancelledBecause returns who cancelled a build, and why, or why it was revoked.
func cancelledBecause(build *v1alpha1.ImageBuild) string {
	if failure := build.Status.Failure; failure != nil && failure.Reason == v1alpha1.ReasonRevoked {
		return ": " + Failure(failure)
	}
	return requestedBy(build)
}

// requestedBy returns the user who cancelled a build, and the reason.
func requestedBy(build *v1alpha1.ImageBuild) string {
	request := build.Spec.CancelRequested
	if request == nil {
		return ""
	}
	text := ""
	if request.By != "" {
		text = ", as " + output.OneLine(request.By) + " requested"
	}
	if request.Reason != "" {
		text += ": " + output.OneLine(request.Reason)
	}
	return text
}

// attemptLine returns the header of an attempt. The header repeats how the previous attempt ended. If known is true, the user
// has seen the message of that attempt, and the header omits the message.
func attemptLine(style output.Style, build *v1alpha1.ImageBuild, number int32, known bool) string {
	attempts := build.Status.Attempts
	this := slices.IndexFunc(attempts, func(a v1alpha1.BuildAttempt) bool { return a.Number == number })
	what := "attempt " + attemptOfMax(build, number)
	if this >= 0 && attempts[this].IsTest() {
		what = AttemptName(&attempts[this])
	}
	line := fmt.Sprintf("%s build %s, %s", style.Faint(output.Step), build.Name, what)
	if this < 1 || attempts[this-1].Failure == nil || attempts[this-1].CompletionTime == nil {
		return line
	}
	before := &attempts[this-1]
	line += fmt.Sprintf(", %s after ", HumanDuration(*before.CompletionTime, attempts[this].StartTime))
	if known {
		return line + string(before.Failure.Reason)
	}
	return line + Failure(before.Failure)
}

// AttemptName names an attempt for users, to whom an attempt that runs tests is no second attempt.
func AttemptName(attempt *v1alpha1.BuildAttempt) string {
	if attempt.IsTest() {
		return "tests " + strings.Join(attempt.Tests, ", ")
	}
	return fmt.Sprintf("attempt %d", attempt.Number)
}

// attemptOfMax returns the number of an attempt that makes artifacts, and their maximum number. Disrupted attempts do not count against the limit.
func attemptOfMax(build *v1alpha1.ImageBuild, number int32) string {
	retry := build.Spec.Retry
	if retry == nil || retry.Limit == nil {
		return strconv.Itoa(int(number))
	}
	limit := 1 + *retry.Limit
	for i := range build.Status.Attempts {
		if build.Status.Attempts[i].Outcome == v1alpha1.AttemptDisrupted {
			limit++
		}
	}
	return fmt.Sprintf("%d of %d", number, max(number, limit))
}

func attemptEndLines(style output.Style, attempt *v1alpha1.BuildAttempt) []string {
	ended := fmt.Sprintf("%s %s %s", style.Bad(output.Failure), AttemptName(attempt), strings.ToLower(string(attempt.Outcome)))
	if attempt.CompletionTime != nil {
		ended += " after " + HumanDuration(attempt.StartTime, *attempt.CompletionTime)
	}
	return []string{ended + ": " + Failure(attempt.Failure)}
}

// goneLine reports that the log of an attempt is no longer kept.
func goneLine(style output.Style, gone error) string {
	return style.Faint(output.Step) + " no log: " + output.OneLine(gone.Error())
}

// troubleLine tells that the log broke off.
func troubleLine(style output.Style, trouble error) string {
	return fmt.Sprintf("%s the connection to the server was lost: waiting for the server (%s)", style.Faint(output.Step), output.OneLine(trouble.Error()))
}

// outcomeLines returns how a build finished, its artifacts, and the next step after a failure.
func (f *follower) outcomeLines(ctx context.Context) []string {
	line := Headline(f.Style, f.build)
	if made := Artifacts(f.build, contents.Abbreviate); len(made) > 0 && f.build.Status.Phase == v1alpha1.BuildSucceeded {
		line += ": " + strings.Join(made, ", ")
	}
	lines := []string{line}
	if f.build.Status.Phase == v1alpha1.BuildFailed {
		lines = append(lines, f.next(ctx)...)
	}
	return lines
}

// Headline returns a line about how a build finished.
func Headline(style output.Style, build *v1alpha1.ImageBuild) string {
	status := &build.Status
	joined := func(word string) string {
		took, ended := status.Duration()
		if !ended {
			return ""
		}
		text := word + duration.HumanDuration(took)
		if made := status.AttemptsToMake(); made > 1 {
			text += fmt.Sprintf(" and %d attempts", made)
		}
		return text
	}
	switch status.Phase {
	case v1alpha1.BuildSucceeded:
		return fmt.Sprintf("%s build %s succeeded%s", style.Good(output.Success), build.Name, joined(" in "))
	case v1alpha1.BuildCancelled:
		return fmt.Sprintf("%s build %s was cancelled%s%s", style.Bad(output.Failure), build.Name, joined(" after "), cancelledBecause(build))
	}
	line := fmt.Sprintf("%s build %s failed%s", style.Bad(output.Failure), build.Name, joined(" after "))
	if status.Failure != nil {
		line += ": " + Failure(status.Failure)
	}
	return line
}

// Artifacts returns the target, digest and size of each artifact of a build. The function digest formats the digest.
func Artifacts(build *v1alpha1.ImageBuild, digest func(string) string) []string {
	var made []string
	for _, artifact := range build.Status.Artifacts {
		size := humanize.IBytes(uint64(max(0, artifact.SizeBytes)))
		made = append(made, fmt.Sprintf("%s %s (%s)", artifact.Target, digest(artifact.Digest), size))
	}
	return made
}

// next returns the next step after a failure, as in the documentation of failure reasons. The result is empty if there
// is no next step.
func (f *follower) next(ctx context.Context) []string {
	log := fmt.Sprintf("%s logs %s%s", f.Program, f.arguments(), f.Connection)
	switch {
	case f.build.Status.Failure == nil:
		return nil
	case f.object != nil && f.attempt == 0:
		return nil // users of the catalog cannot apply the remedies, which are about the image and the builder
	case f.object != nil:
		return []string{"  next: the log shows the cause: " + log}
	}
	_, remedy := explain.OfFailure(ctx, f.connection, f.build)
	if remedy == "" {
		return nil
	}
	if failed := FirstFailed(f.build); failed != nil {
		remedy = strings.ReplaceAll(remedy, "--test NAME", "--test "+failed.Name)
	}
	return []string{"  next: " + strings.ReplaceAll(remedy, "goldsmith logs BUILD", log)}
}

// Failure returns the class, the reason and the message of a failure.
func Failure(failure *v1alpha1.BuildFailure) string {
	text := fmt.Sprintf("%s/%s", failure.Class, failure.Reason)
	if failure.Message != "" {
		text += ": " + output.OneLine(failure.Message)
	}
	return text
}

// HumanDuration returns the duration between two times, for people.
func HumanDuration(from, to metav1.Time) string {
	return duration.HumanDuration(to.Sub(from.Time))
}

// draw writes the last line of a terminal: the phase, the progress and the elapsed time. Later output replaces this line.
func (f *follower) draw() error {
	if !f.Style.Rewrites || f.build == nil || f.terminal && f.midLine {
		return nil
	}
	line := statusLine(f.build, f.Clock.Now(), width(f.Stderr))
	if err := f.erase(); err != nil {
		return err
	}
	f.drawn = utf8.RuneCountInString(line)
	return f.rewrite(line)
}

// erase clears the line that draw wrote.
func (f *follower) erase() error {
	if f.drawn == 0 {
		return nil
	}
	blank := "\r" + strings.Repeat(" ", f.drawn) + "\r"
	f.drawn = 0
	return f.rewrite(blank)
}

func (f *follower) rewrite(text string) error {
	if _, err := io.WriteString(f.Stderr, text); err != nil {
		return fmt.Errorf("write how build %s continues: %w", f.name, err)
	}
	return nil
}

const (
	defaultWidth = 80
	barWidth     = 20
)

// width returns the width of a terminal, in characters.
func width(out io.Writer) int {
	if size := (term.TTY{Out: output.Terminal(out)}).GetSize(); size != nil && size.Width > 0 {
		return int(size.Width)
	}
	return defaultWidth
}

// statusLine returns the last line of a terminal, shorter than the terminal is wide.
func statusLine(build *v1alpha1.ImageBuild, now time.Time, width int) string {
	status := &build.Status
	parts := []string{output.Step + " " + string(status.Phase)}
	elapsed, started := status.DurationAt(now)
	since := &build.CreationTimestamp
	if again := status.RequeuedSince(); again != nil {
		since, started = again, false
	}
	if !started {
		elapsed = now.Sub(since.Time)
	}
	if started || !since.IsZero() {
		parts = append(parts, duration.HumanDuration(elapsed))
	}
	if progress := status.Progress; progress != nil {
		if progress.Percent != nil {
			filled := min(max(int(*progress.Percent), 0), 100) * barWidth / 100
			parts = append(parts, fmt.Sprintf("%s%s %d%%", strings.Repeat("█", filled), strings.Repeat("░", barWidth-filled), *progress.Percent))
		}
		for _, text := range []string{progress.Stage, progress.Message} {
			if text != "" {
				parts = append(parts, output.OneLine(text))
			}
		}
	}
	return output.Cut(strings.Join(parts, "  "), width-1)
}
