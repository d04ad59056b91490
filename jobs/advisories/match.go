// SPDX-License-Identifier: Apache-2.0

package advisories

import (
	"cmp"
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
	Items     []v1alpha1.Vulnerability
	Counts    v1alpha1.VulnerabilityCounts
	Worst     []string
	Unmatched []string
}

// component is a source package in an image, or a package of an ecosystem such as npm.
type component struct {
	ecosystem string // as OSV names it, or "" if it has none
	release   string
	label     string // of ecosystem and release, for users
	kind      string // of its package URLs
	distro    string // the namespace of its package URLs
	name      string
	version   string
	// codeName and codeVersion are the source package whose code is in it. They differ for signed binaries.
	codeName, codeVersion string
	binaries              []binary
}

// binary is a package that was built from a component.
type binary struct{ name, version, architecture string }

// componentKey tells components apart.
type componentKey struct{ label, kind, name, version string }

// distributions are the ecosystems of OSV, and the types of package URLs, by the IDs of distributions (os-release(5)).
var distributions = map[string]struct{ ecosystem, kind string }{
	"debian": {debianEcosystem, "deb"}, "ubuntu": {"Ubuntu", "deb"}, "alpine": {"Alpine", "apk"}, "wolfi": {"Wolfi", "apk"}, "chainguard": {"Chainguard", "apk"},
	"rocky": {"Rocky Linux", "rpm"}, "almalinux": {"AlmaLinux", "rpm"}, "azurelinux": {"Azure Linux", "rpm"}, "openeuler": {"openEuler", "rpm"},
	"mageia": {"Mageia", "rpm"}, "photon": {"Photon OS", "rpm"}, "rhel": {"Red Hat", "rpm"},
}

// noDistribution is how users see packages whose lock names no distribution.
const noDistribution = "packages without a distribution"

// componentsOf returns the components of locks. Debian's binary packages are counted to their source packages, which advisories are about.
func componentsOf(locks []*v1alpha1.Lock) map[componentKey]*component {
	found := map[componentKey]*component{}
	for _, lock := range locks {
		distribution := distributionOf(lock)
		for i := range lock.Packages {
			its := distribution
			one := &lock.Packages[i]
			its.of(one)
			key := componentKey{its.label, its.kind, its.name, its.version}
			known := found[key]
			if known == nil {
				known = &its
				found[key] = known
			}
			if binary := (binary{one.Name, one.Version, one.Architecture}); !slices.Contains(known.binaries, binary) {
				known.binaries = append(known.binaries, binary)
			}
		}
	}
	return found
}

