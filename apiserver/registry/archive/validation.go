// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	declared "goldsmith.dev/goldsmith/apis/generated/validation"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/validation"
)

// Limits of the validators of a release file, in bytes.
const (
	maxETag         = 256
	maxLastModified = 64
)

var (
	spec   = field.NewPath("spec")
	status = field.NewPath("status")

	sha256Form = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// Validate validates the name and the spec of an Archive.
func Validate(archive *v1alpha1.Archive) field.ErrorList {
	var errs field.ErrorList
	if len(archive.Name) > utilvalidation.LabelValueMaxLength {
		errs = append(errs, field.Invalid(field.NewPath("metadata", "name"), archive.Name,
			fmt.Sprintf("must have at most %d characters, because Jobs have the name as a label", utilvalidation.LabelValueMaxLength)))
	}
	return append(errs, validateSpec(&archive.Spec)...)
}

func validateSpec(of *v1alpha1.ArchiveSpec) field.ErrorList {
	errs := validateURI(of.URI, spec.Child("uri"))
	errs = append(errs, validation.Line(of.Suite, spec.Child("suite"))...)
	errs = validation.Declared(declared.Validate_ArchiveSpec, of, spec, errs)
	for _, err := range errs {
		if err.Field == "spec.builder" && err.Type == field.ErrorTypeRequired { // not that of an Image, which can be an image
			err.Detail = "set the name of the registered builder that checks the archive"
		}
	}
	return errs
}

// validateURI validates the address of an archive. The error does not repeat an address with credentials.
func validateURI(uri string, path *field.Path) field.ErrorList {
	if errs := validation.Line(uri, path); len(errs) > 0 {
		return errs
	}
	parsed, err := url.Parse(uri)
	switch {
	case uri == "":
		return nil // declared
	case err != nil || parsed.Scheme == "" || parsed.Hostname() == "" || strings.Contains(uri, " "):
		return field.ErrorList{field.Invalid(path, field.OmitValueType{}, "must be an absolute URL with a host, such as http://deb.debian.org/debian")}
	case parsed.User != nil || strings.ContainsAny(uri, "?#"):
		return field.ErrorList{field.Invalid(path, field.OmitValueType{}, "must have no user, query and fragment: remove them")}
	case strings.HasSuffix(uri, "/"):
		return field.ErrorList{field.Invalid(path, uri, "must have no slash at its end: remove it")}
	}
	return nil
}

// ValidateUpdate validates a change of the spec.
func ValidateUpdate(archive, old *v1alpha1.Archive) field.ErrorList {
	return append(validateSpec(&archive.Spec), validation.Immutable(archive.Spec, old.Spec, spec, "is immutable: create another Archive for another archive")...)
}

// ValidateStatusUpdate validates a change of the status. The archive never goes back to an earlier release.
func ValidateStatusUpdate(archive, old *v1alpha1.Archive) field.ErrorList {
	current, stored := &archive.Status, &old.Status
	errs := metav1validation.ValidateConditions(current.Conditions, status.Child("conditions"))
	if current.Checks < stored.Checks {
		errs = append(errs, field.Invalid(status.Child("checks"), current.Checks, fmt.Sprintf("must be at least %d, because each check has its own number", stored.Checks)))
	}
	for _, of := range []struct {
		name  string
		count int32
	}{{"images", current.Images}, {"packages", current.Packages}, {"consecutiveFailures", current.ConsecutiveFailures}} {
		errs = append(errs, apivalidation.ValidateNonnegativeField(int64(of.count), status.Child(of.name))...)
	}
	errs = append(errs, validation.Digest(current.PackagesDigest, status.Child("packagesDigest"))...)
	errs = append(errs, validateRelease(current.Release, stored.Release, status.Child("release"))...)
	errs = append(errs, validation.PackageUpdates(current.Updates, v1alpha1.MaxArchiveUpdates, status.Child("updates"))...)
	for i := range current.Updates {
		if current.Updates[i].Archive != "" {
			errs = append(errs, field.Forbidden(status.Child("updates").Index(i).Child("archive"), "remove archive: it is the Archive itself"))
		}
	}
	return append(errs, validation.UpdateCount(current.UpdateCount, current.Updates, status.Child("updateCount"))...)
}

func validateRelease(release, stored *v1alpha1.ArchiveRelease, path *field.Path) field.ErrorList {
	if release == nil {
		if stored != nil {
			return field.ErrorList{field.Required(path, "keep the last release: to forget it, delete the Archive")}
		}
		return nil
	}
	errs := validation.RequiredTime(release.Date, path.Child("date"), "set the date of the release file")
	if len(errs) == 0 && stored != nil && release.Date.Time.Before(stored.Date.Time) {
		errs = append(errs, field.Invalid(path.Child("date"), release.Date.UTC().Format(time.RFC3339),
			fmt.Sprintf("must not be before %s, the date of an earlier check: to start again, delete the Archive", stored.Date.UTC().Format(time.RFC3339))))
	}
	if !sha256Form.MatchString(release.SHA256) {
		errs = append(errs, field.Invalid(path.Child("sha256"), release.SHA256, "must be 64 lower-case hex digits"))
	}
	return append(errs, append(validateText(release.ETag, maxETag, path.Child("etag")), validateText(release.LastModified, maxLastModified, path.Child("lastModified"))...)...)
}

func validateText(text string, limit int, path *field.Path) field.ErrorList {
	if len(text) > limit {
		return field.ErrorList{field.TooLong(path, "", limit)}
	}
	return validation.Line(text, path)
}
