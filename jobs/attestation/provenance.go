// SPDX-License-Identifier: Apache-2.0

package attestation

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/sbom"
)

// BuildType is the build type of our provenance. docs/proof.md describes the parameters.
const BuildType = "https://goldsmith.dev/buildtypes/imagebuild/v1"

// The IDs of the systems that run builds. In a cluster, another container than the builder reads the artifacts and sends their digests, with a token
// that the builder cannot read. On one machine, the server reads the artifacts itself, and builders run as the user of the server.
const (
	BuilderCluster = "https://goldsmith.dev/builders/cluster/v1"
	BuilderMachine = "https://goldsmith.dev/builders/machine/v1"
)

// The names of dependencies and byproducts. A dependency of a base or a file has a slash and the target or the name of the file after it.
const (
	dependencyBuilder = "builder"
	dependencyTools   = "tools"
	dependencyBase    = "base"
	dependencySource  = "source"
	dependencyFile    = "file"
	dependencyRelease = "release"
	dependencyPackage = "package"

	byproductLock = "lock"

	annotationBuild     = "build"
	annotationSizeBytes = "sizeBytes"
	annotationDate      = "date"

	// versionOf is the name of the component whose version a provenance has.
	versionOf = "goldsmith"
	// ociScheme is before references of OCI, so that they are URIs.
	ociScheme = "oci://"
)

// provenance is a predicate of SLSA provenance v1.
type provenance struct {
	BuildDefinition buildDefinition `json:"buildDefinition"`
	RunDetails      runDetails      `json:"runDetails"`
}

type buildDefinition struct {
	BuildType            string             `json:"buildType"`
	ExternalParameters   ExternalParameters `json:"externalParameters"`
	InternalParameters   InternalParameters `json:"internalParameters"`
	ResolvedDependencies few[descriptor]    `json:"resolvedDependencies,omitempty"`
}

// ExternalParameters are what users declared.
type ExternalParameters struct {
	// Namespace is the namespace of the build.
	Namespace string `json:"namespace"`
	// Image is the name of the Image. Empty for a build that belongs to none.
	Image string `json:"image,omitempty"`
	// Inputs are the inputs of the build.
	Inputs v1alpha1.BuildInputs `json:"inputs"`
	// BaseDigest is the digest that the base resolved to. Empty if the base is no Image.
	BaseDigest string `json:"baseDigest,omitempty"`
	// SourceRevision is the commit or the digest that source.git or source.oci resolved to. Empty for other sources.
	SourceRevision string `json:"sourceRevision,omitempty"`
	// Target is the target of the artifact.
	Target string `json:"target"`
	// Timeouts are those of the build.
	Timeouts *v1alpha1.BuildTimeouts `json:"timeouts,omitempty"`
	// Retry is the retry policy of the build.
	Retry *v1alpha1.RetryPolicy `json:"retry,omitempty"`
}

// InternalParameters are what Goldsmith added.
type InternalParameters struct {
	// Build is the name of the build.
	Build string `json:"build"`
	// Attempt is the number of the attempt.
	Attempt int32 `json:"attempt"`
	// InputsDigest is the digest of the resolved inputs.
	InputsDigest string `json:"inputsDigest,omitempty"`
	// Reason is why the build started.
	Reason v1alpha1.TriggerReason `json:"reason,omitempty"`
	// RequestedBy is the user who requested the build. Empty if Goldsmith started it by itself.
	RequestedBy string `json:"requestedBy,omitempty"`
}

type runDetails struct {
	Builder    runBuilder   `json:"builder"`
	Metadata   runMetadata  `json:"metadata"`
	Byproducts []descriptor `json:"byproducts,omitempty"`
}

type runBuilder struct {
	ID      string            `json:"id"`
	Version map[string]string `json:"version,omitempty"`
}

// runMetadata has no end of the build: the statement is made before it.
type runMetadata struct {
	InvocationID string       `json:"invocationId"`
	StartedOn    *metav1.Time `json:"startedOn,omitempty"`
}

// provenanceOf returns how an artifact of the current attempt of a build was built.
func provenanceOf(build *v1alpha1.ImageBuild, of *Subject, its *v1alpha1.Lock, builder Builder) *provenance {
	made := &provenance{
		BuildDefinition: buildDefinition{
			BuildType: BuildType,
			ExternalParameters: ExternalParameters{
				Namespace: build.Namespace, Inputs: build.Spec.Inputs, Target: of.Artifact.Target, Timeouts: build.Spec.Timeouts, Retry: build.Spec.Retry,
			},
			InternalParameters:   InternalParameters{Build: build.Name},
			ResolvedDependencies: dependencies(build, its),
		},
		RunDetails: runDetails{Builder: runBuilder{ID: builder.ID}, Metadata: runMetadata{InvocationID: string(build.UID)}},
	}
	external, internal, run := &made.BuildDefinition.ExternalParameters, &made.BuildDefinition.InternalParameters, &made.RunDetails
	if image := build.Spec.ImageRef; image != nil {
		external.Image = image.Name
	}
	if trigger := build.Spec.Trigger; trigger != nil {
		internal.Reason, internal.RequestedBy = trigger.Reason, trigger.RequestedBy
	}
	if resolved := build.Status.Resolved; resolved != nil {
		external.BaseDigest, internal.InputsDigest = resolved.BaseDigest, resolved.InputsDigest
		external.SourceRevision = inputs.Revision(resolved.Source)
	}
	if attempts := build.Status.Attempts; len(attempts) > 0 {
		current := &attempts[len(attempts)-1]
		internal.Attempt = current.Number
		if !current.StartTime.IsZero() {
			run.Metadata.StartedOn = &current.StartTime
		}
	}
	if builder.Version != "" {
		run.Builder.Version = map[string]string{versionOf: builder.Version}
	}
	for i := range of.Artifact.Documents {
		if document := &of.Artifact.Documents[i]; document.Type != v1alpha1.DocumentProvenance {
			run.Byproducts = append(run.Byproducts, descriptor{Name: document.Name(), Digest: digestSet(document.Digest), MediaType: document.MediaType})
		}
	}
	return made
}

