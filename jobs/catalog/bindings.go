// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/catalog/binding"
	"goldsmith.dev/goldsmith/jobs/catalog/expression"
	"goldsmith.dev/goldsmith/jobs/catalog/imagespec"
)

// bind compiles the bindings and the derived values, and checks them together.
func (k *Kind) bind(ctx context.Context, steps *expression.Steps, version, template *field.Path) field.ErrorList {
	errs := k.compileBindings(version.Child("bindings"))
	if errs = append(errs, k.compileDerived(steps, version.Child("derived"))...); len(errs) > 0 {
		return errs
	}
	for _, b := range k.bindings {
		errs = append(errs, k.checkPresence(b)...)
	}
	errs = append(errs, k.checkAbsent(ctx, version.Child("derived"), expression.NewBudget())...)
	return append(errs, k.checkBase(template)...)
}

func (k *Kind) compileBindings(path *field.Path) field.ErrorList {
	var errs field.ErrorList
	bound := map[string]bool{}
	for i := range k.version.Bindings {
		compiled, faults := k.newBinding(&k.version.Bindings[i], path.Index(i))
		errs = append(errs, faults...)
		declared := &k.version.Bindings[i]
		if bound[declared.Field] {
			errs = append(errs, field.Duplicate(path.Index(i).Child("field"), declared.Field))
		}
		bound[declared.Field] = true
		k.bindings = append(k.bindings, compiled)
	}
	for _, name := range k.schema.Order {
		if !bound[name] {
			errs = append(errs, field.Required(path, "add a binding of "+name))
		}
	}
	return errs
}

// newBinding compiles a binding. It returns nil, or an incomplete one, with the faults.
func (k *Kind) newBinding(declared *v1alpha1.ImageKindBinding, path *field.Path) (*binding.Binding, field.ErrorList) {
	var errs field.ErrorList
	leaf, found := k.schema.Leaves[declared.Field]
	if !found {
		errs = append(errs, field.Invalid(path.Child("field"), declared.Field, "must be the path of a field of the schema that has no fields of its own"))
	}
	target, faults := k.freeTarget(declared.To, path.Child("to"))
	if len(faults) == 0 && len(declared.Values) == 0 {
		faults = k.checkDestination(target, path.Child("to"), "set it in the template, or list values")
	}
	if errs = append(errs, faults...); len(errs) > 0 {
		return nil, errs
	}
	return binding.New(declared, leaf, target, path)
}

// checkDestination refuses a target whose value decides where a Secret of the template is sent: users of the kind need no permission for the Secret,
// and would choose who gets it.
func (k *Kind) checkDestination(target *imagespec.Target, at *field.Path, remedy string) field.ErrorList {
	secret := k.template.SecretSentTo(target)
	if secret == "" {
		return nil
	}
	return field.ErrorList{field.Forbidden(at, fmt.Sprintf("users of the kind would choose where the Secret of %s in the template is sent: %s", secret, remedy))}
}

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
