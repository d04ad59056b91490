// SPDX-License-Identifier: Apache-2.0

package advisories

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Subject is a build whose vulnerabilities are asked for.
type Subject struct {
	// Namespace and Image name its Image. Image is empty if the build has none.
	Namespace, Image string
	// Repository is where the artifacts are published, or empty.
	Repository string
	// Digests are the digests of the artifacts, and of their manifests.
	Digests []string
	// Locks are the locks of the artifacts.
	Locks []*v1alpha1.Lock
}

// Result is what advisories know about a build.
type Result struct {
	Items  []v1alpha1.Vulnerability
	Counts v1alpha1.VulnerabilityCounts
	Worst  []string
	// Unmatched tells which packages nobody knows about, and why.
	Unmatched []string
	// OtherArchives are the sources of packages that are not known to be Debian's.
	OtherArchives []string
}

// component is a source package of Debian in an image.
type component struct {
	release       string
	name, version string
	// codeName and codeVersion are the source package whose code is in it. They differ for signed binaries.
	codeName, codeVersion string
	binaries              []binary
	packages              []string // the names of binaries, sorted
}

// label is how users see the release of a component.
func (c *component) label() string { return strings.TrimSpace(debianID + " " + c.release) }

// binary is a package that was built from a component.
type binary struct{ name, version, architecture string }

// componentKey tells components apart.
type componentKey struct{ release, name, version string }

const (
	debianID = "debian" // in os-release(5), and in package URLs
	// noDistribution is how users see packages whose lock names no distribution.
	noDistribution = "no distribution"
	// otherArchives is how users see packages of Debian that an archive other than Debian's has.
	otherArchives = "other archives"
)

// components counts the packages of locks to the source packages of Debian, which advisories are about. Packages of others are unmatched.
func (m *matcher) components(locks []*v1alpha1.Lock) map[componentKey]*component {
	found := map[componentKey]*component{}
	type entry struct {
		of *component
		binary
	}
	seen := map[entry]bool{}
	for _, lock := range locks {
		debian, others := distributionOf(lock)
		for i := range lock.Packages {
			one := &lock.Packages[i]
			its, other := componentOf(debian, others, one)
			binary := binary{one.Name, one.Version, one.Architecture}
			if other != "" {
				m.unknown("no advisory is about", other, "", binary)
				continue
			}
			key := componentKey{its.release, its.name, its.version}
			known := found[key]
			if known == nil {
				known = &its
				found[key] = known
			}
			if !seen[entry{known, binary}] {
				seen[entry{known, binary}] = true
				known.binaries, known.packages = append(known.binaries, binary), append(known.packages, one.Name)
			}
		}
	}
	for _, its := range found {
		slices.Sort(its.packages)
		its.packages = slices.Compact(its.packages)
	}
	return found
}

// releaseOf returns the release of Debian: its number, or sid. Testing and sid have no number, so that the suites of sources name them.
func releaseOf(version string, sources []v1alpha1.PackageSource) string {
	if version != "" {
		return release(version)
	}
	for i := range sources {
		suite, _, _ := strings.Cut(sources[i].Suite, "-")
		if named := release(suite); named != suite || named == "sid" {
			return named
		}
	}
	return ""
}

// distributionOf returns a component of the release of Debian of a lock, or another distribution as users see it.
func distributionOf(lock *v1alpha1.Lock) (debian component, other string) {
	switch {
	case lock.Distribution == nil || lock.Distribution.ID == "":
		return component{}, noDistribution
	case lock.Distribution.ID != debianID:
		return component{}, cutText(strings.TrimSpace(lock.Distribution.ID+" "+lock.Distribution.Version), maxID)
	}
	return component{release: releaseOf(lock.Distribution.Version, lock.Sources)}, ""
}

