// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/artifacts"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/jobs/lock"
)

// read returns the packages of a build from the records. Locks that the records do not have are fetched. The user named the build by the
// argument.
func (o *options) read(ctx context.Context, connection *client.Connection, build *v1alpha1.ImageBuild, argument string) (*v1alpha1.ImageBuildPackages, error) {
	wanted := build.Status.Artifacts
	if o.target != "" {
		wanted = slices.DeleteFunc(slices.Clone(wanted), func(artifact v1alpha1.Artifact) bool { return artifact.Target != o.target })
		if len(wanted) == 0 && len(build.Status.Artifacts) > 0 {
			return nil, artifacts.NoTarget(build, o.target)
		}
	}
	found, failure := readRecords(ctx, connection, build, o.target)
	if failure != nil && !mayHaveLock(failure) {
		return nil, failure
	}
	for i := range wanted {
		if err := o.complete(ctx, connection, build, &wanted[i], found, argument); err != nil {
			if failure != nil {
				err = fmt.Errorf("%w; the records do not have it: %w", err, failure)
			}
			return nil, err
		}
	}
	switch {
	case len(found.Locks) > 0:
		return found, nil
	case failure != nil && len(wanted) == 0: // otherwise the status tells that the artifacts have no lock
		return nil, failure
	}
	return nil, noLock(build, o.target)
}

// readRecords returns the packages of a build that the records have. It returns a list even with an error.
func readRecords(ctx context.Context, connection *client.Connection, build *v1alpha1.ImageBuild, target string) (*v1alpha1.ImageBuildPackages, error) {
	none := &v1alpha1.ImageBuildPackages{BuildUID: build.UID}
	none.Name, none.Namespace = build.Name, build.Namespace
	if build.UID == "" {
		return none, nil // a deleted build without a record
	}
	found, err := connection.ReadPackages(ctx, build.Name, map[string]string{"uid": string(build.UID), "target": target})
	if err != nil {
		return none, fmt.Errorf("read the packages of build %s: %w", build.Name, err)
	}
	return found, nil
}

// mayHaveLock reports whether a server that answered a request for packages with an error may keep the lock.
func mayHaveLock(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && !apierrors.IsForbidden(err) && !apierrors.IsUnauthorized(err)
}

// complete adds the lock of an artifact to the locks that were found, unless they have it or the artifact has none.
func (o *options) complete(ctx context.Context, connection *client.Connection, build *v1alpha1.ImageBuild, artifact *v1alpha1.Artifact,
	found *v1alpha1.ImageBuildPackages, argument string,
) error {
	document := artifact.Document(v1alpha1.DocumentLock)
	if document == nil || slices.ContainsFunc(found.Locks, func(each v1alpha1.ArtifactLock) bool { return slices.Contains(each.Targets, artifact.Target) }) {
		return nil
	}
	if i := slices.IndexFunc(found.Locks, func(each v1alpha1.ArtifactLock) bool { return each.Digest == document.Digest }); i >= 0 {
		found.Locks[i].Targets = append(found.Locks[i].Targets, artifact.Target)
		return nil
	}
	of := fmt.Sprintf("lock of artifact %s of build %s", artifact.Target, build.Name)
	if document.SizeBytes > v1alpha1.MaxLockBytes {
		return fmt.Errorf("the %s has %d bytes, more than a lock can have", of, document.SizeBytes)
	}
	var content bytes.Buffer
	err := artifacts.Fetch(ctx, connection, build, artifacts.Request{
		Argument: argument, Target: artifact.Target, Document: document.Name(), PlainHTTP: o.plainHTTP, Out: &content, Stderr: o.stderr, Style: o.style,
	})
	if err != nil {
		return err
	}
	read, err := lock.Read(content.Bytes())
	if err != nil {
		return fmt.Errorf("%s: %w", of, err)
	}
	found.Locks = append(found.Locks, v1alpha1.ArtifactLock{Targets: []string{artifact.Target}, Digest: document.Digest, Lock: *read})
	return nil
}

// noLock returns the error for a build, or its artifact of a target, that has no lock.
func noLock(build *v1alpha1.ImageBuild, target string) error {
	var of strings.Builder
	if target != "" {
		of.WriteString("artifact " + target + " of ")
	}
	of.WriteString("build " + build.Name)
	const remedy = "see docs/builders.md#locks"
	if builder := build.Spec.Inputs.Builder.Name; builder != "" {
		return fmt.Errorf("%s has no lock that Goldsmith read: builder %s writes none, or the image needs spec.output; %s", &of, builder, remedy)
	}
	return fmt.Errorf("%s has no lock that Goldsmith read: its builder writes none, or the records no longer have it; %s", &of, remedy) // of a deleted build
}