// distributionOf returns a component of the distribution of a lock.
func distributionOf(lock *v1alpha1.Lock) component {
	if lock.Distribution == nil {
		return component{label: noDistribution}
	}
	id, version := lock.Distribution.ID, lock.Distribution.Version
	known := distributions[id]
	its := component{ecosystem: known.ecosystem, kind: known.kind, distro: id, release: version}
	if id == "rhel" {
		its.distro = "redhat"
	}
	if its.ecosystem == debianEcosystem {
		its.release = releaseOf(version, lock.Sources)
	}
	its.label = strings.TrimSpace(id + " " + its.release)
	return its
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

// of completes a component with a package.
func (c *component) of(one *v1alpha1.Package) {
	source := one.Source
	c.name, c.version = one.Name, one.Version
	if url, ok := parsePURL(one.PURL); ok && c.ofDistribution(url) {
		c.name, c.version = url.name, cmp.Or(url.version, one.Version)
		if name, version, _ := strings.Cut(url.qualifiers.Get("upstream"), "@"); source == nil && name != "" {
			source = &v1alpha1.SourcePackage{Name: name, Version: version}
		}
	} else if ok {
		*c = component{kind: url.kind, distro: url.namespace, version: cmp.Or(url.version, one.Version)}
		c.ecosystem, c.name = url.ecosystem()
		c.name, c.label = cmp.Or(packageName(c.ecosystem, c.name), url.name), cmp.Or(c.ecosystem, url.kind)
		c.codeName, c.codeVersion = c.name, c.version
		return
	}
	if source != nil {
		c.name, c.version = source.Name, cmp.Or(source.Version, c.version)
	}
	c.codeName, c.codeVersion = c.name, c.version
	if c.kind != "deb" {
		return
	}
	if source == nil || source.Version == "" {
		c.version = sourceVersion(c.version)
	}
	c.codeName, c.codeVersion = signed(c.name, c.version)
}

// ofDistribution changes a component to the distribution that a package URL names, if it names one.
func (c *component) ofDistribution(url purl) bool {
	if url.kind != "deb" && url.kind != "apk" && url.kind != "rpm" {
		return false
	}
	if id, version, ok := strings.Cut(url.qualifiers.Get("distro"), "-"); ok && id == url.namespace {
		*c = distributionOf(&v1alpha1.Lock{Distribution: &v1alpha1.Distribution{ID: id, Version: version}})
	}
	return c.distro == url.namespace
}

// has reports whether a package URL names a package of the component: its source package, or a binary package.
func (c *component) has(wanted purl, one *binary) bool {
	if wanted.kind != c.kind {
		return false
	}
	if wanted.kind != "deb" && wanted.kind != "apk" && wanted.kind != "rpm" {
		ecosystem, name := wanted.ecosystem()
		return ecosystem == c.ecosystem && packageName(ecosystem, name) == c.name && (wanted.version == "" || wanted.version == c.version)
	}
	if wanted.namespace != c.distro {
		return false
	}
	if distro := wanted.qualifiers.Get("distro"); distro != "" {
		if version := strings.TrimPrefix(distro, c.distro+"-"); version != c.release && release(version) != c.release {
			return false
		}
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
	sets      []*Set
	findings  map[findingKey]*finding
	unmatched map[string]bool
}

// Match returns what advisories know about the packages of a build. It never fails: packages that no advisory is about are unmatched.
func Match(sets []*Set, of Subject) Result {
	m := &matcher{sets: sets, findings: map[findingKey]*finding{}, unmatched: map[string]bool{}}
	for _, its := range componentsOf(of.Locks) {
		if !m.knows(its) {
			m.unmatched[its.label] = true
			continue
		}
		judged := m.judged(its)
		for _, set := range sets {
			m.tracked(set, its)
			m.listed(set, its, judged)
		}
	}
	result := Result{Unmatched: slices.Sorted(maps.Keys(m.unmatched))}
	m.merge()
	for _, found := range m.findings {
		result.Items = append(result.Items, m.judge(&of, found))
	}
	slices.SortFunc(result.Items, func(a, b v1alpha1.Vulnerability) int {
		return cmp.Or(cmp.Compare(b.Status, a.Status), cmp.Compare(urgent(b.Severity), urgent(a.Severity)), // Open is after NotAffected
			newerFirst(a.ID, b.ID), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Version, b.Version))
	})
	for i := range result.Items {
		result.count(&result.Items[i])
	}
	result.Items = result.Items[:min(len(result.Items), v1alpha1.MaxVulnerabilities)]
	return result
}

// urgent orders severities for users: what nobody has rated may be severe, and is before what the distribution calls unimportant.
func urgent(severity v1alpha1.Severity) float64 {
	if severity == v1alpha1.SeverityUnknown {
		return float64(rank(v1alpha1.SeverityNegligible)) + 0.5
	}
	return float64(rank(severity))
}

// newerFirst orders IDs of the same kind by their year and number, the newest first.
func newerFirst(a, b string) int {
	return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(b, a))
}

// knows reports whether any advisory is about the release of a component.
func (m *matcher) knows(its *component) bool {
	if its.ecosystem == "" {
		return false
	}
	return slices.ContainsFunc(m.sets, func(set *Set) bool {
		if set.releases[its.ecosystem] {
			return true
		}
		for known := range set.releases {
			if ecosystem, release, ok := strings.Cut(known, ":"); ok && ecosystem == its.ecosystem && sameRelease(release, its.release) {
				return true
			}
		}
		return false
	})
}

// sameRelease reports whether a version of a distribution belongs to a release: 3.20.1 to 3.20.
func sameRelease(release, version string) bool {
	return release == version || release != "" && strings.HasPrefix(version, release+".")
}

// tracked adds what Debian's tracker knows about a component.
func (m *matcher) tracked(set *Set, its *component) {
	if its.ecosystem != debianEcosystem {
		return
	}
	entries := set.tracker[its.codeName]
	for i := range entries {
		state, fixed, affected := entries[i].affects(its.release, its.codeVersion)
		if affected {
			m.add(entries[i].id, nil, its, finding{
				severity: state.severity, unimportant: state.severity == v1alpha1.SeverityNegligible, fixed: fixed, text: entries[i].text,
			})
		}
	}
}

