// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	admissionmetrics "k8s.io/apiserver/pkg/admission/metrics"
	"k8s.io/apiserver/pkg/admission/plugin/namespace/lifecycle"
	"k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/authentication/request/anonymous"
	"k8s.io/apiserver/pkg/authentication/request/union"
	"k8s.io/apiserver/pkg/authorization/path"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
)

// protect gives a standalone server its own authentication, authorization and admission. Without them the generic server
// would allow every request.
func (o *Options) protect(config *genericapiserver.RecommendedConfig) error {
	config.Authentication.Authenticator = union.NewFailOnError(
		tokenAuthenticator(o.server.tokens, o.server.guests), anonymous.NewAuthenticator(anonymousPaths()))
	probes, err := path.NewAuthorizer(probePaths())
	if err != nil {
		return fmt.Errorf("let everybody probe the server: %w", err)
	}
	config.Authorization.Authorizer = rightsOf(probes, o.server.guests)
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

// probePaths returns the paths that answer without a token, as those of kube-apiserver do: supervisors and load balancers have none.
// Their checks, such as /readyz/etcd, need one.
func probePaths() []string {
	return []string{"/healthz", "/livez", "/readyz"}
}

func anonymousPaths() []apiserver.AnonymousAuthCondition {
	var conditions []apiserver.AnonymousAuthCondition
	for _, probe := range probePaths() {
		conditions = append(conditions, apiserver.AnonymousAuthCondition{Path: probe})
	}
	return conditions
}

// servesNamespaces reports whether this server has Namespaces, so that admission can require the namespace of other objects.
func (o *Options) servesNamespaces() bool {
	return slices.ContainsFunc(o.server.resources, func(resource resource) bool {
		return resource.name == "namespaces" && resource.in("")
	})
}
