// SPDX-License-Identifier: Apache-2.0

package advisories

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// text is a text of a database's own fields. Anything else that a database has there is ignored.
type text string

// UnmarshalJSON keeps a text.
func (t *text) UnmarshalJSON(content []byte) error {
	var read string
	if json.Unmarshal(content, &read) == nil {
		*t = text(read)
	}
	return nil
}

// osvEntry is an entry of OSV (https://ossf.github.io/osv-schema).
type osvEntry struct {
	ID        string            `json:"id"`
	Withdrawn text              `json:"withdrawn"`
	Aliases   []string          `json:"aliases"`
	Upstream  []string          `json:"upstream"`
	Related   []string          `json:"related"`
	Summary   text              `json:"summary"`
	Details   text              `json:"details"`
	Severity  []osvSeverity     `json:"severity"`
	Affected  list[osvAffected] `json:"affected"`
	Specific  osvSpecific       `json:"database_specific"`
}

type osvAffected struct {
	Package struct {
		Ecosystem string `json:"ecosystem"`
		Name      string `json:"name"`
	} `json:"package"`
	Severity  []osvSeverity `json:"severity"`
	Ranges    []osvRange    `json:"ranges"`
	Versions  []string      `json:"versions"`
	Ecosystem osvSpecific   `json:"ecosystem_specific"`
	Database  osvSpecific   `json:"database_specific"`

	problem string // a field of a wrong type
}

// UnmarshalJSON reads what it can, so that the package is known although another field has a wrong type.
func (a *osvAffected) UnmarshalJSON(content []byte) error {
	type object osvAffected
	err := json.Unmarshal(content, (*object)(a))
	if errors.As(err, new(*json.UnmarshalTypeError)) {
		a.problem = err.Error()
		return nil
	}
	return err //nolint:wrapcheck // of the same entry
}

type osvRange struct {
	Type   string     `json:"type"`
	Events []osvEvent `json:"events"`
}

type osvEvent struct {
	Introduced   string `json:"introduced"`
	Fixed        string `json:"fixed"`
	LastAffected string `json:"last_affected"`
}

// advisory is an entry of OSV.
type advisory struct {
	id       string
	cves     []string // that the entry is about; its id if there are none
	aliases  []string // further IDs of the same
	text     string
	severity v1alpha1.Severity
}

// affected is which versions of a source package have a vulnerability.
type affected struct {
	of       *advisory
	release  string // of Debian, or "" for all
	severity v1alpha1.Severity
	// unimportant is whether the distribution rates the vulnerability as unimportant.
	unimportant bool
	versions    []string
	ranges      [][]event
	// problem is what of it cannot be judged, or empty.
	problem string
}

// event is a version at which a range begins or ends.
type event struct {
	kind    eventKind
	version string
}

type eventKind int8

const (
	introduced eventKind = iota
	fixed
	lastAffected
)

var (
	cvePattern = regexp.MustCompile(`\ACVE-[0-9]{4}-[0-9]{4,}\z`)
	ofOthers   = regexp.MustCompile(`\A[A-Z]+-(CVE-[0-9]{4}-[0-9]{4,})\z`) // DEBIAN-CVE-2026-1234
)

// addEntry adds an entry of OSV. A withdrawn entry affects nothing.
func (b *builder) addEntry(entry *osvEntry) error {
	if !validID(entry.ID) {
		return b.unjudgedOSV(entry, fmt.Sprintf("an entry has the id %q", v1alpha1.CutMessage(entry.ID)))
	}
	if len(entry.Aliases)+len(entry.Upstream)+len(entry.Related) > maxIDs {
		return b.unjudgedOSV(entry, fmt.Sprintf("%s has more than %d aliases", entry.ID, maxIDs))
	}
	b.Entries++
	if entry.Withdrawn != "" {
		return nil
	}
	if !entry.ofDebian() {
		b.Ignored++
		return nil
	}
	its := &advisory{id: strings.Clone(entry.ID), severity: worse(rated(entry.Severity), entry.Specific.severity)}
	its.cves = b.namesOf(entry)
	for _, alias := range entry.Aliases {
		if validID(alias) && !slices.Contains(its.cves, alias) {
			its.aliases = append(its.aliases, b.intern(alias))
		}
	}
	for i := range entry.Affected {
		if err := b.addAffected(its, &entry.Affected[i]); err != nil {
			return err
		}
	}
	its.text = b.describe(string(cmp.Or(entry.Summary, entry.Details)))
	return b.store(advisorySize + 16*(len(its.cves)+len(its.aliases)))
}

