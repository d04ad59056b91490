// SPDX-License-Identifier: Apache-2.0

// Package binding stores the fields of a kind in the targets of an Image, and reads them again. Different values of a field have different
// values in the Image.
package binding

import (
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/catalog/imagespec"
	"goldsmith.dev/goldsmith/jobs/catalog/schema"
)

// A Binding stores a field of a kind in a field of the Image. It is immutable, and safe for concurrent use.
type Binding struct {
	Leaf   schema.Leaf
	Target *imagespec.Target
	// Way are the names of the fields to the leaf, after spec.
	Way []string
	// ViewPath is the path of the field in the managed fields of a view. ImagePaths are those of the target in the managed fields of an
	// Image: the first one decides who owns the field.
	ViewPath   fieldpath.Path
	ImagePaths []fieldpath.Path
	codec      codec
	// ifEmpty is the value of a field whose target is empty. It is nil if the field is absent then.
	ifEmpty any
}

// New compiles a binding. It returns an incomplete one with the faults. path is the path of the binding in the ImageKind.
func New(declared *v1alpha1.ImageKindBinding, leaf schema.Leaf, target *imagespec.Target, path *field.Path) (*Binding, field.ErrorList) {
	names := strings.Split(leaf.Path, ".")
	b := &Binding{Leaf: leaf, Target: target, Way: names[1:], ViewPath: make(fieldpath.Path, len(names)), ImagePaths: target.OwnerPaths()}
	for i := range names {
		b.ViewPath[i].FieldName = &names[i]
	}
	var faults field.ErrorList
	if b.codec, faults = newCodec(declared, leaf, target, path); len(faults) > 0 {
		return b, faults
	}
	return b, b.checkTarget(declared, path)
}

// Read returns the value of the field in an Image. It returns false if the Image has none, or one that cannot be decoded.
func (b *Binding) Read(spec *v1alpha1.ImageSpec) (any, bool) {
	stored, found := b.Target.Get(spec)
	if !found {
		return b.ifEmpty, b.ifEmpty != nil
	}
	return b.codec.decode(stored)
}

// Undecodable returns the value of the target if no value of the field has it, and whether the Image has such a value.
func (b *Binding) Undecodable(spec *v1alpha1.ImageSpec) (any, bool) {
	stored, found := b.Target.Get(spec)
	if !found {
		return nil, false
	}
	_, decodable := b.codec.decode(stored)
	return stored, !decodable
}

// Value returns what an object has in the field.
func (b *Binding) Value(object map[string]any) (any, bool) {
	at, found := object["spec"]
	for _, name := range b.Way {
		fields, ok := at.(map[string]any)
		if !ok {
			return nil, false
		}
		at, found = fields[name]
	}
	return at, found && at != nil
}

// Stored returns what the Image of an object has in the target.
func (b *Binding) Stored(object map[string]any) (any, bool, error) {
	value, found := b.Value(object)
	if !found {
		return nil, false, nil
	}
	stored, err := b.codec.encode(value)
	return stored, err == nil, err
}

// Same reports whether the Images of two objects have the same in the target.
func (b *Binding) Same(object, former map[string]any) bool {
	stored, found, err := b.Stored(object)
	was, had, formerErr := b.Stored(former)
	return err == nil && formerErr == nil && found == had && stored == was
}

// Path is the path of the field in objects.
func (b *Binding) Path() *field.Path { return field.NewPath("spec", b.Way...) }
