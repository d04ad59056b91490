// SPDX-License-Identifier: Apache-2.0

package corekinds

import (
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/registry/rest"

	"goldsmith.dev/goldsmith/apiserver/resources"
)

// installCustomResourceDefinitions registers the kind alone, without the conversions and defaults of its group.
func installCustomResourceDefinitions(scheme *runtime.Scheme) {
	version := apiextensionsv1.SchemeGroupVersion
	kinds := []runtime.Object{&apiextensionsv1.CustomResourceDefinition{}, &apiextensionsv1.CustomResourceDefinitionList{}}
	scheme.AddKnownTypes(version, kinds...)
	scheme.AddKnownTypes(schema.GroupVersion{Group: version.Group, Version: runtime.APIVersionInternal}, kinds...)
	metav1.AddToGroupVersion(scheme, version)
}

// customResourceDefinitionStorage serves the reads of a list that is always empty, because no client can write to it. kubectl
// reads the list to validate an object of a kind that the server lacks. Without the list, its error names this request instead
// of the kind.
func customResourceDefinitionStorage(scope *resources.Scope) (resources.Storages, error) {
	store, err := resources.NewStore(scope, resources.Resource{
		New:        func() runtime.Object { return &apiextensionsv1.CustomResourceDefinition{} },
		NewList:    func() runtime.Object { return &apiextensionsv1.CustomResourceDefinitionList{} },
		Resource:   apiextensionsv1.Resource("customresourcedefinitions"),
		Singular:   "customresourcedefinition",
		ShortNames: []string{"crd", "crds"},
		Strategy:   clusterStrategy{resources.NewDefaultStrategy(scope.Scheme, apiextensionsv1.SchemeGroupVersion)},
	})
	if err != nil {
		return nil, err
	}
	return resources.Storages{"": readOnly{store}}, nil
}

// readOnly hides the verbs of a store that write.
type readOnly struct {
	readable
}

type readable interface {
	rest.Storage
	rest.Getter
	rest.Lister
	rest.Watcher
	rest.Scoper
	rest.ShortNamesProvider
	rest.SingularNameProvider
}
