// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"regexp"
	"slices"

	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

var (
	metadata = field.NewPath("metadata")
	spec     = field.NewPath("spec")
)

// MaxImageName is the longest name of an Image, in characters.
const MaxImageName = 45

// Metadata validates metadata of an object. It reports one limit for a name that is too long: the lower one.
func Metadata(meta *metav1.ObjectMeta, maxLength int) field.ErrorList {
	isName := func(name string, prefix bool) []string {
		problems := apivalidation.NameIsDNSLabel(name, prefix)
		if prefix || len(name) <= maxLength {
			return problems
		}
		problems = slices.DeleteFunc(problems, func(problem string) bool { return problem == validation.MaxLenError(validation.DNS1123LabelMaxLength) })
		return append(problems, fmt.Sprintf("must have at most %d characters: names of builds, Jobs and labels derive from the name", maxLength))
	}
	return apivalidation.ValidateObjectMeta(meta, true, isName, metadata)
}

// BuildName validates the name of a build.
func BuildName(name string, path *field.Path) field.ErrorList {
	if name == "" {
		return field.ErrorList{field.Required(path, "set the name of the build")}
	}
	return Names(apivalidation.NameIsDNSLabel(name, false), name, path)
}

// ImageName validates the name of another Image.
func ImageName(name string, path *field.Path) field.ErrorList {
	switch {
	case name == "":
		return field.ErrorList{field.Required(path, "set the name of an Image of the same namespace")}
	case len(name) > MaxImageName:
		return field.ErrorList{field.TooLong(path, name, MaxImageName)}
	}
	return Names(validation.IsDNS1123Label(name), name, path)
}

// Names returns an error for each message about a name.
func Names(messages []string, value string, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, message := range messages {
		errs = append(errs, field.Invalid(path, value, message))
	}
	return errs
}

// RequestName validates the name in a request: it must be empty, or the name in the URL.
func RequestName(name, want string) field.ErrorList {
	if name == "" || name == want {
		return nil
	}
	return field.ErrorList{field.Invalid(metadata.Child("name"), name, "must be empty or "+want+", the name in the URL")}
}

// uidForm matches every UID that a server may assign. UIDs also name folders of the archive.
var uidForm = regexp.MustCompile(`^[A-Za-z0-9-]{0,63}$`)

// UID validates a UID in a parameter of a request. of names the object with this UID.
func UID(uid string, path *field.Path, of string) field.ErrorList {
	if uidForm.MatchString(uid) {
		return nil
	}
	return field.ErrorList{field.Invalid(path, uid, "must be the metadata.uid of "+of+": at most 63 letters, digits and hyphens")}
}
