// SPDX-License-Identifier: Apache-2.0

// Package schema reads the schema that an ImageKind declares of the spec of its objects, and checks specs against it.
package schema

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	kjson "sigs.k8s.io/json"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/catalog/expression"
)

const (
	maxSchemaSize = 256 * 1024
	// maxDepth keeps recursion, here and in clients, shallow. Real schemas are less than 10 deep.
	maxDepth = 32
	// maxFields is the number of bindings that a version can have.
	maxFields = 128
	// maxRules bounds the time of Compile, with maxSteps: a rule takes about three milliseconds.
	maxRules = 128
)

// A Schema is the schema of spec of a kind. It must not be changed.
type Schema struct {
	// Props and Structural are the schema as it is declared, and in the form in which servers use it.
	Props      *apiextensionsv1.JSONSchemaProps
	Structural *structuralschema.Structural
	// Leaves are the fields that need a binding, by path.
	Leaves map[string]Leaf
	// Order are the paths of Leaves, sorted.
	Order []string
}

// Read reads the schema of spec, and checks it as the schema of a CustomResourceDefinition is checked: it is structural,
// its defaults are valid, and its rules compile and keep within the limits of cost. In addition, each of its fields must have one
// place in an Image. path is the path of the schema in the ImageKind.
func Read(ctx context.Context, steps *expression.Steps, raw []byte, path *field.Path) (*Schema, field.ErrorList) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, field.ErrorList{field.Required(path, "declare the fields of spec")}
	}
	if len(raw) > maxSchemaSize {
		return nil, field.ErrorList{field.TooLong(path, "", maxSchemaSize)}
	}
	if errs := checkJSON(steps, raw, path); len(errs) > 0 {
		return nil, errs
	}
	declared := &Schema{Props: &apiextensionsv1.JSONSchemaProps{}, Leaves: map[string]Leaf{}}
	if err := json.Unmarshal(raw, declared.Props); err != nil {
		return nil, field.ErrorList{field.Invalid(path, field.OmitValueType{}, err.Error())}
	}
	internal := &apiextensions.JSONSchemaProps{}
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(declared.Props, internal, nil); err != nil {
		return nil, field.ErrorList{field.Invalid(path, field.OmitValueType{}, err.Error())}
	}
	errs := checkAsCustomResource(ctx, internal, path)
	structural, err := structuralschema.NewStructural(internal)
	if err != nil {
		return nil, append(errs, field.Invalid(path, field.OmitValueType{}, err.Error()))
	}
	declared.Structural = structural
	if errs = append(errs, declared.readLeaves(path)...); len(errs) > 0 {
		return nil, errs
	}
	return declared, nil
}

// checkJSON checks that raw is JSON, without duplicate members, of which each is a keyword of a schema.
func checkJSON(steps *expression.Steps, raw []byte, path *field.Path) field.ErrorList {
	var value any
	strict, err := kjson.UnmarshalStrict(raw, &value)
	if err != nil {
		return field.ErrorList{field.Invalid(path, field.OmitValueType{}, err.Error())}
	}
	check := &keywordCheck{steps: steps}
	for _, err := range strict {
		check.errs = append(check.errs, field.Invalid(path, field.OmitValueType{}, err.Error()))
	}
	check.schema(value, path, 1)
	return check.errs
}

// checkAsCustomResource checks the schema as apiextensions does it, which exports only the check of a whole definition.
func checkAsCustomResource(ctx context.Context, spec *apiextensions.JSONSchemaProps, path *field.Path) field.ErrorList {
	prune := false
	errs := validation.ValidateCustomResourceDefinition(ctx, &apiextensions.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "examples." + v1alpha1.CatalogGroup},
		Spec: apiextensions.CustomResourceDefinitionSpec{
			Group: v1alpha1.CatalogGroup,
			Scope: apiextensions.NamespaceScoped,
			Names: apiextensions.CustomResourceDefinitionNames{
				Plural: "examples", Singular: "example", Kind: "Example", ListKind: "ExampleList",
			},
			Versions: []apiextensions.CustomResourceDefinitionVersion{{Name: "v1", Served: true, Storage: true}},
			Validation: &apiextensions.CustomResourceValidation{OpenAPIV3Schema: &apiextensions.JSONSchemaProps{
				Type: "object", Properties: map[string]apiextensions.JSONSchemaProps{"spec": *spec},
			}},
			PreserveUnknownFields: &prune,
		},
		Status: apiextensions.CustomResourceDefinitionStatus{StoredVersions: []string{"v1"}},
	})
	for _, err := range errs {
		const whole = "spec.validation.openAPIV3Schema"
		err.Field = path.String() + strings.TrimPrefix(strings.TrimPrefix(err.Field, whole), ".properties[spec]")
		switch value := err.BadValue.(type) {
		case apiextensions.ValidationRule:
			err.BadValue = value.Rule
			if strings.HasSuffix(err.Field, ".messageExpression") {
				err.BadValue = value.MessageExpression
			}
		case apiextensionsv1.ValidationRule:
			err.BadValue = value.Rule
			if strings.HasSuffix(err.Field, ".messageExpression") {
				err.BadValue = value.MessageExpression
			}
		case nil, string, bool, int, int64, float64, field.OmitValueType:
		default:
			err.BadValue = field.OmitValueType{}
		}
	}
	slices.SortFunc(errs, func(a, b *field.Error) int { // apiextensions ranges over maps
		return cmp.Or(cmp.Compare(a.Field, b.Field), cmp.Compare(a.Error(), b.Error()))
	})
	return errs
}
