// SPDX-License-Identifier: Apache-2.0

package advisories

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// trackerEntry is a vulnerability of a source package, as Debian's security tracker has it. Releases that it has not judged are left out.
type trackerEntry struct {
	id, text string
	releases []trackerRelease
	// problem is what cannot be judged about releases that are not in the list, or empty.
	problem string
}

// trackerRelease is the state of a vulnerability in a release.
type trackerRelease struct {
	release string
	// fixed is the version that fixed it, neverAffected if the release never had it, unjudged if the state cannot be judged, or empty if no version
	// fixes it.
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
	neverAffected = "0" // as the tracker writes it
	unjudged      = "?" // is no version
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
		return b.unjudgedEntry(name, fmt.Sprintf("%s of %s: %s", id, name, err))
	case err != nil:
		return err
	case !validID(id) || !validID(name):
		return b.unjudgedEntry(name, fmt.Sprintf("%q of %q is no ID of a vulnerability of a source package", id, name))
	}
	b.Entries++
	entry, had := trackerEntry{id: b.intern(id)}, false
	for codename, state := range read.Releases {
		its := trackerRelease{release: b.intern(release(codename)), severity: rating(state.Urgency)}
		if !knownRelease(its.release) {
			entry.problem = b.intern(fmt.Sprintf("names the release %q", v1alpha1.CutMessage(codename)))
			continue
		}
		b.know(its.release)
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
			its.fixed = unjudged
		}
		entry.releases = append(entry.releases, its)
	}
	if len(entry.releases) == 0 && entry.problem == "" {
		return b.store(0)
	}
	if had {
		entry.text = b.describe(read.Description)
	}
	name = b.intern(name)
	b.tracker[name] = append(b.tracker[name], entry)
	return b.store(entrySize + len(entry.releases)*releaseSize + len(id))
}

// unjudgedEntry keeps that an entry about a source package cannot be judged, if its name can be read.
func (b *builder) unjudgedEntry(name, problem string) error {
	b.skip(problem)
	if !validID(name) {
		return nil
	}
	name = b.intern(name)
	b.tracker[name] = append(b.tracker[name], trackerEntry{problem: b.intern(v1alpha1.CutMessage(problem))})
	return b.store(entrySize)
}

// The sizes of what is kept of an entry, with the overhead of its slice.
const (
	entrySize   = 144
	releaseSize = 48
)

// in returns the state of a vulnerability in a release, or nil if the tracker has not judged it.
func (e *trackerEntry) in(release string) *trackerRelease {
	for i := range e.releases {
		if e.releases[i].release == release {
			return &e.releases[i]
		}
	}
	return nil
}

// affects reports whether a version of the source package has the vulnerability in the release of a state, and which version fixes it. A version
// that cannot be compared has it. A package of a later release, or a backport, is compared with what fixed sid: the tracker does the same for a
// release without an entry of its own.
func (e *trackerEntry) affects(state *trackerRelease, version string) (fixed string, affected bool) {
	if state.fixed == neverAffected {
		return "", false
	}
	if state.fixed != "" {
		order, ok := compareDebian(version, state.fixed)
		return state.fixed, !ok || order < 0
	}
	if sid := e.in("sid"); sid != nil && sid.fixed != "" && sid.fixed != neverAffected {
		if order, ok := compareDebian(backport.ReplaceAllString(version, ""), sid.fixed); ok && order >= 0 {
			return "", false
		}
	}
	return "", true
}
