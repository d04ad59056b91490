// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"

	"goldsmith.dev/goldsmith/release/source"
	"goldsmith.dev/goldsmith/release/tarball"
)

// Maintainer is the maintainer of packages and charts.
const Maintainer = "The authors of Goldsmith <maintainers@goldsmith.dev>"

// Documents returns the files that Debian Policy (12.5, 12.7) asks of each package: its licence and its changes.
func Documents(from *source.Source, name, homepage string) ([]tarball.File, error) {
	changes, err := Compress(fmt.Appendf(nil, "%s (%s) unstable; urgency=medium\n\n  * Version %s: the changes are in CHANGELOG.md of the source.\n\n -- %s  %s\n",
		name, strings.Replace(from.Number(), "-", "~", 1), from.Version, Maintainer, from.Time.Format("Mon, 02 Jan 2006 15:04:05 -0700")))
	if err != nil {
		return nil, err
	}
	licence := fmt.Appendf(nil, `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: Goldsmith
Source: %s

Files: *
Copyright: %d The authors of Goldsmith
License: Apache-2.0
 On Debian systems, the text of the licence is in /usr/share/common-licenses/Apache-2.0.
`, homepage, from.Time.Year())
	directory := "/usr/share/doc/" + name + "/"
	return []tarball.File{
		{Name: directory + "copyright", Mode: 0o644, Content: licence},
		{Name: directory + "changelog.gz", Mode: 0o644, Content: changes},
	}, nil
}

// Compress compresses a document as gzip -9n does.
func Compress(content []byte) ([]byte, error) {
	var compressed bytes.Buffer
	writer, err := gzip.NewWriterLevel(&compressed, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := writer.Write(content); err != nil {
		return nil, err
	}
	err = writer.Close()
	return compressed.Bytes(), err
}
