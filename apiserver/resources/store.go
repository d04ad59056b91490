// SPDX-License-Identifier: Apache-2.0

package resources

import (
	"cmp"
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/registry/generic"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/storage"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"goldsmith.dev/goldsmith/apiserver/requesterrors"
)

// Resource describes a stored resource. All fields are required unless they are marked as optional.
type Resource struct {
	// New and NewList return empty internal objects.
	New, NewList func() runtime.Object
	// Resource is the plural name with its group, Singular the singular name.
	Resource schema.GroupResource
	Singular string
	// Strategy decides which objects are accepted. If it has a GetResetFields method, server-side apply respects it.
	Strategy Strategy
	// Table makes the columns that kubectl get prints. Optional: name and time of creation.
	Table rest.TableConvertor
	// ShortNames and Categories are names that kubectl accepts instead of the resource's name. Optional.
	ShortNames, Categories []string
	// Attributes returns the labels and selectable fields of an object. Each served version maps its field labels to these
	// fields, through the scheme's AddFieldLabelConversionFunc. Optional: name and namespace are selectable.
	Attributes storage.AttrFunc
	// TTLSeconds is how long an object lives after its last write, in seconds. Optional: without it, objects live forever.
	TTLSeconds uint64
	// ReturnDeleted makes a deletion return the deleted object instead of a Status. Optional.
	ReturnDeleted bool
}

// Store is a stored resource with every verb of the generic registry. Updates are judged by what they change: see
// Scope.Ratchet.
type Store struct {
	*genericregistry.Store
	scope                  *Scope
	patches                requesterrors.Patches
	shortNames, categories []string
}

var (
	_ rest.ShortNamesProvider = &Store{}
	_ rest.CategoriesProvider = &Store{}
)

// NewStore creates a store in the server's storage. Each resource has one store, which a GroupProvider passes to other
// resources that need it.
func NewStore(scope *Scope, resource Resource) (*Store, error) {
	if scope.RESTOptions == nil {
		return nil, fmt.Errorf("store %s: the server has no storage", resource.Resource)
	}
	store := &genericregistry.Store{
		NewFunc:                   resource.New,
		NewListFunc:               resource.NewList,
		DefaultQualifiedResource:  resource.Resource,
		SingularQualifiedResource: schema.GroupResource{Group: resource.Resource.Group, Resource: resource.Singular},
		CreateStrategy:            timely{resource.Strategy},
		UpdateStrategy:            ratcheting{resource.Strategy, scope},
		DeleteStrategy:            resource.Strategy,
		TableConvertor:            cmp.Or(resource.Table, rest.NewDefaultTableConvertor(resource.Resource)),
		ReturnDeletedObject:       resource.ReturnDeleted,
	}
	if strategy, ok := resource.Strategy.(rest.ResetFieldsStrategy); ok {
		store.ResetFieldsStrategy = strategy
	}
	if ttl := resource.TTLSeconds; ttl > 0 {
		store.TTLFunc = func(runtime.Object, uint64, bool) (uint64, error) { return ttl, nil }
	}
	options := &generic.StoreOptions{RESTOptions: decorated{scope.RESTOptions, scope.Space}, AttrFunc: resource.Attributes}
	if err := store.CompleteWithOptions(options); err != nil {
		return nil, fmt.Errorf("store %s: %w", resource.Resource, err)
	}
	patches, err := requesterrors.ForPatches(scope.Scheme, resource.New())
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", resource.Resource, err)
	}
	return &Store{
		Store:      store,
		scope:      scope,
		shortNames: resource.ShortNames,
		categories: resource.Categories,
		patches:    patches,
	}, nil
}

// Update changes an object, or creates it if server-side apply does.
func (s *Store) Update(ctx context.Context, name string, object rest.UpdatedObjectInfo, createValidation rest.ValidateObjectFunc,
	updateValidation rest.ValidateObjectUpdateFunc, forceAllowCreate bool, options *metav1.UpdateOptions) (runtime.Object, bool, error) {
	return s.Store.Update(ctx, name, s.patches.Explain(object), createValidation, updateValidation, forceAllowCreate, options)
}

// WithCreateStrategy returns a store of the same objects with another strategy for creation. Only s closes the storage.
func (s *Store) WithCreateStrategy(strategy rest.RESTCreateStrategy) *genericregistry.Store {
	store := *s.Store
	store.CreateStrategy = timely{strategy}
	return &store
}

// WithUpdateStrategy returns a store of the same objects with another strategy for updates. Only s closes the storage.
func (s *Store) WithUpdateStrategy(strategy rest.RESTUpdateStrategy) *genericregistry.Store {
	store := *s.Store
	store.UpdateStrategy = ratcheting{strategy, s.scope}
	return &store
}

// ShortNames returns the names that kubectl accepts instead of the resource's name.
func (s *Store) ShortNames() []string { return s.shortNames }

// Categories returns the groups of resources, such as "all", that the resource belongs to.
func (s *Store) Categories() []string { return s.categories }

// Status returns a subresource that updates the same objects with a strategy of its own, such as status.
func (s *Store) Status(strategy rest.RESTUpdateStrategy) *StatusREST {
	status := *s.Store
	status.UpdateStrategy = ratcheting{strategy, s.scope}
	status.ResetFieldsStrategy = nil
	if resets, ok := strategy.(rest.ResetFieldsStrategy); ok {
		status.ResetFieldsStrategy = resets
	}
	return &StatusREST{store: &status, patches: s.patches}
}

// StatusREST serves a subresource such as status: get, update and patch of a stored object with another strategy.
type StatusREST struct {
	store   *genericregistry.Store
	patches requesterrors.Patches
}

var (
	_ rest.Patcher             = &StatusREST{}
	_ rest.ResetFieldsStrategy = &StatusREST{}
	_ rest.TableConvertor      = &StatusREST{}
)

// New returns an empty object.
func (s *StatusREST) New() runtime.Object { return s.store.New() }

// Destroy does nothing, because the main resource closes the storage.
func (s *StatusREST) Destroy() {}

// Get returns the whole object.
func (s *StatusREST) Get(ctx context.Context, name string, options *metav1.GetOptions) (runtime.Object, error) {
	return s.store.Get(ctx, name, options)
}

// Update changes the object as the strategy allows. It never creates an object.
func (s *StatusREST) Update(ctx context.Context, name string, object rest.UpdatedObjectInfo, createValidation rest.ValidateObjectFunc,
	updateValidation rest.ValidateObjectUpdateFunc, _ bool, options *metav1.UpdateOptions) (runtime.Object, bool, error) {
	return s.store.Update(ctx, name, s.patches.Explain(object), createValidation, updateValidation, false, options)
}

// GetResetFields returns the fields that server-side apply through this subresource does not own.
func (s *StatusREST) GetResetFields() map[fieldpath.APIVersion]*fieldpath.Set {
	return s.store.GetResetFields()
}

// ConvertToTable returns the columns of the main resource.
func (s *StatusREST) ConvertToTable(ctx context.Context, object, options runtime.Object) (*metav1.Table, error) {
	return s.store.ConvertToTable(ctx, object, options)
}
