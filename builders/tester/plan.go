// SPDX-License-Identifier: Apache-2.0

//go:build linux

package tester

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"k8s.io/utils/ptr"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/builders/machine"
)

const (
	// maxOutput is how much of the output of a check is kept, in bytes.
	maxOutput = 4096
	// maxLine is the longest line of the log, in bytes.
	maxLine = 4096
	// maxGoss is how many results of goss are kept for a test.
	maxGoss = 1000
	// maxName is the longest name of a check, in bytes.
	maxName = 120
)

// slot is what a check that was planned has found. Goss has several results.
type slot struct {
	name   string
	checks []Check
	// judge judges the exit code and the output of the check in the guest. Nil if the check is not made there.
	judge func(code int, output []byte) []Check
	began time.Time
}

// trial is one run of a test in a guest.
type trial struct {
	*test
	// slots are the checks, in the order of the report. The first is the boot.
	slots []slot
	// inGuest are the numbers of the slots that the guest checks, in its order. The first received of them have a result.
	inGuest  []int
	received int
	// begun is true once the guest has begun the first of them.
	begun bool
	// ports are the numbers of the slots with ports, and what they check. portsLeft are not checked yet.
	ports     map[int]v1alpha1.PortCheck
	portsLeft int

	// over is true once the guest has nothing to do for the trial. outcome is empty if the guest did not get to it.
	over    bool
	outcome v1alpha1.TestOutcome
	class   v1alpha1.FailureClass
	message string
	took    time.Duration
	lines   []string // the last of the console
}

// failure returns the first failure, or "".
func (t *trial) failure() string {
	for i := range t.slots {
		for j := range t.slots[i].checks {
			if check := &t.slots[i].checks[j]; check.Failure != "" {
				return check.Name + ": " + check.Failure
			}
		}
	}
	return ""
}

// targetOf returns the target of systemd after which the guest runs the script, or "" if it runs none.
func targetOf(boot *v1alpha1.TestBoot, trials []*trial) string {
	if boot.Until != machine.Login {
		return boot.Until
	}
	for _, each := range trials {
		if len(each.inGuest) > 0 {
			return "getty.target"
		}
	}
	return ""
}

// plan returns a trial, and adds its checks to the script. limit is when the test must have ended, in seconds since the start of the guest.
func plan(number int, of *test, medium *medium, settle time.Duration, limit int) *trial {
	planned := &trial{test: of, ports: map[int]v1alpha1.PortCheck{}}
	add := func(name string, judge func(int, []byte) Check) int {
		one := slot{name: name}
		if judge != nil {
			one.judge = func(code int, output []byte) []Check { return []Check{judge(code, output)} }
		}
		planned.slots = append(planned.slots, one)
		return len(planned.slots) - 1
	}
	inGuest := func(at int, function string, arguments ...any) {
		planned.inGuest = append(planned.inGuest, at)
		medium.call(function, append([]any{number, at}, arguments...)...)
	}
	boot, checks := of.Boot, ptr.Deref(of.Checks, v1alpha1.TestChecks{})
	add("boot until "+boot.Until, nil)
	failedUnits := -1
	if boot.Until != machine.Login {
		failedUnits = add("no failed unit", func(_ int, output []byte) Check { return judgeFailedUnits(output, boot.AllowFailedUnits) })
	}
	for _, unit := range checks.Units {
		inGuest(add("unit "+unit, judgeUnit), "unit", int(settle/time.Second), unit)
	}
	for _, port := range checks.Ports {
		name := fmt.Sprintf("port %d", port.Port)
		if port.HTTP != nil {
			name = fmt.Sprintf("GET %s of port %d", port.HTTP.Path, port.Port)
		}
		planned.ports[add(name, nil)] = port
		planned.portsLeft++
	}
	for _, command := range checks.Commands {
		inGuest(add("command "+command.Run, func(code int, output []byte) Check { return judgeCommand(&command, code, output) }), "run", limit, command.Run)
	}
	for _, file := range checks.Files {
		inGuest(add("file "+file.Path, func(code int, output []byte) Check { return judgeFile(&file, code, output) }), "file", file.Path, file.Contains)
	}
	if of.gossFile != nil {
		at := add("goss "+of.Goss, nil)
		planned.slots[at].judge = judgeGoss
		first, blocks := medium.add(of.gossFile, '\n')
		inGuest(at, "goss", limit, first, blocks)
	}
	if failedUnits >= 0 { // last: units can fail while the others are checked
		inGuest(failedUnits, "failed")
	}
	return planned
}