// componentOf returns the source package of a package of Debian, or the distribution, the type of package URLs or the archive of another package.
// its and others are of the distribution of the lock.
func componentOf(its component, others string, one *v1alpha1.Package) (_ component, other string) {
	source := one.Source
	its.name, its.version = one.Name, one.Version
	switch url, ok := parsePURL(one.PURL); {
	case one.PURL != "" && !ok:
		return its, "package URLs that cannot be read"
	case ok && (url.kind != "deb" || url.namespace != debianID):
		return its, url.origin()
	case ok:
		if at := url.qualifiers.Get("repository_url"); at != "" && !isDebianArchive(at) {
			return its, otherArchives
		}
		if distro := url.qualifiers.Get("distro"); distro != "" {
			its.release = release(strings.TrimPrefix(distro, debianID+"-"))
		}
		its.name, its.version = url.name, cmp.Or(url.version, one.Version)
		if name, version, _ := strings.Cut(url.qualifiers.Get("upstream"), "@"); source == nil && name != "" {
			source = &v1alpha1.SourcePackage{Name: name, Version: version}
		}
	case others != "":
		return its, others
	}
	if source != nil {
		its.name, its.version = source.Name, cmp.Or(source.Version, its.version)
	}
	if source == nil || source.Version == "" {
		its.version = sourceVersion(its.version)
	}
	its.codeName, its.codeVersion = signed(its.name, its.version)
	return its, ""
}

// has reports whether a package URL names a package of the component: its source package, or a binary package.
func (c *component) has(wanted purl, one *binary) bool {
	if wanted.kind != "deb" || wanted.namespace != debianID {
		return false
	}
	if distro := wanted.qualifiers.Get("distro"); distro != "" && release(strings.TrimPrefix(distro, debianID+"-")) != c.release {
		return false
	}
	arch := wanted.qualifiers.Get("arch")
	if (wanted.name == c.name || wanted.name == c.codeName) && (arch == "" || arch == "source") {
		if wanted.ofVersion(c.version) || wanted.ofVersion(c.codeVersion) {
			return true
		}
	}
	return wanted.name == one.name && wanted.ofVersion(one.version) && (arch == "" || arch == one.architecture)
}

// finding is a vulnerability of a component, as one or several sources know it.
type finding struct {
	id          string
	ids         []string // all that are known
	component   *component
	severity    v1alpha1.Severity
	unimportant bool
	fixed       string
	text        string
}

// findingKey tells findings apart.
type findingKey struct {
	id        string
	component *component
}

// matcher collects the findings of a build.
type matcher struct {
	of        *Subject
	sets      []*Set
	findings  map[findingKey]*finding
	compared  int // entries with source packages, and statements with packages
	unmatched map[reason][]int
	numbers   map[binary]int // of unmatched packages
}

// reason is why packages are unmatched: what advisories tell of them, whose packages they are, and what cannot be judged.
type reason struct{ what, whose, problem string }

// maxUnmatched is how many reasons are told.
const maxUnmatched = 100

// maxCompared is the maximum number of comparisons for a build, which take about a second. All packages of Debian need a tenth. A lock that lists a
// package in thousands of versions needs more.
const maxCompared = 2_000_000

// maxNames limits the names of packages in a Result, in bytes: each vulnerability of a source package names all packages that were built from it.
const maxNames = 8 << 20

// Find returns what advisories know about the packages of a build. Packages that nobody knows about are unmatched. Find fails if ctx is done, or if
// the locks need too many comparisons.
func Find(ctx context.Context, sets []*Set, of Subject) (Result, error) {
	m := &matcher{of: &of, sets: sets, findings: map[findingKey]*finding{}, unmatched: map[reason][]int{}, numbers: map[binary]int{}}
	components := m.components(of.Locks)
	for _, its := range components {
		for _, set := range sets {
			m.compared += len(set.tracker[its.codeName]) + len(set.osv[its.codeName])
		}
	}
	result, worst := Result{OtherArchives: otherArchivesOf(of.Locks)}, map[string]float64{} // by ID
	for _, its := range components {
		if err := m.failed(ctx); err != nil {
			return Result{}, err
		}
		m.compare(its)
		for _, found := range m.findings {
			if err := m.failed(ctx); err != nil {
				return Result{}, err
			}
			item := m.judge(found)
			result.count(&item)
			if item.Status == v1alpha1.VulnerabilityOpen {
				worst[item.ID] = max(worst[item.ID], urgent(item.Severity))
			}
			result.Items = append(result.Items, item)
		}
		clear(m.findings) // those of a component have nothing in common with others
		if len(result.Items) > 2*v1alpha1.MaxVulnerabilities {
			result.cut()
		}
	}
	if err := m.failed(ctx); err != nil {
		return Result{}, err
	}
	result.cut()
	names := 0
	for i := range result.Items {
		for _, name := range result.Items[i].Packages {
			names += len(name)
		}
		if names > maxNames && i > 0 {
			result.Items = result.Items[:i]
			break
		}
	}
	result.Unmatched, result.Counts.Unmatched = m.told()
	result.Worst = slices.SortedFunc(maps.Keys(worst), func(a, b string) int {
		return cmp.Or(cmp.Compare(worst[b], worst[a]), newerFirst(a, b))
	})
	result.Worst = result.Worst[:min(len(result.Worst), v1alpha1.MaxWorstVulnerabilities)]
	return result, nil
}

