// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io"
	"path/filepath"
	"strings"

	"goldsmith.dev/goldsmith/release/packages"
	"goldsmith.dev/goldsmith/release/tarball"
)

// writePackages writes the packages of Linux: the command for each architecture, the service that runs it, and a package without files that needs
// the tools of the builder debian.
func (r *run) writePackages(context.Context) error {
	var list []packages.Package
	for _, platform := range r.archives {
		if platform.OS != "linux" {
			continue
		}
		command, err := r.commandPackage(platform.Architecture, r.programs[platform][r.command])
		if err != nil {
			return err
		}
		list = append(list, command)
	}
	list = append(list, r.serverPackage(), r.toolsPackage())
	for i := range list {
		if err := r.writePackage(&list[i]); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) writePackage(pkg *packages.Package) error {
	common, err := packages.Documents(r.from, pkg.Name, r.address)
	if err != nil {
		return err
	}
	pkg.Files, pkg.Homepage = append(pkg.Files, common...), r.address
	for _, format := range packages.Formats {
		name, err := pkg.FileName(r.from, format)
		if err != nil {
			return err
		}
		scratch, err := r.to.Scratch("packages/" + name)
		if err != nil {
			return err
		}
		if err := r.to.Write(name, func(out io.Writer) error { return pkg.Write(out, r.from, format, scratch) }); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) commandPackage(architecture, binary string) (packages.Package, error) {
	files := []tarball.File{
		{Name: "/usr/bin/goldsmith", Mode: 0o755, Path: binary},
		{Name: "/usr/bin/kubectl-goldsmith", Link: "goldsmith"}, // kubectl finds its plugins by their name
		{Name: "/usr/share/man/man1/kubectl-goldsmith.1.gz", Link: "goldsmith.1.gz"},
	}
	for _, document := range r.documents {
		file, known, err := installed(&document)
		if err != nil {
			return packages.Package{}, err
		}
		if known {
			files = append(files, file)
		}
	}
	return packages.Package{
		Name: "goldsmith", Architecture: architecture, Files: files,
		Summary: "golden images, declared in Kubernetes",
		Description: "Goldsmith builds golden images that you declare as Kubernetes objects,\n" +
			"and builds them again when their inputs change. This package has the\ncommands, and kubectl goldsmith.",
		Recommends: map[packages.Format][]string{packages.Deb: {"bash-completion"}},
	}, nil
}

func (r *run) serverPackage() packages.Package {
	at := func(name string) string { return filepath.Join(r.from.Directory, "release", "systemd", name) }
	number, prerelease, isPrerelease := strings.Cut(r.from.Number(), "-")
	debian, fedora := number, number // as nfpm writes them
	if isPrerelease {
		debian, fedora = number+"~"+prerelease, number+"~"+strings.ReplaceAll(prerelease, "-", "_")
	}
	return packages.Package{
		Name: "goldsmith-server", Architecture: packages.Independent,
		Files: []tarball.File{
			{Name: "/usr/lib/systemd/system/goldsmith-server.service", Mode: 0o644, Path: at("goldsmith-server.service")},
			{Name: "/usr/lib/sysusers.d/goldsmith-server.conf", Mode: 0o644, Path: at("goldsmith-server.sysusers")},
			{Name: "/etc/goldsmith/server.yaml", Mode: 0o644, Path: at("server.yaml")},
		},
		Summary:     "server of Goldsmith that a machine keeps",
		Description: "A service of systemd that runs goldsmith up as a user of its own, with its\ndata in /var/lib/goldsmith.",
		Needs: map[packages.Format][]string{
			packages.Deb: {"goldsmith (= " + debian + ")", "passwd"},
			packages.RPM: {"goldsmith = " + fedora, "shadow-utils"},
		},
		Recommends: map[packages.Format][]string{packages.Deb: {"goldsmith-builder-debian"}},
		Installed:  at("installed.sh"), Removing: at("removing.sh"), Removed: at("removed.sh"),
	}
}

func (r *run) toolsPackage() packages.Package {
	return packages.Package{
		Name: "goldsmith-builder-debian", Architecture: packages.Independent,
		Summary:     "what the builder debian of Goldsmith needs",
		Description: "This metapackage needs what the builder debian makes and boots images with.",
		Needs: map[packages.Format][]string{
			packages.Deb: {"mmdebstrap", "bubblewrap", "debian-archive-keyring"},
			packages.RPM: {"mmdebstrap", "bubblewrap", "debian-keyring"},
		},
		Recommends: map[packages.Format][]string{
			packages.Deb: {"qemu-system-x86", "ovmf"}, packages.RPM: {"qemu-system-x86", "edk2-ovmf"},
		},
	}
}
