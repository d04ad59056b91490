// SPDX-License-Identifier: Apache-2.0

package builder_test

import (
	"context"
	"fmt"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/dynamic"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

// newFilm is an object of a kind that has no Go type.
func newFilm(name, director string) *unstructured.Unstructured {
	film := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"director": director}}}
	film.SetGroupVersionKind(schema.GroupVersionKind{Group: "cinema.example.com", Version: "v1", Kind: "Film"})
	film.SetNamespace("default")
	film.SetName(name)
	return film
}

// films describes the kind, as a CustomResourceDefinition would, and computes its objects.
func films() dynamic.Kind {
	object, text := "object", "string"
	return dynamic.Kind{
		Revision: "1",
		Definition: &apiextensionsv1.CustomResourceDefinition{Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: "cinema.example.com",
			Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: "films", Singular: "film", Kind: "Film", ListKind: "FilmList"},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: "v1",
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
					Type: object, Properties: map[string]apiextensionsv1.JSONSchemaProps{
						"spec": {Type: object, Properties: map[string]apiextensionsv1.JSONSchemaProps{"director": {Type: text}}},
					},
				}},
			}},
		}},
		Storages: func(serving dynamic.Serving) (resources.Storages, error) {
			return resources.Storages{"": resources.NewReadOnly(resources.ReadOnly[*unstructured.Unstructured]{
				New: func() *unstructured.Unstructured { return newFilm("", "") },
				NewList: func() runtime.Object {
					return &unstructured.UnstructuredList{Object: map[string]any{"apiVersion": "cinema.example.com/v1", "kind": "FilmList"}}
				},
				Resource: schema.GroupResource{Group: "cinema.example.com", Resource: "films"},
				Singular: "film",
				Table:    serving.Table,
				Objects: func(context.Context) ([]*unstructured.Unstructured, error) {
					return []*unstructured.Unstructured{newFilm("stalker", "Tarkovsky"), newFilm("alien", "Scott")}, nil
				},
			})}, nil
		},
	}
}

// A dynamic group gets its kinds while the server serves.
func Example_dynamicGroup() {
	group := dynamic.NewGroup("cinema.example.com", "v1")
	must(group.Replace(nil)) // the server is ready without kinds
	server := builder.New("cinema").WithDynamicGroup(group)
	using(server, func(ctx context.Context, _ *builder.Running, cinema client.Client) {
		list := &unstructured.UnstructuredList{Object: map[string]any{"apiVersion": "cinema.example.com/v1", "kind": "FilmList"}}
		fmt.Println("served without the kind:", cinema.List(ctx, list) == nil)
		must(group.Replace([]dynamic.Kind{films()}))
		must(cinema.List(ctx, list))
		for _, film := range list.Items {
			fmt.Println(film.GetName(), film.Object["spec"])
		}
	})
	// Output:
	// served without the kind: false
	// alien map[director:Scott]
	// stalker map[director:Tarkovsky]
}
