// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/lock"
)

// lockedTargets are targets whose artifacts have the same locks in two builds.
type lockedTargets struct {
	names    []string
	from, to *v1alpha1.ArtifactDocument // nil if the build has no lock of the targets
	packages *int32                     // the number of packages of to, if Goldsmith has counted them
}

// lockedTargetsOf returns the targets of which at least one of two builds has a lock, in the order of targets.
func lockedTargetsOf(from, to []v1alpha1.Artifact) (all []*lockedTargets) {
	byName := map[string]*lockedTargets{}
	for i := range from {
		byName[from[i].Target] = &lockedTargets{names: []string{from[i].Target}, from: from[i].ReadLock()}
	}
	for i := range to {
		target := byName[to[i].Target]
		if target == nil {
			target = &lockedTargets{names: []string{to[i].Target}}
			byName[to[i].Target] = target
		}
		target.to, target.packages = to[i].ReadLock(), to[i].Packages
	}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		target := byName[name]
		if target.from == nil && target.to == nil {
			continue
		}
		same := slices.IndexFunc(all, func(other *lockedTargets) bool {
			return sameLock(other.from, target.from) && sameLock(other.to, target.to)
		})
		if same < 0 {
			all = append(all, target)
		} else {
			all[same].names = append(all[same].names, name)
		}
	}
	return all
}

func sameLock(a, b *v1alpha1.ArtifactDocument) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Digest == b.Digest
}

// packageChanges compares the packages in the artifacts of two builds. It never fails: the message names the targets that were not compared, and the reason.
func packageChanges(ctx context.Context, locks *locks, from, to *v1alpha1.ImageBuild) (all []v1alpha1.PackageChanges, message string) {
	var messages []string
	for _, target := range lockedTargetsOf(from.Status.Artifacts, to.Status.Artifacts) {
		changes, err := changesOf(ctx, locks, target, from, to)
		if err == nil {
			all = append(all, *changes)
		} else if text := err.Error(); !slices.Contains(messages, text) {
			messages = append(messages, text)
		}
	}
	return all, v1alpha1.CutMessage(strings.Join(messages, "; "))
}

func changesOf(ctx context.Context, locks *locks, target *lockedTargets, from, to *v1alpha1.ImageBuild) (*v1alpha1.PackageChanges, error) {
	changes := &v1alpha1.PackageChanges{Targets: target.names}
	switch {
	case target.from == nil:
		return nil, hasNoLock(from, target)
	case target.to == nil:
		return nil, hasNoLock(to, target)
	case sameLock(target.from, target.to) && target.packages != nil:
		changes.Unchanged = *target.packages
		return changes, nil
	}
	before, err := locks.lock(ctx, from.Name, target.from)
	if err != nil {
		return nil, err
	}
	after, err := locks.lock(ctx, to.Name, target.to)
	if err != nil {
		return nil, err
	}
	changes.Changes, changes.Unchanged = lock.Compare(before, after)
	return changes, nil
}

// hasNoLock explains why a build has no list of the packages of a target, and what to do.
func hasNoLock(build *v1alpha1.ImageBuild, target *lockedTargets) error {
	artifacts := build.Status.Artifacts
	i := slices.IndexFunc(artifacts, func(artifact v1alpha1.Artifact) bool { return artifact.Target == target.names[0] })
	names := strings.Join(target.names, ", ")
	switch phase := build.Status.Phase; {
	case i >= 0:
		return fmt.Errorf("imagebuild %s has no list of the packages in %s: %s", build.Name, names, unreadLock(&artifacts[i]))
	case len(artifacts) > 0:
		return fmt.Errorf("imagebuild %s made no %s", build.Name, names)
	case phase.Finished():
		return fmt.Errorf("imagebuild %s has no packages: it is %s; compare builds that succeeded", build.Name, phase)
	default:
		return fmt.Errorf("imagebuild %s has no packages yet: it is %s; compare when it has succeeded", build.Name, phase)
	}
}
