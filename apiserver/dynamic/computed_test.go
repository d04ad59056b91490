// SPDX-License-Identifier: Apache-2.0

package dynamic_test

import (
	"context"
	"io"
	"net/http"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/registry/rest"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"goldsmith.dev/goldsmith/apiserver/dynamic"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

// View is an object with a Go type that no scheme knows.
type View struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              map[string]string `json:"spec"`
}

// DeepCopyObject returns a copy.
func (v *View) DeepCopyObject() runtime.Object {
	return &View{TypeMeta: v.TypeMeta, ObjectMeta: *v.DeepCopy(), Spec: v.Spec}
}

// newView is the toy bear in a colour.
func newView(colour string) *View {
	return &View{
		TypeMeta: metav1.TypeMeta{APIVersion: shopGroup + "/v1", Kind: "Toy"}, ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "bear"}, Spec: map[string]string{"colour": colour},
	}
}

// ViewList is a list of views.
type ViewList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []View `json:"items"`
}

// DeepCopyObject returns a copy.
func (l *ViewList) DeepCopyObject() runtime.Object {
	out := &ViewList{TypeMeta: l.TypeMeta, ListMeta: l.ListMeta}
	for i := range l.Items {
		out.Items = append(out.Items, *l.Items[i].DeepCopyObject().(*View))
	}
	return out
}

// computed is a kind with a storage that computes its objects. All requests share them.
func computed(definition *apiextensionsv1.CustomResourceDefinition, revision string, views []*View) dynamic.Kind {
	kind := withoutStorages(definition, revision)
	kind.Storages = func(serving dynamic.Serving) (resources.Storages, error) {
		storage := &computedStorage{TableConvertor: serving.Table, definition: definition, views: views}
		return resources.Storages{"": storage, "status": statusOf{storage, storage}, "log": logOf{storage}}, nil
	}
	return kind
}

// statusOf is a subresource with the verb get.
type statusOf struct {
	rest.Storage
	rest.Getter
}

// logOf is a subresource that streams a line.
type logOf struct{ rest.Storage }

var _ rest.Connecter = logOf{}

func (logOf) ConnectMethods() []string { return []string{http.MethodGet} }

func (logOf) NewConnectOptions() (runtime.Object, bool, string) { return nil, false, "" }

func (logOf) Connect(_ context.Context, name string, _ runtime.Object, _ rest.Responder) (http.Handler, error) {
	return http.HandlerFunc(func(writer http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(writer, "the log of "+name) }), nil
}

// computedStorage has the verbs get, list and watch.
type computedStorage struct {
	rest.TableConvertor
	definition *apiextensionsv1.CustomResourceDefinition
	views      []*View
}

var (
	_ rest.Getter  = &computedStorage{}
	_ rest.Lister  = &computedStorage{}
	_ rest.Watcher = &computedStorage{}
)

func (s *computedStorage) New() runtime.Object {
	object := &unstructured.Unstructured{}
	object.SetAPIVersion(s.definition.Spec.Group + "/" + s.definition.Spec.Versions[0].Name)
	object.SetKind(s.definition.Spec.Names.Kind)
	return object
}

func (s *computedStorage) NewList() runtime.Object { return &ViewList{} }

func (*computedStorage) Destroy() {}

func (s *computedStorage) Get(_ context.Context, name string, _ *metav1.GetOptions) (runtime.Object, error) {
	for _, view := range s.views {
		if view.Name == name {
			return view, nil
		}
	}
	return nil, apierrors.NewNotFound(toys.GroupResource(), name)
}

func (s *computedStorage) List(context.Context, *metainternalversion.ListOptions) (runtime.Object, error) {
	list := &ViewList{TypeMeta: metav1.TypeMeta{APIVersion: shopGroup + "/v1", Kind: s.definition.Spec.Names.ListKind}}
	for _, view := range s.views {
		list.Items = append(list.Items, *view)
	}
	return list, nil
}

func (s *computedStorage) Watch(context.Context, *metainternalversion.ListOptions) (watch.Interface, error) {
	events := watch.NewRaceFreeFake()
	for _, view := range s.views {
		events.Add(view)
	}
	return events, nil
}
