// SPDX-License-Identifier: Apache-2.0

// Package capability describes which parameters a builder takes, which targets it makes and with which reasons it fails, and checks the
// inputs of builds against that.
package capability

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Platform matches the platform of a target.
var Platform = regexp.MustCompile(`^[a-z0-9]+/[a-z0-9_]+(/[a-z0-9._-]+)?$`)

// ParameterName matches the name of a parameter, except for its length.
var ParameterName = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// MaxParameterName is the maximum length of the name of a parameter.
const MaxParameterName = 63

// Formats returns the formats of artifacts.
func Formats() []v1alpha1.ArtifactFormat {
	return []v1alpha1.ArtifactFormat{
		v1alpha1.ArtifactFormatRaw, v1alpha1.ArtifactFormatQCOW2, v1alpha1.ArtifactFormatVMDK,
		v1alpha1.ArtifactFormatISO, v1alpha1.ArtifactFormatOCI,
	}
}

// Capabilities are what an operator declares about a builder. A builder with the zero value takes all inputs and makes all targets.
type Capabilities struct {
	// Base describes the references of bases that the builder takes. Nil means all.
	Base *Property `json:"base,omitempty"`
	// FileNames describes the names of files that the builder takes. Nil means all.
	FileNames *Property `json:"fileNames,omitempty"`
	// Parameters are the parameters that the builder takes. Nil means all.
	Parameters *Schema `json:"parameters,omitempty"`
	// Targets are the targets that the builder makes. None means all.
	Targets []Target `json:"targets,omitempty"`
	// Reasons are those with which the builder explains its failures. Optional.
	Reasons []v1alpha1.BuilderReason `json:"reasons,omitempty"`
	// Probe is whether the builder checks archives.
	Probe bool `json:"probe,omitempty"`
}

// Target is a set of targets.
type Target struct {
	// Platform is the platform of the targets. The empty string is every platform.
	Platform string `json:"platform,omitempty"`
	// Format is the format of the targets. The empty string is every format.
	Format v1alpha1.ArtifactFormat `json:"format,omitempty"`
}

// String returns PLATFORM/FORMAT, with * for what is not set.
func (t Target) String() string {
	platform, format := t.Platform, string(t.Format)
	if platform == "" {
		platform = "*"
	}
	if format == "" {
		format = "*"
	}
	return platform + "/" + format
}

func (t Target) has(target v1alpha1.Target) bool {
	return (t.Platform == "" || t.Platform == target.Platform) && (t.Format == "" || t.Format == target.Format)
}

// TargetNames returns the targets as a list.
func (c Capabilities) TargetNames() string {
	names := make([]string, len(c.Targets))
	for i, target := range c.Targets {
		names[i] = target.String()
	}
	return strings.Join(names, ", ")
}

// Problems returns what is wrong with the declaration, each with the path of the field.
func (c Capabilities) Problems() []error {
	var problems []error
	for _, text := range []struct {
		path     string
		declared *Property
	}{{"base", c.Base}, {"fileNames", c.FileNames}} {
		switch {
		case text.declared == nil:
		case text.declared.TypeName() != typeString || text.declared.ContentSchema != nil:
			problems = append(problems, fmt.Errorf("%s: must be of type %s, without contentSchema", text.path, typeString))
		default:
			problems = append(problems, text.declared.problems(text.path)...)
		}
	}
	if c.Parameters != nil {
		problems = append(problems, c.Parameters.problems("parameters")...)
	}
	for i, target := range c.Targets {
		path := fmt.Sprintf("targets[%d]", i)
		if target == (Target{}) {
			problems = append(problems, fmt.Errorf("%s: set platform or format, or remove targets, which is all targets", path))
		}
		if target.Platform != "" && !Platform.MatchString(target.Platform) {
			problems = append(problems, fmt.Errorf("%s.platform: must be os/architecture or os/architecture/variant, such as linux/amd64", path))
		}
		if formats := Formats(); target.Format != "" && !slices.Contains(formats, target.Format) {
			problems = append(problems, fmt.Errorf("%s.format: must be one of %s", path, list(formats)))
		}
	}
	return append(problems, reasonProblems(c.Reasons)...)
}

// CheckBase returns an error if the builder does not take the reference of a base. Images that are bases are not checked.
func (c Capabilities) CheckBase(builder string, base v1alpha1.Base, path *field.Path) field.ErrorList {
	if c.Base == nil || base.ImageRef != nil {
		return nil
	}
	if problem := c.Base.check(base.Reference); problem != "" {
		return field.ErrorList{field.Invalid(path.Child("reference"), base.Reference, fmt.Sprintf("builder %s: a base %s", builder, problem))}
	}
	return nil
}

