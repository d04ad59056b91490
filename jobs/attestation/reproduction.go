// SPDX-License-Identifier: Apache-2.0

package attestation

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// TypeReproduction says that a build made the content of another build again. docs/proof.md describes it.
const TypeReproduction = "https://goldsmith.dev/reproduction/v1"

// Reproduction is a predicate of TypeReproduction.
type Reproduction struct {
	// Build made the artifact again, and Reproduces made it first.
	Build      BuildName `json:"build"`
	Reproduces BuildName `json:"reproduces"`
	// InputsDigest is the digest of the inputs of Build without their output. Readers compare it, because users can create builds that claim
	// to reproduce any other build.
	InputsDigest string `json:"inputsDigest,omitempty"`
}

// BuildName identifies a build.
type BuildName struct {
	// Namespace is the namespace of the build. Empty if it is not known.
	Namespace string `json:"namespace,omitempty"`
	// Name is the name of the build.
	Name string `json:"name"`
	// UID is the UID of the build.
	UID types.UID `json:"uid"`
}

// Reproduction reads a statement of TypeReproduction.
func (c *Content) Reproduction() (*Reproduction, error) {
	made := &Reproduction{}
	if err := json.Unmarshal(c.Predicate, made); err != nil {
		return nil, fmt.Errorf("read a reproduction: %w", err)
	}
	return made, nil
}

// Of reports whether a provenance is that of the build that is reproduced, and whether both builds had the same inputs.
func (r *Reproduction) Of(made *Provenance) bool {
	if made.InvocationID == "" || made.InvocationID != string(r.Reproduces.UID) {
		return false
	}
	given, err := made.Inputs()
	given.Output = nil
	return err == nil && r.InputsDigest == inputs.Digest(given, inputs.Files(given, nil), made.External.BaseDigest, made.External.SourceRevision)
}

// reproductionOf returns what a build that reproduces another build states about an artifact. It returns nil if the content differs.
func reproductionOf(build *v1alpha1.ImageBuild, artifact *v1alpha1.Artifact) *predicate {
	of := build.Spec.Reproduces
	if of == nil || !slices.ContainsFunc(of.Artifacts, func(a v1alpha1.ReproducedArtifact) bool {
		return a.Target == artifact.Target && a.Digest == artifact.Digest
	}) {
		return nil
	}
	return &predicate{TypeReproduction, Reproduction{
		Build: BuildName{build.Namespace, build.Name, build.UID}, Reproduces: BuildName{Name: of.Name, UID: of.UID}, InputsDigest: madeFrom(build),
	}}
}

// Reproducible returns what another build is to make again: the artifacts of a build that has succeeded.
func Reproducible(build *v1alpha1.ImageBuild) *v1alpha1.Reproduction {
	of := &v1alpha1.Reproduction{Name: build.Name, UID: build.UID, BuilderImage: builderImage(build)}
	for i := range build.Status.Artifacts {
		artifact := &build.Status.Artifacts[i]
		of.Artifacts = append(of.Artifacts, v1alpha1.ReproducedArtifact{Target: artifact.Target, Digest: artifact.Digest, Lock: lockOf(artifact)})
	}
	return of
}

// builderImage returns the image of the builder that ran in the last attempt of a build.
func builderImage(build *v1alpha1.ImageBuild) string {
	if n := len(build.Status.Attempts); n > 0 {
		return build.Status.Attempts[n-1].BuilderImage
	}
	return ""
}

// lockOf returns the digest of the lock of an artifact, or "".
func lockOf(artifact *v1alpha1.Artifact) string {
	if document := artifact.Document(v1alpha1.DocumentLock); document != nil {
		return document.Digest
	}
	return ""
}

