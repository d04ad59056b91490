// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	declared "goldsmith.dev/goldsmith/apis/generated/validation"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/validation"
)

// ValidateCancelRequest validates a request to cancel the named build.
func ValidateCancelRequest(request *v1alpha1.CancelRequest, build string) field.ErrorList {
	errs := validation.RequestName(request.Name, build)
	errs = append(errs, validation.Line(request.Reason, field.NewPath("reason"))...)
	return validation.Declared(declared.Validate_CancelRequest, request, nil, errs)
}

// validateRevokeRequest validates all of a request to revoke the named build but its time.
func validateRevokeRequest(request *v1alpha1.RevokeRequest, build string) field.ErrorList {
	errs := validation.RequestName(request.Name, build)
	errs = append(errs, validation.Reason(request.Reason, field.NewPath("reason"))...)
	return validation.Declared(declared.Validate_RevokeRequest, request, nil, errs)
}

// ValidateRestoreRequest validates a request to restore the named build.
func ValidateRestoreRequest(request *v1alpha1.RestoreRequest, build string) field.ErrorList {
	errs := validation.RequestName(request.Name, build)
	errs = append(errs, validation.Reason(request.Reason, field.NewPath("reason"))...)
	return validation.Declared(declared.Validate_RestoreRequest, request, nil, errs)
}

// ValidateDiffOptions validates the parameters of a request to compare builds.
func ValidateDiffOptions(options *v1alpha1.ImageBuildDiffOptions) field.ErrorList {
	errs := validation.UID(options.UID, field.NewPath("uid"), "a build")
	errs = append(errs, validation.UID(options.WithUID, field.NewPath("withUID"), "a build")...)
	return validation.Declared(declared.Validate_ImageBuildDiffOptions, options, nil, errs)
}

// ValidatePackagesOptions validates the parameters of a request for the packages of a build.
func ValidatePackagesOptions(options *v1alpha1.ImageBuildPackagesOptions) field.ErrorList {
	errs := validation.UID(options.UID, field.NewPath("uid"), "a build")
	return append(errs, validation.Line(options.Target, field.NewPath("target"))...)
}

// ValidateVulnerabilitiesOptions validates the parameters of a request for the vulnerabilities of a build.
func ValidateVulnerabilitiesOptions(options *v1alpha1.ImageBuildVulnerabilitiesOptions) field.ErrorList {
	errs := validation.UID(options.UID, field.NewPath("uid"), "a build")
	return append(errs, validation.Line(options.Target, field.NewPath("target"))...)
}

// ValidateAttestation validates an attestation, apart from the contents of its locks and its index.
func ValidateAttestation(request *v1alpha1.BuildAttestation, build string) field.ErrorList {
	errs := validation.RequestName(request.Name, build)
	artifact, manifest, index := field.NewPath("artifact"), field.NewPath("manifest"), field.NewPath("index")
	if n := len(request.Index); n > v1alpha1.MaxIndexBytes {
		errs = append(errs, field.TooLong(index, "", v1alpha1.MaxIndexBytes))
	}
	switch {
	case len(request.Index) > 0 && (request.Artifact != nil || request.Manifest != "" || len(request.Locks) > 0):
		errs = append(errs, field.Forbidden(index, "attest artifacts and record locks in other requests, before the index"))
	case request.Artifact != nil:
		errs = append(errs, validation.Artifact(request.Artifact, artifact)...)
		errs = append(errs, validation.RequiredDigest(request.Manifest, manifest)...)
		if n := len(request.Locks); n > 1 {
			errs = append(errs, field.TooMany(field.NewPath("locks"), n, 1))
		}
	case request.Manifest != "":
		errs = append(errs, field.Required(artifact, "set the artifact of the manifest"))
	}
	return validation.Declared(declared.Validate_BuildAttestation, request, nil, errs)
}

// ValidateSignatures validates signatures, without a key.
func ValidateSignatures(request *v1alpha1.BuildSignatures, build string) field.ErrorList {
	errs := validation.RequestName(request.Name, build)
	for i := range request.Signatures {
		errs = append(errs, validation.RequiredDigest(request.Signatures[i].SignedDigest, field.NewPath("signatures").Index(i).Child("signedDigest"))...)
	}
	return validation.Declared(declared.Validate_BuildSignatures, request, nil, errs)
}