// failed returns an error once ctx is done, or there are too many comparisons.
func (m *matcher) failed(ctx context.Context) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case m.compared > maxCompared:
		return fmt.Errorf("its packages are to be compared with %d entries of advisories, at most %d are compared: list each source package in one version", m.compared, maxCompared)
	}
	return nil
}

// compare adds the findings of a component.
func (m *matcher) compare(its *component) {
	if !slices.ContainsFunc(m.sets, func(set *Set) bool { return set.releases[its.release] }) {
		m.unknown("no advisory is about", its.label(), "", its.binaries...)
	}
	if !isDebian(its.codeVersion) {
		m.unknown("no advisory can judge", its.name, fmt.Sprintf("%q is no version of Debian", its.codeVersion), its.binaries...)
		its.codeVersion = "" // may be long, and is not read again for each entry
	}
	judged := m.judged(its)
	for _, set := range m.sets {
		m.tracked(set, its)
		m.listed(set, its, judged)
	}
}

// cut keeps the first items in the order for users.
func (r *Result) cut() {
	slices.SortFunc(r.Items, func(a, b v1alpha1.Vulnerability) int {
		return cmp.Or(cmp.Compare(b.Status, a.Status), cmp.Compare(urgent(b.Severity), urgent(a.Severity)), // Open is after NotAffected
			newerFirst(a.ID, b.ID), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Version, b.Version))
	})
	kept := min(len(r.Items), v1alpha1.MaxVulnerabilities)
	clear(r.Items[kept:])
	r.Items = r.Items[:kept]
}

// unknown makes packages unmatched.
func (m *matcher) unknown(what, whose, problem string, packages ...binary) {
	if len(packages) == 0 {
		return
	}
	key := reason{what, whose, problem}
	numbers := slices.Grow(m.unmatched[key], len(packages))
	for _, one := range packages {
		number, known := m.numbers[one]
		if !known {
			number = len(m.numbers)
			m.numbers[one] = number
		}
		numbers = append(numbers, number)
	}
	m.unmatched[key] = numbers
}

// unjudged makes the packages of a component unmatched, because an advisory about them cannot be judged. Packages that are stated to be not affected
// by its vulnerability are judged.
func (m *matcher) unjudged(its *component, ids []string, problem string) {
	if m.compared > maxCompared {
		return // Find fails
	}
	all := m.stated(ids)
	packages := slices.DeleteFunc(slices.Clone(its.binaries), func(one binary) bool {
		said := m.statement(all, its, &one)
		return said != nil && !said.affected
	})
	m.unknown("an advisory cannot be judged about", its.name, problem, packages...)
}

