// SPDX-License-Identifier: Apache-2.0

package kustomize_test

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

// webhooksReachTheController ensures that a Service and a NetworkPolicy let senders reach the port at which the controller receives webhooks, and that its
// secret is in a file that follows the Secret.
func webhooksReachTheController(t *testing.T, built installation) {
	for _, each := range workloads(built.objects) {
		container, flags := each.template.Spec.Containers[0], map[string]string{}
		for _, argument := range container.Args {
			if name, value, _ := strings.Cut(argument, "="); strings.HasPrefix(name, "--source-webhook-") {
				flags[name] = value
			}
		}
		ports := slices.DeleteFunc(slices.Clone(container.Ports), func(port corev1.ContainerPort) bool { return port.Name != "webhooks" })
		if !built.has(sourceWebhooks) || each.name != "goldsmith-controller" {
			if len(flags)+len(ports) > 0 {
				t.Errorf("%s receives webhooks: %v at %v", each, flags, ports)
			}
			continue
		}
		if len(ports) != 1 || flags["--source-webhook-address"] != fmt.Sprintf(":%d", ports[0].ContainerPort) {
			t.Errorf("%s has the flags %v and the ports %v", each, flags, container.Ports)
		}
		secret := func(mount corev1.VolumeMount) bool {
			return mount.SubPath == "" && path.Dir(flags["--source-webhook-secret-file"]) == mount.MountPath && slices.ContainsFunc(each.template.Spec.Volumes, func(volume corev1.Volume) bool {
				return volume.Name == mount.Name && volume.Secret != nil && volume.Secret.Items[0].Path == path.Base(flags["--source-webhook-secret-file"])
			})
		}
		if !slices.ContainsFunc(container.VolumeMounts, secret) {
			t.Errorf("%s mounts no secret for the flags %v: %v", each, flags, container.VolumeMounts)
		}
		services := slices.ContainsFunc(of[*corev1.Service](built.objects), func(service *corev1.Service) bool {
			return selects(service.Spec.Selector, each.template.Labels) && slices.ContainsFunc(service.Spec.Ports, func(port corev1.ServicePort) bool { return port.TargetPort.StrVal == "webhooks" })
		})
		policies := slices.ContainsFunc(of[*networkingv1.NetworkPolicy](built.objects), func(policy *networkingv1.NetworkPolicy) bool {
			return selects(policy.Spec.PodSelector.MatchLabels, each.template.Labels) && slices.ContainsFunc(policy.Spec.Ingress, func(rule networkingv1.NetworkPolicyIngressRule) bool {
				return len(rule.From) == 0 && slices.ContainsFunc(rule.Ports, func(port networkingv1.NetworkPolicyPort) bool { return port.Port.StrVal == "webhooks" })
			})
		})
		if !services || !policies {
			t.Errorf("senders reach %s by a Service: %t, past NetworkPolicies: %t", each, services, policies)
		}
	}
}
