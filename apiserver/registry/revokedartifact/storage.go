// SPDX-License-Identifier: Apache-2.0

// Package revokedartifact stores the resource revokedartifacts. Users read and delete its objects. Only package imagebuild creates and changes them.
package revokedartifact

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/table"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

// REST serves the verbs that users have: get, list, watch and delete, without deletecollection.
type REST struct {
	rest.Storage
	rest.Scoper
	rest.SingularNameProvider
	rest.Getter
	rest.Lister
	rest.Watcher
	rest.GracefulDeleter
}

// NewStore opens the store.
func NewStore(scope *resources.Scope, clock clock.PassiveClock) (*resources.Store, error) {
	return resources.NewStore(scope, resources.Resource{
		New:      func() runtime.Object { return &v1alpha1.RevokedArtifact{} },
		NewList:  func() runtime.Object { return &v1alpha1.RevokedArtifactList{} },
		Resource: v1alpha1.Resource("revokedartifacts"),
		Singular: "revokedartifact",
		Strategy: resources.NewDefaultStrategy(scope.Scheme, v1alpha1.SchemeGroupVersion),
		Table:    newTable(clock),
	})
}

// Storages are the resource.
func Storages(store *resources.Store) resources.Storages {
	return resources.Storages{"": &REST{store, store, store, store, store, store, store}}
}

func newTable(clock clock.PassiveClock) resources.Table[*v1alpha1.RevokedArtifact] {
	return table.New([]metav1.TableColumnDefinition{
		{Name: "Name", Type: "string", Format: "name", Description: "Name of the RevokedArtifact: the digest of the content."},
		{Name: "Build", Type: "string", Description: "Name of the build with which the content was revoked."},
		{Name: "By", Type: "string", Description: "User who revoked the content."},
		{Name: "Reason", Type: "string", Description: "Reason that the user gave."},
		{Name: "Age", Type: "string", Description: "Time since the RevokedArtifact was created."},
	}, func(of *v1alpha1.RevokedArtifact) []any {
		return []any{of.Name, of.Spec.Build, of.Spec.Revocation.By, of.Spec.Revocation.Reason, table.Age(clock, of.CreationTimestamp)}
	})
}
