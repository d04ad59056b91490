// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// checkTarget checks that the target can have every value that the schema allows for the field, and tells an empty value from none.
func (b *binding) checkTarget(declared *v1alpha1.ImageKindBinding, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if _, direct := b.codec.(identity); direct && b.target.Type() == "integer" {
		limits := b.leaf.Schema.ValueValidation
		if limits == nil || limits.Minimum == nil || *limits.Minimum < math.MinInt32 {
			errs = append(errs, field.Required(b.leaf.At.Child("minimum"), fmt.Sprintf("must be at least %d, because %s of an Image has 32 bits", math.MinInt32, b.target.Path)))
		}
		if limits == nil || limits.Maximum == nil || *limits.Maximum > math.MaxInt32 {
			errs = append(errs, field.Required(b.leaf.At.Child("maximum"), fmt.Sprintf("must be at most %d, because %s of an Image has 32 bits", math.MaxInt32, b.target.Path)))
		}
	}
	at, empty := b.emptyAt(declared, path)
	if !b.target.LacksEmpty() || !empty {
		return errs
	}
	switch {
	case b.target.Needed || b.target.Defaulted:
		return append(errs, field.Required(at, fmt.Sprintf("must not be empty, because %s of an Image cannot be empty", b.target.Path)))
	case !b.leaf.Required:
		return append(errs, field.Required(at, fmt.Sprintf(
			"must not be empty, because an Image does not tell an empty %s from none: or let the field be required or have a default", b.target.Path)))
	}
	b.ifEmpty, _ = b.codec.decode("")
	return errs
}

// emptyAt returns the path in the ImageKind that must change so that no value of the field is the empty string in the Image. It returns
// false if none is.
func (b *binding) emptyAt(declared *v1alpha1.ImageKindBinding, path *field.Path) (*field.Path, bool) {
	switch b.codec.(type) {
	case identity:
		return b.leaf.At.Child("minLength"), allowsEmpty(b.leaf.Schema)
	case table:
		i := slices.IndexFunc(declared.Values, func(v v1alpha1.ImageKindValue) bool { return v.To == "" })
		return path.Child("values").Index(max(i, 0)).Child("to"), i >= 0
	case joined:
		limits := b.leaf.Schema.ValueValidation
		return b.leaf.At.Child("minItems"), limits == nil || limits.MinItems == nil || *limits.MinItems == 0
	}
	return nil, false // the others write at least a prefix, a number or a quote
}

// allowsEmpty reports whether the empty string is a valid value of a string.
func allowsEmpty(schema *structuralschema.Structural) bool {
	limits := schema.ValueValidation
	switch {
	case limits == nil:
		return true
	case limits.MinLength != nil && *limits.MinLength > 0:
		return false
	case len(limits.Enum) > 0 && !slices.ContainsFunc(limits.Enum, func(value structuralschema.JSON) bool { return value.Object == "" }):
		return false
	case limits.Pattern != "":
		pattern, err := regexp.Compile(limits.Pattern)
		return err != nil || pattern.MatchString("")
	}
	return true
}

// checkPresence checks that the field has a value whenever the Image has one without it: a default, or because it cannot do without.
func (k *Kind) checkPresence(b *binding) field.ErrorList {
	if b.leaf.Required || !b.target.Needed && !b.target.Defaulted || !k.mayLack(b) {
		return nil
	}
	reason := "the server sets"
	if b.target.Needed {
		reason = "an Image needs"
	}
	return field.ErrorList{field.Invalid(b.leaf.At, field.OmitValueType{}, fmt.Sprintf("must be required or have a default, because %s %s", reason, b.target.Path))}
}

// mayLack reports whether there is an object of the kind without the field whose Image has the parent of the target.
func (k *Kind) mayLack(b *binding) bool {
	fields := b.target.Parent()
	parent := "spec." + strings.Join(fields, ".")
	if b.target.Always || k.template.Has(fields...) || k.derivesBelow(parent) {
		return true
	}
	return slices.ContainsFunc(k.bindings, func(other *binding) bool {
		return isBelow(other.target.Path, parent) && !k.schema.Implies(other.way, b.way)
	})
}

// checkBase checks that every Image has a base.
func (k *Kind) checkBase(path *field.Path) field.ErrorList {
	if k.template.Has("base", "reference") || k.template.Has("base", "imageRef") || k.derivesBelow("spec.base") {
		return nil
	}
	var errs field.ErrorList
	for _, b := range k.bindings {
		if !isBelow(b.target.Path, "spec.base") {
			continue
		}
		if b.leaf.Required {
			return nil
		}
		errs = append(errs, field.Invalid(b.leaf.At, field.OmitValueType{}, "must be required or have a default, because every Image has a base"))
	}
	if len(errs) == 0 {
		errs = append(errs, field.Required(path.Child("base"), "set the base, or bind a field that is required or has a default to it"))
	}
	return errs
}