// told returns the reasons for users, and the number of unmatched packages.
func (m *matcher) told() (lines []string, packages int32) {
	for key, numbers := range m.unmatched {
		slices.Sort(numbers) // a package can be in several components
		m.unmatched[key] = slices.Compact(numbers)
	}
	keys := slices.SortedFunc(maps.Keys(m.unmatched), func(a, b reason) int {
		return cmp.Or(len(m.unmatched[b])-len(m.unmatched[a]), cmp.Compare(a.whose, b.whose), cmp.Compare(a.what, b.what), cmp.Compare(a.problem, b.problem))
	})
	more := len(keys) - maxUnmatched + 1
	if more > 1 {
		keys = keys[:maxUnmatched-1]
	}
	for _, key := range keys {
		line := fmt.Sprintf("%s %d packages of %s", key.what, len(m.unmatched[key]), key.whose)
		if len(m.unmatched[key]) == 1 {
			line = fmt.Sprintf("%s 1 package of %s", key.what, key.whose)
		}
		if key.problem != "" {
			line += ": " + key.problem
		}
		lines = append(lines, line)
	}
	if more > 1 {
		lines = append(lines, fmt.Sprintf("there are %d more reasons", more))
	}
	return lines, int32(len(m.numbers)) //nolint:gosec // locks are limited
}

// urgent orders severities for users: what cannot be read may be critical, and what nobody has rated may be severe, and is before what the
// distribution calls unimportant.
func urgent(severity v1alpha1.Severity) float64 {
	switch severity {
	case v1alpha1.SeverityUnreadable:
		return float64(len(severities))
	case v1alpha1.SeverityUnknown:
		return float64(rank(v1alpha1.SeverityNegligible)) + 0.5
	}
	return float64(rank(severity))
}

// newerFirst orders IDs of the same kind by their year and number, the newest first.
func newerFirst(a, b string) int {
	return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(b, a))
}

// tracked adds what Debian's tracker knows about a component.
func (m *matcher) tracked(set *Set, its *component) {
	entries := set.tracker[its.codeName]
	for i := range entries {
		entry := &entries[i]
		state := entry.in(its.release)
		switch {
		case state == nil && entry.problem != "":
			m.unjudged(its, []string{entry.id}, strings.TrimSpace(entry.id+" "+entry.problem))
			continue
		case state == nil:
			continue
		case state.fixed == unjudged:
			m.unjudged(its, []string{entry.id}, fmt.Sprintf("the status of %s in %s", entry.id, its.label()))
			continue
		}
		if fixed, affected := entry.affects(state, its.codeVersion); affected {
			m.add(entry.id, nil, its, finding{
				severity: state.severity, unimportant: state.severity == v1alpha1.SeverityNegligible, fixed: fixed, text: entry.text,
			})
		}
	}
}

// judged returns the vulnerabilities that Debian has judged for the source package and the release of a component. Its entries about updates are
// less exact: a second update of the same vulnerabilities names a later version.
func (m *matcher) judged(its *component) map[string]bool {
	ids := map[string]bool{}
	for _, set := range m.sets {
		entries := set.tracker[its.codeName]
		for i := range entries {
			if state := entries[i].in(its.release); state != nil && state.fixed != unjudged {
				ids[entries[i].id] = true
			}
		}
		all := set.osv[its.codeName]
		for i := range all {
			if of := all[i].of; all[i].release == its.release && all[i].problem == "" && !isUpdate(of.id) {
				for _, id := range of.cves {
					ids[id] = true
				}
			}
		}
	}
	return ids
}

// listed adds what OSV knows about a component. Entries about updates add only what is not judged.
func (m *matcher) listed(set *Set, its *component, judged map[string]bool) {
	all := set.osv[its.codeName]
	specific := map[*advisory]bool{} // those that know the release of the component
	for i := range all {
		if all[i].release != "" && all[i].release == its.release {
			specific[all[i].of] = true
		}
	}
	for i := range all {
		one := &all[i]
		if one.release == "" && specific[one.of] || one.release != "" && one.release != its.release {
			continue
		}
		left := one.of.cves // what nobody has judged better
		if isUpdate(one.of.id) {
			left = slices.DeleteFunc(slices.Clone(left), func(id string) bool { return judged[id] })
		}
		fixed, affected := one.affects(its.codeVersion)
		if !affected && one.problem != "" && (len(left) > 0 || len(one.of.cves) == 0) {
			m.unjudged(its, append([]string{one.of.id}, one.of.cves...), one.problem)
		}
		if !affected {
			continue
		}
		for _, id := range left {
			m.add(id, append([]string{one.of.id}, one.of.aliases...), its, finding{
				severity: worse(one.severity, one.of.severity), unimportant: one.unimportant, fixed: fixed, text: one.of.text,
			})
		}
	}
}

