// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"fmt"
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	admissionmetrics "k8s.io/apiserver/pkg/admission/metrics"
	"k8s.io/apiserver/pkg/admission/plugin/namespace/lifecycle"
	genericapiserver "k8s.io/apiserver/pkg/server"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	"k8s.io/client-go/informers"
	coregroup "k8s.io/client-go/informers/core"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"

	"goldsmith.dev/goldsmith/apiserver/authentication"
)

// standaloneOptions are the generic server's options without those for a kube-apiserver: authentication, authorization and admission are
// our own, and no objects configure priority and fairness.
func standaloneOptions() *genericoptions.RecommendedOptions {
	serving, features := genericoptions.NewSecureServingOptions(), genericoptions.NewFeatureOptions()
	serving.HTTP2MaxStreamsPerConnection = 1000 // as genericoptions.NewRecommendedOptions
	features.EnablePriorityAndFairness = false
	return &genericoptions.RecommendedOptions{
		Etcd:          genericoptions.NewEtcdOptions(storagebackend.NewDefaultConfig(storagePrefix, nil)),
		SecureServing: serving.WithLoopback(),
		Audit:         genericoptions.NewAuditOptions(),
		Features:      features,
		Traces:        genericoptions.NewTracingOptions(),
	}
}

// applyStandalone is ApplyTo of the options that a standalone server has.
func applyStandalone(options *genericoptions.RecommendedOptions, config *genericapiserver.RecommendedConfig) error {
	if err := options.Traces.ApplyTo(nil, &config.Config); err != nil {
		return err
	}
	if err := options.Audit.ApplyTo(&config.Config); err != nil {
		return err
	}
	return options.Features.ApplyTo(&config.Config, nil, nil)
}

// namespaces is a factory of the informer of Namespaces. The library's factory would link the informers of all kinds.
type namespaces struct {
	informers.SharedInformerFactory
	informer cache.SharedIndexInformer
}

func newNamespaces(client kubernetes.Interface) namespaces {
	return namespaces{informer: coreinformers.NewNamespaceInformer(client, 0, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})}
}

// Start runs the informer until stop is closed.
func (n namespaces) Start(stop <-chan struct{}) { go n.informer.Run(stop) }

// WaitForCacheSync is for the server's check of its readiness, which does not wait.
func (n namespaces) WaitForCacheSync(<-chan struct{}) map[reflect.Type]bool {
	return map[reflect.Type]bool{reflect.TypeFor[*corev1.Namespace](): n.informer.HasSynced()}
}

// Core returns the group of Namespaces.
func (n namespaces) Core() coregroup.Interface { return core{informer: n.informer} }

// core is the group of Namespaces, and its only version.
type core struct {
	coreinformers.Interface
	informer cache.SharedIndexInformer
}

// V1 returns the only version.
func (c core) V1() coreinformers.Interface { return c }

// Namespaces returns the informer.
func (c core) Namespaces() coreinformers.TypedNamespaceInformer { return namespaceInformer{c.informer} }

type namespaceInformer struct{ informer cache.SharedIndexInformer }

// Informer returns the informer without the type of its objects.
func (i namespaceInformer) Informer() cache.SharedIndexInformer { return i.informer }

// TypedInformer returns the informer.
func (i namespaceInformer) TypedInformer() coreinformers.NamespaceIndexInformer {
	return cache.NewTypedSharedIndexInformer[*corev1.Namespace](i.informer)
}

// Lister reads what the informer has.
func (i namespaceInformer) Lister() corelisters.NamespaceLister {
	return corelisters.NewNamespaceLister(i.informer.GetIndexer())
}

// protect gives a standalone server its own authentication, authorization and admission. Without them the generic server
// would allow every request.
func (o *Options) protect(config *genericapiserver.RecommendedConfig) error {
	var err error
	config.Authentication.Authenticator, config.Authorization.Authorizer, err = authentication.Standalone(o.server.tokens, o.server.guests)
	if err != nil {
		return err
	}
	if !o.servesNamespaces() {
		return nil
	}
	client, err := kubernetes.NewForConfig(config.LoopbackClientConfig)
	if err != nil {
		return fmt.Errorf("connect namespace admission to the server itself: %w", err)
	}
	config.SharedInformerFactory = newNamespaces(client)
	plugin, err := lifecycle.NewLifecycle(sets.New(metav1.NamespaceDefault))
	if err != nil {
		return fmt.Errorf("make namespace admission: %w", err)
	}
	plugin.SetExternalKubeClientSet(client)
	plugin.SetExternalKubeInformerFactory(config.SharedInformerFactory)
	if err := plugin.ValidateInitialization(); err != nil {
		return fmt.Errorf("make namespace admission: %w", err)
	}
	config.AdmissionControl = admissionmetrics.WithControllerMetrics(plugin, lifecycle.PluginName)
	return nil
}

// servesNamespaces reports whether this server has Namespaces, so that admission can require the namespace of other objects.
func (o *Options) servesNamespaces() bool {
	return slices.ContainsFunc(o.server.provisions, func(p provision) bool { return p.have("", "namespaces") })
}