// sourceDependency describes a commit or an artifact with files, as SLSA and in-toto do: git+URL@REF with the digest gitCommit.
func sourceDependency(source *v1alpha1.Source, resolved *v1alpha1.SourceRevision) descriptor {
	algorithm, digits, _ := strings.Cut(resolved.Revision, ":")
	if source.OCI != nil {
		return descriptor{Name: dependencySource, URI: ociScheme + source.OCI.Repository, Digest: digestSet(resolved.Revision)}
	}
	uri := "git+" + source.Git.URL
	if resolved.Ref != "" {
		uri += "@" + resolved.Ref
	}
	digest := map[string]string{"gitCommit": digits}
	if algorithm == "sha256" {
		digest["sha256"] = digits
	}
	return descriptor{Name: dependencySource, URI: uri, Digest: digest}
}

// dependencies returns what a build was made of, besides the inputs that users declared: the builder, the artifacts of the base, the files of a
// ConfigMap, and the release files, the tools and the packages of the lock. So a file with this statement alone tells its packages.
func dependencies(build *v1alpha1.ImageBuild, its *v1alpha1.Lock) (all []descriptor) {
	if image := builderImage(build); image != "" {
		reference, digest := splitImage(image)
		all = append(all, descriptor{Name: dependencyBuilder, URI: reference, Digest: digestSet(digest)})
	}
	if resolved := build.Status.Resolved; resolved != nil {
		if resolved.Source != nil {
			all = append(all, sourceDependency(build.Spec.Inputs.Source, resolved.Source))
		}
		if base := resolved.Base; base != nil {
			for i := range base.Artifacts {
				artifact := &base.Artifacts[i]
				all = append(all, descriptor{
					Name: dependencyBase + "/" + artifact.Target, URI: uriOf(artifact.Location), Digest: digestSet(artifact.Digest), MediaType: artifact.MediaType,
					Annotations: map[string]string{annotationBuild: base.Name, annotationSizeBytes: strconv.FormatInt(artifact.SizeBytes, 10)},
				})
			}
		}
		for _, name := range slices.Sorted(maps.Keys(resolved.Files)) {
			content := []byte(resolved.Files[name])
			all = append(all, descriptor{Name: dependencyFile + "/" + name, Digest: digestSet(contents.Digest(content)), Content: content})
		}
	}
	if its == nil {
		return all
	}
	for i := range its.Sources {
		source := &its.Sources[i]
		if source.Release == nil || source.Release.SHA256 == "" {
			continue
		}
		one := descriptor{Name: dependencyRelease + "/" + source.Suite, URI: source.URI, Digest: map[string]string{"sha256": source.Release.SHA256}}
		if source.Release.Date != nil {
			one.Annotations = map[string]string{annotationDate: source.Release.Date.UTC().Format(time.RFC3339)}
		}
		all = append(all, one)
	}
	if its.Tools != "" {
		all = append(all, descriptor{Name: dependencyTools, Digest: digestSet(its.Tools)})
	}
	for i := range its.Packages {
		one := &its.Packages[i]
		dependency := descriptor{Name: dependencyPackage + "/" + one.Name, URI: sbom.PackageURL(its, one)}
		if one.SHA256 != "" {
			dependency.Digest = map[string]string{"sha256": one.SHA256}
		}
		all = append(all, dependency)
	}
	return all
}

// splitImage splits the image of a container, as a node reports it, at its digest. The reference is a URI.
func splitImage(image string) (reference, digest string) {
	if at := strings.Index(image, "://"); at >= 0 { // docker-pullable:// of some runtimes
		image = image[at+len("://"):]
	}
	if strings.HasPrefix(image, "sha256:") {
		return "", image
	}
	reference, digest, _ = strings.Cut(image, "@")
	return ociScheme + reference, digest
}

// uriOf returns the location of an artifact as a URI: a reference of OCI gets a scheme, and a URL loses the parts that can have credentials, because more
// people can read the statement than the build.
func uriOf(location string) string {
	if before, _, ok := strings.Cut(location, "@sha256:"); ok && !strings.Contains(before, "://") {
		return ociScheme + location
	}
	parsed, err := url.Parse(location)
	if err != nil {
		return "" // the digest identifies the artifact
	}
	if parsed.Host != "" {
		parsed.User, parsed.RawQuery, parsed.Fragment, parsed.RawFragment = nil, "", "", ""
		parsed.ForceQuery = false
	}
	return parsed.String()
}

// locationOf returns the location that uriOf returned a URI of.
func locationOf(uri string) string {
	if strings.Contains(uri, "@sha256:") {
		return strings.TrimPrefix(uri, ociScheme)
	}
	return uri
}