// judged returns the vulnerabilities that Debian has judged for the source package and the release of a component. Its entries about updates are
// less exact: a second update of the same vulnerabilities names a later version.
func (m *matcher) judged(its *component) map[string]bool {
	if its.ecosystem != debianEcosystem {
		return nil
	}
	ids := map[string]bool{}
	for _, set := range m.sets {
		entries := set.tracker[its.codeName]
		for i := range entries {
			if entries[i].in(its.release) != nil {
				ids[entries[i].id] = true
			}
		}
		all := set.osv[ecosystemPackage{its.ecosystem, its.codeName}]
		for i := range all {
			if of := all[i].of; all[i].release == its.release && !isUpdate(of.id) {
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
	all := set.osv[ecosystemPackage{its.ecosystem, its.codeName}]
	specific := map[*advisory]bool{} // those that know the release of the component
	for i := range all {
		if all[i].release != "" && sameRelease(all[i].release, its.release) {
			specific[all[i].of] = true
		}
	}
	for i := range all {
		one := &all[i]
		if one.release == "" && specific[one.of] || one.release != "" && !sameRelease(one.release, its.release) {
			continue
		}
		fixed, affected, ok := one.affects(its.ecosystem, its.codeVersion)
		if !ok {
			m.unmatched[its.label] = true // nobody knows
		}
		if !affected {
			continue
		}
		for _, id := range one.of.cves {
			if judged[id] && isUpdate(one.of.id) {
				continue
			}
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
	if compare := ordered(its.ecosystem); known.fixed == "" {
		known.fixed = found.fixed
	} else if compare != nil && found.fixed != "" {
		if order, ok := compare(found.fixed, known.fixed); ok && order > 0 {
			known.fixed = found.fixed
		}
	}
}

// merge merges findings with a common ID, such as GHSA-… and PYSEC-…, into that with a CVE or, without a CVE, into that with the smallest ID. Two
// CVEs stay two findings: an update of a distribution names several.
func (m *matcher) merge() {
	all := slices.SortedFunc(maps.Values(m.findings), mergeOrder)
	into := map[*finding]*finding{}
	last := func(of *finding) *finding {
		for into[of] != nil {
			if after := into[into[of]]; after != nil {
				into[of] = after // a long chain is followed once
			}
			of = into[of]
		}
		return of
	}
	byID := map[findingKey]*finding{}
	for _, found := range all {
		for _, id := range found.ids {
			key := findingKey{id, found.component}
			if byID[key] == nil {
				byID[key] = found
			}
			one, other := last(byID[key]), last(found)
			if mergeOrder(one, other) > 0 {
				one, other = other, one
			}
			if one != other && !cvePattern.MatchString(other.id) {
				into[other] = one
			}
		}
	}
	for _, found := range all {
		if target := last(found); target != found {
			delete(m.findings, findingKey{found.id, found.component})
			m.add(target.id, found.ids, found.component, *found)
		}
	}
}

// mergeOrder orders CVEs before other IDs, and the smaller before the larger.
func mergeOrder(a, b *finding) int {
	if first := cvePattern.MatchString(a.id); first != cvePattern.MatchString(b.id) {
		if first {
			return -1
		}
		return 1
	}
	return newerFirst(b.id, a.id)
}

// judge returns a finding for users. It is open if any of the packages is.
func (m *matcher) judge(of *Subject, found *finding) v1alpha1.Vulnerability {
	its := found.component
	item := v1alpha1.Vulnerability{
		ID: found.id, Severity: worse(found.severity, ""), Status: v1alpha1.VulnerabilityNotAffected, Source: its.name, Version: its.version,
		FixedVersion: found.fixed, Description: found.text,
	}
	if found.unimportant { // the distribution knows its package better than a score does
		item.Severity = v1alpha1.SeverityNegligible
	}
	for i := range its.binaries {
		if !slices.Contains(item.Packages, its.binaries[i].name) {
			item.Packages = append(item.Packages, its.binaries[i].name)
		}
		said := m.statement(of, found, &its.binaries[i])
		if said == nil || said.affected {
			item.Status = v1alpha1.VulnerabilityOpen
		} else if item.Justification == "" {
			item.Justification = said.justification
		}
	}
	slices.Sort(item.Packages)
	if item.Status == v1alpha1.VulnerabilityOpen {
		item.Justification = ""
	}
	return item
}

// statement returns what counts of all that is stated about a vulnerability of a package, or nil: the latest about this image or, if there is
// none, the latest about the package in any image.
func (m *matcher) statement(of *Subject, found *finding, binary *binary) (best *statement) {
	bestImage := false
	for _, set := range m.sets {
		for _, said := range set.about(found.ids) {
			image, covered := said.covers(of, found.component, binary)
			if !covered || bestImage && !image {
				continue
			}
			if best == nil || image && !bestImage || !said.time.Before(best.time) {
				best, bestImage = said, image
			}
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
	if len(r.Worst) < v1alpha1.MaxWorstVulnerabilities && !slices.Contains(r.Worst, item.ID) {
		r.Worst = append(r.Worst, item.ID)
	}
}
