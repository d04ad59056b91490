// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

const (
	// maxURI and maxSuite are the limits of an Archive.
	maxURI, maxSuite = 2048, 256
	// maxText is how long the name, the version and the architecture of a package may be.
	maxText = 256
	// maxVersions is how many versions of a package one lock asks for.
	maxVersions = 16
)

// Archive identifies an archive: by the builder that checks it, its address in one spelling, and its suite.
type Archive struct{ Builder, URI, Suite string }

// Name returns the name of the Archive: a DNS label that begins with the builder and the suite.
func (a Archive) Name() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s", a.Builder, a.URI, a.Suite)) // users choose the URI, and must not find that of another name
	return cutLabel(a.Builder+"-"+a.Suite) + "-" + hex.EncodeToString(sum[:10])
}

// Spec returns the spec of the Archive.
func (a Archive) Spec() v1alpha1.ArchiveSpec {
	return v1alpha1.ArchiveSpec{Builder: a.Builder, URI: a.URI, Suite: a.Suite}
}

// cutLabel makes the beginning of a DNS label of a text.
func cutLabel(text string) string {
	label := make([]byte, 0, len(text))
	for _, letter := range []byte(text) {
		switch {
		case letter >= 'a' && letter <= 'z' || letter >= '0' && letter <= '9':
			label = append(label, letter)
		case letter >= 'A' && letter <= 'Z':
			label = append(label, letter-'A'+'a')
		case len(label) > 0 && label[len(label)-1] != '-':
			label = append(label, '-')
		}
	}
	label = label[:min(len(label), 40)]
	for len(label) > 0 && label[len(label)-1] == '-' {
		label = label[:len(label)-1]
	}
	return string(label)
}

// Package identifies a package of a lock.
type Package struct{ Name, Version, Architecture string }

// named is a package, whatever its version.
type named struct{ name, architecture string }

// origin is a source of packages in a lock.
type origin struct {
	archive    Archive
	components []string
	date       time.Time // of its release file, or zero
}

// Content is what the artifacts of a build are made of.
type Content struct {
	// Unknown is why that is not known, for users.
	Unknown string
	// Final is whether that stays so.
	Final bool

	origins  []origin
	packages map[Package]bool
	names    map[named]bool // of these packages

	sources []string // of locks, which nobody can check
	unasked []string // names of packages for which no archive is asked
}

// Unchecked names what nobody checks for newer versions: sources and packages. It is empty if all is checked.
func (c *Content) Unchecked() string {
	var parts []string
	if len(c.sources) > 0 {
		parts = append(parts, "packages of "+some(c.sources))
	}
	if len(c.unasked) > 0 {
		parts = append(parts, some(c.unasked))
	}
	return strings.Join(parts, ", and ")
}

// maxNamed is how many sources or packages a message names.
const maxNamed = 3

