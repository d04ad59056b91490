// SPDX-License-Identifier: Apache-2.0

package render

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/result"
)

// The environment variables of the builder contract.
const (
	// EnvPrefix is the prefix of the contract's variables, which no other variable has.
	EnvPrefix = "GOLDSMITH_"
	// EnvInput is the path of the file with the Input.
	EnvInput = "GOLDSMITH_INPUT"
	// EnvOutput is the path of an empty, writable directory for what the builder makes.
	EnvOutput = "GOLDSMITH_OUTPUT"
	// EnvBase is the path of a directory with the artifacts of the base Image that Goldsmith provides. It is set only if there are any.
	EnvBase = "GOLDSMITH_BASE"
	// EnvSource is the path of a directory with the files of the source from Git or a registry. It is set only if the build has such a source.
	EnvSource = "GOLDSMITH_SOURCE"
	// EnvResult is the path of the file that the builder writes its result to.
	EnvResult = "GOLDSMITH_RESULT"
	// EnvReportURL is the URL to which a builder posts its reports. This variable and the next two are set only for builders
	// that the operator registered as reporting.
	EnvReportURL = "GOLDSMITH_REPORT_URL"
	// EnvReportToken is the path of the file with the bearer token for it. It is replaced now and then: read it each time.
	EnvReportToken = "GOLDSMITH_REPORT_TOKEN"
	// EnvReportCA is the path of the file with the certificate authorities, in PEM, of the server there.
	EnvReportCA = "GOLDSMITH_REPORT_CA"
)

const (
	// InputVersion is the version of Input.
	InputVersion = 1
	// MaxInputBytes is the maximum length of an input. The annotations of a pod are limited to 256 KiB together, and 16 KiB
	// of them stay free.
	MaxInputBytes = 240 << 10
)

// Input is the input of a builder, as canonical JSON in the file that $GOLDSMITH_INPUT names. Fields are in the order of
// their JSON names, so that it is canonical.
type Input struct {
	// Attempt is the number of the attempt, from 1.
	Attempt int32 `json:"attempt"`
	// Base is what the image starts from.
	Base InputBase `json:"base"`
	// Build is the ImageBuild that the attempt is for.
	Build InputBuild `json:"build"`
	// Files are the content of files by name. Never nil.
	Files map[string]string `json:"files"`
	// Parameters are the values of parameters by name. Never nil.
	Parameters map[string]string `json:"parameters"`
	// Probe is the question about an archive. Nil for an attempt at a build. With Probe, Attempt is 1, and everything else but Version is empty.
	Probe *InputProbe `json:"probe,omitempty"`
	// Resolve is whether the builder only answers which packages a build of the input would install. Then Attempt is 1, and Build is empty.
	Resolve bool `json:"resolve,omitempty"`
	// Source is the source from Git or a registry. Nil for other sources, and for an attempt that runs tests. Without a Revision, a check asks for it,
	// and everything else but Version and Attempt is empty.
	Source *InputSource `json:"source,omitempty"`
	// Targets are the artifacts to make, sorted by name. Empty if there are Tests.
	Targets []InputTarget `json:"targets"`
	// Tests are the tests to run, each with its target, of the artifacts of Base. Empty for an attempt that makes artifacts.
	Tests []v1alpha1.ImageTest `json:"tests,omitempty"`
	// Version of the contract: 1.
	Version int `json:"version"`
}

// ParseInput decodes the input of a builder, as builders written in Go do. It refuses other versions of the contract.
func ParseInput(text []byte) (*Input, error) {
	input := &Input{}
	if err := json.Unmarshal(text, input); err != nil {
		return nil, fmt.Errorf("read the input: %w", err)
	}
	if input.Version != InputVersion {
		return nil, fmt.Errorf("the input's version is %d, not %d", input.Version, InputVersion)
	}
	return input, nil
}

// BaseName returns how messages name an artifact of the base.
func (i *Input) BaseName(artifact *InputArtifact) string {
	if len(i.Tests) > 0 {
		return fmt.Sprintf("%s of build %s, which is under test", artifact.Target, i.Base.Build)
	}
	return fmt.Sprintf("%s of build %s of base %s", artifact.Target, i.Base.Build, i.Base.Image)
}

