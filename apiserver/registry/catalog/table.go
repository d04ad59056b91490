// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"context"
	"fmt"
	"slices"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/registry/customresource/tableconvertor"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"

	"goldsmith.dev/goldsmith/jobs/catalog"
)

// newTable returns the columns of a kind: those that it declares, and then those that all kinds have.
func newTable(kind *catalog.Kind) (rest.TableConvertor, error) {
	var columns []apiextensionsv1.CustomResourceColumnDefinition
	if len(kind.Declared().Spec.Versions[0].Columns) > 0 { // the definition of a kind without columns has Age
		columns = slices.Clone(kind.Definition().Spec.Versions[0].AdditionalPrinterColumns)
	}
	for _, column := range []apiextensionsv1.CustomResourceColumnDefinition{
		{Name: "Ready", Type: "string", JSONPath: `.status.conditions[?(@.type=="Ready")].status`, Description: "Whether the last finished build that counts succeeded."},
		{Name: "Latest", Type: "string", JSONPath: ".status.latestBuild.name", Description: "Newest build that counts."},
		{Name: "Age", Type: "date", JSONPath: ".metadata.creationTimestamp", Description: "Time since the object was created."},
	} {
		declared := func(other apiextensionsv1.CustomResourceColumnDefinition) bool { return other.Name == column.Name }
		if !slices.ContainsFunc(columns, declared) {
			columns = append(columns, column)
		}
	}
	table, err := tableconvertor.New(columns)
	if err != nil {
		return nil, fmt.Errorf("prepare the columns: %w", err)
	}
	return table, nil
}

// ConvertToTable returns the columns that kubectl get prints.
func (r *REST) ConvertToTable(ctx context.Context, object, options runtime.Object) (*metav1.Table, error) {
	var err error
	switch views := object.(type) {
	case *catalog.View:
		object, err = views.Unstructured()
	case *catalog.ViewList:
		object, err = unstructuredList(views)
	}
	if err != nil {
		return nil, err
	}
	return r.table.ConvertToTable(ctx, object, options)
}

func unstructuredList(views *catalog.ViewList) (*unstructured.UnstructuredList, error) {
	list := &unstructured.UnstructuredList{Items: make([]unstructured.Unstructured, len(views.Items))}
	list.SetResourceVersion(views.ResourceVersion)
	list.SetContinue(views.Continue)
	list.SetRemainingItemCount(views.RemainingItemCount)
	for i := range views.Items {
		object, err := views.Items[i].Unstructured()
		if err != nil {
			return nil, err
		}
		list.Items[i] = *object
	}
	return list, nil
}
