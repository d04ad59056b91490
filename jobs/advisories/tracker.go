// SPDX-License-Identifier: Apache-2.0

package advisories

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// trackerEntry is a vulnerability of a source package, as Debian's security tracker has it. Releases that it has not judged are left out.
type trackerEntry struct {
	id, text string
	releases []trackerRelease
}

// trackerRelease is the state of a vulnerability in a release.
type trackerRelease struct {
	release string
	// fixed is the version that fixed it, neverAffected if the release never had it, or empty if no version fixes it.
	fixed    string
	severity v1alpha1.Severity
}

// trackedVulnerability is a vulnerability in the JSON of the tracker. Its other fields, such as nodsa, tell whether and when Debian will fix it.
type trackedVulnerability struct {
	Description string                    `json:"description"`
	Releases    map[string]trackedRelease `json:"releases"`
}

type trackedRelease struct {
	Status       string `json:"status"`
	FixedVersion string `json:"fixed_version"`
	Urgency      string `json:"urgency"`
}

const (
	debianEcosystem = "Debian"
	neverAffected   = "0" // as the tracker writes it
)

// readTracker reads an object of source packages, each an object of vulnerabilities.
func (b *builder) readTracker(decoder *json.Decoder) error {
	names, err := openObject(decoder)
	if err != nil {
		return err
	}
	for decoder.More() {
		name, err := names()
		if err != nil {
			return err
		}
		ids, err := openObject(decoder)
		if err != nil {
			return fmt.Errorf("source package %q: %w", v1alpha1.CutMessage(name), err)
		}
		for decoder.More() {
			id, err := ids()
			if err != nil {
				return err
			}
			if err := b.trackedEntry(decoder, name, id); err != nil {
				return err
			}
		}
		if _, err := decoder.Token(); err != nil {
			return err
		}
	}
	if _, err := decoder.Token(); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more after the end of the object")
	}
	return nil
}

// openObject reads the begin of an object. The function that it returns reads the name of the next field.
func openObject(decoder *json.Decoder) (name func() (string, error), err error) {
	token, err := decoder.Token()
	if err == nil && token != json.Delim('{') {
		err = fmt.Errorf("found %v, must be an object", token)
	}
	return func() (string, error) {
		token, err := decoder.Token()
		if err != nil {
			return "", err
		}
		return fmt.Sprint(token), nil
	}, err
}

func (b *builder) trackedEntry(decoder *json.Decoder, name, id string) error {
	b.entries.next()
	read := trackedVulnerability{}
	err := decoder.Decode(&read)
	switch {
	case errors.As(err, new(*json.UnmarshalTypeError)):
		b.skip(fmt.Sprintf("%s of %s: %s", id, name, err))
		return nil
	case err != nil:
		return err
	case !validID(id) || !validID(name):
		b.skip(fmt.Sprintf("%q of %q is no ID of a vulnerability of a source package", id, name))
		return nil
	}
	b.Entries++
	entry, had := trackerEntry{id: b.intern(id)}, false
	for codename, state := range read.Releases {
		b.know(debianEcosystem, release(codename))
		its := trackerRelease{release: b.intern(release(codename)), severity: urgency(state.Urgency)}
		switch {
		case state.Status == "open":
			had = true
		case state.Status == "undetermined":
			continue
		case state.Status == "resolved" && state.FixedVersion == neverAffected:
			its.fixed = neverAffected
		case state.Status == "resolved" && isDebian(state.FixedVersion):
			its.fixed, had = b.intern(state.FixedVersion), true
		default:
			b.skip(fmt.Sprintf("%s of %s in %s is %q, fixed in %q", id, name, codename, state.Status, state.FixedVersion))
			continue
		}
		entry.releases = append(entry.releases, its)
	}
	if len(entry.releases) == 0 {
		return b.store(0)
	}
	if had {
		entry.text = b.describe(read.Description)
	}
	name = b.intern(name)
	b.tracker[name] = append(b.tracker[name], entry)
	return b.store(entrySize + len(entry.releases)*releaseSize + len(id))
}

// The sizes of what is kept of an entry, with the overhead of its slice.
const (
	entrySize   = 128
	releaseSize = 48
)

// urgency returns the severity of an urgency of Debian, which may have stars. Debian does not rate most vulnerabilities.
func urgency(text string) v1alpha1.Severity {
	switch strings.TrimRight(strings.ToLower(text), "*") {
	case "unimportant":
		return v1alpha1.SeverityNegligible
	case "low":
		return v1alpha1.SeverityLow
	case "medium":
		return v1alpha1.SeverityMedium
	case "high":
		return v1alpha1.SeverityHigh
	}
	return v1alpha1.SeverityUnknown
}

// in returns the state of a vulnerability in a release, or nil if the tracker has not judged it.
func (e *trackerEntry) in(release string) *trackerRelease {
	for i := range e.releases {
		if e.releases[i].release == release {
			return &e.releases[i]
		}
	}
	return nil
}

// affects reports whether a version of the source package has the vulnerability in a release, and which version fixes it. A version that
// cannot be compared has it. A package of a later release, or a backport, is compared with what fixed sid: the tracker does the same
// for a release without an entry of its own.
func (e *trackerEntry) affects(release, version string) (its *trackerRelease, fixed string, affected bool) {
	its = e.in(release)
	if its == nil || its.fixed == neverAffected {
		return its, "", false
	}
	if its.fixed != "" {
		order, ok := compareDebian(version, its.fixed)
		return its, its.fixed, !ok || order < 0
	}
	if sid := e.in("sid"); sid != nil && sid.fixed != "" && sid.fixed != neverAffected {
		if order, ok := compareDebian(backport.ReplaceAllString(version, ""), sid.fixed); ok && order >= 0 {
			return its, "", false
		}
	}
	return its, "", true
}
