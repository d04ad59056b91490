// SPDX-License-Identifier: Apache-2.0

// Package source is the commit that a release is made from.
package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"goldsmith.dev/goldsmith/release/metadata"
)

// Source is the commit that a release is made from.
type Source struct {
	// Directory is a copy of the files of the commit.
	Directory string
	metadata.Revision
}

// form is that of https://semver.org, with a v before it as Go has it. Build metadata are refused: neither a tag of a container image nor a Helm
// chart in a registry can have a plus.
var form = regexp.MustCompile(`^v(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)(\.(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*)?$`)

// CheckVersion refuses a version that is no semantic version with a v before it.
func CheckVersion(version string) error {
	switch {
	case version == "":
		return errors.New("which version? make release VERSION=v0.1.0")
	case !form.MatchString(version):
		return fmt.Errorf("VERSION=%s: must be a semantic version with a v before it and without build metadata, such as v0.1.0 or v0.2.0-rc.1", version)
	}
	return nil
}

// settings keep those of a user from deciding what git prints and writes.
var settings = []string{"-c", "core.autocrlf=false", "-c", "core.attributesFile=/dev/null", "-c", "log.showSignature=false", "-c", "status.showUntrackedFiles=normal"}

// Export copies the files of the commit that is checked out into a directory, which must be empty. It refuses a checkout with changes, and a
// version whose tag is at another commit.
func Export(ctx context.Context, checkout, version, directory string) (*Source, error) {
	if err := CheckVersion(version); err != nil {
		return nil, err
	}
	git := func(arguments ...string) (string, error) {
		command := exec.CommandContext(ctx, "git", slices.Concat(settings, []string{"-C", checkout}, arguments)...)
		var stderr bytes.Buffer
		command.Stderr = &stderr
		out, err := command.Output()
		if err != nil {
			return "", fmt.Errorf("git %s: %w: %s", arguments[0], err, strings.TrimSpace(stderr.String()))
		}
		return strings.TrimRight(string(out), "\n"), nil
	}
	changed, err := git("status", "--porcelain")
	if err != nil {
		return nil, err
	}
	if changed != "" {
		lines := strings.Split(changed, "\n")
		return nil, fmt.Errorf("the checkout has changes that no commit has: commit them, or remove them: %s", abbreviate(lines))
	}
	commit, err := git("rev-parse", "HEAD")
	if err != nil {
		return nil, err
	}
	if tagged, err := git("rev-parse", "--verify", "--quiet", "refs/tags/"+version+"^{commit}"); err == nil && tagged != commit {
		return nil, fmt.Errorf("VERSION=%s: the tag is at commit %s, and %s is checked out: check out the tag, or choose another version", version, tagged, commit)
	}
	seconds, err := git("show", "--no-patch", "--format=%ct", commit)
	if err != nil {
		return nil, err
	}
	unix, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("read the time of commit %s: %w", commit, err)
	}
	if err := export(ctx, checkout, commit, directory); err != nil {
		return nil, err
	}
	return &Source{Directory: directory, Revision: metadata.Revision{Version: version, Commit: commit, Time: time.Unix(unix, 0).UTC()}}, nil
}

// export copies the files of a commit with the modes that git has for them.
func export(ctx context.Context, checkout, commit, directory string) error {
	archive := exec.CommandContext(ctx, "git", append(slices.Clone(settings), "-C", checkout, "archive", "--format=tar", commit)...)
	extract := exec.CommandContext(ctx, "tar", "--extract", "--directory="+directory)
	var stderr bytes.Buffer
	archive.Stderr, extract.Stderr = &stderr, &stderr
	reader, writer, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("copy the commit: %w", err)
	}
	archive.Stdout, extract.Stdin = writer, reader
	begun := extract.Start()
	err = errors.Join(begun, reader.Close())
	if begun == nil {
		err = errors.Join(err, archive.Run(), writer.Close(), extract.Wait())
	} else {
		err = errors.Join(err, writer.Close())
	}
	if err != nil {
		return fmt.Errorf("copy the commit to %s: %w: %s", directory, err, strings.TrimSpace(stderr.String()))
	}
	return nil
}

// abbreviate joins lines of git status, at most three.
func abbreviate(lines []string) string {
	const most = 3
	rest := ""
	if len(lines) > most {
		rest = fmt.Sprintf(" and %d more", len(lines)-most)
		lines = lines[:most]
	}
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines, ", ") + rest
}
