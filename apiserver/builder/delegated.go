// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"fmt"
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/admission/plugin/policy/mutating"
	genericapiserver "k8s.io/apiserver/pkg/server"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	"k8s.io/client-go/discovery"
)

// delegation is what only the mode of an aggregated API server needs: the cluster's admission plugins and the informers of all kinds of
// Kubernetes. Only WithDelegatedAuth refers to it, so the linker leaves them out of programs whose servers are all standalone.
type delegation struct {
	options func() *genericoptions.RecommendedOptions
	apply   func(*genericoptions.RecommendedOptions, *genericapiserver.RecommendedConfig) error
}

// WithDelegatedAuth is the mode of an aggregated API server. A kube-apiserver authenticates and authorizes every request, and
// the server runs the cluster's admission plugins. The command's kubeconfig flags name the kube-apiserver, which defaults to
// that of the cluster in which the server runs.
func (s *Server) WithDelegatedAuth() *Server {
	s.delegated = &delegation{
		options: func() *genericoptions.RecommendedOptions {
			return genericoptions.NewRecommendedOptions(storagePrefix, nil)
		},
		apply: applyDelegated,
	}
	return s
}

func applyDelegated(options *genericoptions.RecommendedOptions, config *genericapiserver.RecommendedConfig) error {
	var err error
	if options.Admission, err = admissionFor(options.Admission, options.CoreAPI); err != nil {
		return err
	}
	return options.ApplyTo(config)
}

// admissionFor returns the admission options for the cluster. Clusters before Kubernetes 1.36 have no mutating policies, so
// it disables their plugin. The plugin would wait for the policies, and every write would wait for the plugin.
func admissionFor(options *genericoptions.AdmissionOptions, core *genericoptions.CoreAPIOptions) (*genericoptions.AdmissionOptions, error) {
	if options == nil || slices.Contains(options.DisablePlugins, mutating.PluginName) {
		return options, nil
	}
	cluster := &genericapiserver.RecommendedConfig{}
	if err := core.ApplyTo(cluster); err != nil {
		return nil, err
	}
	client, err := discovery.NewDiscoveryClientForConfig(cluster.ClientConfig)
	if err != nil {
		return nil, fmt.Errorf("connect to the kube-apiserver: %w", err)
	}
	group := admissionregistrationv1.SchemeGroupVersion
	served, err := client.ServerResourcesForGroupVersion(group.String())
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("ask the kube-apiserver for the resources of %s: %w", group, err)
	}
	if err == nil && slices.ContainsFunc(served.APIResources, func(r metav1.APIResource) bool { return r.Name == "mutatingadmissionpolicies" }) {
		return options, nil
	}
	without := *options
	without.DisablePlugins = append(slices.Clone(options.DisablePlugins), mutating.PluginName)
	return &without, nil
}