// CheckFiles returns an error for each file whose name the builder does not take.
func (c Capabilities) CheckFiles(builder string, files map[string]string, path *field.Path) field.ErrorList {
	if c.FileNames == nil {
		return nil
	}
	var errs field.ErrorList
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if problem := c.FileNames.check(name); problem != "" {
			errs = append(errs, field.Invalid(path.Key(name), name, fmt.Sprintf("builder %s: the name of a file %s", builder, problem)))
		}
	}
	return errs
}

// CheckTargets returns an error for each target that the builder does not make.
func (c Capabilities) CheckTargets(builder string, targets []v1alpha1.Target, path *field.Path) field.ErrorList {
	if len(c.Targets) == 0 {
		return nil
	}
	var errs field.ErrorList
	for i, target := range targets {
		if !slices.ContainsFunc(c.Targets, func(made Target) bool { return made.has(target) }) {
			errs = append(errs, field.Invalid(path.Index(i), fmt.Sprintf("%s/%s", target.Platform, target.Format),
				fmt.Sprintf("builder %s makes only %s", builder, c.TargetNames())))
		}
	}
	return errs
}

// CheckParameters returns an error for each parameter that the builder does not take, and for each parameter that it requires.
func (c Capabilities) CheckParameters(builder string, parameters []v1alpha1.Parameter, path *field.Path) field.ErrorList {
	if c.Parameters == nil {
		return nil
	}
	errs := c.CheckValues(builder, parameters, path)
	for _, name := range c.Parameters.Required {
		if !slices.ContainsFunc(parameters, func(set v1alpha1.Parameter) bool { return set.Name == name }) {
			errs = append(errs, field.Required(path, fmt.Sprintf("builder %s requires parameter %s", builder, name)))
		}
	}
	return errs
}

// maxShown is the size of the longest value that an error repeats, in bytes. A longer one is a document, which may have something private, and
// would hide the message.
const maxShown = 100

// CheckValues returns the errors of CheckParameters, except those for missing parameters.
func (c Capabilities) CheckValues(builder string, parameters []v1alpha1.Parameter, path *field.Path) field.ErrorList {
	if c.Parameters == nil {
		return nil
	}
	var errs field.ErrorList
	for i, parameter := range parameters {
		property, known := c.Parameters.Properties[parameter.Name]
		if !known {
			if !c.Parameters.AdditionalProperties {
				problem := "takes no parameters"
				if len(c.Parameters.Properties) > 0 {
					problem = unknown("parameter", parameter.Name, slices.Sorted(maps.Keys(c.Parameters.Properties)))
				}
				errs = append(errs, field.Invalid(path.Index(i).Child("name"), parameter.Name, fmt.Sprintf("builder %s %s", builder, problem)))
			}
			continue
		}
		problem := property.check(parameter.Value)
		switch {
		case problem != "" && parameter.Value == "":
			remedy := ", or remove the parameter"
			if slices.Contains(c.Parameters.Required, parameter.Name) {
				remedy = ""
			}
			errs = append(errs, field.Required(path.Index(i).Child("value"), fmt.Sprintf("builder %s: parameter %s %s%s", builder, parameter.Name, problem, remedy)))
		case problem != "":
			errs = append(errs, field.Invalid(path.Index(i).Child("value"), property.invalidPart(parameter.Value), fmt.Sprintf("builder %s: parameter %s %s", builder, parameter.Name, problem)))
		case property.ContentSchema != nil:
			property.ContentSchema.checkText(parameter.Value, path.Index(i).Child("value"), func(at *field.Path, problem string) {
				errs = append(errs, field.Invalid(at, field.OmitValueType{}, fmt.Sprintf("builder %s: parameter %s %s", builder, parameter.Name, problem)))
			})
		}
	}
	return errs
}

// invalidPart returns what an error repeats of a wrong value: of a list, the first item that is wrong. A list is a value whose items can be repeated.
func (p Property) invalidPart(value string) any {
	items := strings.FieldsFunc(value, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
	wrong := slices.IndexFunc(items, func(item string) bool { return p.check(item) != "" })
	right := slices.IndexFunc(items, func(item string) bool { return p.check(item+" "+item) == "" })
	if p.ContentMediaType == "" && wrong >= 0 && right >= 0 {
		value = items[wrong]
	}
	// A URL can have a password.
	if len(value) > maxShown || strings.Contains(value, "://") && strings.Contains(value, "@") {
		return field.OmitValueType{}
	}
	return value
}

// list joins values.
func list[T ~string](values []T) string {
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = string(value)
	}
	return strings.Join(texts, ", ")
}
