// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"
)

const (
	// maxData is the maximum number of bytes of a package that are read after decompression.
	maxData = 1 << 30
	// maxWindow is the maximum memory in bytes for decompression.
	maxWindow = 128 << 20

	documents = "usr/share/doc/"
	// changelogOfDebian is the changelog of a package of Debian. One that has no other origin has changelogOfNative.
	changelogOfDebian = "changelog.Debian.gz"
	changelogOfNative = "changelog.gz"
)

// linkError reports that the changelog of a package is that of another package.
type linkError struct{ to string }

func (e *linkError) Error() string { return "its changelog is that of package " + e.to }

var errNoChangelog = errors.New("it has no changelog")

// changelogIn returns the entries of the changelog in a package that are newer than a version.
func changelogIn(deb io.Reader, name, oldest string) ([]entry, error) {
	data, err := dataOf(deb)
	if err != nil {
		return nil, fmt.Errorf("read the package: %w", err)
	}
	directory := documents + name
	var native []entry
	files := tar.NewReader(io.LimitReader(data, maxData))
	for {
		header, err := files.Next()
		switch {
		case errors.Is(err, io.EOF) && len(native) > 0:
			return native, nil
		case errors.Is(err, io.EOF):
			return nil, errNoChangelog
		case err != nil:
			return nil, fmt.Errorf("read the package: %w", err)
		}
		file := path.Clean(header.Name)
		if to, linked := linkOf(header, file, directory); linked {
			return nil, &linkError{to}
		}
		if header.Typeflag != tar.TypeReg || file != directory+"/"+changelogOfDebian && file != directory+"/"+changelogOfNative {
			continue
		}
		text, err := gzip.NewReader(files)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		entries, err := readChangelog(text, oldest)
		switch {
		case err != nil:
			return nil, fmt.Errorf("read %s: %w", file, err)
		case path.Base(file) == changelogOfDebian && len(entries) > 0:
			return entries, nil
		case path.Base(file) == changelogOfNative:
			native = entries // or the changes of the author, which have another form
		}
	}
}

// linkOf returns the package whose changelog a symbolic link names: that of the directory, or of the file.
func linkOf(header *tar.Header, file, directory string) (to string, linked bool) {
	if header.Typeflag != tar.TypeSymlink {
		return "", false
	}
	target := path.Join(path.Dir(file), header.Linkname) //nolint:gosec // only a name in it is used
	if path.IsAbs(header.Linkname) {
		target = path.Clean(header.Linkname)[1:]
	}
	switch {
	case file == directory:
	case file == directory+"/"+changelogOfDebian && path.Base(target) == changelogOfDebian:
		target = path.Dir(target)
	default:
		return "", false
	}
	return path.Base(target), path.Dir(target)+"/" == documents
}

// The form of a package: an archive of ar, whose third file is the tar with the files of the package (deb(5)).
const (
	arMagic      = "!<arch>\n"
	arHeader     = 60
	arNameEnd    = 16
	arSizeBegin  = 48
	arSizeEnd    = 58
	arEnd        = "`\n"
	dataOfDeb    = "data.tar"
	maxArMembers = 10
)

var errNotAPackage = errors.New("it is no package of Debian")

// dataOf returns the tar with the files of a package.
func dataOf(deb io.Reader) (io.Reader, error) {
	magic := make([]byte, len(arMagic))
	if _, err := io.ReadFull(deb, magic); err != nil || string(magic) != arMagic {
		return nil, errors.Join(errNotAPackage, err)
	}
	for range maxArMembers {
		header := make([]byte, arHeader)
		if _, err := io.ReadFull(deb, header); err != nil {
			return nil, errors.Join(errNotAPackage, err)
		}
		size, err := strconv.ParseInt(string(bytes.TrimRight(header[arSizeBegin:arSizeEnd], " ")), 10, 64)
		if err != nil || size < 0 || string(header[arSizeEnd:]) != arEnd {
			return nil, errNotAPackage
		}
		name := strings.TrimRight(string(header[:arNameEnd]), " /")
		content := io.LimitReader(deb, size)
		if suffix, found := strings.CutPrefix(name, dataOfDeb); found {
			if suffix == ".zst" {
				return zstd.NewReader(content, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxWindow))
			}
			return decompress(content, name)
		}
		if _, err := io.CopyN(io.Discard, deb, size+size%2); err != nil {
			return nil, errors.Join(errNotAPackage, err)
		}
	}
	return nil, errNotAPackage
}