// ofDebian reports whether the entry is about a package of Debian.
func (e *osvEntry) ofDebian() bool {
	return slices.ContainsFunc(e.Affected, func(one osvAffected) bool { return isEcosystem(one.Package.Ecosystem) })
}

// unjudgedOSV keeps that an entry cannot be judged, for the packages of Debian that it names.
func (b *builder) unjudgedOSV(entry *osvEntry, problem string) error {
	b.skip(problem)
	if entry.Withdrawn != "" {
		return nil
	}
	of := &advisory{}
	if validID(entry.ID) {
		of.id = strings.Clone(entry.ID)
		of.cves = []string{of.id}
	}
	problem = b.intern(v1alpha1.CutMessage(problem))
	for i := range entry.Affected {
		one := &entry.Affected[i]
		if !isEcosystem(one.Package.Ecosystem) || !validID(one.Package.Name) {
			continue
		}
		its := affected{of: of, problem: problem}
		if named := releaseIn(one.Package.Ecosystem); knownRelease(named) {
			its.release = b.intern(named)
		}
		name := b.intern(one.Package.Name)
		b.osv[name] = append(b.osv[name], its)
		if err := b.store(affectedSize); err != nil {
			return err
		}
	}
	return b.store(advisorySize)
}

// The sizes of what is kept of an entry.
const (
	advisorySize = 144
	affectedSize = 176
	eventSize    = 40
)

// namesOf returns the CVEs that an entry is about, or its ID. An entry of a distribution, such as DSA-1234-1, can be about several.
func (b *builder) namesOf(entry *osvEntry) (names []string) {
	add := func(ids []string) {
		for _, id := range ids {
			if found := ofOthers.FindStringSubmatch(id); found != nil {
				id = found[1]
			}
			if cvePattern.MatchString(id) && !slices.Contains(names, id) {
				names = append(names, b.intern(id))
			}
		}
	}
	add([]string{entry.ID})
	if len(names) == 0 {
		add(entry.Aliases)
		add(entry.Upstream)
	}
	if len(names) == 0 && isUpdate(entry.ID) {
		add(entry.Related)
	}
	if len(names) == 0 {
		names = []string{b.intern(entry.ID)}
	}
	return names
}

// isUpdate reports whether an entry is about an update of Debian, which can fix several vulnerabilities: DSA-6001-1.
func isUpdate(id string) bool { return strings.HasPrefix(id, "DSA-") || strings.HasPrefix(id, "DLA-") }

// isEcosystem reports whether an ecosystem of OSV is Debian, or a release of it.
func isEcosystem(text string) bool {
	ecosystem, _, _ := strings.Cut(text, ":")
	return strings.EqualFold(ecosystem, "Debian")
}

// releaseIn returns the release in an ecosystem such as "Debian:13", or "".
func releaseIn(ecosystem string) string {
	_, named, _ := strings.Cut(ecosystem, ":")
	return release(named)
}

