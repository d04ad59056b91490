// SPDX-License-Identifier: Apache-2.0

package dynamic

import (
	"context"
	"net/http"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/endpoints/handlers"
	"k8s.io/apiserver/pkg/registry/rest"

	"goldsmith.dev/goldsmith/apiserver/requesterrors"
)

// verbs are those of requests, and of discovery.
var verbs = []string{"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}

// patchTypes are those of custom resources. A strategic merge patch needs Go types.
var patchTypes = []string{string(types.JSONPatchType), string(types.MergePatchType), string(types.ApplyYAMLPatchType)}

// endpoint is a resource or one of its subresources.
type endpoint struct {
	storage           rest.Storage
	scope             *handlers.RequestScope
	admission         admission.Interface
	minRequestTimeout time.Duration
	retired           <-chan struct{}
	patches           requesterrors.Patches
}

// explaining blames clients for their patches, and names the fields.
type explaining struct {
	rest.Updater
	patches requesterrors.Patches
}

// Update changes an object.
func (e explaining) Update(ctx context.Context, name string, object rest.UpdatedObjectInfo, createValidation rest.ValidateObjectFunc,
	updateValidation rest.ValidateObjectUpdateFunc, forceAllowCreate bool, options *metav1.UpdateOptions) (runtime.Object, bool, error) {
	return e.Updater.Update(ctx, name, e.patches.Explain(object), createValidation, updateValidation, forceAllowCreate, options)
}

// patcher is a rest.Patcher whose errors are explained.
type patcher struct {
	rest.Getter
	explaining
}

// verbs returns the verbs of the endpoint, for discovery.
func (e *endpoint) verbs() metav1.Verbs {
	supported := metav1.Verbs{}
	for _, verb := range verbs {
		if e.handler(verb) != nil {
			supported = append(supported, verb)
		}
	}
	for method, verb := range map[string]string{http.MethodGet: "get", http.MethodPost: "create", http.MethodPut: "update", http.MethodPatch: "patch", http.MethodDelete: "delete"} {
		if e.connects(method) && !slices.Contains(supported, verb) {
			supported = append(supported, verb)
		}
	}
	slices.Sort(supported)
	return supported
}

// connects reports whether a connection to the endpoint begins with requests of this method.
func (e *endpoint) connects(method string) bool {
	connecter, ok := e.storage.(rest.Connecter)
	return ok && slices.Contains(connecter.ConnectMethods(), method)
}

// connect returns the handler of such requests.
func (e *endpoint) connect() http.HandlerFunc {
	path := e.scope.Resource.Resource + "/" + e.scope.Subresource
	return handlers.ConnectResource(e.storage.(rest.Connecter), e.scope, e.admission, path, true)
}

// handler returns the handler of a verb for one request, or nil if the storage lacks the verb. The handlers of the library are not
// safe for several requests at a time.
func (e *endpoint) handler(verb string) http.HandlerFunc {
	switch verb {
	case "get":
		if storage, ok := e.storage.(rest.Getter); ok {
			return handlers.GetResource(storage, e.scope)
		}
		if storage, ok := e.storage.(rest.GetterWithOptions); ok {
			return handlers.GetResourceWithOptions(storage, e.scope, e.scope.Subresource != "")
		}
	case "list":
		if storage, ok := e.storage.(rest.Lister); ok {
			return handlers.ListResource(storage, nil, e.scope, false, e.minRequestTimeout)
		}
	case "watch":
		storage, isLister := e.storage.(rest.Lister)
		if watcher, ok := e.storage.(rest.Watcher); ok && isLister {
			return handlers.ListResource(storage, retiring{watcher, e.retired}, e.scope, true, e.minRequestTimeout)
		}
	case "create":
		if storage, ok := e.storage.(rest.Creater); ok {
			return handlers.CreateResource(storage, e.scope, e.admission)
		}
		if storage, ok := e.storage.(rest.NamedCreater); ok {
			return handlers.CreateNamedResource(storage, e.scope, e.admission)
		}
	case "update":
		if storage, ok := e.storage.(rest.Updater); ok {
			return handlers.UpdateResource(explaining{storage, e.patches}, e.scope, e.admission)
		}
	case "patch":
		if storage, ok := e.storage.(rest.Patcher); ok {
			return handlers.PatchResource(patcher{storage, explaining{storage, e.patches}}, e.scope, e.admission, patchTypes)
		}
	case "delete":
		if storage, ok := e.storage.(rest.GracefulDeleter); ok {
			return handlers.DeleteResource(storage, true, e.scope, e.admission)
		}
	case "deletecollection":
		if storage, ok := e.storage.(rest.CollectionDeleter); ok {
			return handlers.DeleteCollection(storage, true, e.scope, e.admission)
		}
	}
	return nil
}