// add adds a finding to what other sources know about the same vulnerability: the worst severity, and the fix that is enough for all.
func (m *matcher) add(id string, aliases []string, its *component, found finding) {
	key := findingKey{id, its}
	known := m.findings[key]
	if known == nil {
		found.id, found.component, found.ids = id, its, []string{id}
		known = &found
		m.findings[key] = known
	}
	for _, alias := range aliases {
		if !slices.Contains(known.ids, alias) {
			known.ids = append(known.ids, alias)
		}
	}
	known.severity, known.unimportant = worse(known.severity, found.severity), known.unimportant || found.unimportant
	known.text = cmp.Or(known.text, found.text)
	if known.fixed == "" {
		known.fixed = found.fixed
	} else if order, ok := compareDebian(found.fixed, known.fixed); ok && order > 0 {
		known.fixed = found.fixed
	}
}

// judge returns a finding for users. It is open if any of the packages is.
func (m *matcher) judge(found *finding) v1alpha1.Vulnerability {
	its := found.component
	item := v1alpha1.Vulnerability{
		ID: found.id, Severity: worse(found.severity, ""), Status: v1alpha1.VulnerabilityNotAffected, Source: its.name, Version: its.version,
		FixedVersion: found.fixed, Description: found.text, Packages: its.packages,
	}
	if found.unimportant { // the distribution knows its package better than a score does
		item.Severity = v1alpha1.SeverityNegligible
	}
	all := m.stated(found.ids)
	for i := range its.binaries {
		said := m.statement(all, its, &its.binaries[i])
		if said == nil || said.affected {
			item.Status, item.Justification = v1alpha1.VulnerabilityOpen, ""
			break
		}
		item.Justification = cmp.Or(item.Justification, said.justification)
	}
	return item
}

// stated returns what is stated about a vulnerability with these IDs of this image, or of packages in any image.
func (m *matcher) stated(ids []string) (all []*statement) {
	for _, set := range m.sets {
		for _, said := range set.about(ids) {
			m.compared++
			if len(said.parts) == 0 || m.of.is(said.product) {
				all = append(all, said)
			}
		}
	}
	return all
}

// statement returns what counts of all that is stated about a vulnerability of a package, or nil: the latest about this image or, if there is
// none, the latest about the package in any image.
func (m *matcher) statement(all []*statement, its *component, binary *binary) (best *statement) {
	if m.compared += 1 + len(all); m.compared > maxCompared {
		return nil // Find fails
	}
	bestImage := false
	for _, said := range all {
		image, covered := said.covers(m.of, its, binary)
		if !covered || bestImage && !image {
			continue
		}
		if best == nil || image && !bestImage || !said.time.Before(best.time) {
			best, bestImage = said, image
		}
	}
	return best
}

// about returns what is stated about a vulnerability with these IDs.
func (s *Set) about(ids []string) (all []*statement) {
	for _, id := range ids {
		all = append(all, s.statements[id]...)
	}
	return all
}

func (r *Result) count(item *v1alpha1.Vulnerability) {
	if item.Status != v1alpha1.VulnerabilityOpen {
		r.Counts.NotAffected++
		return
	}
	switch item.Severity {
	case v1alpha1.SeverityUnreadable:
		r.Counts.Unreadable++
	case v1alpha1.SeverityCritical:
		r.Counts.Critical++
	case v1alpha1.SeverityHigh:
		r.Counts.High++
	case v1alpha1.SeverityMedium:
		r.Counts.Medium++
	case v1alpha1.SeverityLow:
		r.Counts.Low++
	case v1alpha1.SeverityNegligible:
		r.Counts.Negligible++
	default:
		r.Counts.Unknown++
	}
	if item.FixedVersion != "" {
		r.Counts.Fixable++
	}
}