func (b *builder) addAffected(of *advisory, read *osvAffected) error {
	if !isEcosystem(read.Package.Ecosystem) {
		return nil
	}
	if !validID(read.Package.Name) {
		b.skip(fmt.Sprintf("%s affects the package %q of Debian", of.id, v1alpha1.CutMessage(read.Package.Name)))
		return nil
	}
	its := affected{
		of: of, severity: worse(rated(read.Severity), read.Ecosystem.severity), unimportant: read.Ecosystem.unimportant || read.Database.unimportant,
	}
	problem := read.problem
	switch named := releaseIn(read.Package.Ecosystem); {
	case knownRelease(named):
		its.release = b.intern(named)
		if !isUpdate(of.id) { // the updates of a release tell nothing about what is not fixed
			b.know(named)
		}
	case named != "":
		problem = cmp.Or(problem, fmt.Sprintf("names the release %q", v1alpha1.CutMessage(named)))
	}
	size := affectedSize
	for _, one := range read.Ranges {
		if one.Type != "ECOSYSTEM" {
			continue // such as commits
		}
		events, wrong := b.events(one.Events)
		if wrong != "" {
			problem = cmp.Or(problem, wrong)
			continue
		}
		its.ranges = append(its.ranges, events)
		size += len(events) * eventSize
	}
	if len(its.ranges) == 0 || problem != "" { // otherwise the list has the versions of the ranges
		for _, version := range read.Versions {
			if !isDebian(version) {
				problem = cmp.Or(problem, fmt.Sprintf("lists the version %q", v1alpha1.CutMessage(version)))
				continue
			}
			its.versions = append(its.versions, b.intern(version))
		}
		its.versions = slices.Clip(its.versions)
		size += 16 * len(its.versions)
	}
	if len(its.ranges) == 0 && len(its.versions) == 0 && problem == "" {
		problem = "lists no versions of " + read.Package.Name
	}
	if problem != "" {
		problem = of.id + " " + problem
		b.skip(problem)
		its.problem = b.intern(v1alpha1.CutMessage(problem))
	}
	name := b.intern(read.Package.Name)
	b.osv[name] = append(b.osv[name], its)
	return b.store(size)
}

// events returns the events of a range in the order of their versions, or what is wrong with them.
func (b *builder) events(read []osvEvent) (events []event, problem string) {
	begins := false
	for _, one := range read {
		known := len(events)
		for kind, version := range []string{one.Introduced, one.Fixed, one.LastAffected} {
			if version == "" {
				continue
			}
			if !isDebian(version) {
				return nil, fmt.Sprintf("has an event with the version %q", v1alpha1.CutMessage(version))
			}
			begins = begins || eventKind(kind) == introduced
			events = append(events, event{eventKind(kind), b.intern(version)})
		}
		if len(events) == known {
			return nil, "has an event without a version"
		}
	}
	if !begins {
		return nil, "has a range without a begin"
	}
	slices.SortStableFunc(events, func(a, b event) int {
		switch {
		case a == beginning:
			return -1
		case b == beginning:
			return 1
		}
		order, _ := compareDebian(a.version, b.version)
		return cmp.Or(order, int(b.kind)-int(a.kind)) // what begins at the end of another range is affected
	})
	return events, ""
}

// beginning is before all versions, such as 0~1.
var beginning = event{introduced, "0"}

// affects reports whether a version is affected, and which version fixes it. It is false for a version that cannot be compared.
func (a *affected) affects(version string) (fixedVersion string, affected bool) {
	affected = slices.ContainsFunc(a.versions, func(listed string) bool {
		order, ok := compareDebian(version, listed)
		return ok && order == 0
	})
	if !isDebian(version) {
		return "", affected
	}
	for _, events := range a.ranges {
		within := false
		for _, event := range events {
			order := 1
			if event != beginning {
				order, _ = compareDebian(version, event.version)
			}
			switch {
			case event.kind == introduced && order >= 0:
				within = true
			case event.kind == fixed && order >= 0, event.kind == lastAffected && order > 0:
				within = false
			case event.kind == fixed && within && fixedVersion == "":
				fixedVersion = event.version
			}
		}
		affected = affected || within
	}
	if !affected {
		fixedVersion = ""
	}
	return fixedVersion, affected
}
