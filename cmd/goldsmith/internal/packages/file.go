// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/artifacts"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/jobs/lock"
)

// ofFile prints the packages of a file: a lock, or an artifact of a build.
func (o *options) ofFile(ctx context.Context, path string) error {
	if o.target != "" || o.uid != "" {
		return fmt.Errorf("--target and --uid select artifacts of a build, but %s is a file: omit them", path)
	}
	file, err := artifacts.OpenFile(path)
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
	digest, err := artifacts.DigestOf(ctx, io.MultiReader(bytes.NewReader(head), file))
	if err != nil {
		return err
	}
	return o.ofArtifact(ctx, connection, path, digest)
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

// ofArtifact prints the packages of a file with the digest of an artifact.
func (o *options) ofArtifact(ctx context.Context, connection *client.Connection, path, digest string) error {
	all, err := artifacts.ByDigest(ctx, connection, digest)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return fmt.Errorf("no build in namespace %s made %s, whose digest is %s, and it is no lock: select another namespace with -n, or name the BUILD",
			connection.Namespace, path, digest)
	}
	if locked := slices.DeleteFunc(slices.Clone(all), func(each artifacts.Made) bool { return lockOf(&each) == "" }); len(locked) > 0 {
		all = locked
	}
	// Equal artifacts are common, because builds are reproducible.
	for i := range all {
		if first, other := &all[0], &all[i]; lockOf(other) != lockOf(first) {
			return fmt.Errorf("builds %s and %s made %s with different locks: name the build, as in `goldsmith packages %[1]s`", first.Build.Name, other.Build.Name, path)
		}
	}
	newest := &all[0]
	o.target = newest.Artifact.Target
	if _, err := fmt.Fprintf(o.stderr, "%s is artifact %s of build %s\n", path, o.target, newest.Build.Name); err != nil {
		return err
	}
	found, err := o.read(ctx, connection, newest.Build, newest.Build.Name)
	if err != nil {
		return err
	}
	return o.print(found, "build "+newest.Build.Name)
}

// lockOf returns the digest of the lock of an artifact, or "".
func lockOf(of *artifacts.Made) string {
	if document := of.Artifact.Document(v1alpha1.DocumentLock); document != nil {
		return document.Digest
	}
	return ""
}