// some names the first of some texts.
func some(all []string) string {
	slices.Sort(all)
	all = slices.Compact(all)
	shown := make([]string, min(len(all), maxNamed))
	for i := range shown {
		shown[i] = strconv.Quote(v1alpha1.CutMessage(all[i]))
	}
	text := strings.Join(shown, ", ")
	if more := len(all) - len(shown); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func (c *Content) has(name, version, architecture string) bool {
	return c.packages[Package{name, version, architecture}]
}

// HasLock reports whether the server has read a lock of a build.
func HasLock(build *v1alpha1.ImageBuild) bool {
	for i := range build.Status.Artifacts {
		if build.Status.Artifacts[i].ReadLock() != nil {
			return true
		}
	}
	return false
}

// NoLock returns the content of a build without a lock.
func NoLock(build *v1alpha1.ImageBuild) *Content {
	return &Content{Final: true, Unknown: fmt.Sprintf("build %s has no lock that the server has read: its builder writes none, or the image needs spec.output", build.Name)}
}

// ContentOf returns what a build is made of, by the answer of its subresource packages. An error is an error of the API, unless the records lack the
// packages or do not answer.
func ContentOf(build *v1alpha1.ImageBuild, packages *v1alpha1.ImageBuildPackages, err error) (*Content, error) {
	switch {
	case apierrors.IsNotFound(err) || apierrors.IsServiceUnavailable(err) || apierrors.IsInternalError(err):
		return &Content{Unknown: v1alpha1.CutMessage(fmt.Sprintf("the packages of build %s cannot be read: %v", build.Name, err))}, nil
	case err != nil:
		return nil, fmt.Errorf("read the packages of build %s: %w", build.Name, err)
	case packages.BuildUID != build.UID:
		return &Content{Unknown: fmt.Sprintf("build %s was replaced by another build of its name", build.Name)}, nil
	}
	read := &Content{packages: map[Package]bool{}, names: map[named]bool{}}
	for i := range packages.Locks {
		read.add(&packages.Locks[i].Lock, build.Spec.Inputs.Builder.Name)
	}
	if len(read.origins) == 0 {
		return &Content{Unknown: fmt.Sprintf("the lock of build %s names no source that can be checked: one with the address of a host", build.Name), Final: true}, nil
	}
	return read, nil
}

// add adds the packages of a lock, and the archives that they came from. Packages that belong to no distribution come from other sources.
func (c *Content) add(lock *v1alpha1.Lock, builder string) {
	for i := range lock.Sources {
		source := &lock.Sources[i]
		if !checkable(source) {
			c.sources = append(c.sources, source.URI)
			continue
		}
		of := origin{archive: Archive{builder, canonical(source.URI), source.Suite}}
		if source.Component != "" {
			of.components = []string{source.Component}
		}
		if source.Release != nil && source.Release.Date != nil {
			of.date = source.Release.Date.Time
		}
		c.origins = append(c.origins, of)
	}
	versions := map[named]int{}
	for i := range lock.Packages {
		one := &lock.Packages[i]
		its := named{one.Name, one.Architecture}
		if one.PURL != "" || !askable(one.Name) || !askable(one.Version) || !askable(one.Architecture) || versions[its] == maxVersions {
			c.unasked = append(c.unasked, one.Name)
			continue
		}
		versions[its]++
		c.names[its] = true
		c.packages[Package{one.Name, one.Version, one.Architecture}] = true
	}
}

// Archives returns the archives that a content came from, sorted and without duplicates.
func (c *Content) Archives() []Archive {
	var all []Archive
	for _, of := range c.origins {
		if !slices.Contains(all, of.archive) {
			all = append(all, of.archive)
		}
	}
	slices.SortFunc(all, func(a, b Archive) int { return cmp.Compare(a.Name(), b.Name()) })
	return all
}

// checkable reports whether the source of a lock can be an Archive.
func checkable(source *v1alpha1.PackageSource) bool {
	parsed, err := url.Parse(source.URI)
	return err == nil && parsed.Host != "" && len(source.URI) <= maxURI && len(source.Suite) <= maxSuite
}

// askable reports whether a text of a lock can be part of a question about an archive, which all Images share. So a strange lock, which a script of an
// image can make, does not spoil the question of others.
func askable(text string) bool { return len(text) <= maxText && !strings.ContainsAny(text, `"\<>&`) }

// canonical returns one spelling of the address of an archive.
func canonical(address string) string {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Host == "" {
		return strings.TrimRight(address, "/")
	}
	parsed.Scheme, parsed.Host = strings.ToLower(parsed.Scheme), strings.ToLower(parsed.Host)
	if port := parsed.Port(); parsed.Scheme == "http" && port == "80" || parsed.Scheme == "https" && port == "443" {
		parsed.Host = strings.TrimSuffix(parsed.Host, ":"+port)
	}
	parsed.Path = strings.TrimRight(parsed.Path, "/")
	parsed.RawPath = ""
	return parsed.String()
}

// Watched reports whether new packages start builds of an Image. The operator of a builder decides whether it checks archives.
func Watched(image *v1alpha1.Image, builders inputs.Builders) (ok bool, unsupported string) {
	if image.Spec.Triggers == nil || image.Spec.Triggers.OnPackageChange == nil {
		return false, ""
	}
	builder, missing := builders.Lookup(image.Spec.Builder)
	switch {
	case missing != nil:
		return false, missing.Message
	case image.Spec.Builder.Name == "" || !builder.Capabilities.Probe:
		return false, "the builder checks no archives: use a builder that does, or remove triggers.onPackageChange (docs/builders.md)"
	}
	return true, ""
}