func judgeUnit(code int, output []byte) Check {
	if code == 0 {
		return Check{}
	}
	properties, journal, _ := strings.Cut(string(output), "\n\n")
	found := map[string]string{}
	for line := range strings.Lines(properties) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		found[name] = value
	}
	if found["LoadState"] == "not-found" {
		return Check{Failure: "the guest has no such unit"}
	}
	failure := fmt.Sprintf("is %s, not active", cmp.Or(found["ActiveState"], "in an unknown state"))
	if result := found["Result"]; result != "" && result != "success" {
		failure += fmt.Sprintf(" (%s, status %s)", result, found["ExecMainStatus"])
	}
	return Check{Failure: failure + lastOf(journal), Output: shorten(journal)}
}

func judgeFailedUnits(output []byte, allowed []string) Check {
	var failures []string
	journal, skipped := "", false
	for line := range strings.Lines(string(output)) {
		line = strings.TrimRight(line, "\n")
		if text, ok := strings.CutPrefix(line, " "); ok {
			if !skipped {
				journal += text + "\n"
			}
			continue
		}
		unit, why, _ := strings.Cut(line, " ")
		if skipped = unit == "" || slices.Contains(allowed, unit); skipped {
			continue
		}
		if len(failures) > 0 {
			failures[len(failures)-1] += lastOf(journal)
		}
		journal = ""
		failures = append(failures, fmt.Sprintf("%s has failed (%s)", unit, why))
	}
	if len(failures) == 0 {
		return Check{}
	}
	failures[len(failures)-1] += lastOf(journal)
	return Check{Failure: strings.Join(failures, "; "), Output: shorten(string(output))}
}

func judgeCommand(command *v1alpha1.CommandCheck, code int, output []byte) Check {
	const timedOut = 124 // of timeout(1)
	want := int(ptr.Deref(command.ExitCode, 0))
	found := Check{Output: shorten(string(output))}
	switch {
	case code == want && bytes.Contains(output, []byte(command.Contains)):
	case code == want:
		found.Failure = fmt.Sprintf("its output does not contain %q%s", command.Contains, lastOf(string(output)))
	case code == timedOut:
		found.Failure = "it did not end within the timeout of the test" + lastOf(string(output))
	default:
		found.Failure = fmt.Sprintf("exit code %d, not %d%s", code, want, lastOf(string(output)))
	}
	return found
}

func judgeFile(file *v1alpha1.FileCheck, code int, output []byte) Check {
	switch code {
	case 0:
		return Check{}
	case 1:
		return Check{Failure: "it does not exist"}
	case 2:
		return Check{Failure: fmt.Sprintf("no line contains %q", file.Contains)}
	}
	return Check{Failure: "it cannot be read" + lastOf(string(output))}
}

// lastOf returns the last line of an output for a message, or "" if it has none.
func lastOf(output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	if last := cut(printable(strings.TrimSpace(lines[len(lines)-1])), 200); last != "" {
		return fmt.Sprintf("; its last line is %q", last)
	}
	return ""
}

// shorten returns the end of an output that is too long.
func shorten(output string) string {
	if len(output) <= maxOutput {
		return output
	}
	return "…" + strings.ToValidUTF8(output[len(output)-maxOutput:], "")
}

// printable replaces tabs with spaces, and removes other characters that cannot be printed.
func printable(line string) string {
	return strings.Map(func(character rune) rune {
		switch {
		case character == '\t':
			return ' '
		case unicode.IsPrint(character):
			return character
		}
		return -1
	}, strings.ToValidUTF8(line, "\ufffd"))
}

// cut shortens a text to a number of bytes. A shortened text ends with an ellipsis.
func cut(text string, size int) string {
	const ellipsis = "…"
	if len(text) <= size {
		return text
	}
	if size < len(ellipsis) {
		return ""
	}
	at := size - len(ellipsis)
	for at > 0 && !utf8.RuneStart(text[at]) {
		at--
	}
	return text[:at] + ellipsis
}
