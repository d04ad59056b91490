// SPDX-License-Identifier: Apache-2.0

package advisories

import (
	"cmp"
	"encoding/json"
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

// osvSpecific is what a database adds. It may be anything.
type osvSpecific struct{ severity, urgency string }

// UnmarshalJSON keeps the severity and the urgency.
func (s *osvSpecific) UnmarshalJSON(content []byte) error {
	var read struct {
		Severity text `json:"severity"`
		Urgency  text `json:"urgency"`
	}
	if json.Unmarshal(content, &read) == nil {
		s.severity, s.urgency = string(read.Severity), string(read.Urgency)
	}
	return nil
}

// ecosystemPackage is a package of an ecosystem, without its release.
type ecosystemPackage struct{ ecosystem, name string }

// advisory is an entry of OSV.
type advisory struct {
	id       string
	cves     []string // that the entry is about; its id if there are none
	aliases  []string // further IDs of the same
	text     string
	severity v1alpha1.Severity
}

// affected is which versions of a package have a vulnerability.
type affected struct {
	of       *advisory
	release  string // of the ecosystem, or "" for all
	severity v1alpha1.Severity
	// unimportant is whether the distribution rates the vulnerability as unimportant.
	unimportant bool
	versions    []string
	ranges      [][]event
	// unordered is whether there are ranges that cannot be compared here.
	unordered bool
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
		b.skip(fmt.Sprintf("an entry has the id %q", v1alpha1.CutMessage(entry.ID)))
		return nil
	}
	if len(entry.Aliases)+len(entry.Upstream)+len(entry.Related) > maxIDs {
		b.skip(fmt.Sprintf("%s has more than %d aliases", entry.ID, maxIDs))
		return nil
	}
	b.Entries++
	if entry.Withdrawn != "" {
		return nil
	}
	its := &advisory{id: strings.Clone(entry.ID), severity: worse(rated(entry.Severity), named(entry.Specific.severity))}
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

// splitEcosystem splits "Debian:13" and "Alpine:v3.20".
func splitEcosystem(text string) (ecosystem, version string) {
	ecosystem, version, _ = strings.Cut(text, ":")
	version = strings.TrimSuffix(version, ":LTS")
	if ecosystem == debianEcosystem {
		return ecosystem, release(version)
	}
	return ecosystem, strings.TrimPrefix(version, "v")
}

func (b *builder) addAffected(of *advisory, read *osvAffected) error {
	ecosystem, release := splitEcosystem(read.Package.Ecosystem)
	if ecosystem == "" && read.Package.Name == "" {
		return nil // only commits are affected
	}
	if !validID(strings.ReplaceAll(ecosystem, " ", "")) || !validID(read.Package.Name) {
		b.skip(fmt.Sprintf("%s affects %q of %q", of.id, v1alpha1.CutMessage(read.Package.Name), v1alpha1.CutMessage(ecosystem)))
		return nil
	}
	ecosystem, release = b.intern(ecosystem), b.intern(release)
	b.know(ecosystem, release)
	its := affected{
		of: of, release: release, severity: worse(worse(rated(read.Severity), urgency(read.Ecosystem.urgency)), named(read.Ecosystem.severity)),
		unimportant: read.Ecosystem.urgency == "unimportant" || read.Database.urgency == "unimportant",
	}
	compare := ordered(ecosystem)
	size := affectedSize
	for _, one := range read.Ranges {
		order := compare
		switch {
		case one.Type != "SEMVER" && one.Type != "ECOSYSTEM":
			continue // commits
		case order == nil && one.Type == "SEMVER":
			order = compareSemantic
		}
		if order == nil {
			its.unordered = true
			continue
		}
		events, problem := b.events(one.Events, order)
		if problem != "" {
			b.skip(of.id + " " + problem)
			continue
		}
		its.ranges = append(its.ranges, events)
		size += len(events) * eventSize
	}
	if its.unordered || len(its.ranges) == 0 || compare == nil || ecosystem != debianEcosystem { // Debian's lists have the versions of its ranges
		for _, version := range read.Versions {
			if validID(version) {
				its.versions = append(its.versions, b.intern(version))
			}
		}
		size += 16 * len(its.versions)
	}
	if len(its.versions) > 0 {
		its.versions = slices.Clip(its.versions)
		its.unordered = false // OSV lists all affected versions
	}
	if len(its.versions) == 0 && len(its.ranges) == 0 && !its.unordered {
		return nil
	}
	key := ecosystemPackage{ecosystem, b.intern(packageName(ecosystem, read.Package.Name))}
	b.osv[key] = append(b.osv[key], its)
	return b.store(size)
}

// events returns the events of a range in the order of their versions, or what is wrong with them.
func (b *builder) events(read []osvEvent, compare compare) (events []event, problem string) {
	for _, one := range read {
		for kind, version := range []string{one.Introduced, one.Fixed, one.LastAffected} {
			if version == "" {
				continue
			}
			if _, ok := compare(version, version); !validID(version) || !ok && version != "0" {
				return nil, fmt.Sprintf("has an event with the version %q", v1alpha1.CutMessage(version))
			}
			events = append(events, event{eventKind(kind), b.intern(version)})
		}
	}
	slices.SortStableFunc(events, func(a, b event) int {
		switch {
		case a.version == b.version:
			return int(b.kind) - int(a.kind) // what begins at the end of another range is affected
		case a.version == "0":
			return -1
		case b.version == "0":
			return 1
		}
		order, _ := compare(a.version, b.version)
		return order
	})
	return events, ""
}

// affects reports whether a version is affected, and which version fixes it. ok is false if that cannot be told.
func (a *affected) affects(ecosystem, version string) (fixedVersion string, affected, ok bool) {
	if slices.Contains(a.versions, version) {
		affected = true
	}
	ok = !a.unordered
	for _, events := range a.ranges {
		compare := ordered(ecosystem)
		if compare == nil {
			compare = compareSemantic
		}
		if _, valid := compare(version, version); !valid {
			ok = affected
			break
		}
		within := false
		for _, event := range events {
			order := 1
			if event.version != "0" {
				order, _ = compare(version, event.version)
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
	return fixedVersion, affected, ok || affected
}
