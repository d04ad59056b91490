// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"slices"

	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

const (
	// maxArtifacts is one for each target of a build.
	maxArtifacts = 16
	// maxDocuments is the maximum number of documents about an artifact.
	maxDocuments = 16
)

// Artifacts validates the artifacts of a build.
func Artifacts(artifacts []v1alpha1.Artifact, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if n := len(artifacts); n > maxArtifacts {
		errs = append(errs, field.TooMany(path, n, maxArtifacts))
	}
	seen := map[string]bool{}
	for i := range artifacts {
		artifact := &artifacts[i]
		if artifact.Target != "" && seen[artifact.Target] {
			errs = append(errs, field.Duplicate(path.Index(i).Child("target"), artifact.Target))
		}
		seen[artifact.Target] = true
		errs = append(errs, Artifact(artifact, path.Index(i))...)
	}
	return errs
}

// Artifact validates an artifact of a build.
func Artifact(artifact *v1alpha1.Artifact, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if artifact.Target == "" {
		errs = append(errs, field.Required(path.Child("target"), "set platform/format, such as linux/amd64/raw"))
	}
	errs = append(errs, document(&v1alpha1.ArtifactDocument{
		Digest: artifact.Digest, SizeBytes: artifact.SizeBytes, MediaType: artifact.MediaType,
		Location: artifact.Location, Verified: artifact.Verified,
	}, path)...)
	if artifact.Tag != "" && !inputs.ValidTag(artifact.Tag) {
		errs = append(errs, field.Invalid(path.Child("tag"), artifact.Tag, "must be a tag of an OCI repository"))
	}
	errs = append(errs, documents(artifact.Documents, path.Child("documents"))...)
	if packages := artifact.Packages; packages != nil {
		errs = append(errs, apivalidation.ValidateNonnegativeField(int64(*packages), path.Child("packages"))...)
	}
	return errs
}

// TestReport validates the report about tests of a build.
func TestReport(report *v1alpha1.ArtifactDocument, path *field.Path) field.ErrorList {
	errs := document(report, path)
	if report.Type != v1alpha1.DocumentTestReport {
		errs = append(errs, field.NotSupported(path.Child("type"), report.Type, []v1alpha1.ArtifactDocumentType{v1alpha1.DocumentTestReport}))
	}
	return append(errs, madeBy(report.MadeBy, path.Child("madeBy"))...)
}

func madeBy(maker v1alpha1.ArtifactDocumentMaker, path *field.Path) field.ErrorList {
	if maker == "" || maker == v1alpha1.DocumentMadeByGoldsmith {
		return nil
	}
	return field.ErrorList{field.NotSupported(path, maker, []v1alpha1.ArtifactDocumentMaker{v1alpha1.DocumentMadeByGoldsmith})}
}

// documents validates the documents about an artifact.
func documents(all []v1alpha1.ArtifactDocument, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if n := len(all); n > maxDocuments {
		errs = append(errs, field.TooMany(path, n, maxDocuments))
	}
	type kind struct {
		of        v1alpha1.ArtifactDocumentType
		mediaType string
	}
	seen := map[kind]bool{}
	for i := range all {
		one := &all[i]
		its := kind{one.Type, one.MediaType}
		if seen[its] {
			errs = append(errs, field.Duplicate(path.Index(i), fmt.Sprintf("%s of media type %s", its.of, its.mediaType)))
		}
		seen[its] = true
		if types := v1alpha1.ArtifactDocumentTypes(); !slices.Contains(types, one.Type) {
			errs = append(errs, field.NotSupported(path.Index(i).Child("type"), one.Type, types))
		}
		errs = append(errs, madeBy(one.MadeBy, path.Index(i).Child("madeBy"))...)
		errs = append(errs, document(one, path.Index(i))...)
	}
	return errs
}

// document validates a content that builds make.
func document(content *v1alpha1.ArtifactDocument, path *field.Path) field.ErrorList {
	errs := RequiredDigest(content.Digest, path.Child("digest"))
	errs = append(errs, apivalidation.ValidateNonnegativeField(content.SizeBytes, path.Child("sizeBytes"))...)
	if content.MediaType == "" {
		errs = append(errs, field.Required(path.Child("mediaType"), "set a media type, such as application/octet-stream"))
	}
	if !v1alpha1.ValidLocation(content.Location) {
		errs = append(errs, field.Invalid(path.Child("location"), content.Location,
			fmt.Sprintf("must be a URL, an OCI reference or a path of this server, at most %d bytes, without spaces", v1alpha1.MaxLocationBytes)))
	}
	if verified := content.Verified; verified != "" && verified != v1alpha1.ArtifactVerifiedContent {
		errs = append(errs, field.NotSupported(path.Child("verified"), verified, []v1alpha1.ArtifactVerification{v1alpha1.ArtifactVerifiedContent}))
	}
	return errs
}
