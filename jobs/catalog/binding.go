// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"context"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/catalog/expression"
	"goldsmith.dev/goldsmith/jobs/catalog/imagespec"
	"goldsmith.dev/goldsmith/jobs/catalog/schema"
)

// A binding stores a field of a kind in a field of the Image.
type binding struct {
	leaf   schema.Leaf
	way    []string // the names of the fields to the leaf, after spec
	target *imagespec.Target
	codec  codec
	// ifEmpty is the value of a field whose target is empty. It is nil if the field is absent then.
	ifEmpty any
	// viewPath is the path of the field in the managed fields of a view. imagePaths are those of the target in the managed fields of an
	// Image: the first one decides who owns the field.
	viewPath   fieldpath.Path
	imagePaths []fieldpath.Path
}

// read returns the value of the field in an Image. It returns false if the Image has none, or one that cannot be decoded.
func (b *binding) read(spec *v1alpha1.ImageSpec) (any, bool) {
	stored, found := b.target.Get(spec)
	if !found {
		return b.ifEmpty, b.ifEmpty != nil
	}
	return b.codec.decode(stored)
}

// value returns what an object has in the field.
func (b *binding) value(object map[string]any) (any, bool) {
	at, found := object["spec"]
	for _, name := range b.way {
		fields, ok := at.(map[string]any)
		if !ok {
			return nil, false
		}
		at, found = fields[name]
	}
	return at, found && at != nil
}

// stored returns what the Image of an object has in the target.
func (b *binding) stored(object map[string]any) (any, bool, error) {
	value, found := b.value(object)
	if !found {
		return nil, false, nil
	}
	stored, err := b.codec.encode(value)
	return stored, err == nil, err
}

// same reports whether the Images of two objects have the same in the target.
func (b *binding) same(object, former map[string]any) bool {
	stored, found, err := b.stored(object)
	was, had, formerErr := b.stored(former)
	return err == nil && formerErr == nil && found == had && stored == was
}

// path is the path of the field in objects.
func (b *binding) path() *field.Path { return field.NewPath("spec", b.way...) }

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
		binding, faults := k.newBinding(&k.version.Bindings[i], path.Index(i))
		errs = append(errs, faults...)
		declared := &k.version.Bindings[i]
		if bound[declared.Field] {
			errs = append(errs, field.Duplicate(path.Index(i).Child("field"), declared.Field))
		}
		bound[declared.Field] = true
		k.bindings = append(k.bindings, binding)
	}
	for _, name := range k.schema.Order {
		if !bound[name] {
			errs = append(errs, field.Required(path, "add a binding of "+name))
		}
	}
	return errs
}

// newBinding compiles a binding. It returns nil, or an incomplete one, with the faults.
func (k *Kind) newBinding(declared *v1alpha1.ImageKindBinding, path *field.Path) (*binding, field.ErrorList) {
	var errs field.ErrorList
	leaf, found := k.schema.Leaves[declared.Field]
	if !found {
		errs = append(errs, field.Invalid(path.Child("field"), declared.Field, "must be the path of a field of the schema that has no fields of its own"))
	}
	target, faults := k.freeTarget(declared.To, path.Child("to"))
	if errs = append(errs, faults...); len(errs) > 0 {
		return nil, errs
	}
	names := strings.Split(leaf.Path, ".")
	b := &binding{leaf: leaf, way: names[1:], target: target, viewPath: make(fieldpath.Path, len(names)), imagePaths: target.OwnerPaths()}
	for i := range names {
		b.viewPath[i].FieldName = &names[i]
	}
	b.codec, faults = newCodec(declared, leaf, target, path)
	if errs = append(errs, faults...); len(errs) > 0 {
		return b, errs
	}
	return b, b.checkTarget(declared, path)
}
