// SPDX-License-Identifier: Apache-2.0

package result

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	kjson "sigs.k8s.io/json"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/wrongtype"
)

// The limits of an answer about an archive.
const (
	// MaxUpdates is the maximum number of updates.
	MaxUpdates = 20_000
	// MaxUpdateLine is the maximum length of a line with an update, without its newline, in bytes.
	MaxUpdateLine = 4096
	// MaxProbeLog is the maximum length of the log with these lines, in bytes.
	MaxProbeLog = 8 << 20
	// MaxAdvisory is the maximum length of an advisory, in bytes.
	MaxAdvisory = 64

	maxUpdateVersion = 256 // bytes
	maxETag          = 256 // bytes
	maxLastModified  = 64  // bytes
)

// updatePrefix is how each line of the log with an update begins.
const updatePrefix = `{"update":`

// Probe is the answer of a builder about an archive, next to the updates in its log.
type Probe struct {
	// Release is the state of the archive.
	Release v1alpha1.ArchiveRelease `json:"release"`
	// Updates is the number of updates in the log.
	Updates int `json:"updates"`
	// Unchanged is whether the archive is as it was, so that the updates of the last answer stay. There are no updates then.
	Unchanged bool `json:"unchanged,omitempty"`
}

// UpdateLine is a line of the log of a builder that answers about an archive.
type UpdateLine struct {
	Update Update `json:"update"`
}

// Update is a newer version of a package, as a builder reports it.
type Update struct {
	// Name, Architecture and From are those of a package of the question.
	Name         string `json:"name"`
	Architecture string `json:"architecture"`
	From         string `json:"from"`
	// To is the version in the archive, by the distribution's own order newer than From.
	To string `json:"to"`
	// Security is whether the archive publishes the version for security. Optional.
	Security bool `json:"security,omitempty"`
	// Advisories are what the newer versions fix, the newest first. At most v1alpha1.MaxAdvisories, each of at most MaxAdvisory. Optional.
	Advisories []string `json:"advisories,omitempty"`
}

// Answer is a valid answer of a builder about an archive.
type Answer struct {
	// Release is the state of the archive.
	Release v1alpha1.ArchiveRelease
	// Updates are newer versions of packages of the question, in the order of the log, without Since and Archive.
	Updates []v1alpha1.PackageUpdate
	// Unchanged is whether the updates of the last answer stay. The caller refuses that if it asked without a condition.
	Unchanged bool
}

// ParseProbe judges a builder that has ended and was asked about an archive, by its message, its exit code and its log, as Parse judges a
// build. The question has versions by architecture and name. Exactly one of the answer and the failure is nil.
func ParseProbe(message string, exitCode int32, log io.Reader, question map[string]map[string][]string) (*Answer, *v1alpha1.BuildFailure) {
	var updates []v1alpha1.PackageUpdate
	result, failure := judgeAnswer(message, exitCode, (*Result).checkProbe, func(result *Result) (err error) {
		updates, err = readUpdates(log, question)
		if err == nil && len(updates) != result.Probe.Updates {
			err = fmt.Errorf("probe.updates is %d, but the log has %d updates: write each as one line to standard output, before the result", result.Probe.Updates, len(updates))
		}
		return err
	})
	if failure != nil {
		return nil, failure
	}
	return &Answer{Release: result.Probe.Release, Updates: updates, Unchanged: result.Probe.Unchanged}, nil
}

// judgeAnswer judges a builder that has ended and was asked a question. check finds faults of a success, and read those of its log.
func judgeAnswer(message string, exitCode int32, check, read func(*Result) error) (*Result, *v1alpha1.BuildFailure) {
	if strings.TrimSpace(message) == "" {
		return nil, judgeExit(exitCode, v1alpha1.ReasonNoResult, "no result")
	}
	result, err := decode(message, MaxBytes)
	if err == nil && result.Outcome == OutcomeFailed {
		return nil, judgeFailure(exitCode, result.Failure, result.unknown)
	}
	if err == nil {
		err = check(result)
	}
	if err == nil && exitCode != 0 {
		return nil, judgeExit(exitCode, v1alpha1.ReasonInvalidResult, "outcome is Succeeded, but exit code is not 0")
	}
	if err == nil {
		err = read(result)
	}
	if err != nil {
		return nil, judgeExit(exitCode, v1alpha1.ReasonInvalidResult, "invalid result: "+err.Error())
	}
	return result, nil
}

// checkBuild refuses the answer to another question as the result of a build.
func (r *Result) checkBuild() error {
	switch {
	case r.Probe != nil:
		return errors.New("probe is set, but the input has no probe: it asks for a build")
	case r.Resolved != nil:
		return errors.New("resolved is set, but the input has no resolve: it asks for a build")
	}
	return nil
}

