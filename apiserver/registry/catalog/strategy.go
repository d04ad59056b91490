// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"context"
	"fmt"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiservervalidation "k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apiextensions-apiserver/pkg/crdserverscheme"
	"k8s.io/apiextensions-apiserver/pkg/registry/customresource"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/jobs/catalog"
)

// strategy validates objects against the schema of their kind: the rules, the transition rules and the ratcheting are those of custom
// resources.
type strategy interface {
	Validate(ctx context.Context, object runtime.Object) field.ErrorList
	ValidateUpdate(ctx context.Context, object, old runtime.Object) field.ErrorList
	WarningsOnCreate(ctx context.Context, object runtime.Object) []string
}

func newStrategy(kind *catalog.Kind) (strategy, error) {
	declared := kind.Definition().Spec.Versions[0].Schema
	internal := &apiextensions.CustomResourceValidation{}
	if err := apiextensionsv1.Convert_v1_CustomResourceValidation_To_apiextensions_CustomResourceValidation(declared, internal, nil); err != nil {
		return nil, fmt.Errorf("convert the schema: %w", err)
	}
	validator, _, err := apiservervalidation.NewSchemaValidator(internal.OpenAPIV3Schema)
	if err != nil {
		return nil, fmt.Errorf("compile the schema: %w", err)
	}
	return customresource.NewStrategy(crdserverscheme.NewUnstructuredObjectTyper(), true, kind.GroupVersionKind(), validator, nil,
		kind.Structural(), nil, nil, nil), nil
}
