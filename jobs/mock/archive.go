// SPDX-License-Identifier: Apache-2.0

package mock

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

const (
	maxArchiveBytes = 1 << 20
	archiveTimeout  = 30 * time.Second
)

// The reasons of failures because of an archive.
const (
	reasonArchiveUnavailable = "ArchiveUnavailable"
	reasonArchiveInvalid     = "ArchiveInvalid"
	reasonArchiveOlder       = "ArchiveOlder"
)

// errArchiveForm reports an archive that is not a list of packages.
var errArchiveForm = errors.New("it must begin with the line date: 2026-11-28T10:00:00Z, and have NAME VERSION [security] [ADVISORY]..., or +NAME, in each other line")

// archive is the content of an archive.
type archive struct {
	release v1alpha1.ArchiveRelease
	// versions are those of each package by its name, the oldest first.
	versions map[string][]archiveVersion
	// added are the names of packages that each image gets.
	added []string
}

type archiveVersion struct {
	version    string
	security   bool
	advisories []string
}

// openArchive reads an archive. It is nil if it is unchanged since a known release, if there is one.
func openArchive(ctx context.Context, uri string, known *v1alpha1.ArchiveRelease) (*archive, error) {
	ctx, cancel := context.WithTimeout(ctx, archiveTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, nil)
	if err != nil {
		return nil, err
	}
	if known != nil {
		for name, value := range map[string]string{"If-None-Match": known.ETag, "If-Modified-Since": known.LastModified} {
			if value != "" {
				request.Header.Set(name, value)
			}
		}
	}
	response, err := (&http.Client{CheckRedirect: noRedirect}).Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }() // only read from
	if known != nil && response.StatusCode == http.StatusNotModified {
		return nil, nil
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxArchiveBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("get %s: %w", uri, err)
	case response.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("get %s: %s", uri, response.Status)
	case len(text) > maxArchiveBytes:
		return nil, fmt.Errorf("read %s: %w: it has more than %d bytes", uri, errArchiveForm, maxArchiveBytes)
	}
	read, err := readArchive(text)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", uri, err)
	}
	read.release.ETag, read.release.LastModified = response.Header.Get("ETag"), response.Header.Get("Last-Modified")
	return read, nil
}

// readArchive reads the content of an archive.
func readArchive(text []byte) (*archive, error) {
	first, rest, _ := bytes.Cut(text, []byte("\n"))
	date, err := time.Parse("date: "+time.RFC3339, strings.TrimSpace(string(first)))
	if err != nil {
		return nil, errArchiveForm
	}
	sum := sha256.Sum256(text)
	read := &archive{
		release:  v1alpha1.ArchiveRelease{Date: metav1.NewTime(date.UTC()), SHA256: hex.EncodeToString(sum[:])},
		versions: map[string][]archiveVersion{},
	}
	for line := range strings.Lines(string(rest)) {
		fields := strings.Fields(line)
		added, isAdded := strings.CutPrefix(strings.TrimSpace(line), "+")
		switch {
		case len(fields) == 0:
			continue
		case isAdded && len(fields) == 1:
			read.added = append(read.added, added)
			continue
		case len(fields) == 1:
			return nil, fmt.Errorf("line %q: %w", strings.TrimSpace(line), errArchiveForm)
		}
		one := archiveVersion{version: fields[1], advisories: fields[2:]}
		if one.security = len(fields) > 2 && fields[2] == "security"; one.security {
			one.advisories = fields[3:]
		}
		read.versions[fields[0]] = append(read.versions[fields[0]], one)
	}
	return read, nil
}

// candidate returns the newest version of a package, or "".
func (a *archive) candidate(name string) string {
	if a == nil || len(a.versions[name]) == 0 {
		return ""
	}
	return a.versions[name][len(a.versions[name])-1].version
}

// update returns the update of a version of a package, or nil if the archive has no newer version, or does not know this one.
func (a *archive) update(name, architecture, from string) *result.Update {
	versions := a.versions[name]
	at := slices.IndexFunc(versions, func(known archiveVersion) bool { return known.version == from })
	if at < 0 || at == len(versions)-1 {
		return nil
	}
	update := &result.Update{Name: name, Architecture: architecture, From: from, To: a.candidate(name)}
	for _, newer := range slices.Backward(versions[at+1:]) {
		update.Security = update.Security || newer.security
		update.Advisories = append(update.Advisories, newer.advisories...)
	}
	update.Advisories = update.Advisories[:min(len(update.Advisories), v1alpha1.MaxAdvisories)]
	return update
}

// reasonOf returns the reason of a failure to read an archive.
func reasonOf(err error) string {
	if errors.Is(err, errArchiveForm) {
		return reasonArchiveInvalid
	}
	return reasonArchiveUnavailable
}

// probe answers which packages have newer versions in an archive, whose packages belong to all architectures.
func (b *builder) probe(ctx context.Context, question *render.InputProbe) int {
	known, condition := question.Release, question.Release
	if !question.Conditional {
		condition = nil
	}
	found, err := openArchive(ctx, question.Archive.URI, condition)
	switch {
	case err != nil:
		return b.refuse(reasonOf(err), err)
	case found == nil:
		return b.answer(result.Probe{Release: *known, Unchanged: true})
	case known != nil && found.release.Date.Before(&known.Date):
		return b.refuse(reasonArchiveOlder, fmt.Errorf("%s is of %s, older than before, %s", question.Archive.URI,
			found.release.Date.UTC().Format(time.RFC3339), known.Date.UTC().Format(time.RFC3339)))
	case condition != nil && found.release.SHA256 == known.SHA256:
		return b.answer(result.Probe{Release: found.release, Unchanged: true})
	}
	answer := result.Probe{Release: found.release}
	for _, architecture := range slices.Sorted(maps.Keys(question.Packages)) {
		for _, name := range slices.Sorted(maps.Keys(question.Packages[architecture])) {
			for _, from := range question.Packages[architecture][name] {
				update := found.update(name, architecture, from)
				if update == nil {
					continue
				}
				line, err := json.Marshal(result.UpdateLine{Update: *update})
				if err != nil {
					return b.refuse("Internal", err)
				}
				b.logf("%s\n", line)
				answer.Updates++
			}
		}
	}
	return b.answer(answer)
}

// answer leaves an answer about an archive.
func (b *builder) answer(answer result.Probe) int {
	b.logf("mock builder: the archive is of %s, %d updates, unchanged: %t\n", answer.Release.Date.UTC().Format(time.RFC3339), answer.Updates, answer.Unchanged)
	return b.leave(result.Result{Outcome: result.OutcomeSucceeded, Probe: &answer})
}

// answerPackages leaves the answer which packages a build would install.
func (b *builder) answerPackages() int {
	for _, one := range b.behaviour.packages {
		line, err := json.Marshal(result.PackageLine{Package: result.ResolvedPackage{Name: one.Name, Architecture: one.Architecture, Version: one.Version}})
		if err != nil {
			return b.refuse("Internal", err)
		}
		b.logf("%s\n", line)
	}
	return b.leave(result.Result{Outcome: result.OutcomeSucceeded, Resolved: &result.Resolved{Packages: len(b.behaviour.packages), Complete: true}})
}

// noRedirect answers with a redirect, which is no archive.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
