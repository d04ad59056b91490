// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/catalog/imagespec"
	"goldsmith.dev/goldsmith/jobs/catalog/schema"
)

// newCodec returns the codec of a binding. path is the path of the binding.
func newCodec(declared *v1alpha1.ImageKindBinding, leaf schema.Leaf, target *imagespec.Target, path *field.Path) (codec, field.ErrorList) {
	isScalar := leaf.Type == "string" || leaf.Type == "integer" || leaf.Type == "number" || leaf.Type == "boolean"
	anyText := target.TakesText("string")
	switch prefix, values := declared.Prefix != "", len(declared.Values) > 0; {
	case prefix && values:
		return nil, field.ErrorList{field.Forbidden(path.Child("prefix"), "a binding with values has no prefix")}
	case declared.JSON && (prefix || values):
		return nil, field.ErrorList{field.Forbidden(path.Child("json"), "a binding with a prefix or with values has no JSON")}
	case declared.Join != "" && (prefix || values || declared.JSON):
		return nil, field.ErrorList{field.Forbidden(path.Child("join"), "a binding with a prefix, with values or with JSON joins nothing")}
	case declared.Join != "":
		return newJoined(declared, leaf, anyText, path)
	case !isScalar && !declared.JSON:
		return nil, field.ErrorList{field.Required(path.Child("json"), fmt.Sprintf("must be true%s, because %s is of type %s", joinAlternatives(leaf), leaf.Path, leaf.Type))}
	case values:
		return newTable(declared.Values, leaf, target, path.Child("values"))
	case (declared.JSON || prefix) && !anyText:
		return nil, field.ErrorList{field.Invalid(path.Child("to"), declared.To, "must be a string of any form, because the binding has a prefix or JSON")}
	case declared.JSON:
		return asJSON{leaf.Schema}, nil
	case !prefix && target.Type() == leaf.Type:
		return identity{leaf.Type}, nil
	case target.TakesText(leaf.Type):
		return prefixed{declared.Prefix, leaf.Type}, nil
	}
	return nil, field.ErrorList{field.Invalid(path.Child("to"), declared.To,
		fmt.Sprintf("is of type %s in an Image, and %s is of type %s: list values", target.Type(), leaf.Path, leaf.Type))}
}

// isJoinable reports whether the items of a list can be joined.
func isJoinable(leaf schema.Leaf) bool {
	return leaf.Type == "array" && leaf.Schema.Items != nil && (leaf.Schema.Items.Type == "string" || leaf.Schema.Items.Type == "integer") && !leaf.Schema.Items.Nullable
}

func joinAlternatives(leaf schema.Leaf) string {
	if isJoinable(leaf) {
		return `, or set join to the text between the items`
	}
	return ""
}

// newJoined returns the codec of a binding that joins the items of a list.
func newJoined(declared *v1alpha1.ImageKindBinding, leaf schema.Leaf, anyText bool, path *field.Path) (codec, field.ErrorList) {
	switch {
	case !isJoinable(leaf):
		return nil, field.ErrorList{field.Forbidden(path.Child("join"), leaf.Path+" must be a list of strings or of integers")}
	case !anyText:
		return nil, field.ErrorList{field.Invalid(path.Child("to"), declared.To, "must be a string of any form, because the binding joins items")}
	}
	return joined{declared.Join, leaf.Schema.Items.Type}, nil
}

// newTable returns the codec of a binding that lists its values: exactly those of the enum of the field.
func newTable(values []v1alpha1.ImageKindValue, leaf schema.Leaf, target *imagespec.Target, path *field.Path) (codec, field.ErrorList) {
	var errs field.ErrorList
	t := table{typ: leaf.Type, toStored: map[string]any{}, toValue: map[any]any{}}
	for i := range values {
		value, valid := readScalar(values[i].Value, leaf.Type)
		if !valid {
			errs = append(errs, field.Invalid(path.Index(i).Child("value"), values[i].Value, "must be the text of a value of type "+leaf.Type))
		}
		stored, valid := readScalar(values[i].To, target.Type())
		if !valid {
			errs = append(errs, field.Invalid(path.Index(i).Child("to"), values[i].To, "must be the text of a value of type "+target.Type()))
			continue
		}
		if err := target.Check(stored); err != nil {
			errs = append(errs, field.Invalid(path.Index(i).Child("to"), values[i].To, err.Error()))
		}
		if _, found := t.toStored[values[i].Value]; found {
			errs = append(errs, field.Duplicate(path.Index(i).Child("value"), values[i].Value))
		}
		if _, found := t.toValue[stored]; found {
			errs = append(errs, field.Duplicate(path.Index(i).Child("to"), values[i].To))
		}
		t.toStored[values[i].Value], t.toValue[stored] = stored, value
	}
	if len(errs) > 0 {
		return nil, errs
	}
	return t, t.checkEnum(values, leaf, path)
}

// checkEnum checks that the values are those of the enum of the field. Those of a boolean are known.
func (t table) checkEnum(values []v1alpha1.ImageKindValue, leaf schema.Leaf, path *field.Path) field.ErrorList {
	allowed := []string{"false", "true"}
	if leaf.Type != "boolean" || leaf.Schema.ValueValidation != nil && len(leaf.Schema.ValueValidation.Enum) > 0 {
		allowed = nil
	}
	if limits := leaf.Schema.ValueValidation; limits != nil {
		for _, value := range limits.Enum {
			text, err := scalarText(value.Object, leaf.Type)
			if err == nil {
				allowed = append(allowed, text)
			}
		}
	}
	if len(allowed) == 0 {
		return field.ErrorList{field.Required(leaf.At.Child("enum"), "list the values of the binding")}
	}
	var errs field.ErrorList
	for i := range values {
		if !slices.Contains(allowed, values[i].Value) {
			errs = append(errs, field.NotSupported(path.Index(i).Child("value"), values[i].Value, allowed))
		}
	}
	for _, text := range allowed {
		if _, found := t.toStored[text]; !found {
			errs = append(errs, field.Required(path, fmt.Sprintf("list the value %q, which the schema allows", text)))
		}
	}
	return errs
}
