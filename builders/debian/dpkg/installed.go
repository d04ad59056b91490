// SPDX-License-Identifier: Apache-2.0

package dpkg

import (
	"archive/tar"
	"cmp"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Where dpkg lists the packages. An image without dpkg, such as one for containers, can have a file for each package instead.
const (
	statusFile      = "var/lib/dpkg/status"
	statusDirectory = "var/lib/dpkg/status.d"
)

// maxStatus is the maximum size of both in bytes. A status of 1,000 packages has 1 MB.
const maxStatus = 64 << 20

var (
	errNone    = errors.New("the image has no " + statusFile)
	errTooMany = fmt.Errorf("the image has more than %d packages", v1alpha1.MaxLockPackages)
	errLarge   = fmt.Errorf("%s has more than %d bytes", statusFile, maxStatus)
)

// Read returns the packages that are installed in a root file system, sorted, each once. The root file system is a tar, which Read reads from
// where it is to its end. A root file system without a list of packages is an error: which packages it has is unknown.
func Read(rootFS io.ReadSeeker) ([]v1alpha1.Package, error) {
	start, err := rootFS.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, fmt.Errorf("list packages: %w", err)
	}
	var packages []v1alpha1.Package
	found, left := false, int64(maxStatus)
	err = walk(rootFS, func(name string, header *tar.Header, content io.Reader) error {
		ofPackage := path.Dir(name) == statusDirectory && path.Ext(name) != ".md5sums"
		if header.Typeflag != tar.TypeReg || name != statusFile && !ofPackage {
			return nil
		}
		found = true
		if left -= header.Size; left < 0 {
			return errLarge
		}
		var err error
		packages, err = appendInstalled(packages, content, ofPackage)
		return err
	})
	if err == nil && !found {
		err = errNone
	}
	if err != nil {
		return nil, fmt.Errorf("list packages: %w", err)
	}
	slices.SortFunc(packages, compare)
	packages = slices.CompactFunc(packages, func(a, b v1alpha1.Package) bool { return compare(a, b) == 0 })
	if _, err := rootFS.Seek(start, io.SeekStart); err != nil {
		return nil, fmt.Errorf("list packages: %w", err)
	}
	return packages, addLicences(packages, rootFS)
}

func compare(a, b v1alpha1.Package) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Architecture, b.Architecture), cmp.Compare(a.Version, b.Version))
}

// installed are the states in which the files of a package are there, and its scripts have run (dpkg(1)).
var installed = []string{"installed", "triggers-awaited", "triggers-pending"}

// appendInstalled adds the packages of a list that are installed. In a directory of lists all are.
func appendInstalled(packages []v1alpha1.Package, list io.Reader, all bool) ([]v1alpha1.Package, error) {
	for fields, err := range Paragraphs(list, "Package", "Status", "Version", "Architecture", "Source") {
		if err != nil {
			return nil, err
		}
		status := strings.Fields(fields["Status"]) // such as install ok installed
		if !all && (len(status) != 3 || !slices.Contains(installed, status[2])) {
			continue
		}
		if len(packages) == v1alpha1.MaxLockPackages {
			return nil, errTooMany
		}
		one := v1alpha1.Package{Name: fields["Package"], Version: fields["Version"], Architecture: fields["Architecture"]}
		one.Source = &v1alpha1.SourcePackage{Name: one.Name, Version: one.Version}
		// Source differs from the package in its name, such as glibc, or also in its version, such as glibc (2.41-12).
		if name, version, _ := strings.Cut(fields["Source"], " "); name != "" {
			one.Source.Name = name
			one.Source.Version = cmp.Or(strings.Trim(version, " ()"), one.Version)
		}
		packages = append(packages, one)
	}
	return packages, nil
}

// walk visits the entries of a tar. Names have no slash at their beginning, and lead nowhere else.
func walk(content io.Reader, visit func(name string, header *tar.Header, content io.Reader) error) error {
	for archive := tar.NewReader(content); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = visit(strings.TrimPrefix(path.Clean("/"+header.Name), "/"), header, archive)
		}
		if err != nil {
			return err
		}
	}
}
