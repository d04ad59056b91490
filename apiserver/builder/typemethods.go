// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// An internal type may have any of the methods below, and rest.Scoper's NamespaceScoped. DefaultStrategy, NewStore and
// the handlers look for them, so that a simple type needs no strategy of its own. With one, CreateOnUpdateAllower and
// UnconditionalUpdateAllower are not asked, and NamespaceScoped must agree with it.

// CreatePreparer is a type that completes or cleans an object before it is created: what a client may not set is reset,
// what only the server knows is set. The status is empty by then.
type CreatePreparer interface {
	PrepareForCreate(ctx context.Context)
}

// UpdatePreparer is a type that completes or cleans an object before it is changed. It has the stored status by then.
// old is the stored object, of the same type, and must not be changed.
type UpdatePreparer interface {
	PrepareForUpdate(ctx context.Context, old runtime.Object)
}

// Validator is a type that says what is wrong with an object that is created or changed. It changes nothing. A stored
// object's name is checked besides, and so is the rest of its metadata.
type Validator interface {
	Validate(ctx context.Context) field.ErrorList
}

// UpdateValidator is a type that says what is wrong with a change, besides what Validate finds.
type UpdateValidator interface {
	ValidateUpdate(ctx context.Context, old runtime.Object) field.ErrorList
}

// StatusUpdateValidator is a type that says what is wrong with a change of the status.
type StatusUpdateValidator interface {
	ValidateStatusUpdate(ctx context.Context, old runtime.Object) field.ErrorList
}

// Warner is a type that tells the client about an object that is valid and yet not what it should be. A warning is one
// line, best below 120 characters.
type Warner interface {
	Warnings(ctx context.Context) []string
}

// Canonicalizer is a type that puts an object into the form in which it is stored, such as with a list in order. It may be
// asked before the object is validated.
type Canonicalizer interface {
	Canonicalize()
}

// CreateOnUpdateAllower is a type that reports whether a PUT or an apply creates what is not there. The default: an apply
// does, a PUT does not.
type CreateOnUpdateAllower interface {
	AllowCreateOnUpdate() bool
}

// UnconditionalUpdateAllower is a type that reports whether a PUT without a resourceVersion overwrites. The default: it does.
type UnconditionalUpdateAllower interface {
	AllowUnconditionalUpdate() bool
}

// FieldSelectable is a type whose objects can be selected by more than name and namespace. Each served version maps its
// own labels to these ones, through the scheme's AddFieldLabelConversionFunc.
type FieldSelectable interface {
	// SelectableFields returns a new set at each call, with the same keys for all objects.
	SelectableFields() fields.Set
}

// Tabular is a type that says what kubectl get prints.
type Tabular interface {
	// TableColumns are the same for all objects; they may be asked of an empty one.
	TableColumns() []metav1.TableColumnDefinition
	// TableCells are the object's values of these columns: strings, numbers or booleans.
	TableCells() []any
}
