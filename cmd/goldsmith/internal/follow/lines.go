// SPDX-License-Identifier: Apache-2.0

package follow

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/kubectl/pkg/util/term"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

const (
	good = "✓"
	bad  = "✗"
	step = "•"
)

// phaseLines describe the phase of a build that has not finished and no log that is being read. A phase that the attempts tell of
// has no line.
func phaseLines(style output.Style, build *v1alpha1.ImageBuild) []string {
	status := &build.Status
	switch status.Phase {
	case v1alpha1.BuildQueued:
		return []string{style.Faint(step) + " queued" + because(status.Conditions, v1alpha1.BuildAdmitted)}
	case v1alpha1.BuildRetrying:
		return []string{fmt.Sprintf("%s waiting for attempt %d", style.Faint(step), status.CurrentAttempt+1)}
	case v1alpha1.BuildCancelling:
		return []string{style.Faint(step) + " cancelling" + requestedBy(build)}
	default:
		return nil
	}
}

// because is the message of a condition that is not true.
func because(conditions []metav1.Condition, name string) string {
	condition := meta.FindStatusCondition(conditions, name)
	if condition == nil || condition.Status == metav1.ConditionTrue || condition.Message == "" {
		return ""
	}
	return ": " + output.OneLine(condition.Message)
}

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

// attemptLine is the header of an attempt's log.
func attemptLine(style output.Style, build *v1alpha1.ImageBuild, number int32) string {
	return fmt.Sprintf("%s attempt %d of build %s", style.Faint(step), number, build.Name)
}

func attemptEndLines(style output.Style, attempt *v1alpha1.BuildAttempt) []string {
	ended := fmt.Sprintf("%s attempt %d %s", style.Bad(bad), attempt.Number, strings.ToLower(string(attempt.Outcome)))
	if attempt.CompletionTime != nil {
		ended += " after " + took(attempt.StartTime, *attempt.CompletionTime)
	}
	return []string{ended + ": " + failure(attempt.Failure)}
}

// goneLine tells that an attempt has no log any more.
func goneLine(style output.Style, gone error) string {
	return style.Faint(step) + " no log: " + output.OneLine(gone.Error())
}

// troubleLine tells that the log broke off.
func troubleLine(style output.Style, trouble error) string {
	return fmt.Sprintf("%s the log broke off: %s: opening it again", style.Bad(bad), output.OneLine(trouble.Error()))
}

// outcomeLines tell how a build finished, and what it made.
func outcomeLines(style output.Style, build *v1alpha1.ImageBuild) []string {
	status := &build.Status
	after := ""
	if status.StartTime != nil && status.CompletionTime != nil {
		after = " after " + took(*status.StartTime, *status.CompletionTime)
	}
	if len(status.Attempts) > 1 {
		after += fmt.Sprintf(" and %d attempts", len(status.Attempts))
	}
	switch status.Phase {
	case v1alpha1.BuildSucceeded:
		lines := []string{fmt.Sprintf("%s build %s succeeded%s", style.Good(good), build.Name, after)}
		for _, artifact := range status.Artifacts {
			size := resource.NewQuantity(artifact.SizeBytes, resource.BinarySI)
			lines = append(lines, fmt.Sprintf("  %s  %s  %sB", artifact.Target, artifact.Digest, size))
		}
		return lines
	case v1alpha1.BuildCancelled:
		return []string{fmt.Sprintf("%s build %s was cancelled%s%s", style.Bad(bad), build.Name, after, requestedBy(build))}
	default:
		line := fmt.Sprintf("%s build %s failed%s", style.Bad(bad), build.Name, after)
		if status.Failure != nil {
			line += ": " + failure(status.Failure)
		}
		return []string{line}
	}
}

func failure(failure *v1alpha1.BuildFailure) string {
	text := fmt.Sprintf("%s/%s", failure.Class, failure.Reason)
	if failure.Message != "" {
		text += ": " + output.OneLine(failure.Message)
	}
	return text
}

func took(from, to metav1.Time) string {
	return duration.HumanDuration(to.Sub(from.Time))
}

// draw writes the last line of a terminal: the phase, the progress and the elapsed time. It is rewritten until something else is written.
func (f *follower) draw() error {
	if !f.Style.Rewrites || f.build == nil || f.terminal && f.midLine {
		return nil
	}
	line := statusLine(f.build, f.Clock.Now(), width(f.Told))
	if err := f.erase(); err != nil {
		return err
	}
	f.drawn = utf8.RuneCountInString(line)
	return f.rewrite(line)
}

// erase overwrites what draw wrote.
func (f *follower) erase() error {
	if f.drawn == 0 {
		return nil
	}
	blank := "\r" + strings.Repeat(" ", f.drawn) + "\r"
	f.drawn = 0
	return f.rewrite(blank)
}

func (f *follower) rewrite(text string) error {
	if _, err := io.WriteString(f.Told, text); err != nil {
		return fmt.Errorf("write how build %s continues: %w", f.name, err)
	}
	return nil
}

const (
	defaultWidth = 80
	barWidth     = 20
)

// width is that of a terminal, in characters.
func width(out io.Writer) int {
	if size := (term.TTY{Out: output.Terminal(out)}).GetSize(); size != nil && size.Width > 0 {
		return int(size.Width)
	}
	return defaultWidth
}

// statusLine is the last line of a terminal, shorter than its width.
func statusLine(build *v1alpha1.ImageBuild, now time.Time, width int) string {
	status := &build.Status
	line := step + " " + string(status.Phase)
	since := build.CreationTimestamp
	if status.StartTime != nil {
		since = *status.StartTime
	}
	if !since.IsZero() {
		line += "  " + duration.HumanDuration(now.Sub(since.Time))
	}
	if progress := status.Progress; progress != nil {
		if progress.Percent != nil {
			filled := min(max(int(*progress.Percent), 0), 100) * barWidth / 100
			line += fmt.Sprintf("  %s%s %d%%", strings.Repeat("█", filled), strings.Repeat("░", barWidth-filled), *progress.Percent)
		}
		for _, text := range []string{progress.Stage, progress.Message} {
			if text != "" {
				line += "  " + output.OneLine(text)
			}
		}
	}
	if runes := []rune(line); len(runes) >= width {
		line = string(runes[:max(0, width-2)]) + "…"
	}
	return line
}
