// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

const (
	// maxTries is the maximum number of packages of one source in which its changelog is searched.
	maxTries = 3
	// maxPackage is the maximum size in bytes of a package that is fetched for its changelog.
	maxPackage = 64 << 20
	// minPackage is the size in bytes below which a package has no changelog if another package of its source has only a link to it.
	minPackage = 8 << 10
	// maxFetched is the maximum number of bytes of all packages that one check fetches for changelogs.
	maxFetched = 256 << 20
)

// source is a source package in a version.
type source struct{ name, version string }

// binary is a package of a source.
type binary struct {
	name, file string
	checksum
}

// Advisories returns the advisories that the newer versions of updates fix, as the changelogs of their source packages name them. Nothing that goes wrong
// is an error: an update then has no advisories, and the log tells why. So does the end of the context.
func (c *Client) Advisories(ctx context.Context, release *Release, indexes []*Index, updates []Update, logf func(string, ...any)) map[Update][]string {
	groups := map[source][]Update{}
	for _, update := range updates {
		of := source{update.Source, update.Of}
		groups[of] = append(groups[of], update)
	}
	binaries, err := binariesOf(ctx, indexes, groups)
	if err != nil {
		logf("no advisory is known: %v", err)
		return nil
	}
	search := search{client: c, release: release, indexes: indexes}
	advisories := map[Update][]string{}
	sources := slices.SortedFunc(maps.Keys(groups), func(a, b source) int { return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.version, b.version)) })
	for i, of := range sources {
		if ctx.Err() != nil {
			logf("the changelogs of %d source packages were not read: %v", len(sources)-i, context.Cause(ctx))
			return advisories
		}
		entries, err := search.changelog(ctx, binaries[of], oldestOf(groups[of]))
		if err != nil {
			logf("%s %s: its changelog cannot be read: %v", of.name, of.version, err)
			continue
		}
		most := 0
		for _, update := range groups[of] {
			advisories[update] = advisoriesBetween(entries, &update)
			most = max(most, len(advisories[update]))
			advisories[update] = advisories[update][:min(len(advisories[update]), v1alpha1.MaxAdvisories)]
		}
		switch {
		case most == 0:
			logf("%s %s: its changelog names no CVE", of.name, of.version)
		case most > v1alpha1.MaxAdvisories:
			logf("%s %s: its changelog names %d CVEs: the newest %d are listed", of.name, of.version, most, v1alpha1.MaxAdvisories)
		}
	}
	logf("the packages with the changelogs of %d source packages have %d bytes", len(sources), search.fetched)
	return advisories
}

// oldestOf returns the oldest version that is installed.
func oldestOf(updates []Update) string {
	oldest := withoutRebuild(updates[0].From)
	for i := range updates {
		if installed := withoutRebuild(updates[i].From); newer(oldest, installed) {
			oldest = installed
		}
	}
	return oldest
}

// binariesOf returns the packages of sources, the smallest first.
func binariesOf(ctx context.Context, indexes []*Index, sources map[source][]Update) (map[source][]binary, error) {
	binaries := map[source][]binary{}
	err := readAll(ctx, indexes, func(fields map[string]string) {
		var of source
		of.name, of.version = sourceOf(fields)
		if _, wanted := sources[of]; wanted {
			binaries[of] = append(binaries[of], binaryOf(fields))
		}
	})
	for _, all := range binaries {
		slices.SortFunc(all, func(a, b binary) int { return cmp.Or(cmp.Compare(a.size, b.size), cmp.Compare(a.file, b.file)) })
	}
	return binaries, err
}

func readAll(ctx context.Context, indexes []*Index, yield func(map[string]string)) error {
	for _, index := range indexes {
		if err := index.read(ctx, yield); err != nil {
			return err
		}
	}
	return nil
}

func binaryOf(fields map[string]string) binary {
	size, err := strconv.ParseInt(fields["Size"], 10, 64)
	if err != nil {
		size = math.MaxInt64 // it is not fetched
	}
	return binary{fields["Package"], fields["Filename"], checksum{fields["SHA256"], size}}
}

// search looks for changelogs in packages.
type search struct {
	client  *Client
	release *Release
	indexes []*Index
	fetched int64 // bytes
}

// changelog returns the entries of the changelog of a source package that are newer than a version. It tries the smallest package first. If the changelog
// there is a link to that of another package, which can have another source, it tries that one next.
func (s *search) changelog(ctx context.Context, binaries []binary, oldest string) ([]entry, error) {
	var problems []string
	for tries := 0; tries < maxTries && len(binaries) > 0; {
		next := binaries[0]
		binaries = binaries[1:]
		if next.size > maxPackage {
			problems = append(problems, fmt.Sprintf("package %s has %d bytes, more than %d", next.name, next.size, maxPackage))
			continue
		}
		tries++
		entries, err := s.changelogOf(ctx, next, oldest)
		if err == nil {
			return entries, nil
		}
		problems = append(problems, fmt.Sprintf("package %s: %v", next.name, err))
		if link, ok := errors.AsType[*linkError](err); ok {
			linked, err := s.named(ctx, link.to)
			if err != nil {
				return nil, err
			}
			binaries = slices.DeleteFunc(binaries, func(b binary) bool { return b.size < minPackage })
			binaries = append(linked, binaries...)
		}
	}
	if len(problems) == 0 {
		return nil, errors.New("the archive has no package of it")
	}
	return nil, errors.New(strings.Join(problems, "; "))
}

// named returns the package of a name, or none.
func (s *search) named(ctx context.Context, name string) (found []binary, err error) {
	err = readAll(ctx, s.indexes, func(fields map[string]string) {
		if fields["Package"] == name {
			found = []binary{binaryOf(fields)}
		}
	})
	return found, err
}

func (s *search) changelogOf(ctx context.Context, of binary, oldest string) (entries []entry, err error) {
	switch {
	case s.fetched+of.size > maxFetched:
		return nil, fmt.Errorf("with its %d bytes the check would fetch more than %d for changelogs", of.size, maxFetched)
	case !fs.ValidPath(of.file):
		return nil, fmt.Errorf("the name of its file, %q, is no path", of.file)
	}
	s.fetched += of.size
	location := url.URL{Path: of.file} // names can have characters such as %
	deb, err := s.client.file(ctx, of.checksum, strings.TrimSuffix(s.release.suite.URI, "/")+"/"+location.EscapedPath())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, deb.Close()) }()
	return changelogIn(deb, of.name, oldest)
}
