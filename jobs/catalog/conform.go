// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/catalog/expression"
)

// maxReported is how many fields a conformance has.
const maxReported = 16

// A stray is a value of an Image that no object of its kind can have.
type stray struct {
	err *field.Error
	// at is the path with the keys of items instead of their indices.
	at    string
	value any
}

func (s stray) equal(other stray) bool {
	return s.at == other.at && s.err.Detail == other.err.Detail && reflect.DeepEqual(s.value, other.value)
}

// Conforms returns what an Image has that no object of the kind has, with the paths of the Image: values of bound fields that cannot be
// decoded or that the schema refuses, and other values of the template and of derived fields. Fields that the kind does not set may have
// any value. Users with permission to change Images can write such values.
func (k *Kind) Conforms(ctx context.Context, image *v1alpha1.Image) field.ErrorList {
	return errorsOf(k.strays(ctx, image))
}

// Strays returns what Conforms returns, without the values that the former Image has too.
func (k *Kind) Strays(ctx context.Context, image, former *v1alpha1.Image) field.ErrorList {
	now := k.strays(ctx, image)
	if len(now) == 0 {
		return nil
	}
	before := k.strays(ctx, former)
	return errorsOf(slices.DeleteFunc(now, func(s stray) bool { return slices.ContainsFunc(before, s.equal) }))
}

// Conformance returns what Conforms returns, as the status of an Image reports it. It is nil for an Image that conforms, and for one that
// an earlier revision of the kind made.
func (k *Kind) Conformance(ctx context.Context, image *v1alpha1.Image) *v1alpha1.ImageConformance {
	if image.Labels[v1alpha1.ImageKindRevisionLabel] != k.revision {
		return nil
	}
	strays := k.strays(ctx, image)
	if len(strays) == 0 {
		return nil
	}
	slices.SortFunc(strays, func(a, b stray) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.err.Detail, b.err.Detail)) })
	report := &v1alpha1.ImageConformance{Message: v1alpha1.CutMessage(strays[0].err.Error())}
	for _, s := range strays {
		report.Fields = append(report.Fields, s.at)
	}
	report.Fields = slices.Compact(report.Fields)
	report.Fields = report.Fields[:min(len(report.Fields), maxReported)]
	return report
}

func errorsOf(strays []stray) field.ErrorList {
	var errs field.ErrorList
	for _, s := range strays {
		errs = append(errs, s.err)
	}
	return errs
}

func (k *Kind) strays(ctx context.Context, image *v1alpha1.Image) []stray {
	broken := func(err error) []stray {
		return []stray{{err: field.InternalError(field.NewPath("spec"), err), at: "spec"}}
	}
	strays := k.checkDecodable(image)
	view, err := k.Get(image)
	if err != nil {
		return broken(err)
	}
	object, err := view.Unstructured()
	if err != nil {
		return broken(err)
	}
	strays = append(strays, k.checkSchema(ctx, image, object.Object, strays)...)
	strays = append(strays, k.checkDerived(ctx, image, object.Object)...)
	return append(strays, k.checkTemplate(image)...)
}

func (k *Kind) checkDecodable(image *v1alpha1.Image) (strays []stray) {
	for _, b := range k.bindings {
		if stored, found := b.Undecodable(&image.Spec); found {
			err := field.Invalid(b.Target.In(&image.Spec), stored, fmt.Sprintf("is no value of %s of a %s", b.Leaf.Path, k.declared.Spec.Names.Kind))
			strays = append(strays, stray{err, b.Target.Path, stored})
		}
	}
	return strays
}

// checkSchema checks the object of an Image against the schema and its rules, except for rules about changes. The object lacks the fields
// that cannot be decoded. A fault of several fields is at the spec.
func (k *Kind) checkSchema(ctx context.Context, image *v1alpha1.Image, object map[string]any, undecodable []stray) (strays []stray) {
	spec, _ := object["spec"].(map[string]any)
	for _, fault := range k.validator().Check(ctx, spec, field.NewPath("spec")) {
		path, found := field.NewPath("spec"), stray{at: "spec", value: spec}
		for _, b := range k.bindings {
			if fault.Field == b.Leaf.Path || isBelow(fault.Field, b.Leaf.Path) {
				path, found.at = b.Target.In(&image.Spec), b.Target.Path
				found.value, _ = b.Target.Get(&image.Spec)
			}
		}
		if slices.ContainsFunc(undecodable, func(s stray) bool { return s.at == found.at }) {
			continue
		}
		found.err = field.Invalid(path, field.OmitValueType{}, fmt.Sprintf("as a %s: %s", k.declared.Spec.Names.Kind, fault.Error()))
		strays = append(strays, found)
	}
	return strays
}

func (k *Kind) checkDerived(ctx context.Context, image *v1alpha1.Image, object map[string]any) (strays []stray) {
	left := expression.NewBudget()
	for i := range k.derived {
		d := &k.derived[i]
		want, wanted, err := d.expression.Evaluate(ctx, object, left)
		if err != nil {
			continue // the Image cannot be blamed for it
		}
		if stored, found := d.target.Get(&image.Spec); found != wanted || stored != want {
			strays = append(strays, k.setsItself(d.target.In(&image.Spec), d.target.Path, stored))
		}
	}
	return strays
}

// setsItself is about a value that the kind sets, with the name of the item in a list. The Image has another value, or nil for none.
func (k *Kind) setsItself(path *field.Path, at string, value any) stray {
	why := fmt.Sprintf("kind %s sets %s", k.declared.Spec.Names.Kind, at)
	if value == nil {
		return stray{field.Required(path, why), at, value}
	}
	return stray{field.Invalid(path, value, why), at, value}
}

// checkTemplate checks that an Image has the template.
func (k *Kind) checkTemplate(image *v1alpha1.Image) (strays []stray) {
	differences, err := k.template.Differences(&image.Spec)
	if err != nil {
		return []stray{{err: field.InternalError(field.NewPath("spec"), err), at: "spec"}}
	}
	for _, d := range differences {
		strays = append(strays, k.setsItself(d.Path, d.At, d.Value))
	}
	return strays
}
