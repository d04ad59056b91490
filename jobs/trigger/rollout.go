// SPDX-License-Identifier: Apache-2.0

package trigger

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// A new version of a package can be due in hundreds of Images at once. The first builds for it are a wave: until as many have succeeded, no more of
// them run at the same time. If as many fail alike, the others are not started.

const (
	// holdRetry is when a build that waits for those of other Images is decided on again.
	holdRetry = 30 * time.Second
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

// HoldOf returns why a build waits for those of other Images, or nil. reserved is how many more of them are about to be created.
func HoldOf(others []RolloutBuild, reserved, wave int) *Hold {
	succeeded, finished, unfinished := 0, 0, reserved
	failed := map[string][]string{} // names by what failed alike
	worst := ""
	for _, build := range others {
		switch phase := build.Status.Phase; {
		case !build.Status.Finished:
			unfinished++
		case phase == v1alpha1.BuildSucceeded:
			succeeded++
			finished++
		case phase == v1alpha1.BuildFailed && build.Standing:
			finished++
			kind := failureKind(build.Status.Failure)
			failed[kind] = append(failed[kind], build.Namespace+"/"+build.Name)
			if len(failed[kind]) > len(failed[worst]) || len(failed[kind]) == len(failed[worst]) && kind < worst {
				worst = kind
			}
		}
	}
	switch names := failed[worst]; {
	case len(names) >= wave && len(names)*failingShare >= finished:
		slices.Sort(names)
		shown := strings.Join(names[:min(len(names), shownBuilds)], ", ")
		if more := len(names) - shownBuilds; more > 0 {
			shown += fmt.Sprintf(" and %d more", more)
		}
		return &Hold{Paused: true, Message: fmt.Sprintf("%d builds for them failed with %s: %s. Build one of these images successfully, or suspend it", len(names), worst, shown)}
	case succeeded < wave && succeeded+unfinished >= wave:
		return &Hold{Message: fmt.Sprintf("the first %d builds for them have not succeeded yet", wave)}
	}
	return nil
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
