// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"fmt"
	"math"
	"regexp"
	"slices"

	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// checkTarget checks that the target can have every value that the schema allows for the field, and tells an empty value from none.
func (b *Binding) checkTarget(declared *v1alpha1.ImageKindBinding, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if _, direct := b.codec.(identity); direct && b.Target.Type() == "integer" {
		limits := b.Leaf.Schema.ValueValidation
		if limits == nil || limits.Minimum == nil || *limits.Minimum < math.MinInt32 {
			errs = append(errs, field.Required(b.Leaf.At.Child("minimum"), fmt.Sprintf("must be at least %d, because %s of an Image has 32 bits", math.MinInt32, b.Target.Path)))
		}
		if limits == nil || limits.Maximum == nil || *limits.Maximum > math.MaxInt32 {
			errs = append(errs, field.Required(b.Leaf.At.Child("maximum"), fmt.Sprintf("must be at most %d, because %s of an Image has 32 bits", math.MaxInt32, b.Target.Path)))
		}
	}
	at, empty := b.emptyAt(declared, path)
	if !b.Target.LacksEmpty() || !empty {
		return errs
	}
	switch {
	case b.Target.Needed || b.Target.Defaulted:
		return append(errs, field.Required(at, fmt.Sprintf("must not be empty, because %s of an Image cannot be empty", b.Target.Path)))
	case !b.Leaf.Required:
		return append(errs, field.Required(at, fmt.Sprintf(
			"must not be empty, because an Image does not tell an empty %s from none: or let the field be required or have a default", b.Target.Path)))
	}
	b.ifEmpty, _ = b.codec.decode("")
	return errs
}

// emptyAt returns the path in the ImageKind that must change so that no value of the field is the empty string in the Image. It returns
// false if none is.
func (b *Binding) emptyAt(declared *v1alpha1.ImageKindBinding, path *field.Path) (*field.Path, bool) {
	switch b.codec.(type) {
	case identity:
		return b.Leaf.At.Child("minLength"), allowsEmpty(b.Leaf.Schema)
	case table:
		i := slices.IndexFunc(declared.Values, func(v v1alpha1.ImageKindValue) bool { return v.To == "" })
		return path.Child("values").Index(max(i, 0)).Child("to"), i >= 0
	case joined:
		limits := b.Leaf.Schema.ValueValidation
		return b.Leaf.At.Child("minItems"), limits == nil || limits.MinItems == nil || *limits.MinItems == 0
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
