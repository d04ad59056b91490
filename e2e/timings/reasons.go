// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"encoding/json"
	"path"
	"regexp"
	"slices"
	"strings"

	"goldsmith.dev/goldsmith/e2e/junit"
)

const module = "goldsmith.dev/goldsmith/"

// failure is why a spec or test failed.
type failure struct {
	place   string   // file:line of the failed assertion in the repository; empty if unknown
	kept    string   // what was kept of the spec, and where
	message []string // without values that are longer than a line
}

// repository finds its files in messages. Their names start with its directory or, in builds with -trimpath, with its module.
type repository struct {
	directory string
	file      *regexp.Regexp
}

func newRepository(directory string) repository {
	directory = strings.TrimSuffix(directory, "/") + "/"
	return repository{directory, regexp.MustCompile(`(?:` + regexp.QuoteMeta(directory) + `|` + regexp.QuoteMeta(module) + `)(\S+\.go:\d+)`)}
}

// packageOf returns a suite's package, relative to the module.
func (r repository) packageOf(suite junit.Suite) string {
	return r.relative(cmp.Or(suite.Package, suite.Name))
}

func (r repository) relative(text string) string {
	return strings.NewReplacer(r.directory, "", module, "").Replace(text)
}

// firstFile returns the first file:line of the repository in a text, or "".
func (r repository) firstFile(text string) string {
	if match := r.file.FindStringSubmatch(text); match != nil {
		return match[1]
	}
	return ""
}

var (
	// colour matches an escape sequence. encoding/xml replaces its first character.
	colour = regexp.MustCompile("[\x1b\uFFFD]\\[[0-9;]*m")
	// interrupted matches what precedes the place of a spec in the stack of a progress report.
	interrupted = regexp.MustCompile(`(?m)^ +> `)
)

// failureOfSpec returns why a Ginkgo node failed, or nil.
func (r repository) failureOfSpec(spec run) *failure {
	reason := spec.Failed()
	if reason == nil || strings.Contains(reason.Short, "SynchronizedBeforeSuite failed on Ginkgo parallel process #1") { // which is reported
		return nil
	}
	text := colour.ReplaceAllString(reason.Full, "")
	message, place := reason.Short, text[max(0, strings.LastIndex(text, "\nIn [")):]
	_, recorded, ok := strings.Cut(text, "before it exited:\n") // an assertion that failed after the end of the spec's time
	if ok {
		assertion, _, _ := strings.Cut(recorded, "\nIn [")
		message += "\n" + assertion
	} else if at := interrupted.FindStringIndex(text); at != nil {
		place = text[at[1]:]
	}
	if strings.HasPrefix(text, "[PANICKED]") {
		message = "panic: " + message
	}
	f := &failure{place: r.firstFile(place), kept: "report: " + r.relative(spec.report), message: r.essential(message)}
	for _, entry := range spec.Properties {
		var folder string
		if entry.Name == "kept" && json.Unmarshal([]byte(entry.Value), &folder) == nil { // see e2e/cluster/dump.go
			f.kept = "dump: " + r.relative(folder)
		}
	}
	return f
}

var (
	race     = regexp.MustCompile(`(?s)WARNING: DATA RACE\n(.*?)\n=====`)
	panicked = regexp.MustCompile(`(?s)(?:^|\n)((?:panic|fatal error): .*?)\n\n(goroutine .*)`)
	// logged matches the log lines of a test. Lines of t.Log and t.Error have the same form.
	logged = regexp.MustCompile(`^ +([\w.-]+\.go:\d+): ?`)
	// ofGo matches lines that are not the test's.
	ofGo = regexp.MustCompile(`^(=== |\s*--- FAIL: |exit status |FAIL\s*$|FAIL\t.*s\n$)`)
)

// failureOfTest returns why a Go test failed, or nil. gotestsum has the test's output instead of a message.
func (r repository) failureOfTest(pkg string, test run) *failure {
	reason := test.Failed()
	if reason == nil {
		return nil
	}
	f := &failure{kept: "report: " + r.relative(test.report)}
	text := colour.ReplaceAllString(reason.Full, "")
	if match := race.FindStringSubmatch(text); match != nil {
		f.place, f.message = r.firstFile(match[1]), r.accesses(match[1])
		return f
	}
	if match := panicked.FindStringSubmatch(text); match != nil {
		f.place, f.message = r.firstFile(match[2]), r.essential(match[1])
		return f
	}
	var message strings.Builder
	for line := range strings.Lines(text) {
		if ofGo.MatchString(line) {
			continue
		}
		if match := logged.FindStringSubmatch(line); match != nil {
			f.place = path.Join(pkg, match[1]) // the last line is the error, if the test logs before it fails
			line = strings.TrimLeft(line, " ")
			if strings.TrimSpace(strings.TrimPrefix(line, match[1]+":")) == "" { // gomega starts its message in the next line
				continue
			}
		}
		message.WriteString(strings.TrimPrefix(line, "        ")) // how testing indents the lines after the first
	}
	f.message = r.essential(message.String())
	return f
}

// accesses returns which accesses to memory race, and where.
func (r repository) accesses(race string) []string {
	lines := []string{"DATA RACE"}
	for paragraph := range strings.SplitSeq(race, "\n\n") {
		access, stack, _ := strings.Cut(paragraph, "\n")
		if strings.Contains(access, " at 0x") {
			lines = append(lines, access+" "+r.firstFile(stack))
		}
	}
	return lines
}

var (
	address = regexp.MustCompile(` \| 0x[0-9a-f]+>`)
	// hint matches what gomega adds to a value that it cut.
	hint = regexp.MustCompile(`^(Gomega truncated this|Consider having the object|or adjust the parameters in Gomega|Learn more here: https://onsi)`)
	// changed and unchanged match lines of a diff of go-cmp, which writes spaces in two ways.
	changed   = regexp.MustCompile(`^[-+][ \x{a0}]`)
	unchanged = regexp.MustCompile(`^[ \x{a0}]{2}(\t|\S)`)
)

// essential returns the lines of a message. A value of several lines, which gomega indents, follows the sentence about it in the
// same line, which is cut later. Of a diff only the changes are left.
func (r repository) essential(message string) []string {
	var lines []string
	for line := range strings.Lines(r.relative(colour.ReplaceAllString(message, ""))) {
		text := address.ReplaceAllString(strings.TrimLeft(strings.TrimRight(line, " \n"), "\t"), ">")
		if strings.TrimSpace(text) == "" || hint.MatchString(text) {
			continue
		}
		if last := len(lines) - 1; strings.HasPrefix(text, "    ") && last >= 0 {
			if len(lines[last]) < widestLine {
				lines[last] += " " + strings.Join(strings.Fields(text), " ")
			}
			continue
		}
		lines = append(lines, text)
	}
	if slices.ContainsFunc(lines, changed.MatchString) {
		lines = slices.DeleteFunc(lines, unchanged.MatchString)
	}
	return lines
}
