// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"

	"goldsmith.dev/goldsmith/release/packages"
	"goldsmith.dev/goldsmith/release/program"
	"goldsmith.dev/goldsmith/release/tarball"
)

// writeArchives writes an archive of the command for each platform.
func (r *run) writeArchives(ctx context.Context) error {
	var err error
	if r.documents, err = r.writeDocuments(ctx); err != nil {
		return err
	}
	for _, platform := range r.archives {
		binary := r.programs[platform][r.command]
		files := append(slices.Clone(r.documents), tarball.File{Name: filepath.Base(binary), Mode: 0o755, Path: binary})
		write := tarball.WriteGzip
		if platform.OS == "windows" { // which has no tar for those who double-click
			write = tarball.WriteZip
		}
		if err := r.write(r.archiveName(platform), []string{binary}, nil, func(out io.Writer) error { return write(out, files, r.from.Time) }); err != nil {
			return err
		}
	}
	return nil
}

// archiveName returns the name of the archive for a platform.
func (r *run) archiveName(platform program.Platform) string {
	suffix := "tar.gz"
	if platform.OS == "windows" {
		suffix = "zip"
	}
	return fmt.Sprintf("%s_%s_%s_%s.%s", r.command, r.version, platform.OS, platform.Architecture, suffix)
}

// writeDocuments returns the licence, and the manual pages and completions that the command writes.
func (r *run) writeDocuments(ctx context.Context) ([]tarball.File, error) {
	files := []tarball.File{{Name: "LICENSE", Mode: 0o644, Path: filepath.Join(r.from.Directory, "LICENSE")}}
	if !r.documented {
		return files, nil
	}
	binary, err := r.commandHere()
	if err != nil {
		return nil, err
	}
	pages, err := r.to.Scratch("manual")
	if err != nil {
		return nil, err
	}
	environment := []string{fmt.Sprintf("SOURCE_DATE_EPOCH=%d", r.from.Time.Unix()), "HOME=/nonexistent"} // and nothing that decides the text
	if _, err := r.ask(ctx, binary, environment, "manual", pages); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(pages)
	if err != nil {
		return nil, fmt.Errorf("list the manual pages: %w", err)
	}
	for _, entry := range entries {
		files = append(files, tarball.File{Name: path.Join("man/man1", entry.Name()), Mode: 0o644, Path: filepath.Join(pages, entry.Name())})
	}
	for shell, name := range map[string]string{"bash": r.command + ".bash", "zsh": "_" + r.command, "fish": r.command + ".fish", "powershell": r.command + ".ps1"} {
		script, err := r.ask(ctx, binary, environment, "completion", shell)
		if err != nil {
			return nil, err
		}
		files = append(files, tarball.File{Name: path.Join("completions", name), Mode: 0o644, Content: script})
	}
	return files, nil
}

// commandHere returns the path of the command for this machine.
func (r *run) commandHere() (string, error) {
	here := program.Platform{OS: runtime.GOOS, Architecture: runtime.GOARCH}
	binary, compiled := r.programs[here][r.command]
	if !compiled {
		return "", fmt.Errorf("a release is made on linux/amd64 or linux/arm64, whose %s writes manual pages and signatures, and this is %s", r.command, here)
	}
	return binary, nil
}

// ask runs a program and returns its output.
func (r *run) ask(ctx context.Context, binary string, environment []string, arguments ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, binary, arguments...)
	command.Env = environment
	command.Stderr = r.log
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", filepath.Base(binary), arguments[0], err)
	}
	return out, nil
}

// installed returns the file of a package for a document of an archive, where programs of Linux look for it, or nothing.
func installed(document *tarball.File) (tarball.File, bool, error) {
	directory, name := path.Split(document.Name)
	switch {
	case directory == "man/man1/":
		content, err := os.ReadFile(document.Path)
		if err != nil {
			return tarball.File{}, false, err
		}
		compressed, err := packages.Compress(content)
		return tarball.File{Name: "/usr/share/man/man1/" + name + ".gz", Mode: 0o644, Content: compressed}, true, err
	case directory == "completions/" && path.Ext(name) == ".bash":
		return tarball.File{Name: "/usr/share/bash-completion/completions/" + name[:len(name)-len(".bash")], Mode: 0o644, Content: document.Content}, true, nil
	case directory == "completions/" && path.Ext(name) == ".fish":
		return tarball.File{Name: "/usr/share/fish/vendor_completions.d/" + name, Mode: 0o644, Content: document.Content}, true, nil
	case directory == "completions/" && path.Ext(name) == "":
		return tarball.File{Name: "/usr/share/zsh/site-functions/" + name, Mode: 0o644, Content: document.Content}, true, nil
	}
	return tarball.File{}, false, nil
}
