// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"goldsmith.dev/goldsmith/e2e/cluster"
)

// programs are the container images of an installation.
var programs = []string{"goldsmith-apiserver", "goldsmith-controller", "mock-builder"}

// release is the release to upgrade from.
type release struct {
	// root is the folder of the clone.
	root string
	// commit is the short hash of HEAD's parent. It is empty if that commit cannot be installed.
	commit string
	// overlay is the path of the overlay in the source.
	overlay string
}

// releaseBefore finds what there was before the present state of an overlay: the commit before HEAD.
func releaseBefore(ctx context.Context, overlay string) (release, error) {
	path, err := run(ctx, overlay, "git", "rev-parse", "--show-prefix")
	if err != nil {
		return release{}, err
	}
	root, err := run(ctx, overlay, "git", "rev-parse", "--show-toplevel")
	if err != nil {
		return release{}, err
	}
	before := release{root: root, overlay: filepath.Clean(path)}
	commit, err := run(ctx, root, "git", "rev-parse", "--verify", "--quiet", "--short", "HEAD^")
	if err == nil && before.isInstallable(ctx, commit) {
		before.commit = commit
	} // otherwise HEAD is the first, the first that can be installed, or all that a shallow clone has
	return before, nil
}

// isInstallable reports whether a commit has the overlay, and a Makefile that makes the container images.
func (r release) isInstallable(ctx context.Context, commit string) bool {
	_, overlayErr := run(ctx, r.root, "git", "rev-parse", "--verify", "--quiet", commit+":"+r.overlay)
	_, imagesErr := run(ctx, r.root, "git", "grep", "--quiet", "^images:", commit, "--", "Makefile")
	return overlayErr == nil && imagesErr == nil
}

// prepare makes the release installable in the cluster of an environment: it builds the container images in an empty
// directory, and loads them into every node. It returns the environment to install it with.
func (r release) prepare(ctx context.Context, environment cluster.Environment, directory string) (cluster.Environment, error) {
	before := environment
	if r.commit == "" {
		before.Version = environment.Version + "-before"
		return before, errors.Join(tagImages(ctx, environment.Version, before.Version), r.loadImages(ctx, before))
	}
	before.Version, before.Overlay = r.commit, filepath.Join(directory, r.overlay)
	before.Advisories = "" // whose flag it may not know
	// Not a worktree, so that nothing is left in the clone after a failure.
	archive := filepath.Join(directory, "source.tar")
	if _, err := run(ctx, r.root, "git", "archive", "--output="+archive, r.commit); err != nil {
		return before, err
	}
	if _, err := run(ctx, directory, "tar", "--extract", "--file="+archive); err != nil {
		return before, err
	}
	if _, err := run(ctx, directory, "make", "images", "VERSION="+before.Version); err != nil {
		return before, err
	}
	if _, err := os.Stat(filepath.Join(before.Overlay, "..", "..", "components", "archive-s3")); err != nil {
		before.LogArchive = nil // it knows of none
	}
	if _, err := os.Stat(filepath.Join(before.Overlay, "..", "..", "components", "catalog-kinds")); err != nil {
		before.Kinds = ""
	}
	if _, err := os.Stat(filepath.Join(before.Overlay, "..", "..", "components", "kueue")); err != nil {
		before.Kueue = false
	}
	if _, err := os.Stat(filepath.Join(before.Overlay, "..", "..", "components", "records-postgres")); err != nil {
		before.Records = nil // nor of this
	}
	return before, errors.Join(os.Remove(archive), r.loadImages(ctx, before))
}

// tagImages gives the container images of a version another version.
func tagImages(ctx context.Context, version, another string) error {
	for _, program := range programs {
		if _, err := run(ctx, "", "docker", "tag", program+":"+version, program+":"+another); err != nil {
			return err
		}
	}
	return nil
}

// loadImages copies container images from Docker into the nodes of a kind cluster.
func (r release) loadImages(ctx context.Context, environment cluster.Environment) error {
	load := []string{"load", strings.TrimSuffix(environment.Nodes.ControlPlane(), "-control-plane")}
	for _, program := range programs {
		load = append(load, program+":"+environment.Version)
	}
	_, err := run(ctx, r.root, filepath.Join(r.root, "e2e/kind/cluster"), load...)
	return err
}

// run runs a command in a directory, and returns what it shows, without the space around it.
func run(ctx context.Context, directory, name string, args ...string) (string, error) {
	var complaints bytes.Buffer
	command := exec.CommandContext(ctx, name, args...)
	command.Dir, command.Stderr = directory, &complaints
	output, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, &complaints)
	}
	return strings.TrimSpace(string(output)), nil
}
