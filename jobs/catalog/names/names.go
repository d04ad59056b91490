// SPDX-License-Identifier: Apache-2.0

// Package names has the names of kinds and of their versions. It refuses those by which clients would find another kind.
package names

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

const listSuffix = "List"

var kindName = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*$`)

// Versions returns the names that versions of kinds can have, in the order in which clients prefer them.
func Versions() []string { return []string{"v1", "v1beta1", "v1alpha1"} }

// Of returns the names of a kind, with those that it leaves to defaults.
func Of(declared *v1alpha1.ImageKind) apiextensionsv1.CustomResourceDefinitionNames {
	names := declared.Spec.Names
	singular := names.Singular
	if singular == "" {
		singular = strings.ToLower(names.Kind)
	}
	return apiextensionsv1.CustomResourceDefinitionNames{
		Plural: declared.Name, Singular: singular, ShortNames: names.ShortNames,
		Kind: names.Kind, ListKind: names.Kind + listSuffix, Categories: names.Categories,
	}
}

// A usedName is a name of a kind, at its path in the ImageKind.
type usedName struct {
	at   *field.Path
	name string
}

// usedNames are the names of a kind by how clients look them up. Clients look a category up before a resource.
type usedNames struct{ resources, kinds, categories []usedName }

func collectNames(declared *v1alpha1.ImageKind) usedNames {
	names, at := Of(declared), field.NewPath("spec", "names")
	singular := at.Child("singular")
	if declared.Spec.Names.Singular == "" {
		singular = at.Child("kind")
	}
	used := usedNames{
		resources: []usedName{{field.NewPath("metadata", "name"), names.Plural}, {singular, names.Singular}},
		kinds:     []usedName{{at.Child("kind"), names.Kind}, {at.Child("kind"), names.ListKind}},
	}
	for i, name := range names.ShortNames {
		used.resources = append(used.resources, usedName{at.Child("shortNames").Index(i), name})
	}
	for i, name := range names.Categories {
		used.categories = append(used.categories, usedName{at.Child("categories").Index(i), name})
	}
	return used
}

// Check checks the names of a kind, and of its version.
func Check(declared *v1alpha1.ImageKind) field.ErrorList {
	names, at := declared.Spec.Names, field.NewPath("spec", "names")
	var errs field.ErrorList
	if declared.Namespace != "" {
		errs = append(errs, field.Forbidden(field.NewPath("metadata", "namespace"), "an ImageKind belongs to no namespace: leave it out"))
	}
	if names.Kind == "" {
		return errs // a tag of the field requires it
	}
	if !kindName.MatchString(names.Kind) {
		return append(errs, field.Invalid(at.Child("kind"), names.Kind, "must be letters and digits, of which the first is an upper-case letter"))
	}
	used := collectNames(declared)
	for _, list := range [][]usedName{used.resources, used.categories} {
		seen := map[string]bool{}
		for _, used := range list {
			if problems := validation.IsDNS1035Label(used.name); len(problems) > 0 {
				errs = append(errs, field.Invalid(used.at, used.name, strings.Join(problems, ", ")))
			} else if seen[used.name] && strings.HasSuffix(used.at.String(), "]") {
				errs = append(errs, field.Duplicate(used.at, used.name))
			}
			seen[used.name] = true
		}
	}
	if version := declared.Spec.Versions[0].Name; !slices.Contains(Versions(), version) {
		errs = append(errs, field.NotSupported(field.NewPath("spec", "versions").Index(0).Child("name"), version, Versions()))
	}
	return append(errs, used.checkBuiltIn()...)
}

// Conflicts returns an error for each name of a kind that another kind has, too, and one where several names follow from one field. Both can
// have the same categories.
func Conflicts(declared, other *v1alpha1.ImageKind) field.ErrorList {
	ours, theirs := collectNames(declared), collectNames(other)
	var errs field.ErrorList
	find := func(ours, theirs []usedName, use string) {
		for _, name := range ours {
			if slices.ContainsFunc(theirs, func(used usedName) bool { return used.name == name.name }) {
				err := field.Duplicate(name.at, name.name)
				err.Detail = fmt.Sprintf("is %s of the ImageKind %s", use, other.Name)
				if !slices.ContainsFunc(errs, func(known *field.Error) bool { return known.Field == err.Field }) {
					errs = append(errs, err)
				}
			}
		}
	}
	find(ours.kinds, theirs.kinds, "the kind, or the kind of lists,")
	find(ours.resources, theirs.resources, "a name")
	find(ours.resources, theirs.categories, "a category")
	find(ours.categories, theirs.resources, "a name")
	return errs
}
