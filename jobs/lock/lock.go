// SPDX-License-Identifier: Apache-2.0

// Package lock reads locks, which list what the artifacts of a build were made of, and compares their packages.
//
// A builder writes a lock, so Read checks it as input of a stranger. Every error names the field and the remedy. The package reads no
// files, and knows nothing of any distribution.
package lock

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	kjson "sigs.k8s.io/json"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/wrongtype"
)

// maxTextBytes is the maximum length of each text in a lock.
const maxTextBytes = 4096

// Read reads a lock. It ignores unknown fields, because version 1 can get more.
func Read(content []byte) (*v1alpha1.Lock, error) {
	if len(content) > v1alpha1.MaxLockBytes {
		return nil, fmt.Errorf("has more than %d bytes: leave out optional fields, or list fewer packages", v1alpha1.MaxLockBytes)
	}
	if bytes.HasPrefix(content, []byte("\xef\xbb\xbf")) {
		return nil, errors.New("begins with a byte order mark: write UTF-8 without it")
	}
	if !utf8.Valid(content) {
		return nil, errors.New("is not UTF-8")
	}
	var version struct {
		Version  *json.Number `json:"version"` // read first: another version can have other fields
		Sources  length       `json:"sources"`
		Packages *length      `json:"packages"`
	}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(content, &version); err != nil {
		return nil, fmt.Errorf("is not a JSON object: %w", wrongtype.Explain(err))
	}
	switch {
	case version.Version == nil:
		return nil, fmt.Errorf("version is missing: set it to %d", v1alpha1.LockVersion)
	case version.Version.String() != fmt.Sprint(v1alpha1.LockVersion):
		return nil, fmt.Errorf("version is %s, must be %d: use a version of Goldsmith that reads this lock, or a builder that writes version %[2]d",
			v1alpha1.CutMessage(version.Version.String()), v1alpha1.LockVersion)
	}
	if n := version.Sources; n > v1alpha1.MaxLockSources {
		return nil, fmt.Errorf("has %d sources, at most %d are allowed", n, v1alpha1.MaxLockSources)
	}
	if version.Packages == nil {
		return nil, errors.New("packages is missing: list the packages, or set it to [] if there are none")
	}
	if n := *version.Packages; n > v1alpha1.MaxLockPackages {
		return nil, fmt.Errorf("has %d packages, at most %d are allowed", n, v1alpha1.MaxLockPackages)
	}
	lock := &v1alpha1.Lock{}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(content, lock); err != nil {
		return nil, fmt.Errorf("does not match the format of locks: %w", wrongtype.Explain(err))
	}
	if err := check(lock); err != nil {
		return nil, errors.New(v1alpha1.CutMessage(err.Error())) // values can be long
	}
	return lock, nil
}

// length is the length of a list, whose items it does not keep: millions of empty items fit into a lock, and would need a hundred times its size.
type length int

// UnmarshalJSON adds the length of a list, because a field can be there twice.
func (l *length) UnmarshalJSON(list []byte) error {
	var items []struct{}
	_ = json.Unmarshal(list, &items) // a wrong type is told when the items are read
	*l += length(len(items))
	return nil
}

var (
	sha256Pattern  = regexp.MustCompile(`\A[0-9a-f]{64}\z`)
	toolsPattern   = regexp.MustCompile(`\Asha256:[0-9a-f]{64}\z`)
	idPattern      = regexp.MustCompile(`\A[a-z0-9._-]+\z`) // os-release(5)
	credentials    = regexp.MustCompile(`://[^\s/?#]*@|://\S*[?#]`)
	purlPattern    = regexp.MustCompile(`\Apkg:[a-z][a-z0-9.+-]*/([^\s%]|%[0-9A-Fa-f]{2})+\z`)
	errMissing     = errors.New("is missing")
	errUnprintable = errors.New("must be one line of printable characters")
	errSpace       = errors.New("must not contain spaces")
	errCredentials = errors.New("has a URL with a user, a query or a fragment, which can have credentials, and everybody who can read the build can read it: remove that part")
	errTooLong     = fmt.Errorf("must have at most %d bytes", maxTextBytes)
)

func check(lock *v1alpha1.Lock) error {
	if lock.Tools != "" && !toolsPattern.MatchString(lock.Tools) {
		return fmt.Errorf("tools is %q, must be sha256: and 64 lower-case hex digits", lock.Tools)
	}
	if distribution := lock.Distribution; distribution != nil {
		if !idPattern.MatchString(distribution.ID) {
			return fmt.Errorf("distribution.id is %q, must be the ID of os-release(5), such as debian", distribution.ID)
		}
		if err := text(distribution.Version, false); err != nil {
			return fmt.Errorf("distribution.version is %q, %w", distribution.Version, err)
		}
	}
	for i := range lock.Sources {
		if err := checkSource(&lock.Sources[i]); err != nil {
			return fmt.Errorf("sources[%d].%w", i, err)
		}
	}
	first := make(map[identity]int, len(lock.Packages))
	for i := range lock.Packages {
		one := &lock.Packages[i]
		if err := checkPackage(one); err != nil {
			return fmt.Errorf("packages[%d].%w", i, err)
		}
		its := identityOf(one)
		if earlier, twice := first[its]; twice {
			return fmt.Errorf("packages[%d] is the same as packages[%d], %s %s %s: list each package once", i, earlier, one.Name, one.Version, one.Architecture)
		}
		first[its] = i
	}
	return nil
}

