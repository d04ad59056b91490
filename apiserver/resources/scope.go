// SPDX-License-Identifier: Apache-2.0

package resources

import (
	"context"

	"k8s.io/apimachinery/pkg/conversion"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/apiserver/pkg/registry/rest"
	restclient "k8s.io/client-go/rest"
	"k8s.io/kube-openapi/pkg/validation/spec"

	"goldsmith.dev/goldsmith/apiserver/locks"
	"goldsmith.dev/goldsmith/apiserver/requesterrors"
)

// Storages are the handlers of one resource, by subresource: "" is the resource itself, "status", "log" and so on.
type Storages map[string]rest.Storage

// Provider creates the handlers of one resource. It is called once per server, before any request. It must not start
// anything, and the Destroy methods of the storages close everything that it opens.
type Provider func(scope *Scope) (Storages, error)

// GroupProvider creates the handlers of several resources by their names. It is called like a Provider.
type GroupProvider func(scope *Scope) (map[string]Storages, error)

// Scope is the part of the server that a Provider may use.
type Scope struct {
	// Scheme knows every type that the server's install functions registered.
	Scheme *runtime.Scheme

	// RESTOptions returns the storage options of a resource. It is nil on a server without storage.
	RESTOptions generic.RESTOptionsGetter

	// Admission must admit an object that a handler creates or changes at the URL of another resource. It is nil if the server has no
	// admission.
	Admission admission.Interface

	// Authorizer decides permissions on this server or, with delegated authentication, in its whole cluster. A handler must ask
	// it before it shows a user data that it read with the server's own permissions.
	Authorizer authorizer.UnconditionalAuthorizer

	// Loopback is a privileged connection to the server itself. It works once the server runs, so not in a Provider.
	Loopback *restclient.Config

	// Core is a connection to the kube-apiserver that a server with delegated authentication works for, as the server
	// itself. It has no rate limit: the kube-apiserver's priority and fairness is one. It is nil on a standalone server.
	Core *restclient.Config

	// Equalities compare values that an update does not change: see Ratchet.
	Equalities conversion.Equalities

	// Schemas are those of the server's OpenAPI document, by their references: see Schemas. Nil if it has none.
	Schemas func() map[string]*spec.Schema

	// Space knows whether the storage is full.
	Space *requesterrors.Space

	// Locks are the locks of the server.
	Locks *locks.Locks
}

// Lock takes the lock of a name, which all servers with the same storage share. It protects a rule about several objects, which
// a single write cannot enforce: lock, check, write, unlock. If the lock is not free within 5 seconds, the error has status 503
// and Retry-After.
func (s *Scope) Lock(ctx context.Context, name string) (*locks.Lock, error) {
	return s.Locks.Lock(ctx, name)
}

// ExplainPatches returns the same update of objects like the example, whose errors blame a client for its patch and name the
// fields. A Store does so itself.
func (s *Scope) ExplainPatches(update rest.UpdatedObjectInfo, example runtime.Object) (rest.UpdatedObjectInfo, error) {
	patches, err := requesterrors.ForPatches(s.Scheme, example)
	return patches.Explain(update), err
}
