// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"strings"
	"unicode"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/capability"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/result"
	"goldsmith.dev/goldsmith/jobs/source/reference"
)

// maxParametersBytes limits the JSON of all parameters.
const maxParametersBytes = 64 << 10

// Inputs validates what the tags of BuildInputs do not: relations of fields, patterns, sizes in total and templates. The output is not validated.
func Inputs(build *v1alpha1.BuildInputs, path *field.Path) field.ErrorList {
	errs := validateBuilder(&build.Builder, path.Child("builder"))
	errs = append(errs, validateBase(&build.Base, path.Child("base"))...)
	if build.Source != nil {
		errs = append(errs, validateSource(build.Source, path.Child("source"))...)
	}
	errs = append(errs, Parameters(build.Parameters, path.Child("parameters"))...)
	errs = append(errs, validateTargets(build, path.Child("targets"))...)
	return append(errs, Template(build.Template, path.Child("template"))...)
}

func validateBuilder(builder *v1alpha1.BuilderReference, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if builder.Image != "" {
		errs = append(errs, validateReference(builder.Image, path.Child("image"))...)
	}
	if len(builder.Command) > 0 && builder.Image == "" {
		errs = append(errs, field.Forbidden(path.Child("command"), "remove command, or set image: only image takes a command"))
	}
	return errs
}

func validateBase(base *v1alpha1.Base, path *field.Path) field.ErrorList {
	if base.ImageRef == nil {
		return validateReference(base.Reference, path.Child("reference"))
	}
	return ImageName(base.ImageRef.Name, path.Child("imageRef", "name"))
}

// validateReference checks a reference of an image, without its syntax, which depends on the builder.
func validateReference(reference string, path *field.Path) field.ErrorList {
	if strings.ContainsFunc(reference, unicode.IsSpace) {
		return field.ErrorList{field.Invalid(path, v1alpha1.HidePasswords(reference), "must not contain spaces")}
	}
	return Line(reference, path)
}

func validateSource(source *v1alpha1.Source, path *field.Path) (errs field.ErrorList) {
	if source.Inline != nil {
		errs = Files(source.Inline.Files, path.Child("inline", "files"))
	}
	asked := reference.Source{}
	if git := source.Git; git != nil {
		asked.Git = &reference.Git{URL: git.URL, Ref: git.Ref, Path: git.Path}
	}
	if oci := source.OCI; oci != nil {
		asked.OCI = &reference.OCI{Repository: oci.Repository, Tag: oci.Tag}
	}
	if !inputs.Checked(source) || asked.Git != nil && asked.OCI != nil { // the tags of the API refuse both
		return errs
	}
	for _, invalid := range reference.Check(asked, inputs.SecretOf(source) != nil) {
		parent, name, _ := strings.Cut(invalid.Field, ".")
		errs = append(errs, field.Invalid(path.Child(parent, name), invalid.Value, invalid.Message)) // the value has no credentials
	}
	return errs
}

// FixedSource validates the source of a build that belongs to no Image: no check finds out what it names.
func FixedSource(source *v1alpha1.Source, path *field.Path) field.ErrorList {
	switch {
	case !inputs.Checked(source) || inputs.FixedRevision(source) != "":
		return nil
	case source.Git != nil:
		return field.ErrorList{field.Invalid(path.Child("git", "ref"), source.Git.Ref, "must be a commit, as 40 or 64 hexadecimal digits: only an Image follows a branch or a tag")}
	}
	return field.ErrorList{field.Invalid(path.Child("oci", "tag"), source.OCI.Tag, "must be a digest, such as sha256:…: only an Image follows a tag")}
}

// Parameters validates the names of parameters, and their size together.
func Parameters(parameters []v1alpha1.Parameter, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	seen := map[string]bool{}
	for i, parameter := range parameters {
		name := path.Index(i).Child("name")
		switch {
		case !capability.ParameterName.MatchString(parameter.Name):
			errs = append(errs, field.Invalid(name, parameter.Name, "must consist of letters, digits, '-', '_' and '.'"))
		case seen[parameter.Name]: // the error of +k8s:listType=map repeats the value, which may be a secret
			errs = append(errs, field.Duplicate(name, parameter.Name))
		}
		seen[parameter.Name] = true
	}
	return append(errs, validateParametersSize(parameters, maxParametersBytes, path)...)
}

// validateParametersSize limits the size of parameters, so that the input of the builder, with its files, does not exceed its
// limit.
func validateParametersSize(parameters []v1alpha1.Parameter, limit int, path *field.Path) field.ErrorList {
	values := make(map[string]string, len(parameters))
	for _, parameter := range parameters {
		values[parameter.Name] = parameter.Value
	}
	encoded, err := inputs.CanonicalJSON(values)
	if err != nil {
		return field.ErrorList{field.InternalError(path, err)}
	}
	if len(encoded) <= limit {
		return nil
	}
	return field.ErrorList{field.Invalid(path, fmt.Sprintf("%d bytes", len(encoded)),
		fmt.Sprintf("must be at most %d bytes of JSON in all: move large values to files, or let the builder fetch them", limit))}
}

func validateTargets(build *v1alpha1.BuildInputs, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i, target := range build.Targets {
		if !capability.Platform.MatchString(target.Platform) {
			errs = append(errs, field.Invalid(path.Index(i).Child("platform"), target.Platform,
				"must be os/architecture or os/architecture/variant, such as linux/amd64"))
		}
		switch {
		case !target.ContainerDisk:
		case target.Format != v1alpha1.ArtifactFormatQCOW2:
			errs = append(errs, field.Invalid(path.Index(i).Child("containerDisk"), true,
				fmt.Sprintf("must be false for the format %s: make the format qcow2, or remove containerDisk", target.Format)))
		case build.Output == nil:
			errs = append(errs, field.Invalid(path.Index(i).Child("containerDisk"), true, "must be false without output: set output.repository, or remove containerDisk"))
		}
	}
	return errs
}

// SourceRevision validates what a source resolved to. It may be nil.
func SourceRevision(found *v1alpha1.SourceRevision, path *field.Path) field.ErrorList {
	if found == nil {
		return nil
	}
	if found.Revision == "" {
		return field.ErrorList{field.Required(path.Child("revision"), "set the commit or the digest")}
	}
	errs := Revision(found.Revision, path.Child("revision"))
	errs = append(errs, Line(found.Ref, path.Child("ref"))...)
	return append(errs, Line(found.Summary, path.Child("summary"))...)
}

// Revision validates a commit or a digest, or the empty text.
func Revision(revision string, path *field.Path) field.ErrorList {
	if revision == "" || result.ValidRevision(revision) {
		return nil
	}
	return field.ErrorList{field.Invalid(path, revision, `must be "sha1:" and 40, or "sha256:" and 64 hexadecimal digits`)}
}