// identity tells packages of a lock apart. The package URLs of two ecosystems tell packages of the same name apart.
type identity struct{ name, version, architecture, purl string }

func identityOf(one *v1alpha1.Package) identity {
	return identity{one.Name, one.Version, one.Architecture, one.PURL}
}

// unversioned tells packages apart, whatever their version.
type unversioned struct{ name, architecture, purl string }

func unversionedOf(one *v1alpha1.Package) unversioned {
	purl, _, _ := strings.Cut(one.PURL, "?")
	if at := strings.LastIndexByte(purl, '@'); at >= 0 {
		purl = purl[:at]
	}
	return unversioned{one.Name, one.Architecture, purl}
}

func checkSource(source *v1alpha1.PackageSource) error {
	for _, field := range []field{{"uri", source.URI, true}, {"suite", source.Suite, false}, {"component", source.Component, false}} {
		if err := field.check(); err != nil {
			return err
		}
	}
	release := source.Release
	if release == nil {
		return nil
	}
	if release.SHA256 != "" && !sha256Pattern.MatchString(release.SHA256) {
		return fmt.Errorf("release.sha256 is %q, must be 64 lower-case hex digits", release.SHA256)
	}
	if date := release.Date; date != nil && (date.UTC().Year() < 1970 || date.UTC().Year() > 9999) { // others cannot be written as JSON, or are in no release file
		return fmt.Errorf("release.date is %s, must be from 1970 to 9999", date.UTC().Format(time.RFC3339))
	}
	return nil
}

func checkPackage(one *v1alpha1.Package) error {
	fields := []field{
		{"name", one.Name, true}, {"version", one.Version, true}, {"architecture", one.Architecture, true},
		{"licence", one.Licence, false}, {"purl", one.PURL, false},
	}
	if one.Source != nil {
		fields = append(fields, field{"source.name", one.Source.Name, true}, field{"source.version", one.Source.Version, false})
	}
	for _, field := range fields {
		if err := field.check(); err != nil {
			return err
		}
	}
	if one.SHA256 != "" && !sha256Pattern.MatchString(one.SHA256) {
		return fmt.Errorf("sha256 is %q, must be 64 lower-case hex digits", one.SHA256)
	}
	if one.PURL != "" && !purlPattern.MatchString(one.PURL) {
		return fmt.Errorf("purl is %q, must be a package URL, such as pkg:npm/left-pad@1.3.0", one.PURL)
	}
	return nil
}

// field is a text of a lock.
type field struct {
	name, value string
	required    bool
}

func (f field) check() error {
	err := text(f.value, f.required)
	if plain, _ := url.PathUnescape(f.value); credentials.MatchString(f.value) || credentials.MatchString(plain) {
		return fmt.Errorf("%s %w", f.name, errCredentials) // not its value
	}
	if err == nil && f.name != "licence" && strings.Contains(f.value, " ") {
		err = errSpace
	}
	switch {
	case errors.Is(err, errMissing):
		return fmt.Errorf("%s %w", f.name, err)
	case errors.Is(err, errTooLong):
		return fmt.Errorf("%s has %d bytes, %w", f.name, len(f.value), err)
	case err != nil:
		return fmt.Errorf("%s is %q, %w", f.name, f.value, err)
	}
	return nil
}

func text(value string, required bool) error {
	switch {
	case value == "" && required:
		return errMissing
	case len(value) > maxTextBytes:
		return errTooLong
	case !v1alpha1.Printable(value):
		return errUnprintable
	}
	return nil
}

// Compare returns the packages that differ between two locks, sorted by name, architecture and version, and the number of packages that both
// have. A package that each lock has in one version, but not the same, has changed. So has a package of the same version whose SHA-256 differs:
// From and To are then the same. Any other version was added or removed.
func Compare(from, to *v1alpha1.Lock) (changes []v1alpha1.PackageChange, unchanged int32) {
	before := make(map[identity]*v1alpha1.Package, len(from.Packages))
	versions := map[unversioned][2]int{} // the number of versions in each lock
	for i := range from.Packages {
		one := &from.Packages[i]
		before[identityOf(one)] = one
		count := versions[unversionedOf(one)]
		versions[unversionedOf(one)] = [2]int{count[0] + 1, count[1]}
	}
	for i := range to.Packages {
		count := versions[unversionedOf(&to.Packages[i])]
		versions[unversionedOf(&to.Packages[i])] = [2]int{count[0], count[1] + 1}
	}
	replaced := map[unversioned]string{} // the version in to
	add := func(one *v1alpha1.Package, from, to string) {
		changes = append(changes, v1alpha1.PackageChange{Name: one.Name, Architecture: one.Architecture, From: from, To: to})
	}
	for i := range to.Packages {
		one := &to.Packages[i]
		earlier := before[identityOf(one)]
		delete(before, identityOf(one))
		switch {
		case earlier != nil && earlier.SHA256 != one.SHA256 && earlier.SHA256 != "" && one.SHA256 != "":
			add(one, one.Version, one.Version)
		case earlier != nil:
			unchanged++
		case versions[unversionedOf(one)] == [2]int{1, 1}:
			replaced[unversionedOf(one)] = one.Version
		default:
			add(one, "", one.Version)
		}
	}
	for _, one := range before {
		add(one, one.Version, replaced[unversionedOf(one)]) // empty: it was removed
	}
	slices.SortFunc(changes, func(a, b v1alpha1.PackageChange) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Architecture, b.Architecture), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	return changes, unchanged
}
