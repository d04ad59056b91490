// SPDX-License-Identifier: Apache-2.0

package dynamic_test

import (
	"context"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	structuraldefaulting "k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	apiservervalidation "k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apiextensions-apiserver/pkg/crdserverscheme"
	"k8s.io/apiextensions-apiserver/pkg/registry/customresource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/apiserver/pkg/registry/rest"

	"goldsmith.dev/goldsmith/apiserver/dynamic"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

const shopGroup = "shop.example.com"

var toys = schema.GroupVersionResource{Group: shopGroup, Version: "v1", Resource: "toys"}

// definition describes a kind in a namespace whose spec has these fields.
func definition(plural, kind string, fields map[string]apiextensionsv1.JSONSchemaProps) *apiextensionsv1.CustomResourceDefinition {
	return &apiextensionsv1.CustomResourceDefinition{Spec: apiextensionsv1.CustomResourceDefinitionSpec{
		Group: shopGroup,
		Scope: apiextensionsv1.NamespaceScoped,
		Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: plural, Singular: plural + "-one", Kind: kind, ListKind: kind + "List"},
		Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
			Name: "v1",
			Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
				Type: "object",
				Properties: map[string]apiextensionsv1.JSONSchemaProps{
					"spec": {Type: "object", Description: "spec is what the kind is about.", Properties: fields},
				},
			}},
			AdditionalPrinterColumns: []apiextensionsv1.CustomResourceColumnDefinition{{Name: "Size", Type: "string", JSONPath: ".spec.size"}},
		}},
	}}
}

// toyFields are the fields of the kind Toy.
func toyFields() map[string]apiextensionsv1.JSONSchemaProps {
	return map[string]apiextensionsv1.JSONSchemaProps{
		"size":   {Type: "string", Default: &apiextensionsv1.JSON{Raw: []byte(`"small"`)}, Enum: []apiextensionsv1.JSON{{Raw: []byte(`"small"`)}, {Raw: []byte(`"large"`)}}},
		"colour": {Type: "string", Description: "colour is what children see first."},
		"parts":  {Type: "array", Items: &apiextensionsv1.JSONSchemaPropsOrArray{Schema: &apiextensionsv1.JSONSchemaProps{Type: "string"}}},
	}
}

// shelf stores kinds like custom resources, in the storage of one server. A kind that is replaced leaves its store to the next one.
type shelf struct {
	mutex  sync.Mutex
	stores map[string]*customresource.REST
	users  map[string]int
}

func newShelf() *shelf {
	return &shelf{stores: map[string]*customresource.REST{}, users: map[string]int{}}
}

// toy is the kind Toy with a revision.
func (s *shelf) toy(revision string) dynamic.Kind {
	return s.kind(definition("toys", "Toy", toyFields()), revision)
}

// kind is a kind with a revision.
func (s *shelf) kind(definition *apiextensionsv1.CustomResourceDefinition, revision string) dynamic.Kind {
	kind := withoutStorages(definition, revision)
	kind.Storages = func(serving dynamic.Serving) (resources.Storages, error) {
		s.mutex.Lock()
		defer s.mutex.Unlock()
		plural := definition.Spec.Names.Plural
		if s.stores[plural] == nil {
			store, err := newUntypedStore(kind, serving)
			if err != nil {
				return nil, err
			}
			s.stores[plural] = store
		}
		s.users[plural]++
		return resources.Storages{"": &shelved{s.stores[plural], s, kind.Structural}}, nil
	}
	return kind
}

// shelved is the store of a kind.
type shelved struct {
	*customresource.REST
	shelf      *shelf
	structural *structuralschema.Structural
}

// Create stores an object with the defaults of its kind.
func (s *shelved) Create(ctx context.Context, object runtime.Object, validate rest.ValidateObjectFunc, options *metav1.CreateOptions) (runtime.Object, error) {
	structuraldefaulting.Default(object.(*unstructured.Unstructured).Object, s.structural)
	return s.REST.Create(ctx, object, validate, options)
}

// Update stores a changed object with the defaults of its kind.
func (s *shelved) Update(ctx context.Context, name string, object rest.UpdatedObjectInfo, create rest.ValidateObjectFunc, update rest.ValidateObjectUpdateFunc,
	creates bool, options *metav1.UpdateOptions) (runtime.Object, bool, error) {
	defaulted := rest.WrapUpdatedObjectInfo(object, func(_ context.Context, object, _ runtime.Object) (runtime.Object, error) {
		structuraldefaulting.Default(object.(*unstructured.Unstructured).Object, s.structural)
		return object, nil
	})
	return s.REST.Update(ctx, name, defaulted, create, update, creates, options)
}

// Destroy closes the store when no kind uses it.
func (s *shelved) Destroy() {
	s.shelf.mutex.Lock()
	defer s.shelf.mutex.Unlock()
	plural := s.DefaultQualifiedResource.Resource
	if s.shelf.users[plural]--; s.shelf.users[plural] == 0 {
		s.REST.Destroy()
		delete(s.shelf.stores, plural)
	}
}

// withoutStorages is a kind with a revision.
func withoutStorages(definition *apiextensionsv1.CustomResourceDefinition, revision string) dynamic.Kind {
	structural, err := structuralschema.NewStructural(internalSchema(definition))
	utilruntime.Must(err)
	return dynamic.Kind{Definition: definition, Structural: structural, Revision: revision}
}

func internalSchema(definition *apiextensionsv1.CustomResourceDefinition) *apiextensions.JSONSchemaProps {
	internal := &apiextensions.JSONSchemaProps{}
	utilruntime.Must(apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(definition.Spec.Versions[0].Schema.OpenAPIV3Schema, internal, nil))
	return internal
}

func newUntypedStore(kind dynamic.Kind, serving dynamic.Serving) (*customresource.REST, error) {
	names, version := kind.Definition.Spec.Names, schema.GroupVersion{Group: kind.Definition.Spec.Group, Version: kind.Definition.Spec.Versions[0].Name}
	validator, _, err := apiservervalidation.NewSchemaValidator(internalSchema(kind.Definition))
	if err != nil {
		return nil, err
	}
	strategy := customresource.NewStrategy(crdserverscheme.NewUnstructuredObjectTyper(), true, version.WithKind(names.Kind), validator, nil, kind.Structural, nil, nil, nil)
	storage, err := customresource.NewStorage(version.WithResource(names.Plural).GroupResource(), version.WithResource(names.Singular).GroupResource(),
		version.WithKind(names.Kind), version.WithKind(names.ListKind), strategy, untyped{serving.Scope.RESTOptions}, nil, serving.Table, nil)
	return storage.CustomResource, err
}

// untyped stores objects as JSON.
type untyped struct{ generic.RESTOptionsGetter }

func (u untyped) GetRESTOptions(resource schema.GroupResource, _ runtime.Object) (generic.RESTOptions, error) {
	options, err := u.RESTOptionsGetter.GetRESTOptions(corev1.Resource("configmaps"), &corev1.ConfigMap{})
	if err != nil {
		return options, err
	}
	options.ResourcePrefix = resource.Group + "/" + resource.Resource
	options.StorageConfig.Codec = unstructured.UnstructuredJSONScheme
	options.StorageConfig.GroupResource = resource
	return options, nil
}
