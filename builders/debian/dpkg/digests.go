// SPDX-License-Identifier: Apache-2.0

package dpkg

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

const (
	// maxList is the maximum size in bytes of a list of apt that is read. That of main has 50 MB.
	maxList = 256 << 20
	// maxLists is the maximum number of lists. A build has one for each component of a suite.
	maxLists = 1000
)

var sha256Pattern = regexp.MustCompile(`\A[0-9a-f]{64}\z`)

// AddDigests adds the SHA-256 of their files to packages, from the lists of apt in directories of root. A directory that does not exist is ignored.
// A package about which lists differ gets none, because nobody knows which one was installed.
func AddDigests(packages []v1alpha1.Package, root *os.Root, directories ...string) error {
	type identity struct{ name, version, architecture string }
	digests := make(map[identity]string, len(packages))
	for i := range packages {
		digests[identity{packages[i].Name, packages[i].Version, packages[i].Architecture}] = ""
	}
	err := readLists(root, directories, func(list io.Reader) error {
		for fields, err := range Paragraphs(list, "Package", "Version", "Architecture", "SHA256") {
			if err != nil {
				return err
			}
			its, digest := identity{fields["Package"], fields["Version"], fields["Architecture"]}, fields["SHA256"]
			if known, wanted := digests[its]; wanted && known != digest {
				if known != "" {
					digest = "different"
				}
				digests[its] = digest
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the lists of apt: %w", err)
	}
	for i := range packages {
		if digest := digests[identity{packages[i].Name, packages[i].Version, packages[i].Architecture}]; sha256Pattern.MatchString(digest) {
			packages[i].SHA256 = digest
		}
	}
	return nil
}

// readLists reads each list of packages once. Directories can have the same files, by hard links.
func readLists(root *os.Root, directories []string, read func(io.Reader) error) error {
	var known []fs.FileInfo
	for _, directory := range directories {
		entries, err := fs.ReadDir(root.FS(), directory)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, entry := range entries {
			info, err := entry.Info()
			if err != nil {
				return err
			}
			usable := info.Mode().IsRegular() && info.Size() <= maxList && strings.HasSuffix(entry.Name(), "_Packages")
			if !usable || len(known) == maxLists || slices.ContainsFunc(known, func(other fs.FileInfo) bool { return os.SameFile(info, other) }) {
				continue
			}
			known = append(known, info)
			if err := readList(root, path.Join(directory, entry.Name()), read); err != nil {
				return err
			}
		}
	}
	return nil
}

func readList(root *os.Root, name string, read func(io.Reader) error) error {
	list, err := root.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = list.Close() }() // only read from
	return read(list)
}
