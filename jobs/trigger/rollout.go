// SPDX-License-Identifier: Apache-2.0

package trigger

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// A new version of a package can be due in hundreds of Images at once. The first builds for it are a wave: until as many have succeeded, no more of
// them run at the same time. If as many fail alike, the others are not started.

const (
	// failingShare is the part of the finished builds, as 1/failingShare, below which failures do not pause the others.
	failingShare = 10
	// shownBuilds is how many builds a message names.
	shownBuilds = 5
)

// Hold is why a build that is due because of new packages waits for builds of other Images.
type Hold struct {
	// Paused is whether it waits until a user acts.
	Paused bool
	// Message names the other builds.
	Message string
}

// RolloutBuild is a build of another Image that was started for one of the same new versions.
type RolloutBuild struct {
	*v1alpha1.ImageBuild
	// Standing is whether the build is the last finished one of its Image, and the Image is not suspended. A failure that does not stand pauses nothing.
	Standing bool
}

// Rollout is what is known of the builds for a new version of a package.
type Rollout struct {
	// Namespace is that of the Image that is decided on.
	Namespace string
	// Builds are those of other Images.
	Builds []RolloutBuild
	// Reserved is how many more of them are about to be created in Namespace.
	Reserved int
	// Wave is how many run at the same time, in a namespace, until as many have succeeded.
	Wave int
	// Now is the current time.
	Now time.Time
}

// Hold returns why a build waits for those of other Images, or nil. Only unfinished builds of the namespace count, and failures in one other namespace
// pause nothing, because one team must not stop the others.
func (r Rollout) Hold() *Hold {
	succeeded, finished, unfinished := 0, 0, r.Reserved
	failed := map[string][]*v1alpha1.ImageBuild{} // by what failed alike
	for _, build := range r.Builds {
		switch phase := build.Status.Phase; {
		case !build.Status.Finished:
			if build.Namespace == r.Namespace {
				unfinished++
			}
		case phase == v1alpha1.BuildSucceeded:
			succeeded++
			finished++
		case phase == v1alpha1.BuildFailed && build.Standing && !r.over(build.ImageBuild):
			finished++
			kind := failureKind(build.Status.Failure)
			failed[kind] = append(failed[kind], build.ImageBuild)
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(failed)) {
		if alike := failed[kind]; len(alike) >= r.Wave && len(alike)*failingShare >= finished && r.concerns(alike) {
			return &Hold{Paused: true, Message: fmt.Sprintf(
				"%d builds for them failed with %s%s: the others wait until fewer than %d have. Build these images successfully, or suspend them",
				len(alike), kind, r.names(alike), r.Wave)}
		}
	}
	if succeeded < r.Wave && succeeded+unfinished >= r.Wave {
		return &Hold{Message: fmt.Sprintf("the first %d builds for them have not succeeded yet", r.Wave)}
	}
	return nil
}

// over reports whether a failure is not the fault of the Image, and its build can be tried again.
func (r Rollout) over(build *v1alpha1.ImageBuild) bool {
	again := Observed{}.packagesAgain(build)
	return !again.IsZero() && !again.After(r.Now)
}

// concerns reports whether builds failed in the namespace, or in several others.
func (r Rollout) concerns(failed []*v1alpha1.ImageBuild) bool {
	return slices.ContainsFunc(failed, func(build *v1alpha1.ImageBuild) bool {
		return build.Namespace == r.Namespace || build.Namespace != failed[0].Namespace
	})
}

// names lists the builds of the namespace. Names of other namespaces are not told.
func (r Rollout) names(failed []*v1alpha1.ImageBuild) string {
	var names []string
	for _, build := range failed {
		if build.Namespace == r.Namespace {
			names = append(names, build.Name)
		}
	}
	slices.Sort(names)
	shown := strings.Join(names[:min(len(names), shownBuilds)], ", ")
	switch more := len(failed) - min(len(names), shownBuilds); {
	case shown == "":
		return ", in other namespaces"
	case more > 0:
		return fmt.Sprintf(", such as %s and %d more", shown, more)
	}
	return ", " + shown
}

// failureKind returns what builds have in common that failed alike: the reason, and the beginning of the message, where a builder or a test is named.
func failureKind(failure *v1alpha1.BuildFailure) string {
	if failure == nil {
		return "no reason"
	}
	if what, _, named := strings.Cut(failure.Message, ":"); named && len(what) <= 64 {
		return fmt.Sprintf("%s (%s)", failure.Reason, what)
	}
	return string(failure.Reason)
}
