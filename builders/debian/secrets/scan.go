// SPDX-License-Identifier: Apache-2.0

package secrets

import (
	"archive/tar"
	"bufio"
	"bytes"
	"crypto/md5" //nolint:gosec // the digests of packages are of this kind
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// Finding is a file that all machines share.
type Finding struct {
	// Path has no slash at its beginning.
	Path string
	Kind Kind
}

// String returns the path and the kind. What JSON or a log would have to escape in the path is a question mark.
func (f Finding) String() string {
	plain := func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune(`"\<>&`, r) {
			return '?'
		}
		return r
	}
	return strings.Map(plain, "/"+f.Path) + " (" + string(f.Kind) + ")"
}

// maxSize is the size of the largest file that is looked at.
const maxSize = 1 << 20

// Where dpkg has the digests of the files that packages ship.
const (
	infoDirectory = "var/lib/dpkg/info/"
	statusFile    = "var/lib/dpkg/status"
)

// Scan reads the tar of a root file system once, and returns the findings, sorted by their paths.
func Scan(content io.Reader) ([]Finding, error) {
	var found []Finding
	digests := map[string]string{} // of the findings
	shipped := map[string]string{} // by packages
	for archive := tar.NewReader(content); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = visit(header, archive, func(f Finding, digest string) {
				found = append(found, f)
				digests[f.Path] = digest
			}, shipped)
		}
		if err != nil {
			return nil, fmt.Errorf("look for secrets: %w", err)
		}
	}
	found = slices.DeleteFunc(found, func(f Finding) bool { return shipped[f.Path] == digests[f.Path] })
	slices.SortFunc(found, func(a, b Finding) int { return strings.Compare(a.Path, b.Path) })
	return found, nil
}

func visit(header *tar.Header, content io.Reader, report func(Finding, string), shipped map[string]string) error {
	name := strings.TrimPrefix(path.Clean("/"+header.Name), "/")
	switch {
	case header.Typeflag != tar.TypeReg:
		return nil
	case strings.HasPrefix(name, infoDirectory) && strings.HasSuffix(name, ".md5sums"):
		return readDigests(content, shipped, func(line string) (path, digest string) {
			digest, path, _ = strings.Cut(line, "  ")
			return path, digest
		})
	case name == statusFile:
		return readDigests(content, shipped, func(line string) (path, digest string) {
			words := strings.Fields(line) // of the field Conffiles
			if !strings.HasPrefix(line, " /") || len(words) < 2 {
				return "", ""
			}
			return words[0], words[1]
		})
	case header.Size > maxSize, strings.Contains(name, "/__pycache__/"): // what packages compile has examples of keys
		return nil
	}
	text, err := io.ReadAll(content)
	if err != nil {
		return err
	}
	if kind := kindOf(name, text); kind != "" {
		sum := md5.Sum(text) //nolint:gosec // as above
		report(Finding{name, kind}, hex.EncodeToString(sum[:]))
	}
	return nil
}

// readDigests adds the digests of a list. Packages may name the directories of before /usr had all of them.
func readDigests(list io.Reader, digests map[string]string, split func(line string) (path, digest string)) error {
	lines := bufio.NewReader(list)
	for {
		line, err := lines.ReadBytes('\n')
		if name, digest := split(string(bytes.TrimRight(line, "\n"))); name != "" {
			name = strings.TrimPrefix(name, "/")
			if first, _, _ := strings.Cut(name, "/"); slices.Contains([]string{"bin", "sbin", "lib", "lib64"}, first) {
				name = "usr/" + name
			}
			digests[name] = digest
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
