// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"cmp"
	"strings"
	"time"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/result"
	"goldsmith.dev/goldsmith/jobs/source/reference"
)

// Checked reports whether a source is outside of the cluster, so that a check finds out what it resolves to.
func Checked(source *v1alpha1.Source) bool {
	return source != nil && (source.Git != nil || source.OCI != nil)
}

// SecretOf returns the Secret with the credentials of a source, or nil.
func SecretOf(source *v1alpha1.Source) *v1alpha1.SecretReference {
	switch {
	case source == nil:
		return nil
	case source.Git != nil:
		return source.Git.SecretRef
	case source.OCI != nil:
		return source.OCI.SecretRef
	}
	return nil
}

// Question returns the digest of the fields of a source that decide what a check finds. What is taken of it, such as a directory, does not count.
func Question(source *v1alpha1.Source) string {
	asked := v1alpha1.Source{OCI: source.OCI}
	if git := source.Git; git != nil {
		asked.Git = copyWithout(git, func(git *v1alpha1.GitSource) { git.Path = "" })
	}
	return contents.Digest(mustCanonicalJSON(asked))
}

// FixedRevision returns the revision that a source names itself: that of a commit, or of a digest. It is empty for a source that follows something.
func FixedRevision(source *v1alpha1.Source) string {
	switch {
	case source == nil:
		return ""
	case source.Git != nil && reference.IsCommit(source.Git.Ref):
		if len(source.Git.Ref) == 64 {
			return "sha256:" + source.Git.Ref
		}
		return "sha1:" + source.Git.Ref
	case source.OCI != nil && result.ValidDigest(source.OCI.Tag):
		return source.OCI.Tag
	}
	return ""
}

// PinSource lets a source name a revision itself, instead of following something that may name another one by now.
func PinSource(source *v1alpha1.Source, revision string) {
	switch {
	case source == nil || revision == "":
	case source.Git != nil:
		source.Git.Ref = revision[strings.IndexByte(revision, ':')+1:]
	case source.OCI != nil:
		source.OCI.Tag = revision
	}
}

// Revision returns the revision of a resolved source, or "".
func Revision(source *v1alpha1.SourceRevision) string {
	if source == nil {
		return ""
	}
	return source.Revision
}

// RevisionText describes a revision for people: its abbreviation, and its summary.
func RevisionText(source *v1alpha1.SourceRevision) string {
	text := ShortRevision(source.Revision)
	if source.Summary != "" {
		text += " " + source.Summary
	}
	return text
}

// ShortRevision abbreviates a revision: the first 12 digits of a commit or digest.
func ShortRevision(revision string) string {
	const shown = 12
	digits := revision[strings.IndexByte(revision, ':')+1:]
	return digits[:min(len(digits), shown)]
}

// revisionOf returns what a source resolves to, from the checks of its Image.
func revisionOf(source *v1alpha1.Source, checks *v1alpha1.ImageSource) (*v1alpha1.SourceRevision, *v1alpha1.BuildFailure) {
	if checks != nil && checks.Question == Question(source) {
		if checks.Found != nil {
			return checks.Found.DeepCopy(), nil
		}
		if checks.Failure != nil && FixedRevision(source) == "" {
			return nil, checks.Failure.DeepCopy()
		}
	}
	if fixed := FixedRevision(source); fixed != "" {
		return &v1alpha1.SourceRevision{Revision: fixed}, nil
	}
	return nil, NotChecked(source, CheckFollows)
}

// CheckFollows is what follows for a stored Image whose source was never checked.
const CheckFollows = "a check follows within a few seconds"

// NotChecked is the failure of a source that was never checked. next tells when it will be.
func NotChecked(source *v1alpha1.Source, next string) *v1alpha1.BuildFailure {
	return v1alpha1.ReasonSourceUnresolved.Failure("%s is not checked yet: %s", SourceName(source), next)
}

// ImageNotChecked is the failure of the source of an Image that was never checked. next tells when it will be, unless the Image is suspended.
func ImageNotChecked(image *v1alpha1.Image, next string) *v1alpha1.BuildFailure {
	if image.IsSuspended() {
		next = "spec.suspend is true, so set it to false, or ask for a build"
	}
	return NotChecked(image.Spec.Source, next)
}

// followsSource reports whether the checks of the source of its Image decide what a build has of it.
func followsSource(build *v1alpha1.ImageBuild) bool {
	return Checked(build.Spec.Inputs.Source) && FixedRevision(build.Spec.Inputs.Source) == "" && build.Spec.Pinned == nil && build.Status.Resolved == nil
}

// AskedForCheck reports whether a user asked for a build whose inputs were never resolved, and expects what its source names at that time or later.
func AskedForCheck(build *v1alpha1.ImageBuild) bool {
	of := build.Spec.Trigger
	return followsSource(build) && of != nil && (of.Reason == v1alpha1.TriggerManual || of.Reason == v1alpha1.TriggerRerun)
}

// AsksForCheck reports whether a build waits for a check that begins after it was created.
func AsksForCheck(build *v1alpha1.ImageBuild) bool {
	return AskedForCheck(build) && !build.Status.Finished
}

// patience is how long after its creation a build waits for a check to succeed that fails because of the network or the cluster. Meanwhile, no trigger
// starts another build of the Image.
const patience = 5 * time.Minute

// AwaitCheck returns why a build waits for a check of the source of its Image, or why it cannot be built. Both are empty once it can have what the last
// check found. image is nil if it was deleted.
func AwaitCheck(build *v1alpha1.ImageBuild, image *v1alpha1.Image) (wait string, refused *v1alpha1.BuildFailure) {
	if !followsSource(build) {
		return "", nil
	}
	source, question := build.Spec.Inputs.Source, Question(build.Spec.Inputs.Source)
	switch {
	case image == nil:
		return "", v1alpha1.ReasonSourceUnresolved.Failure("image %s was deleted, so nothing checks %s: create the image again", build.Spec.ImageRef.Name, SourceName(source))
	case !Checked(image.Spec.Source) || Question(image.Spec.Source) != question:
		return "", v1alpha1.ReasonSuperseded.Failure("cancelled: image %s has another source by now", image.Name)
	}
	created, checks := build.CreationTimestamp.Time, image.Status.Source
	asks := AsksForCheck(build)
	switch {
	case checks == nil || checks.Question != question:
		checks = &v1alpha1.ImageSource{}
	case checks.Found != nil && !asks:
		return "", nil
	}
	switch {
	case !asks && image.IsSuspended():
		return "", NotChecked(source, "spec.suspend of image "+image.Name+" is true, so ask for a build")
	case checks.LastCheckTime == nil || checks.Ended < checks.Checks || asks && (checks.StartTime == nil || !checks.StartTime.After(created)):
		return "a check finds out what " + SourceName(source) + " is now", nil
	case checks.Failure != nil && checks.Failure.Class == v1alpha1.FailureInfrastructure && checks.LastCheckTime.Sub(created) < patience:
		return "the last check failed, and is repeated: " + checks.Failure.Message, nil
	}
	return "", checks.Failure.DeepCopy()
}

// SourceName names a source in messages: the address of its repository, and what is followed there.
func SourceName(source *v1alpha1.Source) string {
	if git := source.Git; git != nil {
		return cmp.Or(git.Ref, "the default branch") + " of " + git.URL
	}
	return source.OCI.Repository + ":" + cmp.Or(source.OCI.Tag, "latest")
}
