// SPDX-License-Identifier: Apache-2.0

package dynamic

import (
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiserver/pkg/registry/rest"

	"goldsmith.dev/goldsmith/apiserver/resources"
)

// Kind is a kind that a Group serves. Nothing changes it: a changed kind is another Kind. All fields are required unless they are
// marked as optional.
type Kind struct {
	// Definition describes the kind as a CustomResourceDefinition would: group, names, scope, and exactly one version with its name,
	// schema, printer columns and selectable fields. Other fields have no effect. The server does not store the definition.
	Definition *apiextensionsv1.CustomResourceDefinition

	// Structural is the structural schema of whole objects. Objects of requests lose fields that the schema lacks, and get
	// its defaults for admission. Optional: the schema of the definition.
	Structural *structuralschema.Structural

	// Revision identifies the contents of the kind. Replace keeps a kind whose names, version and revision are those of a served
	// kind, with its storages and its watches. So every change of the other fields changes the revision.
	Revision string

	// Storages creates the handlers of the kind: "" is the resource itself, other names are subresources. The resource and each
	// subresource have the verbs of their interfaces: rest.Getter, Lister, Watcher, Creater, Updater, Patcher, GracefulDeleter,
	// CollectionDeleter and, for subresources, GetterWithOptions, NamedCreater and Connecter. Other verbs are answered with 405.
	//
	// A subresource that is a NamedCreater can have requests of another kind, such as autoscaling/v1 Scale: New returns a Go type
	// that the scheme of the server knows. Its requests and answers are read, checked and written as those of static resources.
	// Options of a GetterWithOptions are of a Go type of that scheme, too. If its answer is a rest.ResourceStreamer, the answer
	// goes on when the kind is replaced. rest.StorageMetadata describes answers.
	//
	// All other objects that the handlers get are *unstructured.Unstructured, and so is what New returns where objects are created or
	// updated. They have no unknown fields, and no defaults: so a handler can tell a default that a user sets from a field that a user
	// leaves out. Admission gets objects with defaults. The handlers set the defaults and validate the values. They pass
	// *unstructured.Unstructured to UpdatedObjectInfo and to functions that validate. What they return may have any type that
	// encodes as JSON with its apiVersion and kind. The server does not change it, so that requests can share it.
	//
	// Destroy is called when the kind is replaced and its last request has ended, or the server stops.
	Storages func(serving Serving) (resources.Storages, error)
}

// Serving is the part of the server that the handlers of a kind may use.
type Serving struct {
	// Scope is the scope of the server.
	Scope *resources.Scope

	// Table makes the printer columns of the definition. A rest.Lister can embed it.
	Table rest.TableConvertor

	// Retired is closed when another kind, or none, takes the place of this kind. Watches end then without help from the handlers:
	// their clients get 410 Expired, and list again.
	Retired <-chan struct{}
}
