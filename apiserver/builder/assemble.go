// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"fmt"
	"slices"
	"sync"

	apiextensionsopenapi "k8s.io/apiextensions-apiserver/pkg/generated/openapi"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/endpoints/openapi"
	"k8s.io/apiserver/pkg/registry/rest"
	genericapiserver "k8s.io/apiserver/pkg/server"
	genericfilters "k8s.io/apiserver/pkg/server/filters"
	"k8s.io/apiserver/pkg/server/healthz"
	"k8s.io/apiserver/pkg/server/options/encryptionconfig"
	serverstorage "k8s.io/apiserver/pkg/server/storage"
	restclient "k8s.io/client-go/rest"
	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/validation/spec"

	"goldsmith.dev/goldsmith/apiserver/authentication"
	"goldsmith.dev/goldsmith/apiserver/codecs"
	"goldsmith.dev/goldsmith/apiserver/dependencies"
	"goldsmith.dev/goldsmith/apiserver/dynamic"
	"goldsmith.dev/goldsmith/apiserver/locks"
	"goldsmith.dev/goldsmith/apiserver/requesterrors"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

// spaceCheck is the check of /readyz that fails while the storage is full. Reads and deletions work then, so probes exclude it.
const spaceCheck = "storage-space"

// assemble creates the generic server and installs the resources.
func (o *Options) assemble(transformers encryptionconfig.StaticTransformers) (*genericapiserver.GenericAPIServer, error) {
	config, err := o.config(transformers)
	if err != nil {
		return nil, err
	}
	server, err := config.Complete().New(o.server.name, genericapiserver.NewEmptyDelegate())
	if err != nil {
		return nil, fmt.Errorf("assemble: %w", err)
	}
	if err := o.install(server, config); err != nil {
		server.Destroy()
		return nil, err
	}
	return server, nil
}

// config turns the options into the configuration of a generic server.
func (o *Options) config(transformers encryptionconfig.StaticTransformers) (*genericapiserver.RecommendedConfig, error) {
	config := genericapiserver.NewRecommendedConfig(o.codecs)
	if err := o.ServerRun.ApplyTo(&config.Config); err != nil {
		return nil, fmt.Errorf("apply the run options: %w", err)
	}
	o.describe(config)

	streamed := append([]string{"log"}, o.server.streamed...) // exempt from the request timeout, and ended with the server
	config.LongRunningFunc = genericfilters.BasicLongRunningRequestCheck(sets.NewString("watch"), sets.NewString(streamed...))
	config.BuildHandlerChainFunc = o.handlerChain(streamed)

	err := o.secure(&config.Config)
	if err != nil {
		return nil, fmt.Errorf("apply the options for serving: %w", err)
	}
	recommended := *o.Recommended
	recommended.SecureServing = nil // applied
	recommended.Etcd = nil          // applied with an encoding per resource
	apply := applyStandalone
	if o.server.delegated != nil {
		apply = o.server.delegated.apply
	}
	if err := apply(&recommended, config); err != nil {
		return nil, fmt.Errorf("apply the options: %w", err)
	}
	if etcd := o.Recommended.Etcd; etcd != nil {
		storage := etcd.StorageConfig
		storage.StorageObjectCountTracker = config.StorageObjectCountTracker
		storage.Transport.TracerProvider = config.TracerProvider
		encoding := &codecs.StorageFactory{
			StorageFactory: &serverstorage.DefaultStorageFactory{StorageConfig: storage},
			Config:         storage,
			MediaType:      etcd.DefaultStorageMediaType,
			Versions:       o.server.stored,
			Scheme:         o.scheme,
			Codecs:         o.codecs,
		}
		if len(transformers) > 0 {
			config.ResourceTransformers = transformers
		}
		if err := etcd.ApplyWithStorageFactoryTo(encoding, &config.Config); err != nil {
			return nil, fmt.Errorf("connect the storage: %w", err)
		}
		// A restart does not repair the storage. So a failed storage makes the server not ready, but it stays alive.
		config.LivezChecks = slices.DeleteFunc(config.LivezChecks, func(check healthz.HealthChecker) bool { return check.Name() == dependencies.EtcdCheck })
	}
	if o.server.delegated != nil {
		authentication.MarkForwarded(&config.Authentication)
	} else if err := o.protect(config); err != nil {
		return nil, err
	}
	return config, nil
}

// describe sets both OpenAPI documents, from the same definitions.
func (o *Options) describe(config *genericapiserver.RecommendedConfig) {
	sources := o.server.openapi
	if len(o.server.dynamic) > 0 {
		// The library ends the process if a document lacks the types of discovery. A server of dynamic groups may have no definitions.
		sources = append(slices.Clip(sources), apiextensionsopenapi.GetOpenAPIDefinitions)
	}
	definitions := mergedDefinitions(sources)
	namer := openapi.NewDefinitionNamer(published(o.scheme))
	config.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(definitions, namer)
	config.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(definitions, namer)
	config.OpenAPIConfig.Info.Title, config.OpenAPIConfig.Info.Version = o.server.title, o.server.version
	config.OpenAPIV3Config.Info.Title, config.OpenAPIV3Config.Info.Version = o.server.title, o.server.version
}

