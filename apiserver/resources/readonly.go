// SPDX-License-Identifier: Apache-2.0

package resources

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

// ReadOnly describes a resource whose objects are computed for each request and not stored. Clients can get and list them,
// with selectors of labels, name and namespace. T is a pointer to the internal type. The resource has no watch, and its lists
// have neither resource version nor pages.
type ReadOnly[T runtime.Object] struct {
	// New and NewList return empty internal objects.
	New     func() T
	NewList func() runtime.Object
	// Resource is the plural name with its group, Singular the singular name.
	Resource schema.GroupResource
	Singular string
	// ShortNames are names that kubectl accepts instead of the resource's name. Optional.
	ShortNames []string
	// ClusterScoped is whether the objects are in no namespace.
	ClusterScoped bool
	// Table makes the columns that kubectl get prints. Optional: name and time of creation.
	Table rest.TableConvertor
	// Objects returns all objects, in any order. ctx is the context of the request, with its user and namespace. Objects of other
	// namespaces than that of the request may be among them. The handler does not change the objects.
	Objects func(ctx context.Context) ([]T, error)
	// Object returns the object with a name in the namespace of ctx, or NotFound. Optional: by default Get selects it among Objects.
	// Set it if all objects cost more than one.
	Object func(ctx context.Context, name string) (T, error)
}

// ReadOnlyHandler serves a resource described by ReadOnly.
type ReadOnlyHandler[T runtime.Object] struct {
	rest.TableConvertor
	resource   ReadOnly[T]
	attributes storage.AttrFunc
}

// NewReadOnly creates the handler. It needs no storage.
func NewReadOnly[T runtime.Object](resource ReadOnly[T]) *ReadOnlyHandler[T] {
	handler := &ReadOnlyHandler[T]{
		TableConvertor: cmp.Or(resource.Table, rest.NewDefaultTableConvertor(resource.Resource)),
		resource:       resource,
		attributes:     storage.DefaultNamespaceScopedAttr,
	}
	if resource.ClusterScoped {
		handler.attributes = storage.DefaultClusterScopedAttr
	}
	return handler
}

var (
	_ rest.Getter               = &ReadOnlyHandler[runtime.Object]{}
	_ rest.Lister               = &ReadOnlyHandler[runtime.Object]{}
	_ rest.Scoper               = &ReadOnlyHandler[runtime.Object]{}
	_ rest.ShortNamesProvider   = &ReadOnlyHandler[runtime.Object]{}
	_ rest.SingularNameProvider = &ReadOnlyHandler[runtime.Object]{}
)

// New returns an empty object.
func (r *ReadOnlyHandler[T]) New() runtime.Object { return r.resource.New() }

// NewList returns an empty list.
func (r *ReadOnlyHandler[T]) NewList() runtime.Object { return r.resource.NewList() }

// Destroy has nothing to close.
func (r *ReadOnlyHandler[T]) Destroy() {}

// NamespaceScoped returns whether the objects are in namespaces.
func (r *ReadOnlyHandler[T]) NamespaceScoped() bool { return !r.resource.ClusterScoped }

// GetSingularName returns the singular name, which kubectl also accepts.
func (r *ReadOnlyHandler[T]) GetSingularName() string { return r.resource.Singular }

// ShortNames returns the names that kubectl accepts instead of the resource's name.
func (r *ReadOnlyHandler[T]) ShortNames() []string { return r.resource.ShortNames }

// Get returns the object with a name, in the namespace of the request.
func (r *ReadOnlyHandler[T]) Get(ctx context.Context, name string, _ *metav1.GetOptions) (runtime.Object, error) {
	if r.resource.Object != nil {
		object, err := r.resource.Object(ctx, name)
		if err != nil {
			return nil, err // with its status, if it has one
		}
		return object.DeepCopyObject(), nil
	}
	found, err := r.find(ctx, labels.Everything(), fields.OneTermEqualSelector(metav1.ObjectNameField, name))
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, apierrors.NewNotFound(r.resource.Resource, name)
	}
	return found[0], nil
}

// List returns the selected objects, sorted by namespace and name.
func (r *ReadOnlyHandler[T]) List(ctx context.Context, options *metainternalversion.ListOptions) (runtime.Object, error) {
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
	list := r.resource.NewList()
	if err := meta.SetList(list, found); err != nil {
		return nil, fmt.Errorf("list %s: %w", r.resource.Resource, err)
	}
	return list, nil
}

// find returns the selected objects in the namespace of the request, as copies.
func (r *ReadOnlyHandler[T]) find(ctx context.Context, label labels.Selector, field fields.Selector) ([]runtime.Object, error) {
	objects, err := r.resource.Objects(ctx)
	if err != nil {
		return nil, err // with its status, if it has one
	}
	if namespace := apirequest.NamespaceValue(ctx); r.NamespaceScoped() && namespace != metav1.NamespaceAll {
		field = fields.AndSelectors(field, fields.OneTermEqualSelector("metadata.namespace", namespace))
	}
	selected := storage.SelectionPredicate{Label: label, Field: field, GetAttrs: r.attributes}
	found := []runtime.Object{}
	for _, object := range objects {
		matches, err := selected.Matches(object)
		if err != nil {
			return nil, fmt.Errorf("select %s: %w", r.resource.Resource, err)
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