// InputBase is the base of an image: a reference, or another Image of the namespace with its artifacts.
type InputBase struct {
	// Artifacts are the artifacts of the Image that the targets start from, sorted by target. Empty for a reference.
	Artifacts []InputArtifact `json:"artifacts,omitempty"`
	// Build is the name of the build that made the artifacts. Empty for a reference.
	Build string `json:"build,omitempty"`
	// Channel is the channel of the Image that named the build. Empty for a reference, and for the latest successful build.
	Channel string `json:"channel,omitempty"`
	// Digest of the Image's artifact, or of several artifacts together. Empty for a reference.
	Digest string `json:"digest,omitempty"`
	// Image is the name of the Image. Empty for a reference.
	Image string `json:"image,omitempty"`
	// Reference of the base, in a form that the builder understands. Empty for an Image.
	Reference string `json:"reference,omitempty"`
}

// InputArtifact is an artifact of the base.
type InputArtifact struct {
	Digest string `json:"digest"`
	// Location is where the artifact can be fetched. Empty if it is unknown.
	Location  string `json:"location,omitempty"`
	MediaType string `json:"mediaType"`
	// Path of the file with the artifact, relative to the directory that $GOLDSMITH_BASE names. Empty if the artifact
	// is only at its location.
	Path      string `json:"path,omitempty"`
	SizeBytes int64  `json:"sizeBytes"`
	Target    string `json:"target"`
}

// InputSource is a source from Git or a registry.
type InputSource struct {
	// OCI is whether the source is an artifact of a registry.
	OCI bool `json:"oci,omitempty"`
	// Path is the directory of the repository whose files the builder gets. Empty for the whole repository.
	Path string `json:"path,omitempty"`
	// Ref is what the user declared: a branch, a tag or a commit. Empty for the default branch, and for the tag latest.
	Ref string `json:"ref,omitempty"`
	// Revision is the commit or the digest: "sha1:" and 40, or "sha256:" and 64 hex digits.
	Revision string `json:"revision,omitempty"`
	// Secret is the name of the Secret with the credentials, which the builder cannot read. Empty if there are none.
	Secret string `json:"secret,omitempty"`
	// URL is the address of the repository.
	URL string `json:"url"`
}

// InputBuild identifies an ImageBuild.
type InputBuild struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	// Reproduces is whether the build makes the artifacts of an earlier build again. The builder then uses nothing that it has kept of other builds:
	// equal artifacts have to show that they are made of the inputs.
	Reproduces bool      `json:"reproduces,omitempty"`
	UID        types.UID `json:"uid"`
}

// BuildOf returns a build as the input of its attempts tells of it.
func BuildOf(build *v1alpha1.ImageBuild) InputBuild {
	return InputBuild{Name: build.Name, Namespace: build.Namespace, Reproduces: build.Spec.Reproduces != nil, UID: build.UID}
}

// InputTarget is one artifact to make.
type InputTarget struct {
	// Base is the target of the artifact of the base that this artifact is made from. Empty if the base has no artifacts.
	Base   string                  `json:"base,omitempty"`
	Format v1alpha1.ArtifactFormat `json:"format"`
	// Name is the platform and the format, joined by a slash. Results name targets by it.
	Name     string `json:"name"`
	Platform string `json:"platform"`
}

// BuildTargets returns the targets as the API has them.
func (i *Input) BuildTargets() (targets []v1alpha1.Target) {
	for _, target := range i.Targets {
		targets = append(targets, v1alpha1.Target{Platform: target.Platform, Format: target.Format})
	}
	return targets
}

