// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	admissionmetrics "k8s.io/apiserver/pkg/admission/metrics"
	"k8s.io/apiserver/pkg/admission/plugin/namespace/lifecycle"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"

	"goldsmith.dev/goldsmith/apiserver/authentication"
)

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
	config.SharedInformerFactory = informers.NewSharedInformerFactory(client, 0)
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
