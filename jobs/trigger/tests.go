// SPDX-License-Identifier: Apache-2.0

package trigger

import (
	"fmt"
	"strings"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// A change of the tests alone builds nothing: a new build tests the artifacts of an earlier build again.

// testsPrefix begins the IDs of requests to test artifacts again. noTests stands for the digest of no tests.
const (
	testsPrefix = "tests:"
	noTests     = "none"
)

// testsRequestID identifies the request to test artifacts again, with the tests of a digest, after the last attempted build.
func testsRequestID(digest string, attempted *v1alpha1.AttemptedBuild) string {
	if digest == "" {
		digest = noTests
	}
	return fmt.Sprintf("%s%s:%d", testsPrefix, digest, attempted.Number)
}

// testsDigest is the digest of the tests that the Image has now.
func (o Observed) testsDigest() string { return inputs.TestsDigest(o.Image.Spec.Tests) }

// testsChanged reports whether the inputs are those of the last attempted build, and have not been tested with the present tests. Without tests,
// a build that succeeded is as good.
func (o Observed) testsChanged(status *v1alpha1.ImageStatus) bool {
	attempted, last := status.LastAttempted, status.LastFinished
	if status.InputsDigest == "" || inputsChanged(status) || attempted.TestsDigest == o.testsDigest() {
		return false
	}
	succeeded := last != nil && last.Phase == v1alpha1.BuildSucceeded && last.InputsDigest == status.InputsDigest
	return o.testsDigest() != "" || !succeeded
}

// Retested returns the build whose artifacts are tested if the tests of the Image have changed: the newest finished build that counts, has the
// inputs of the last attempted build, has artifacts, none of which is lost, and is not revoked. It is nil if there is none.
func Retested(o Observed) *v1alpha1.ImageBuild {
	status := nextStatus(o)
	return o.retested(&status)
}

func (o Observed) retested(status *v1alpha1.ImageStatus) *v1alpha1.ImageBuild {
	attempted := status.LastAttempted
	if attempted == nil || attempted.InputsDigest == "" {
		return nil
	}
	return newest(o.Builds, func(build *v1alpha1.ImageBuild) bool {
		resolved := build.Status.Resolved
		return build.Status.Phase.Finished() && !build.IsOneOff() && build.DeletionTimestamp == nil && !v1alpha1.Revoked(build, o.Now) && len(build.Status.Artifacts) > 0 &&
			resolved != nil && resolved.InputsDigest == attempted.InputsDigest && o.lost(build.Status.Artifacts) == ""
	})
}

// decideTests decides whether artifacts are due to be tested again, if the tests have changed. A time of the schedule does what the change
// itself is not to start. It returns false if nothing can be tested.
func (o Observed) decideTests(d *Decision, status *v1alpha1.ImageStatus, scheduled bool) bool {
	attempted, of := status.LastAttempted, o.retested(status)
	if !o.testsChanged(status) {
		return false
	}
	if unfinished := newest(o.Builds, unfinishedAndCounts); unfinished != nil {
		d.Reason = v1alpha1.ReasonBuildQueued
		d.Message = fmt.Sprintf("the tests have changed: wait until build %s has finished, whose artifacts are tested again then", unfinished.Name)
		return true
	}
	if of == nil {
		return false
	}
	message := o.testsDifference(attempted)
	if why := o.preventionOf(v1alpha1.TriggerTestsChange, status); why.reason != "" && !scheduled {
		d.Reason, d.Message = why.reason, message+", but "+why.message
		return true
	}
	message += fmt.Sprintf(": the artifacts of build %s are tested again, and nothing is built", of.Name)
	d.Reason, d.Message, d.Retests = string(v1alpha1.TriggerTestsChange), message, of
	d.baseDigest, d.revision = attempted.BaseDigest, attempted.SourceRevision
	d.Request = &v1alpha1.BuildRequest{RequestID: testsRequestID(o.testsDigest(), attempted), Reason: v1alpha1.TriggerTestsChange, Message: message}
	return true
}

func (o Observed) testsDifference(attempted *v1alpha1.AttemptedBuild) string {
	return "the tests differ from those of build " + BuildName(o.Image.Name, attempted.Number)
}

// untested describes why the artifacts of the latest successful build are not tested with the present tests, and are not due to be. It is empty
// if they are tested. It is for an Image of which no build is unfinished or due, and whose last build did not fail.
func (o Observed) untested(status *v1alpha1.ImageStatus) (reason, message string) {
	latest, attempted := status.LatestSuccessful, status.LastAttempted
	switch {
	case latest == nil || attempted == nil || latest.InputsDigest != status.InputsDigest || !o.testsDiffer(latest):
		return "", ""
	case o.testsChanged(status):
		return v1alpha1.ReasonTestsChanged, o.testsDifference(attempted) + ", and no build has artifacts that could be tested: ask for a build"
	}
	return v1alpha1.ReasonBuildCancelled, fmt.Sprintf("build %s, which was to test artifacts again, was cancelled or deleted: test again with \"goldsmith test %s\"",
		BuildName(o.Image.Name, attempted.Number), latest.Name)
}

// testsDiffer reports whether the Image has tests, and the latest successful build had others.
func (o Observed) testsDiffer(latest *v1alpha1.SuccessfulBuild) bool {
	wanted := o.testsDigest()
	return wanted != "" && latest.TestsDigest != wanted
}

// IsRetest reports whether a request ID has the form that the triggers use to test artifacts again.
func IsRetest(requestID string) bool {
	return Reserved(requestID) && strings.HasPrefix(requestID, testsPrefix)
}

// beingRetested reports whether an unfinished build tests the artifacts of a build.
func (o Observed) beingRetested(build *v1alpha1.ImageBuild) bool {
	for i := range o.Builds {
		if by := &o.Builds[i]; by.Spec.Retests != nil && by.Spec.Retests.UID == build.UID && !by.Status.Phase.Finished() {
			return true
		}
	}
	return false
}