// Reproduced returns the condition Reproduced that a finished build gives the build that it reproduces.
func Reproduced(by *v1alpha1.ImageBuild, now time.Time) metav1.Condition {
	result := metav1.Condition{Type: v1alpha1.BuildReproduced, Status: metav1.ConditionUnknown, LastTransitionTime: metav1.NewTime(now.Truncate(time.Second))}
	of := by.Spec.Reproduces
	if by.Status.Phase != v1alpha1.BuildSucceeded {
		result.Reason, result.Message = v1alpha1.ReasonRebuildFailed, fmt.Sprintf("build %s was to make the artifacts again, and ended as %s", by.Name, by.Status.Phase)
		return result
	}
	var differ []string
	otherPackages, reported := false, ""
	for _, want := range of.Artifacts {
		i := slices.IndexFunc(by.Status.Artifacts, func(a v1alpha1.Artifact) bool { return a.Target == want.Target })
		if i >= 0 && by.Status.Artifacts[i].Verified != v1alpha1.ArtifactVerifiedContent {
			reported = ", as its builder reports"
		}
		switch {
		case i < 0:
			differ = append(differ, want.Target+" is missing")
		case by.Status.Artifacts[i].Digest != want.Digest:
			differ = append(differ, fmt.Sprintf("%s has %s, not %s", want.Target, contents.Abbreviate(by.Status.Artifacts[i].Digest), contents.Abbreviate(want.Digest)))
			otherPackages = otherPackages || lockOf(&by.Status.Artifacts[i]) != want.Lock
		}
	}
	result.Reason, result.Message = v1alpha1.ReasonBuilderDiffers, fmt.Sprintf("build %s made other content", by.Name)
	image, digest := splitImage(builderImage(by))
	earlier, earlierDigest := splitImage(of.BuilderImage)
	switch {
	case len(differ) == 0:
		result.Status, result.Reason, result.Message = metav1.ConditionTrue, v1alpha1.ReasonSameContent, fmt.Sprintf("build %s made the same content", by.Name)+reported
	case otherPackages:
		result.Reason = v1alpha1.ReasonPackagesDiffer
		result.Message += ", and its locks differ, as `goldsmith diff` shows"
	case digest == "" || earlierDigest == "":
		result.Message += ", and nothing tells whether the builder is the same"
	case digest != earlierDigest:
		result.Message += fmt.Sprintf(", with the builder %s@%s instead of %s@%s", strings.TrimPrefix(image, ociScheme), contents.Abbreviate(digest),
			strings.TrimPrefix(earlier, ociScheme), contents.Abbreviate(earlierDigest))
	case readsObjects(by.Spec.Inputs.Template):
		result.Message += ", and nothing tells whether Secrets or ConfigMaps have changed that the builder reads"
	default:
		result.Status, result.Reason = metav1.ConditionFalse, v1alpha1.ReasonContentDiffers
		result.Message += " of the same inputs"
	}
	if len(differ) > 0 {
		result.Message += ": " + strings.Join(differ, "; ")
	}
	result.Message = v1alpha1.CutMessage(result.Message)
	return result
}

// readsObjects reports whether the pods of a build read Secrets or ConfigMaps, which the inputs have by name only.
func readsObjects(template *v1alpha1.BuildTemplate) bool {
	return template != nil && slices.ContainsFunc(template.Env, func(variable corev1.EnvVar) bool { return variable.ValueFrom != nil })
}

// Verdict returns the condition Reproduced that a finished build gives the build that it reproduces. It returns nil if the condition of that build
// stays. It compares the two builds, and not what spec.reproduces tells of the other, because users can set that. A build whose inputs did not
// resolve says nothing, unless the server has pinned them for a rerun.
func Verdict(by, of *v1alpha1.ImageBuild, now time.Time) *metav1.Condition {
	claimed := by.Spec.Reproduces
	switch {
	case claimed == nil || claimed.UID != of.UID || !by.Status.Finished || of.Status.Phase != v1alpha1.BuildSucceeded:
		return nil
	case by.Status.Resolved == nil && by.Spec.Pinned == nil, by.Status.Resolved != nil && madeFrom(by) != madeFrom(of):
		return nil
	}
	result := compare(by, of, now)
	if !outweighs(&result, meta.FindStatusCondition(of.Status.Conditions, v1alpha1.BuildReproduced)) {
		return nil
	}
	return &result
}

// Gave reports whether the condition Reproduced of a build is the result of a build that reproduces it.
func Gave(by, of *v1alpha1.ImageBuild) bool {
	known := meta.FindStatusCondition(of.Status.Conditions, v1alpha1.BuildReproduced)
	return known != nil && by.Spec.Reproduces != nil && by.Spec.Reproduces.UID == of.UID && known.Message == compare(by, of, time.Time{}).Message // which names it
}

// compare returns the result of a build for the build that it reproduces, whatever it claims about that build.
func compare(by, of *v1alpha1.ImageBuild, now time.Time) metav1.Condition {
	compared := *by
	compared.Spec.Reproduces = Reproducible(of)
	result := Reproduced(&compared, now)
	result.ObservedGeneration = of.Generation
	return result
}

// madeFrom returns the digest of the resolved inputs of a build, without their output: where artifacts are published does not change them.
func madeFrom(build *v1alpha1.ImageBuild) string {
	resolved := build.Status.Resolved
	if resolved == nil {
		return ""
	}
	given := build.Spec.Inputs
	given.Output = nil
	return inputs.Digest(given, inputs.Files(given, resolved), resolved.BaseDigest, inputs.Revision(resolved.Source))
}

// outweighs reports whether a condition Reproduced replaces the one that a build has, or nil. A build that made the same content has shown that the artifacts
// come from their inputs, whatever other builds made. One that failed has shown nothing. The order of results does not matter.
func outweighs(result, known *metav1.Condition) bool {
	return known == nil || weight(result) > weight(known)
}

func weight(result *metav1.Condition) int {
	switch {
	case result.Status == metav1.ConditionTrue:
		return 3
	case result.Status == metav1.ConditionFalse:
		return 2
	case result.Reason != v1alpha1.ReasonRebuildFailed:
		return 1
	}
	return 0
}
