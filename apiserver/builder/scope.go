// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/apiserver/pkg/registry/rest"
	genericapiserver "k8s.io/apiserver/pkg/server"
	restclient "k8s.io/client-go/rest"
)

// Storages are the handlers of one resource, by subresource: "" is the resource itself, "status", "log" and so on.
type Storages map[string]rest.Storage

// Provider makes the handlers of one resource. It is called once per server, before any request.
// It may start nothing: what it opens is closed through the Destroy method of the storages.
type Provider func(scope *Scope) (Storages, error)

// GroupProvider makes the handlers of several resources, by their names. It is called as a Provider is.
type GroupProvider func(scope *Scope) (map[string]Storages, error)

// Scope is what a Provider may use of the server that it provides for.
type Scope struct {
	// Scheme knows every type that the server's install functions registered.
	Scheme *runtime.Scheme

	// RESTOptions says where and how a resource is stored. It is nil on a server without storage.
	RESTOptions generic.RESTOptionsGetter

	// Admission is what a handler must ask before it creates or changes an object behind another resource's URL.
	// It is nil when the server has no admission.
	Admission admission.Interface

	// Authorizer says who may do what, on this server or, with delegated authentication, in its whole cluster. It is asked
	// before a user is told what only the server itself was allowed to read.
	Authorizer authorizer.UnconditionalAuthorizer

	// Loopback is a privileged connection to the server itself. It works once the server runs, so not in a Provider.
	Loopback *restclient.Config

	// Core is a connection to the kube-apiserver that a server with delegated authentication works for, as the server
	// itself. It has no rate limit: the kube-apiserver's priority and fairness is one. It is nil on a standalone server.
	Core *restclient.Config

	provided    map[*GroupProvider]map[string]Storages
	locks       localLocks
	sharedLocks *sharedLocks // nil if nobody else uses the storage
}

// provide returns the handlers that a group provider makes of one of its resources. It calls the provider once.
func (s *Scope) provide(provider *GroupProvider, name string) (Storages, error) {
	storages, known := s.provided[provider]
	if !known {
		var err error
		if storages, err = (*provider)(s); err != nil {
			return nil, err
		}
		s.provided[provider] = storages
	}
	if _, provided := storages[name]; !provided {
		return nil, fmt.Errorf("provide %s: the provider of its group does not", name)
	}
	return storages[name], nil
}

func coreConnection(config *genericapiserver.RecommendedConfig) *restclient.Config {
	if config.ClientConfig == nil {
		return nil
	}
	core := restclient.CopyConfig(config.ClientConfig)
	core.QPS = -1
	return core
}
