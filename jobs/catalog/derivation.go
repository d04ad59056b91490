// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"

	"goldsmith.dev/goldsmith/jobs/catalog/examples"
	"goldsmith.dev/goldsmith/jobs/catalog/expression"
	"goldsmith.dev/goldsmith/jobs/catalog/imagespec"
	"goldsmith.dev/goldsmith/jobs/catalog/ownership"
)

// A derivation sets a field of the Image to what an expression makes of the object.
type derivation struct {
	target     *imagespec.Target
	expression *expression.Expression
}

// compileDerived compiles the derived values, after the bindings.
func (k *Kind) compileDerived(steps *expression.Steps, path *field.Path) field.ErrorList {
	if len(k.version.Derived) == 0 {
		return nil
	}
	compiler, err := expression.NewCompiler(steps, k.schema.Structural)
	if err != nil {
		return field.ErrorList{field.InternalError(path, err)}
	}
	var errs field.ErrorList
	for i := range k.version.Derived {
		declared, at := &k.version.Derived[i], path.Index(i)
		target, faults := k.freeTarget(declared.To, at.Child("to"))
		if len(faults) == 0 {
			faults = k.checkDestination(target, at.Child("to"), "set it in the template, or bind a field with values")
		}
		if errs = append(errs, faults...); len(faults) > 0 {
			continue
		}
		compiled, faults := compiler.Compile(declared.Expression, target.Type(), at.Child("expression"))
		errs = append(errs, faults...)
		k.derived = append(k.derived, derivation{target, compiled})
	}
	return errs
}

// checkAbsent refuses expressions that fail for an object without one of its optional fields: users of the kind could not tell why their
// object is refused. It evaluates each expression for examples that lack one of the fields that it reads.
func (k *Kind) checkAbsent(ctx context.Context, path *field.Path, left *expression.Budget) field.ErrorList {
	if len(k.derived) == 0 {
		return nil
	}
	full := &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"name": "example", "namespace": "default"}, "spec": examples.Full(k.schema.Structural),
	}}
	full = k.WithDefaults(full)
	var errs field.ErrorList
	for way := range k.schema.Optional() {
		parent, name := strings.Join(way[:len(way)-1], "."), way[len(way)-1]
		lacking := full.DeepCopy().Object
		unstructured.RemoveNestedField(lacking, way...)
		for i := range k.derived {
			if !k.derived[i].expression.Reads(name) {
				continue
			}
			at, text := path.Index(i).Child("expression"), k.version.Derived[i].Expression
			_, _, err := k.derived[i].expression.Evaluate(ctx, lacking, left)
			switch {
			case ctx.Err() != nil:
				return append(errs, field.InternalError(at, ctx.Err()))
			case errors.Is(err, expression.ErrBudget):
				return append(errs, field.Forbidden(at, fmt.Sprintf(
					"it costs more than %d to evaluate the derived values without each optional field that they read: simplify the expressions", celconfig.RuntimeCELCostBudget)))
			case err != nil && strings.HasSuffix(err.Error(), "no such key: "+name):
				errs = append(errs, field.Invalid(at, text, fmt.Sprintf(
					"fails for objects without %s.%s: read it as %[1]s.?%[2]s, or test has(%[1]s.%[2]s) before", parent, name)))
			}
		}
	}
	return errs
}

// freeTarget compiles a target that neither the template nor a binding nor a derived value sets yet.
func (k *Kind) freeTarget(path string, at *field.Path) (*imagespec.Target, field.ErrorList) {
	target, faults := k.template.Target(path, at)
	switch {
	case len(faults) > 0:
		return nil, faults
	case k.targets.Has(path):
		return nil, field.ErrorList{field.Duplicate(at, path)}
	}
	k.targets.Insert(path)
	return target, nil
}

// putDerived sets the derived values of an Image that differ from those of the former object, with and without the defaults of the
// schema. A new Image has no former object.
func (k *Kind) putDerived(ctx context.Context, w *ownership.Write, object map[string]any, formers []map[string]any) field.ErrorList {
	if slices.ContainsFunc(formers, func(former map[string]any) bool { return equality.Semantic.DeepEqual(former["spec"], object["spec"]) }) {
		return nil // expressions read no more of an object that can change
	}
	var errs field.ErrorList
	left := expression.NewBudget()
	for i := range k.derived {
		d := &k.derived[i]
		value, found, err := d.expression.Evaluate(ctx, object, left)
		if slices.ContainsFunc(formers, func(former map[string]any) bool {
			was, had, formerErr := d.expression.Evaluate(ctx, former, left)
			return had == found && was == value && (err == nil) == (formerErr == nil)
		}) {
			continue // also where an Image that was changed directly lacks what the expression needs
		}
		if err != nil {
			errs = append(errs, field.Invalid(field.NewPath("spec"), field.OmitValueType{}, err.Error()))
			continue
		}
		if !found {
			w.Remove(d.target)
		} else if err := d.target.Set(&w.Made.Spec, value); err != nil {
			errs = append(errs, field.Invalid(field.NewPath("spec"), field.OmitValueType{}, d.target.Path+", which the kind derives, "+err.Error()))
		} else {
			for _, path := range d.target.OwnerPaths() {
				w.Own.Insert(path)
			}
		}
	}
	return errs
}

// derivesBelow reports whether a derived value is below a path of the Image.
func (k *Kind) derivesBelow(path string) bool {
	for i := range k.derived {
		if isBelow(k.derived[i].target.Path, path) {
			return true
		}
	}
	return false
}
