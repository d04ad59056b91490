// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/jobs/catalog/binding"
)

// checkPresence checks that the field has a value whenever the Image has one without it: a default, or because it cannot do without.
func (k *Kind) checkPresence(b *binding.Binding) field.ErrorList {
	if b.Leaf.Required || !b.Target.Needed && !b.Target.Defaulted || !k.mayLack(b) {
		return nil
	}
	reason := "the server sets"
	if b.Target.Needed {
		reason = "an Image needs"
	}
	return field.ErrorList{field.Invalid(b.Leaf.At, field.OmitValueType{}, fmt.Sprintf("must be required or have a default, because %s %s", reason, b.Target.Path))}
}

// mayLack reports whether there is an object of the kind without the field whose Image has the parent of the target.
func (k *Kind) mayLack(b *binding.Binding) bool {
	fields := b.Target.Parent()
	parent := "spec." + strings.Join(fields, ".")
	if b.Target.Always || k.template.Has(fields...) || k.derivesBelow(parent) {
		return true
	}
	return slices.ContainsFunc(k.bindings, func(other *binding.Binding) bool {
		return isBelow(other.Target.Path, parent) && !k.schema.Implies(other.Way, b.Way)
	})
}

// checkBase checks that every Image has a base.
func (k *Kind) checkBase(path *field.Path) field.ErrorList {
	if k.template.Has("base", "reference") || k.template.Has("base", "imageRef") || k.derivesBelow("spec.base") {
		return nil
	}
	var errs field.ErrorList
	for _, b := range k.bindings {
		if !isBelow(b.Target.Path, "spec.base") {
			continue
		}
		if b.Leaf.Required {
			return nil
		}
		errs = append(errs, field.Invalid(b.Leaf.At, field.OmitValueType{}, "must be required or have a default, because every Image has a base"))
	}
	if len(errs) == 0 {
		errs = append(errs, field.Required(path.Child("base"), "set the base, or bind a field that is required or has a default to it"))
	}
	return errs
}