// checkProbe checks a success apart from the updates in the log.
func (r *Result) checkProbe() error {
	if r.Probe == nil {
		return errors.New(ignoring("probe is missing: set it to the answer about the archive", r.unknown))
	}
	release := &r.Probe.Release
	switch {
	case r.isBuild() || r.Resolved != nil:
		return errors.New("it has artifacts, tests, a report or resolved, but the input asks about an archive: set only probe")
	case release.Date.IsZero():
		return errors.New(ignoring("probe.release.date is missing: set it to the date of the release file", r.unknown))
	case !ValidDigest("sha256:" + release.SHA256):
		return fmt.Errorf("probe.release.sha256 is %q, must be 64 lower-case hex digits", release.SHA256)
	case !line(release.ETag, maxETag):
		return fmt.Errorf("probe.release.etag must be one line of at most %d bytes, all printable: leave it out", maxETag)
	case !line(release.LastModified, maxLastModified):
		return fmt.Errorf("probe.release.lastModified must be one line of at most %d bytes, all printable: leave it out", maxLastModified)
	case r.Probe.Unchanged && r.Probe.Updates != 0:
		return fmt.Errorf("probe.unchanged is true, but probe.updates is %d, must be 0", r.Probe.Updates)
	}
	return nil
}

// isBuild reports whether a result has something of a build.
func (r *Result) isBuild() bool { return len(r.Artifacts) > 0 || len(r.Tests) > 0 || r.Report != nil }

// line reports whether a text is one line of printable characters, of at most a number of bytes.
func line(text string, most int) bool {
	return v1alpha1.Printable(text) && len(text) <= most
}

// readUpdates returns the updates in a log.
func readUpdates(log io.Reader, question map[string]map[string][]string) (updates []v1alpha1.PackageUpdate, err error) {
	err = readAnswer(log, updatePrefix, "updates", func(text []byte) (string, error) {
		update, err := readUpdate(text, question)
		if err != nil {
			return "", err
		}
		updates = append(updates, *update)
		return fmt.Sprintf("update of %s %s %s", update.Name, update.From, update.Architecture), nil
	})
	return updates, err
}

// readAnswer calls read for each line of a log that begins with a prefix. read returns what the line is about, which no other line may be about.
func readAnswer(log io.Reader, prefix, what string, read func(text []byte) (about string, err error)) error {
	limited := &io.LimitedReader{R: log, N: MaxProbeLog + 1}
	lines := bufio.NewReaderSize(limited, MaxUpdateLine+len("\n"))
	known := map[string]bool{}
	for number := 1; ; number++ {
		text, err := lines.ReadSlice('\n')
		isAnswer := bytes.HasPrefix(text, []byte(prefix))
		if isAnswer && errors.Is(err, bufio.ErrBufferFull) {
			return fmt.Errorf("line %d of the log: has more than %d bytes: leave out what is optional", number, MaxUpdateLine)
		}
		for errors.Is(err, bufio.ErrBufferFull) { // the rest of another line
			_, err = lines.ReadSlice('\n')
		}
		ended := errors.Is(err, io.EOF)
		switch {
		case err != nil && limited.N == 0:
			return fmt.Errorf("the log has more than %d MiB: log less", MaxProbeLog>>20)
		case err != nil && !ended:
			return fmt.Errorf("read the log: %w", err)
		case isAnswer && len(known) == MaxUpdates:
			return fmt.Errorf("the log has more than %d %s", MaxUpdates, what)
		case isAnswer:
			about, err := read(bytes.TrimSuffix(text, []byte("\n")))
			if err != nil {
				return fmt.Errorf("line %d of the log: %w", number, err)
			}
			if known[about] {
				return fmt.Errorf("line %d of the log: the %s is there twice: write it once", number, about)
			}
			known[about] = true
		}
		if ended {
			return nil
		}
	}
}

// readUpdate reads a line with an update, and ignores unknown fields.
func readUpdate(text []byte, question map[string]map[string][]string) (*v1alpha1.PackageUpdate, error) {
	read := UpdateLine{}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(text, &read); err != nil {
		return nil, fmt.Errorf("is not JSON that matches the builder contract: %w", wrongtype.Explain(err))
	}
	update := &read.Update
	switch {
	case !slices.Contains(question[update.Architecture][update.Name], update.From):
		return nil, fmt.Errorf("update of %.100q %.100q %.100q, which the input does not ask for: answer only for name, from and architecture of probe.packages",
			update.Name, update.From, update.Architecture)
	case update.To == "" || !line(update.To, maxUpdateVersion) || strings.Contains(update.To, " "):
		return nil, fmt.Errorf("to of the update of %s is %.100q, must have 1 to %d bytes, all printable, and no spaces", update.Name, update.To, maxUpdateVersion)
	case update.To == update.From:
		return nil, fmt.Errorf("to of the update of %s is %q, the same as from: report only newer versions", update.Name, update.To)
	case len(update.Advisories) > v1alpha1.MaxAdvisories:
		return nil, fmt.Errorf("update of %s has %d advisories, must be at most %d: keep the newest", update.Name, len(update.Advisories), v1alpha1.MaxAdvisories)
	}
	for _, advisory := range update.Advisories {
		if advisory == "" || !line(advisory, MaxAdvisory) {
			return nil, fmt.Errorf("advisory %.100q of the update of %s must be one line of 1 to %d bytes, all printable", advisory, update.Name, MaxAdvisory)
		}
	}
	return &v1alpha1.PackageUpdate{
		Name: update.Name, Architecture: update.Architecture, From: update.From, To: update.To, Security: update.Security, Advisories: update.Advisories,
	}, nil
}
