// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/ulikunitz/xz"

	"goldsmith.dev/goldsmith/builders/debian/dpkg"
)

const (
	// maxIndex is the maximum size in bytes of an index. That of main has 10 MB, and 57 MB before compression.
	maxIndex = 1 << 30

	// everyArchitecture is that of packages for every architecture.
	everyArchitecture = "all"
)

// Packages are versions of packages by name, by architecture.
type Packages = map[string]map[string][]string

// Candidate is the newest version of a package in an archive.
type Candidate struct {
	Name, Architecture string // as they were asked for
	Version            string
	Source, Of         string // the source package, and its version
}

// Update is a version of a package for which an archive has a newer one.
type Update struct {
	Candidate
	From string
}

// An Index lists the packages of a component for an architecture. It is a file that is verified.
type Index struct {
	name string
	file *os.File
}

// Indexes fetches the indexes of the components, and of the architectures of packages. Those that the release file does not have are ignored.
// The caller closes the indexes.
func (c *Client) Indexes(ctx context.Context, release *Release, packages Packages, logf func(string, ...any)) (indexes []*Index, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, Close(indexes))
			indexes = nil
		}
	}()
	components := release.suite.Components
	if len(components) == 0 {
		components = release.components
	}
	for _, component := range components {
		for _, architecture := range release.needed(packages) {
			name, want := release.index(component, architecture)
			if name == "" {
				logf("%s has no packages of component %s for %s", release.suite.address("Release"), component, architecture)
				continue
			}
			if want.size > maxIndex {
				return indexes, refuse(Unavailable, "%s has %d bytes, more than %d", release.suite.address(name), want.size, maxIndex)
			}
			addresses := []string{release.suite.address(name)}
			if release.byHash {
				addresses = append([]string{release.suite.address(path.Dir(name) + "/by-hash/SHA256/" + want.sha256)}, addresses...)
			}
			file, err := c.file(ctx, want, addresses...)
			if err != nil {
				return indexes, err
			}
			indexes = append(indexes, &Index{name: name, file: file})
			logf("%s has %d bytes", addresses[0], want.size)
		}
	}
	return indexes, nil
}

// Close deletes indexes.
func Close(indexes []*Index) error {
	var all []error
	for _, index := range indexes {
		all = append(all, index.file.Close())
	}
	return errors.Join(all...)
}

// needed returns the architectures of the indexes that have packages. An index has the packages for every architecture, too.
func (r *Release) needed(packages Packages) []string {
	architectures := slices.Sorted(maps.Keys(packages))
	architectures = slices.DeleteFunc(architectures, func(a string) bool { return a == everyArchitecture })
	if len(architectures) == 0 {
		some := slices.IndexFunc(r.architectures, func(a string) bool { return a != everyArchitecture })
		if some >= 0 && !r.apart {
			architectures = append(architectures, r.architectures[some])
		}
	}
	if r.apart {
		architectures = append(architectures, everyArchitecture)
	}
	return architectures
}

// index returns the name of an index, the smallest one that can be read, or "".
func (r *Release) index(component, architecture string) (string, checksum) {
	// A suite of security updates has components such as updates/main, whose files are in main.
	for _, directory := range []string{component, path.Base(component)} {
		for _, suffix := range []string{".xz", ".gz", ""} {
			name := directory + "/binary-" + architecture + "/Packages" + suffix
			if want, found := r.files[name]; found {
				return name, want
			}
		}
	}
	return "", checksum{}
}

// fields are those of an index that are needed.
var fields = []string{"Package", "Version", "Architecture", "Source", "Filename", "Size", "SHA256"}

// read reads an index. The map is valid until yield returns.
func (i *Index) read(ctx context.Context, yield func(map[string]string)) error {
	if _, err := i.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	content, err := decompress(i.file, i.name)
	if err != nil {
		return fmt.Errorf("read index %s: %w", i.name, err)
	}
	for paragraph, err := range dpkg.Paragraphs(io.LimitReader(content, maxIndex), fields...) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("read index %s: %w", i.name, err)
		}
		yield(paragraph)
	}
	return nil
}

// decompress returns the content of a file, which its name tells how to read.
func decompress(file io.Reader, name string) (io.Reader, error) {
	switch path.Ext(name) {
	case ".xz":
		return xz.NewReader(file)
	case ".gz":
		return gzip.NewReader(file)
	}
	return file, nil
}

// Find returns the updates of packages, sorted, and the number of packages that the archive has.
func Find(ctx context.Context, indexes []*Index, packages Packages) (updates []Update, found int, err error) {
	type identity struct{ name, architecture string }
	best := map[identity]Candidate{}
	err = readAll(ctx, indexes, func(fields map[string]string) {
		name, version, is := fields["Package"], fields["Version"], fields["Architecture"]
		for architecture, asked := range packages {
			// apt also replaces a package that was made for every architecture by one for a single architecture, and the reverse.
			if _, wanted := asked[name]; !wanted || is != architecture && is != everyArchitecture && architecture != everyArchitecture {
				continue
			}
			key := identity{name, architecture}
			if known, exists := best[key]; exists && !newer(version, known.Version) {
				continue
			}
			source, of := sourceOf(fields)
			best[key] = Candidate{Name: name, Architecture: architecture, Version: version, Source: source, Of: of}
		}
	})
	if err != nil {
		return nil, 0, err
	}
	for key, candidate := range best {
		for _, version := range packages[key.architecture][key.name] {
			if newer(candidate.Version, version) {
				updates = append(updates, Update{Candidate: candidate, From: version})
			}
		}
	}
	slices.SortFunc(updates, func(a, b Update) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Architecture, b.Architecture), cmp.Compare(a.From, b.From))
	})
	return slices.Compact(updates), len(best), nil
}

// sourceOf returns the source package and its version, which an index leaves out if they are those of the package.
func sourceOf(fields map[string]string) (name, version string) {
	name, version, _ = strings.Cut(fields["Source"], " ")
	if name == "" {
		name = fields["Package"]
	}
	if version = strings.Trim(version, "()"); version == "" {
		version = fields["Version"]
	}
	return name, version
}
