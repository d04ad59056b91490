// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/capability"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// Limits of BuildInputs.
const (
	maxReferenceLength = 512
	maxCommandElements = 64
	maxParameters      = 64
	maxParametersBytes = 64 << 10
	maxParameterBytes  = 4096
	maxTargets         = 16
)

// Inputs validates the inputs of a build, without its output.
func Inputs(build *v1alpha1.BuildInputs, path *field.Path) field.ErrorList {
	errs := validateBuilder(&build.Builder, path.Child("builder"))
	errs = append(errs, validateBase(&build.Base, path.Child("base"))...)
	if build.Source != nil {
		errs = append(errs, validateSource(build.Source, path.Child("source"))...)
	}
	errs = append(errs, Parameters(build.Parameters, path.Child("parameters"))...)
	errs = append(errs, validateTargets(build.Targets, path.Child("targets"))...)
	return append(errs, validateTemplate(build.Template, path.Child("template"))...)
}

func validateBuilder(builder *v1alpha1.BuilderReference, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	switch {
	case builder.Name == "" && builder.Image == "":
		errs = append(errs, field.Required(path, "set either name (a builder that the operator registered) or image"))
	case builder.Name != "" && builder.Image != "":
		errs = append(errs, field.Invalid(path, field.OmitValueType{}, "set either name or image"))
	}
	if builder.Name != "" {
		errs = append(errs, Names(validation.IsDNS1123Label(builder.Name), builder.Name, path.Child("name"))...)
	}
	if builder.Image != "" {
		errs = append(errs, validateReference(builder.Image, path.Child("image"))...)
	}
	if len(builder.Command) > 0 && builder.Image == "" {
		errs = append(errs, field.Forbidden(path.Child("command"), "remove command, or set image: only image takes a command"))
	}
	if n := len(builder.Command); n > maxCommandElements {
		errs = append(errs, field.TooMany(path.Child("command"), n, maxCommandElements))
	}
	return errs
}

func validateBase(base *v1alpha1.Base, path *field.Path) field.ErrorList {
	switch {
	case base.ImageRef == nil && base.Reference == "":
		return field.ErrorList{field.Required(path.Child("reference"), "set a reference of 1 to 512 characters without spaces, or set imageRef")}
	case base.ImageRef == nil:
		return validateReference(base.Reference, path.Child("reference"))
	case base.Reference != "":
		return field.ErrorList{field.Invalid(path, field.OmitValueType{}, "set either reference or imageRef")}
	}
	errs := ImageName(base.ImageRef.Name, path.Child("imageRef", "name"))
	if channel := base.ImageRef.Channel; channel != "" {
		errs = append(errs, Names(validation.IsDNS1123Label(channel), channel, path.Child("imageRef", "channel"))...)
	}
	return errs
}

// validateReference checks a reference of an image, without its syntax, which depends on the builder.
func validateReference(reference string, path *field.Path) field.ErrorList {
	if reference == "" {
		return field.ErrorList{field.Required(path, "set 1 to 512 characters without spaces")}
	}
	var errs field.ErrorList
	if utf8.RuneCountInString(reference) > maxReferenceLength {
		errs = append(errs, field.TooLongCharacters(path, reference, maxReferenceLength))
	}
	if strings.ContainsFunc(reference, unicode.IsSpace) {
		return append(errs, field.Invalid(path, v1alpha1.HidePasswords(reference), "must not contain spaces"))
	}
	return append(errs, Line(reference, path)...)
}

func validateSource(source *v1alpha1.Source, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if source.Inline != nil && source.ConfigMapRef != nil {
		errs = append(errs, field.Invalid(path, field.OmitValueType{}, "set either inline or configMapRef"))
	}
	if source.Inline != nil {
		errs = append(errs, Files(source.Inline.Files, path.Child("inline", "files"))...)
	}
	if ref := source.ConfigMapRef; ref != nil {
		name := path.Child("configMapRef", "name")
		if ref.Name == "" {
			errs = append(errs, field.Required(name, "set the name of a ConfigMap of the same namespace"))
		} else {
			errs = append(errs, Names(validation.IsDNS1123Subdomain(ref.Name), ref.Name, name)...)
		}
	}
	return errs
}

// Parameters validates parameters, and their size together.
func Parameters(parameters []v1alpha1.Parameter, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if n := len(parameters); n > maxParameters {
		errs = append(errs, field.TooMany(path, n, maxParameters))
	}
	seen := map[string]bool{}
	for i, parameter := range parameters {
		name := path.Index(i).Child("name")
		switch {
		case parameter.Name == "":
			errs = append(errs, field.Required(name, "set 1 to 63 letters, digits, '-', '_' or '.'"))
		case len(parameter.Name) > capability.MaxParameterName:
			errs = append(errs, field.TooLong(name, parameter.Name, capability.MaxParameterName))
		case !capability.ParameterName.MatchString(parameter.Name):
			errs = append(errs, field.Invalid(name, parameter.Name, "must consist of letters, digits, '-', '_' and '.'"))
		case seen[parameter.Name]:
			errs = append(errs, field.Duplicate(name, parameter.Name))
		}
		seen[parameter.Name] = true
		if len(parameter.Value) > maxParameterBytes {
			errs = append(errs, field.TooLong(path.Index(i).Child("value"), parameter.Value, maxParameterBytes))
		}
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

func validateTargets(targets []v1alpha1.Target, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	switch n := len(targets); {
	case n == 0:
		errs = append(errs, field.Required(path, "list at least one target, such as {platform: linux/amd64, format: raw}"))
	case n > maxTargets:
		errs = append(errs, field.TooMany(path, n, maxTargets))
	}
	seen := map[v1alpha1.Target]bool{}
	for i, target := range targets {
		switch {
		case target.Platform == "":
			errs = append(errs, field.Required(path.Index(i).Child("platform"), "set os/architecture, such as linux/amd64"))
		case len(target.Platform) > validation.DNS1123LabelMaxLength:
			errs = append(errs, field.TooLong(path.Index(i).Child("platform"), target.Platform, validation.DNS1123LabelMaxLength))
		case !capability.Platform.MatchString(target.Platform):
			errs = append(errs, field.Invalid(path.Index(i).Child("platform"), target.Platform,
				"must be os/architecture or os/architecture/variant, such as linux/amd64"))
		}
		errs = append(errs, Enum(target.Format, capability.Formats(), path.Index(i).Child("format"))...)
		if seen[target] {
			errs = append(errs, field.Duplicate(path.Index(i), fmt.Sprintf("%s/%s", target.Platform, target.Format)))
		}
		seen[target] = true
	}
	return errs
}
