// SPDX-License-Identifier: Apache-2.0

// Package packages writes packages for apt and dnf.
package packages

import (
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/goreleaser/nfpm/v2"
	"github.com/goreleaser/nfpm/v2/deb"
	"github.com/goreleaser/nfpm/v2/files"
	"github.com/goreleaser/nfpm/v2/rpm"

	"goldsmith.dev/goldsmith/release/source"
	"goldsmith.dev/goldsmith/release/tarball"
)

// Formats are the formats of packages.
var Formats = []Format{Deb, RPM}

// Format is a format of packages. It is also the suffix of their files.
type Format string

// The formats.
const (
	Deb Format = "deb"
	RPM Format = "rpm"
)

// Independent is the architecture of a package without programs.
const Independent = "all"

// Package is a package of Linux.
type Package struct {
	Name string
	// Architecture is amd64, arm64 or Independent.
	Architecture string
	// Summary is one line, and Description are the paragraphs below it.
	Summary, Description string
	// Files are what the package installs. Those below /etc belong to the user once they are installed.
	Files []tarball.File
	// Needs are the packages that it needs, and Recommends those that are installed with it unless the user refuses, by format.
	Needs, Recommends map[Format][]string
	// Installed runs after the package was installed, Removing before it is removed, and Removed after that: shell scripts, in their files.
	// Optional.
	Installed, Removing, Removed string
	// Homepage is where users find releases.
	Homepage string
}

// FileName returns the name of the file of a package, as its format demands.
func (p *Package) FileName(from *source.Source, format Format) (string, error) {
	info, packager, err := p.describe(from, format, nil)
	if err != nil {
		return "", err
	}
	return packager.ConventionalFileName(info), nil
}

// Write writes a package. scratch is a directory for temporary files.
func (p *Package) Write(out io.Writer, from *source.Source, format Format, scratch string) error {
	contents, err := p.contents(from, format, scratch)
	if err != nil {
		return fmt.Errorf("package %s: %w", p.Name, err)
	}
	info, packager, err := p.describe(from, format, contents)
	if err == nil {
		err = nfpm.PrepareForPackager(info, string(format))
	}
	if err == nil {
		err = packager.Package(info, out)
	}
	if err != nil {
		return fmt.Errorf("package %s: %w", p.Name, err)
	}
	return nil
}

func (p *Package) describe(from *source.Source, format Format, contents files.Contents) (*nfpm.Info, nfpm.Packager, error) {
	info := nfpm.WithDefaults(&nfpm.Info{
		Name: p.Name, Arch: p.Architecture, Platform: "linux", Version: from.Version, Section: "admin", Priority: "optional",
		Maintainer: Maintainer, Vendor: "Goldsmith", Homepage: p.Homepage, License: "Apache-2.0",
		Description: p.Summary + "\n" + p.Description, DisableGlobbing: true, MTime: from.Time,
		Overridables: nfpm.Overridables{
			Depends: p.Needs[format], Recommends: p.Recommends[format], Contents: contents,
			Scripts: nfpm.Scripts{PostInstall: p.Installed, PreRemove: p.Removing, PostRemove: p.Removed},
			Deb:     nfpm.Deb{Compression: "gzip"}, // lintian knows no zstd
			RPM:     nfpm.RPM{Compression: "zstd", BuildHost: "localhost", Summary: p.Summary, Packager: Maintainer},
		},
	})
	switch format {
	case Deb:
		return info, deb.Default, nil
	case RPM:
		if p.Architecture == Independent {
			info.Arch = "noarch"
		}
		return info, rpm.DefaultRPM, nil
	}
	return nil, nil, fmt.Errorf("format %q: must be one of %v", format, Formats)
}

// contents returns the files of the package for nfpm, which reads them from the disk.
func (p *Package) contents(from *source.Source, format Format, scratch string) (files.Contents, error) {
	var contents files.Contents
	for _, file := range p.Files {
		content := &files.Content{
			Source: file.Path, Destination: file.Name, Type: files.TypeFile,
			FileInfo: &files.ContentFileInfo{Owner: "root", Group: "root", Mode: os.FileMode(file.Mode), MTime: from.Time}, //nolint:gosec // permissions
		}
		switch {
		case file.Link != "":
			content.Source, content.Type, content.FileInfo.Mode = file.Link, files.TypeSymlink, 0
		case file.Path == "":
			content.Source = filepath.Join(scratch, strings.ReplaceAll(path.Clean(file.Name), "/", "_"))
			if err := os.WriteFile(content.Source, file.Content, 0o600); err != nil {
				return nil, err
			}
		}
		switch {
		case strings.HasPrefix(file.Name, "/etc/"):
			content.Type = files.TypeConfigNoReplace
		case format == RPM && file.Link == "" && (strings.HasPrefix(file.Name, "/usr/share/man/") || strings.HasPrefix(file.Name, "/usr/share/doc/")):
			content.Type = files.TypeRPMDoc
		}
		contents = append(contents, content)
	}
	return contents, nil
}
