// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/storage"
)

// ReadOnly describes a resource whose objects are computed when they are asked for, and stored nowhere: clients can get
// and list them, with label and field selectors. T is a pointer to the internal type, which may be a rest.Scoper, Tabular
// and FieldSelectable. There is nothing to watch, and a list has neither resource version nor pages.
type ReadOnly[T runtime.Object] struct {
	// New and NewList return empty internal objects.
	New     func() T
	NewList func() runtime.Object
	// Resource is the plural name with its group, Singular the singular name.
	Resource schema.GroupResource
	Singular string
	// Objects returns all objects, of all namespaces, in any order. They are not changed. ctx is the request's, with its
	// user and namespace.
	Objects func(ctx context.Context) ([]T, error)
}

// NewReadOnly makes the handler. It needs no storage.
func NewReadOnly[T runtime.Object](resource ReadOnly[T]) rest.Storage {
	example := resource.New()
	return &readOnly[T]{
		ReadOnly:       resource,
		TableConvertor: tableFor(resource.Resource, example),
		namespaced:     namespaced(example),
		attributes:     attributesOf(example, namespaced(example)),
	}
}

type readOnly[T runtime.Object] struct {
	ReadOnly[T]
	rest.TableConvertor
	namespaced bool
	attributes storage.AttrFunc
}

var (
	_ rest.Getter               = &readOnly[runtime.Object]{}
	_ rest.Lister               = &readOnly[runtime.Object]{}
	_ rest.Scoper               = &readOnly[runtime.Object]{}
	_ rest.SingularNameProvider = &readOnly[runtime.Object]{}
)

// New returns an empty object.
func (r *readOnly[T]) New() runtime.Object { return r.ReadOnly.New() }

// NewList returns an empty list.
func (r *readOnly[T]) NewList() runtime.Object { return r.ReadOnly.NewList() }

// Destroy has nothing to close.
func (r *readOnly[T]) Destroy() {}

// NamespaceScoped is what the type says.
func (r *readOnly[T]) NamespaceScoped() bool { return r.namespaced }

// GetSingularName is what kubectl accepts besides the resource's name.
func (r *readOnly[T]) GetSingularName() string { return r.Singular }

// Get returns the object of a name, in the namespace of the request.
func (r *readOnly[T]) Get(ctx context.Context, name string, _ *metav1.GetOptions) (runtime.Object, error) {
	found, err := r.find(ctx, labels.Everything(), fields.OneTermEqualSelector(metav1.ObjectNameField, name))
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, apierrors.NewNotFound(r.Resource, name)
	}
	return found[0], nil
}

// List returns the objects that are asked for, by namespace and name.
func (r *readOnly[T]) List(ctx context.Context, options *metainternalversion.ListOptions) (runtime.Object, error) {
	label, field := labels.Everything(), fields.Everything()
	if options != nil && options.LabelSelector != nil {
		label = options.LabelSelector
	}
	if options != nil && options.FieldSelector != nil {
		field = options.FieldSelector
	}
	found, err := r.find(ctx, label, field)
	if err != nil {
		return nil, err
	}
	list := r.NewList()
	if err := meta.SetList(list, found); err != nil {
		return nil, fmt.Errorf("list %s: %w", r.Resource, err)
	}
	return list, nil
}

// find returns the selected objects in the namespace of the request, as copies.
func (r *readOnly[T]) find(ctx context.Context, label labels.Selector, field fields.Selector) ([]runtime.Object, error) {
	objects, err := r.Objects(ctx)
	if err != nil {
		return nil, err // with its status, if it has one
	}
	if namespace := apirequest.NamespaceValue(ctx); r.namespaced && namespace != metav1.NamespaceAll {
		field = fields.AndSelectors(field, fields.OneTermEqualSelector("metadata.namespace", namespace))
	}
	selected := storage.SelectionPredicate{Label: label, Field: field, GetAttrs: r.attributes}
	found := []runtime.Object{}
	for _, object := range objects {
		matches, err := selected.Matches(object)
		if err != nil {
			return nil, fmt.Errorf("select %s: %w", r.Resource, err)
		}
		if matches {
			found = append(found, object.DeepCopyObject())
		}
	}
	slices.SortFunc(found, byName)
	return found, nil
}

// byName sorts as a storage does.
func byName(a, b runtime.Object) int {
	first, errFirst := meta.Accessor(a)
	second, errSecond := meta.Accessor(b)
	if errFirst != nil || errSecond != nil {
		return 0 // an object without metadata was not selected
	}
	return cmp.Or(cmp.Compare(first.GetNamespace(), second.GetNamespace()), cmp.Compare(first.GetName(), second.GetName()))
}