func newInput(build *v1alpha1.ImageBuild, attempt int32, agent bool) Input {
	spec := build.Spec.Inputs
	input := Input{
		Version:    InputVersion,
		Build:      BuildOf(build),
		Attempt:    attempt,
		Base:       inputBase(build, attempt, agent),
		Files:      inputs.Files(spec, build.Status.Resolved),
		Parameters: inputs.Parameters(spec),
		Targets:    make([]InputTarget, 0, len(spec.Targets)),
		Tests:      testsOf(build, attempt),
	}
	if input.Files == nil {
		input.Files = map[string]string{}
	}
	if len(input.Tests) > 0 {
		return input
	}
	input.Source = inputSource(spec.Source, sourceOf(build))
	for _, target := range spec.Targets {
		input.Targets = append(input.Targets, InputTarget{
			Base:     baseTarget(target, build.Status.Resolved),
			Name:     result.TargetName(target),
			Platform: target.Platform,
			Format:   target.Format,
		})
	}
	slices.SortFunc(input.Targets, func(a, b InputTarget) int { return strings.Compare(a.Name, b.Name) })
	return input
}

func inputBase(build *v1alpha1.ImageBuild, attempt int32, agent bool) InputBase {
	image, resolved, basis, tests := build.Spec.Inputs.Base.ImageRef, build.Status.Resolved, basisOf(build, attempt), testsOf(build, attempt)
	input := InputBase{}
	switch {
	case len(tests) > 0:
		input.Digest = inputs.ArtifactsDigest(basis.Artifacts)
		if build.Spec.ImageRef != nil {
			input.Image = build.Spec.ImageRef.Name
		}
	case image == nil || resolved == nil:
		return InputBase{Reference: build.Spec.Inputs.Base.Reference}
	default:
		input.Digest, input.Image = resolved.BaseDigest, image.Name
		if basis == nil {
			return input
		}
		input.Channel = image.Channel
	}
	input.Build = basis.Name
	for i := range basis.Artifacts {
		artifact := &basis.Artifacts[i]
		one := InputArtifact{
			Target: artifact.Target, Digest: artifact.Digest, SizeBytes: artifact.SizeBytes, MediaType: artifact.MediaType, Location: artifact.Location,
		}
		if reads(tests, artifact) {
			one.Path = basePath(artifact, agent)
		}
		input.Artifacts = append(input.Artifacts, one)
	}
	slices.SortFunc(input.Artifacts, func(a, b InputArtifact) int { return strings.Compare(a.Target, b.Target) })
	return input
}

// baseTarget is the target of the artifact from which a target is made, or "" if the base has no artifacts.
func baseTarget(target v1alpha1.Target, resolved *v1alpha1.ResolvedInputs) string {
	if resolved == nil || resolved.Base == nil {
		return ""
	}
	if artifact := inputs.BaseOf(target, resolved.Base.Artifacts); artifact != nil {
		return artifact.Target
	}
	return ""
}

func encodeInput(build *v1alpha1.ImageBuild, attempt int32, agent bool) (string, error) {
	if source := build.Spec.Inputs.Source; source != nil && source.ConfigMapRef != nil && build.Status.Resolved == nil {
		return "", fmt.Errorf("files of ConfigMap %q are not resolved: build again", source.ConfigMapRef.Name)
	}
	if inputs.Checked(build.Spec.Inputs.Source) && sourceOf(build) == nil {
		return "", errors.New("the commit of the source is not resolved: build again")
	}
	if image := build.Spec.Inputs.Base.ImageRef; image != nil && (build.Status.Resolved == nil || build.Status.Resolved.BaseDigest == "") {
		return "", fmt.Errorf("digest of base Image %q is not resolved: build again", image.Name)
	}
	input := newInput(build, attempt, agent)
	return input.encode("use smaller parameters or files")
}

// encode returns the input as canonical JSON. remedy is what to do about an input that is too large.
func (i *Input) encode(remedy string) (string, error) {
	encoded, err := inputs.CanonicalJSON(i)
	if err == nil && (len(i.Tests) > 0 || i.Probe != nil) {
		encoded, err = sorted(encoded)
	}
	if err != nil {
		return "", err
	}
	if len(encoded) > MaxInputBytes {
		return "", fmt.Errorf("the builder's input is %d bytes of JSON, more than the limit of %d: %s", len(encoded), MaxInputBytes, remedy)
	}
	return string(encoded), nil
}

// sorted returns JSON with its keys in order, because the fields of tests and of releases, which are those of the API, are in another order.
func sorted(text []byte) ([]byte, error) {
	var value any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	return inputs.CanonicalJSON(value)
}
