// SPDX-License-Identifier: Apache-2.0

package attestation

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// Provenance tells how an artifact was built. Of a provenance that Goldsmith did not make, it has BuildType, BuilderID, InvocationID, StartedOn and
// Dependencies.
type Provenance struct {
	// BuildType is BuildType, or that of another system.
	BuildType string
	// External are what users declared, and Internal what Goldsmith added.
	External ExternalParameters
	Internal InternalParameters
	// BuilderID identifies the system that ran the builder, as a URI, and Version is its version of Goldsmith.
	BuilderID, Version string
	// BuilderImage is the builder, REFERENCE@DIGEST. Without a digest if that is not known.
	BuilderImage string
	// InvocationID is the UID of the build.
	InvocationID string
	// Digest is the digest of the content of the artifact, and Lock that of its lock, or "".
	Digest, Lock string
	// StartedOn is when the attempt started, or nil.
	StartedOn *metav1.Time
	// Dependencies is the number of resolved dependencies, and Packages that of the packages among them.
	Dependencies, Packages int
	// Base are the artifacts of the base. Their locations have no credentials. BaseBuild is the name of the build that made them.
	Base      []v1alpha1.Artifact
	BaseBuild string
	// files are those of the ConfigMap of the source.
	files map[string]string
}

// Provenance reads a statement of TypeProvenance.
func (c *Content) Provenance() (*Provenance, error) {
	var general struct {
		BuildDefinition struct {
			BuildType            string               `json:"buildType"`
			ResolvedDependencies few[json.RawMessage] `json:"resolvedDependencies"`
		} `json:"buildDefinition"`
		RunDetails struct {
			Builder struct {
				ID string `json:"id"`
			} `json:"builder"`
			Metadata runMetadata `json:"metadata"`
		} `json:"runDetails"`
	}
	if err := json.Unmarshal(c.Predicate, &general); err != nil {
		return nil, fmt.Errorf("read a provenance: %w", err)
	}
	made := &Provenance{
		BuildType: general.BuildDefinition.BuildType, BuilderID: general.RunDetails.Builder.ID, InvocationID: general.RunDetails.Metadata.InvocationID,
		StartedOn: general.RunDetails.Metadata.StartedOn, Dependencies: len(general.BuildDefinition.ResolvedDependencies),
	}
	if made.BuildType != BuildType {
		return made, nil
	}
	var ours provenance
	if err := json.Unmarshal(c.Predicate, &ours); err != nil {
		return nil, fmt.Errorf("read a provenance: %w", err)
	}
	made.External, made.Internal = ours.BuildDefinition.ExternalParameters, ours.BuildDefinition.InternalParameters
	made.Version = ours.RunDetails.Builder.Version[versionOf]
	for i := range ours.BuildDefinition.ResolvedDependencies {
		if err := made.depend(&ours.BuildDefinition.ResolvedDependencies[i]); err != nil {
			return nil, fmt.Errorf("read a provenance: resolvedDependencies[%d]: %w", i, err)
		}
	}
	for i := range ours.RunDetails.Byproducts {
		if byproduct := &ours.RunDetails.Byproducts[i]; byproduct.Name == byproductLock {
			made.Lock = byproduct.digest()
		}
	}
	if n := len(c.Digests); n > 0 {
		made.Digest = c.Digests[n-1]
	}
	return made, nil
}

// depend adds a dependency.
func (p *Provenance) depend(on *descriptor) error {
	kind, name, _ := strings.Cut(on.Name, "/")
	switch kind {
	case dependencyBuilder:
		p.BuilderImage = strings.TrimPrefix(on.URI, ociScheme)
		if digest := on.digest(); digest != "" {
			p.BuilderImage += "@" + digest
		}
	case dependencyBase:
		size, err := strconv.ParseInt(on.Annotations[annotationSizeBytes], 10, 64)
		if err != nil {
			return fmt.Errorf("annotation %s is not a number", annotationSizeBytes)
		}
		p.BaseBuild = on.Annotations[annotationBuild]
		p.Base = append(p.Base, v1alpha1.Artifact{Target: name, Digest: on.digest(), SizeBytes: size, MediaType: on.MediaType, Location: locationOf(on.URI)})
	case dependencyFile:
		if p.files == nil {
			p.files = map[string]string{}
		}
		p.files[name] = string(on.Content)
	case dependencyPackage:
		p.Packages++
	}
	return nil
}

// digest returns the SHA-256 digest of a descriptor, or "".
func (d *descriptor) digest() string {
	if hex := d.Digest["sha256"]; hex != "" {
		return "sha256:" + hex
	}
	return ""
}

// Inputs returns the inputs of an ImageBuild that makes the same artifact again, if its builder is reproducible. The files of a ConfigMap are inline.
// A base that is an Image is needed under its name: its artifacts are Base, and the provenance of these artifacts tells how to build them first.
// Inputs fails if the digest of the inputs is not the one that the provenance has.
func (p *Provenance) Inputs() (v1alpha1.BuildInputs, error) {
	if p.BuildType != BuildType {
		return v1alpha1.BuildInputs{}, fmt.Errorf("buildType is %.80q, must be %s", p.BuildType, BuildType)
	}
	declared := *p.External.Inputs.DeepCopy()
	if source := declared.Source; source != nil && source.ConfigMapRef != nil {
		declared.Source = nil
		if len(p.files) > 0 {
			declared.Source = &v1alpha1.Source{Inline: &v1alpha1.InlineSource{Files: maps.Clone(p.files)}}
		}
	}
	if got := inputs.Digest(declared, inputs.Files(declared, nil), p.External.BaseDigest, p.External.SourceRevision); got != p.Internal.InputsDigest {
		return v1alpha1.BuildInputs{}, fmt.Errorf("the inputs have the digest %s, but the build had inputs with the digest %.80q", got, p.Internal.InputsDigest)
	}
	inputs.PinSource(declared.Source, p.External.SourceRevision)
	return declared, nil
}
