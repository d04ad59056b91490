// SPDX-License-Identifier: Apache-2.0

package dpkg

import (
	"archive/tar"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

const (
	docs      = "usr/share/doc"
	copyright = "copyright"
	// maxCopyright is the maximum size in bytes of a file that is read. The largest of Debian have some MB.
	maxCopyright = 16 << 20
	// maxLicence is the maximum length in bytes of a licence: a lock has texts of at most 4,096 bytes.
	maxLicence = 4096
	// maxLinks is the maximum number of symbolic links on the way to a file. The directory of a package can be a link to that of another.
	maxLinks = 8
)

// addLicences adds the licences of packages to a list, from the copyright files of a root file system.
func addLicences(packages []v1alpha1.Package, rootFS io.Reader) error {
	wanted := map[string]bool{}
	for i := range packages {
		directory := docs + "/" + packages[i].Name
		wanted[directory], wanted[directory+"/"+copyright] = true, true
	}
	licences, links := map[string]string{}, map[string]string{} // by paths
	err := walk(rootFS, func(name string, header *tar.Header, content io.Reader) error {
		switch {
		case !wanted[name]:
		case header.Typeflag == tar.TypeSymlink:
			links[name] = header.Linkname
		case header.Typeflag == tar.TypeLink:
			links[name] = "/" + header.Linkname
		case header.Typeflag == tar.TypeReg && header.Size <= maxCopyright:
			licences[name] = licenceIn(content)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("look for licences: %w", err)
	}
	for i := range packages {
		at := path.Join(docs, packages[i].Name, copyright)
		for range maxLinks {
			at = follow(at, links)
		}
		packages[i].Licence = licences[at]
	}
	return nil
}

// follow follows the first symbolic link on the way to a copyright file, if there is one. A link that leads out of the root file system ends in it.
func follow(at string, links map[string]string) string {
	directory, name := path.Split(at)
	directory = path.Clean(directory)
	if target, found := links[directory]; found {
		return path.Join(resolve(path.Dir(directory), target), name)
	}
	if target, found := links[at]; found {
		return resolve(directory, target)
	}
	return at
}

func resolve(directory, target string) string {
	if !path.IsAbs(target) {
		target = path.Join(directory, target)
	}
	return path.Join("/", target)[1:]
}

// machineReadable matches the field Format of copyright files of a known format, which also has the name of its draft.
var machineReadable = regexp.MustCompile(`/(copyright-format|dep5)\b`)

// licenceIn returns the licences that a machine-readable copyright file names, sorted, and joined by "and". It returns "" for any other file, and
// for licences that a lock cannot have. See https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/.
func licenceIn(content io.Reader) string {
	var licences []string
	length, first := 0, true
	for fields, err := range Paragraphs(content, "Format", "License") {
		if err != nil || first && !machineReadable.MatchString(fields["Format"]) {
			return ""
		}
		first = false
		for _, licence := range conjuncts(fields["License"]) {
			if slices.Contains(licences, licence) {
				continue
			}
			if length += len(licence) + len("() and "); length > maxLicence || !v1alpha1.Printable(licence) {
				return ""
			}
			licences = append(licences, licence)
		}
	}
	slices.Sort(licences)
	if len(licences) > 1 {
		for i, licence := range licences {
			if strings.Contains(licence, " or ") {
				licences[i] = "(" + licence + ")"
			}
		}
	}
	return strings.Join(licences, " and ")
}

// conjuncts splits the short name of a licence, such as "GPL-2+ and Expat", where all parts of it apply. A name with a choice is one part.
func conjuncts(name string) []string {
	name = strings.Join(strings.Fields(name), " ")
	switch {
	case name == "":
		return nil
	case strings.Contains(name, " or "), strings.Contains(name, ","):
		return []string{name}
	}
	return strings.Split(name, " and ")
}
