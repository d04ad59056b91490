// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/fields"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/artifacts"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/jobs/lock"
)

// isPath reports whether an argument can only be the name of a file: names of Images, channels and builds have no dots. KIND/NAME is an
// object, unless a file of that name exists.
func isPath(argument string) bool {
	switch strings.Count(argument, "/") {
	case 0:
		return strings.Contains(argument, ".")
	case 1:
		_, _, err := client.SplitName(argument)
		return strings.HasPrefix(argument, ".") || strings.HasPrefix(argument, "/") || err != nil && isRegular(argument)
	}
	return true
}

func isRegular(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// ofFile prints the packages of a file: a lock, or an artifact of a build.
func (o *options) ofFile(ctx context.Context, path string) error {
	if o.target != "" || o.uid != "" {
		return fmt.Errorf("--target and --uid select artifacts of a build, but %s is a file: omit them", path)
	}
	// A pipe is opened only by the name that a shell gives it: others wait for a writer, and devices may have no end.
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() && !strings.HasPrefix(path, "/dev/fd/") && path != "/dev/stdin" {
		return fmt.Errorf("%s is not a file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // was only read
	head, err := io.ReadAll(io.LimitReader(file, v1alpha1.MaxLockBytes+1))
	if err != nil {
		return err
	}
	if isLock(head) {
		read, err := lock.Read(head)
		if err != nil {
			return fmt.Errorf("lock %s: %w", path, err)
		}
		found := v1alpha1.ArtifactLock{Targets: []string{}, Digest: contents.Digest(head), Lock: *read}
		return o.print(&v1alpha1.ImageBuildPackages{Locks: []v1alpha1.ArtifactLock{found}}, path)
	}
	connection, err := o.connect()
	if err != nil {
		return fmt.Errorf("%s is no lock, so that a server has to find its build: %w", path, err)
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.MultiReader(bytes.NewReader(head), &interruptible{ctx, file})); err != nil {
		return err
	}
	return o.ofArtifact(ctx, connection, path, fmt.Sprintf("sha256:%x", sum.Sum(nil)))
}

// isLock reports whether a content, which may be cut off, is a JSON object with the fields of a lock.
func isLock(content []byte) bool {
	decoder := json.NewDecoder(bytes.NewReader(content))
	if first, err := decoder.Token(); err != nil || first != json.Delim('{') {
		return false
	}
	var version, list bool
	for {
		key, err := decoder.Token()
		if err != nil {
			return false
		}
		version = version || key == "version"
		list = list || key == "packages" || key == "sources"
		if version && list {
			return true
		}
		var value json.RawMessage
		if decoder.Decode(&value) != nil {
			return false
		}
	}
}

// interruptible is a file whose reads end with the context.
type interruptible struct {
	ctx  context.Context //nolint:containedctx // of the one command that reads the file
	file io.Reader
}

// Read implements io.Reader.
func (i *interruptible) Read(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	return i.file.Read(p)
}

// made is an artifact of a build.
type made struct {
	build    *v1alpha1.ImageBuild
	artifact *v1alpha1.Artifact
}

// lock returns the digest of the lock, or "".
func (m *made) lock() string {
	if document := m.artifact.Document(v1alpha1.DocumentLock); document != nil {
		return document.Digest
	}
	return ""
}

// ofArtifact prints the packages of a file with the digest of an artifact.
func (o *options) ofArtifact(ctx context.Context, connection *client.Connection, path, digest string) error {
	all, err := findArtifacts(ctx, connection, digest)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return fmt.Errorf("no build in namespace %s made %s, whose digest is %s, and it is no lock: select another namespace with -n, or name the BUILD",
			connection.Namespace, path, digest)
	}
	if locked := slices.DeleteFunc(slices.Clone(all), func(each made) bool { return each.lock() == "" }); len(locked) > 0 {
		all = locked
	}
	// Equal artifacts are common, because builds are reproducible.
	for i := range all {
		if first, other := &all[0], &all[i]; other.lock() != first.lock() {
			return fmt.Errorf("builds %s and %s made %s with different locks: name the build, as in `goldsmith packages %[1]s`", first.build.Name, other.build.Name, path)
		}
	}
	newest := &all[0]
	o.target = newest.artifact.Target
	if _, err := fmt.Fprintf(o.stderr, "%s is artifact %s of build %s\n", path, o.target, newest.build.Name); err != nil {
		return err
	}
	found, err := o.read(ctx, connection, newest.build, newest.build.Name)
	if err != nil {
		return err
	}
	return o.print(found, "build "+newest.build.Name)
}

// findArtifacts returns the artifacts with a digest, the newest first: those of builds, and then those that Images have of deleted builds.
func findArtifacts(ctx context.Context, connection *client.Connection, digest string) ([]made, error) {
	builds, err := connection.ListBuilds(ctx, connection.Namespace, fields.OneTermEqualSelector("status.phase", string(v1alpha1.BuildSucceeded)))
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(builds, func(a, b v1alpha1.ImageBuild) int {
		return cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time), strings.Compare(b.Name, a.Name))
	})
	images, _, err := connection.ListImages(ctx, connection.Namespace, io.Discard)
	if err != nil && !apierrors.IsForbidden(err) {
		return nil, err
	}
	for i := range images {
		for _, name := range recordedBuilds(&images[i]) {
			if build := artifacts.Recorded(&images[i], name); build != nil && !slices.ContainsFunc(builds, func(each v1alpha1.ImageBuild) bool { return each.Name == name }) {
				builds = append(builds, *build)
			}
		}
	}
	var all []made
	for i := range builds {
		for j := range builds[i].Status.Artifacts {
			if artifact := &builds[i].Status.Artifacts[j]; artifact.Digest == digest {
				all = append(all, made{&builds[i], artifact})
			}
		}
	}
	return all, nil
}

// recordedBuilds returns the names of the builds whose artifacts the status of an Image has.
func recordedBuilds(image *v1alpha1.Image) (names []string) {
	if latest := image.Status.LatestSuccessful; latest != nil {
		names = append(names, latest.Name)
	}
	for _, channel := range image.Status.Channels {
		names = append(names, channel.Build)
	}
	return names
}