// published returns the types of a scheme without their internal versions, which a public type can have too.
func published(scheme *runtime.Scheme) *runtime.Scheme {
	public := runtime.NewScheme()
	for kind := range scheme.AllKnownTypes() {
		if object, err := scheme.New(kind); err == nil && kind.Version != runtime.APIVersionInternal {
			public.AddKnownTypeWithName(kind, object)
		}
	}
	return public
}

// mergedDefinitions joins several sets of definitions. Of two definitions of a type, the first one counts.
func mergedDefinitions(sources []common.GetOpenAPIDefinitions) common.GetOpenAPIDefinitions {
	return func(reference common.ReferenceCallback) map[string]common.OpenAPIDefinition {
		merged := map[string]common.OpenAPIDefinition{}
		for _, source := range sources {
			for name, definition := range source(reference) {
				if _, known := merged[name]; !known {
					merged[name] = definition
				}
			}
		}
		return merged
	}
}

// install creates the handlers of every resource and adds them to the server, group by group. Then it adds the hooks and checks.
func (o *Options) install(server *genericapiserver.GenericAPIServer, config *genericapiserver.RecommendedConfig) error {
	scope := &resources.Scope{
		Scheme:      o.scheme,
		RESTOptions: config.RESTOptionsGetter,
		Admission:   config.AdmissionControl,
		Authorizer:  config.Authorization.Authorizer,
		Loopback:    server.LoopbackClientConfig,
		Core:        coreConnection(config),
		Equalities:  o.server.equalities,
		Schemas:     sync.OnceValue(func() map[string]*spec.Schema { return resources.Schemas(mergedDefinitions(o.server.openapi)) }),
		Space:       requesterrors.NewSpace(o.server.storage),
		Locks:       locks.New(o.sharedStorage()),
	}
	var names []string
	groups := map[string]*genericapiserver.APIGroupInfo{}
	for _, provision := range o.server.provisions {
		provided, err := provision.provider(scope)
		if err != nil {
			return err
		}
		for _, name := range provision.names {
			storages, known := provided[name]
			if !known {
				return fmt.Errorf("provide %s: the provider of its group does not", name)
			}
			for _, version := range provision.versions {
				info, known := groups[version.Group]
				if !known {
					names = append(names, version.Group)
					info = o.groupInfo(version.Group)
					groups[version.Group] = info
				}
				addStorages(info, version.Version, name, storages)
			}
		}
	}
	for _, name := range names {
		if err := installGroup(server, name, groups[name]); err != nil {
			return fmt.Errorf("install group %q: %w", name, err)
		}
	}
	if err := o.installDynamic(server, &config.Config, scope); err != nil {
		return err
	}
	for _, hook := range o.server.hooks {
		if err := server.AddPostStartHook(hook.name, hook.run); err != nil {
			return fmt.Errorf("add the post-start hook %s: %w", hook.name, err)
		}
	}
	checks := slices.Concat(authentication.ProxyChecks(&config.Authentication), o.server.checks)
	if o.server.storage != nil {
		checks = append(checks, healthz.NamedCheck(spaceCheck, scope.Space.Check))
	}
	if err := server.AddReadyzChecks(checks...); err != nil {
		return fmt.Errorf("add checks to /readyz: %w", err)
	}
	return nil
}

// installDynamic adds the groups whose kinds can be replaced. Their kinds join the OpenAPI documents, which the server creates just
// before it serves.
func (o *Options) installDynamic(server *genericapiserver.GenericAPIServer, config *genericapiserver.Config, scope *resources.Scope) error {
	if len(o.server.dynamic) == 0 {
		return nil
	}
	for _, group := range o.server.dynamic {
		if err := group.Install(server, config, scope); err != nil {
			return err
		}
	}
	return server.AddPostStartHook("openapi-of-dynamic-groups", func(genericapiserver.PostStartHookContext) error {
		dynamic.Publish(server, o.server.dynamic)
		return nil
	})
}

func (o *Options) groupInfo(group string) *genericapiserver.APIGroupInfo {
	info := genericapiserver.NewDefaultAPIGroupInfo(group, o.scheme, runtime.NewParameterCodec(o.scheme), o.codecs)
	info.PrioritizedVersions = o.server.versions(group)
	// The serializer of the library writes lists item by item. A whole list would stay in memory while its client reads.
	info.NegotiatedSerializer = codecs.ForClients(o.scheme, info.PrioritizedVersions, info.NegotiatedSerializer)
	return &info
}

func addStorages(info *genericapiserver.APIGroupInfo, version, resource string, storages resources.Storages) {
	served := info.VersionedResourcesStorageMap[version]
	if served == nil {
		served = map[string]rest.Storage{}
		info.VersionedResourcesStorageMap[version] = served
	}
	for subresource, storage := range storages {
		name := resource
		if subresource != "" {
			name += "/" + subresource
		}
		served[name] = storage
	}
}

func installGroup(server *genericapiserver.GenericAPIServer, name string, info *genericapiserver.APIGroupInfo) error {
	if name == "" {
		return server.InstallLegacyAPIGroup(genericapiserver.DefaultLegacyAPIPrefix, info)
	}
	return server.InstallAPIGroup(info)
}

func coreConnection(config *genericapiserver.RecommendedConfig) *restclient.Config {
	if config.ClientConfig == nil {
		return nil
	}
	core := restclient.CopyConfig(config.ClientConfig)
	core.QPS = -1
	return core
}
