// SPDX-License-Identifier: Apache-2.0

package resources

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// An internal type may have any of the methods below, and rest.Scoper's NamespaceScoped. DefaultStrategy, NewStore and the
// handlers call them, so a simple type needs no strategy of its own. If a resource has a strategy, NamespaceScoped must agree with
// it.

// Validator is a type that validates a created or changed object. It must not change the object. The name and the other
// metadata of a stored object are validated separately.
type Validator interface {
	Validate(ctx context.Context) field.ErrorList
}

// UpdateValidator is a type that validates a change, in addition to Validate.
type UpdateValidator interface {
	ValidateUpdate(ctx context.Context, old runtime.Object) field.ErrorList
}

// StatusUpdateValidator is a type that validates a change of the status.
type StatusUpdateValidator interface {
	ValidateStatusUpdate(ctx context.Context, old runtime.Object) field.ErrorList
}

// Warner is a type that warns the client about a valid object with questionable fields. A warning is one line, preferably below 120
// characters.
type Warner interface {
	Warnings(ctx context.Context) []string
}

// FieldSelectable is a type whose objects can be selected by more fields than name and namespace. Each served version maps
// its field labels to these fields, through the scheme's AddFieldLabelConversionFunc.
type FieldSelectable interface {
	// SelectableFields returns a new set at each call, with the same keys for all objects.
	SelectableFields() fields.Set
}

// Tabular is a type that defines the columns of kubectl get.
type Tabular interface {
	// TableColumns are the same for all objects, and are also read from an empty object.
	TableColumns() []metav1.TableColumnDefinition
	// TableCells are the values of an object for these columns: strings, numbers or booleans.
	TableCells() []any
}
