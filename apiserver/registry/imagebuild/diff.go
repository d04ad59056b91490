// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"fmt"
	"maps"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/history"
	"goldsmith.dev/goldsmith/apiserver/registry/subresource"
	"goldsmith.dev/goldsmith/apiserver/resources"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

const diffResource = "imagebuilds/diff"

// differ serves the diff subresource: it compares two builds, either of which may be deleted.
type differ struct {
	reader
	scope *resources.Scope
}

func newDiff(of reader, scope *resources.Scope) *subresource.View[v1alpha1.ImageBuildDiffOptions, *v1alpha1.ImageBuildDiffOptions] {
	d := &differ{reader: of, scope: scope}
	return subresource.NewView(diffResource, &v1alpha1.ImageBuildDiff{}, v1alpha1.ImageBuildDiff{}, d.compare)
}

// compare compares a build with the build that the options name, if the user has permission for both.
func (d *differ) compare(ctx context.Context, name string, options *v1alpha1.ImageBuildDiffOptions) (runtime.Object, error) {
	if err := subresource.Invalid(v1alpha1.Kind("ImageBuildDiffOptions").GroupKind(), name, ValidateDiffOptions(options)); err != nil {
		return nil, err
	}
	if err := d.mayCompare(ctx, options.With); err != nil {
		return nil, err
	}
	from, err := d.read(ctx, diffResource, options.With, types.UID(options.WithUID))
	if err != nil {
		return nil, err
	}
	to, err := d.read(ctx, diffResource, name, types.UID(options.UID))
	if err != nil {
		return nil, err
	}
	answer := difference(from, to)
	err = d.limiter.serve(ctx, func() error {
		answer.Packages, answer.PackagesMessage = packageChanges(ctx, d.openLocks(diffResource, name), from.ImageBuild, to.ImageBuild)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return answer, nil
}

// mayCompare refuses a user without permission for the other build. Permission for the build of the request was checked before.
func (d *differ) mayCompare(ctx context.Context, name string) error {
	user, resource := resources.UserName(ctx), v1alpha1.SchemeGroupVersion.WithResource("imagebuilds")
	allowed, err := d.scope.UserMayGet(ctx, resource, "diff", apirequest.NamespaceValue(ctx), name)
	switch {
	case err != nil:
		return apierrors.NewInternalError(fmt.Errorf("check whether %s may compare with imagebuild %s: %w", user, name, err))
	case allowed:
		return nil
	}
	return apierrors.NewForbidden(v1alpha1.Resource("imagebuilds/diff"), name, fmt.Errorf("user %q needs permission to get imagebuilds/diff of the second build, %s", user, name))
}

func difference(from, to *history.RecordedBuild) *v1alpha1.ImageBuildDiff {
	return &v1alpha1.ImageBuildDiff{
		ObjectMeta: metav1.ObjectMeta{Name: to.Name, Namespace: to.Namespace},
		From:       compared(from.ImageBuild),
		To:         compared(to.ImageBuild),
		Inputs:     inputs.Diff(inputsOf(from), inputsOf(to)),
		Artifacts:  artifactChanges(from.Status.Artifacts, to.Status.Artifacts),
		Tests:      testChanges(from.Status.Tests, to.Status.Tests),
	}
}

func inputsOf(build *history.RecordedBuild) inputs.Snapshot {
	taken := inputs.NewSnapshot(build.Spec.Inputs, build.Status.Resolved)
	taken.Summarized = build.Summarized
	return taken
}

func compared(build *v1alpha1.ImageBuild) v1alpha1.ComparedBuild {
	status := &build.Status
	attempts := int32(status.AttemptsToMake()) //nolint:gosec // each attempt has a number of this type
	answer := v1alpha1.ComparedBuild{Name: build.Name, UID: build.UID, Phase: status.Phase, Attempts: attempts, Revoked: status.Revoked}
	if status.Resolved != nil {
		answer.InputsDigest = status.Resolved.InputsDigest
	}
	if status.Failure != nil {
		answer.Failure = status.Failure.Reason
	}
	if took, ended := status.Duration(); ended {
		answer.Duration = &metav1.Duration{Duration: took}
	}
	return answer
}

// testChanges are the tests whose outcomes differ, in the order of their names.
func testChanges(from, to []v1alpha1.TestStatus) (changes []v1alpha1.TestChange) {
	outcome := func(test v1alpha1.TestStatus) (string, v1alpha1.TestOutcome) { return test.Name, test.Outcome }
	eachChange(from, to, outcome, func(name string, from, to v1alpha1.TestOutcome) {
		changes = append(changes, v1alpha1.TestChange{Name: name, From: from, To: to})
	})
	return changes
}

// artifactChanges are the artifacts whose digests differ, in the order of their targets.
func artifactChanges(from, to []v1alpha1.Artifact) (changes []v1alpha1.ArtifactChange) {
	digest := func(artifact v1alpha1.Artifact) (string, string) { return artifact.Target, artifact.Digest }
	eachChange(from, to, digest, func(target, from, to string) {
		changes = append(changes, v1alpha1.ArtifactChange{Target: target, From: from, To: to})
	})
	return changes
}

// eachChange visits each key whose values differ between two lists, in order. A key that a list lacks has the zero value there.
func eachChange[T any, V comparable](from, to []T, entry func(T) (string, V), visit func(key string, from, to V)) {
	type change struct{ from, to V }
	changes := map[string]change{}
	for _, each := range from {
		key, value := entry(each)
		changes[key] = change{from: value}
	}
	for _, each := range to {
		key, value := entry(each)
		changes[key] = change{changes[key].from, value}
	}
	for _, key := range slices.Sorted(maps.Keys(changes)) {
		if of := changes[key]; of.from != of.to {
			visit(key, of.from, of.to)
		}
	}
}
