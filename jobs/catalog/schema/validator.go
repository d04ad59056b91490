// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"context"

	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	structuralcel "k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	apiservervalidation "k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
)

// A Validator checks specs against a schema and its rules. To compile one costs far more than to check a spec. It is
// safe for concurrent use.
type Validator struct {
	structural *structuralschema.Structural
	schema     apiservervalidation.SchemaValidator
	rules      *structuralcel.Validator // nil if the schema has none
}

// NewValidator compiles a schema of spec.
func NewValidator(schema *structuralschema.Structural) *Validator {
	return &Validator{
		structural: schema,
		schema:     apiservervalidation.NewSchemaValidatorFromOpenAPI(schema.ToKubeOpenAPI()),
		rules:      structuralcel.NewValidator(schema, false, celconfig.PerCallLimit),
	}
}

// Check returns what is wrong with a spec. It runs the rules only if the schema accepts the spec, and no rules about changes.
func (v *Validator) Check(ctx context.Context, spec map[string]any, path *field.Path) field.ErrorList {
	errs := apiservervalidation.ValidateCustomResource(path, spec, v.schema)
	if len(errs) == 0 && v.rules != nil {
		errs, _ = v.rules.Validate(ctx, path, v.structural, spec, nil, celconfig.RuntimeCELCostBudget)
	}
	return errs
}
