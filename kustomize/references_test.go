// SPDX-License-Identifier: Apache-2.0

package kustomize_test

import (
	"maps"
	"net/netip"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"goldsmith.dev/goldsmith/e2e/require"
)

// names are those of the objects of a kind.
func names(objects []object, kind string) []string {
	var found []string
	for _, each := range objects {
		if each.kind.Kind == kind {
			found = append(found, each.name)
		}
	}
	return found
}

// secretNames are those of the Secrets that are applied, that cert-manager makes, and that the operator brings along.
func secretNames(t *testing.T, built installation) []string {
	t.Helper()
	found := names(built.objects, "Secret")
	for _, each := range built.objects {
		if each.kind.Kind != "Certificate" {
			continue
		}
		name, _, err := unstructured.NestedString(each.value.(*unstructured.Unstructured).Object, "spec", "secretName")
		require.NoError(t, err)
		found = append(found, name)
	}
	if built.has(externalEtcd) {
		found = append(found, "goldsmith-etcd-client")
	}
	if built.has(archiveS3) {
		found = append(found, "goldsmith-log-archive")
	}
	if built.has(sourceWebhooks) {
		found = append(found, "goldsmith-source-webhooks")
	}
	if built.has(console) {
		found = append(found, "goldsmith-console")
	}
	if built.has(recordsExternal) || built.has(recordsPostgres) {
		found = append(found, "goldsmith-records")
	}
	return found
}

func whatPodsReferToIsThere(t *testing.T, built installation) {
	secrets, accounts := secretNames(t, built), names(built.objects, "ServiceAccount")
	configMaps := append(names(built.objects, "ConfigMap"), "kube-root-ca.crt") // every namespace's own
	for _, each := range workloads(built.objects) {
		pod := each.template.Spec
		if account := pod.ServiceAccountName; account != "" && !slices.Contains(accounts, account) {
			t.Errorf("%s: there is no ServiceAccount %s", each, account)
		}
		if pod.ServiceAccountName == "" && (pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken) {
			t.Errorf("%s gets a token that it has no use for", each)
		}
		for _, volume := range pod.Volumes {
			if source := volume.ConfigMap; source != nil && !slices.Contains(configMaps, source.Name) {
				t.Errorf("%s: there is no ConfigMap %s", each, source.Name)
			}
			if source := volume.Secret; source != nil && !slices.Contains(secrets, source.SecretName) {
				t.Errorf("%s: there is no Secret %s", each, source.SecretName)
			}
		}
		for _, variable := range pod.Containers[0].Env {
			if source := variable.ValueFrom; source != nil && source.ConfigMapKeyRef != nil && !slices.Contains(configMaps, source.ConfigMapKeyRef.Name) {
				t.Errorf("%s: there is no ConfigMap %s", each, source.ConfigMapKeyRef.Name)
			}
			if source := variable.ValueFrom; source != nil && source.SecretKeyRef != nil && !slices.Contains(secrets, source.SecretKeyRef.Name) {
				t.Errorf("%s: there is no Secret %s", each, source.SecretKeyRef.Name)
			}
		}
		for _, source := range pod.Containers[0].EnvFrom {
			if source.SecretRef == nil || !slices.Contains(secrets, source.SecretRef.Name) {
				t.Errorf("%s: %+v is not there", each, source)
			}
		}
	}
}

// A pod waits for the keys that its volume names. The authority's key is not among these keys.
func podsMountSingleKeysOfSecrets(t *testing.T, built installation) {
	for _, each := range workloads(built.objects) {
		for _, volume := range each.template.Spec.Volumes {
			if volume.Secret == nil {
				continue
			}
			if len(volume.Secret.Items) == 0 {
				t.Errorf("%s mounts all of %s", each, volume.Secret.SecretName)
			}
			for _, item := range volume.Secret.Items {
				if item.Key == "ca.key" {
					t.Errorf("%s mounts the authority's key of %s", each, volume.Secret.SecretName)
				}
			}
		}
	}
}

// Applying a Secret again would overwrite the content that an earlier apply has set.
func secretsAreAppliedWithoutContent(t *testing.T, built installation) {
	for _, each := range of[*corev1.Secret](built.objects) {
		if len(each.Data)+len(each.StringData) > 0 {
			t.Errorf("Secret %s is applied with content", each.Name)
		}
	}
}

func selectorsAndPortsMatchPods(t *testing.T, built installation) {
	pods := workloads(built.objects)
	for _, each := range pods {
		if !selects(each.selector, each.template.Labels) {
			t.Errorf("%s does not select its own pods", each)
		}
	}
	for _, service := range of[*corev1.Service](built.objects) {
		for _, port := range service.Spec.Ports {
			if !hasPort(pods, service.Spec.Selector, port.TargetPort.StrVal) {
				t.Errorf("no pod of Service %s has a port %s", service.Name, &port.TargetPort)
			}
		}
	}
	for _, policy := range of[*networkingv1.NetworkPolicy](built.objects) {
		selector := policy.Spec.PodSelector.MatchLabels
		if policy.Namespace == archives {
			continue
		}
		if len(selector) == 0 {
			if policy.Name != "goldsmith-default-deny" || len(policy.Spec.Ingress)+len(policy.Spec.Egress) > 0 {
				t.Errorf("NetworkPolicy %s is for all pods", policy.Name)
			}
			continue
		}
		for _, rule := range policy.Spec.Ingress {
			for _, port := range rule.Ports {
				if !hasPort(pods, selector, port.Port.StrVal) {
					t.Errorf("NetworkPolicy %s: no pod has a port %s", policy.Name, port.Port)
				}
			}
		}
	}
}

func everyPodIsReachedOnlyAsANetworkPolicySays(t *testing.T, built installation) {
	policies := of[*networkingv1.NetworkPolicy](built.objects)
	denied := slices.ContainsFunc(policies, func(p *networkingv1.NetworkPolicy) bool {
		return p.Namespace == namespace && len(p.Spec.PodSelector.MatchLabels) == 0 && len(p.Spec.PolicyTypes) == 2
	})
	if !denied {
		t.Error("what no policy names is not denied")
	}
	for _, each := range workloads(built.objects) {
		own := slices.ContainsFunc(policies, func(p *networkingv1.NetworkPolicy) bool {
			return maps.Equal(p.Spec.PodSelector.MatchLabels, each.selector)
		})
		if !own {
			t.Errorf("no policy lets %s do its work", each)
		}
	}
}

// checksReachArchivesAndNothingOfNodes ensures that the only policy for the pods of checks lets them out to mirrors at any port, but not to the
// metadata of nodes, and nobody in.
func checksReachArchivesAndNothingOfNodes(t *testing.T, built installation) {
	policies := slices.DeleteFunc(of[*networkingv1.NetworkPolicy](built.objects), func(p *networkingv1.NetworkPolicy) bool { return p.Namespace != archives })
	if len(policies) != 1 || len(policies[0].Spec.PodSelector.MatchLabels) > 0 || len(policies[0].Spec.PolicyTypes) != 2 || len(policies[0].Spec.Ingress) > 0 {
		t.Fatalf("the policies are %v", policies)
	}
	for address, want := range map[string]bool{
		"151.101.2.132": true, "10.1.2.3": true, "2a04:4e42::644": true,
		"169.254.169.254": false, "fe80::1": false, "fd00:ec2::254": false,
	} {
		if got := reachesAtAnyPort(t, policies[0], netip.MustParseAddr(address)); got != want {
			t.Errorf("checks reach %s at any port: %t", address, got)
		}
	}
}

// reachesAtAnyPort reports whether the pods of a policy reach an address outside the cluster at every port.
func reachesAtAnyPort(t *testing.T, policy *networkingv1.NetworkPolicy, address netip.Addr) bool {
	t.Helper()
	within := func(block string) bool { return require.Value(netip.ParsePrefix(block))(t).Contains(address) }
	return slices.ContainsFunc(policy.Spec.Egress, func(rule networkingv1.NetworkPolicyEgressRule) bool {
		return len(rule.Ports) == 0 && (len(rule.To) == 0 || slices.ContainsFunc(rule.To, func(to networkingv1.NetworkPolicyPeer) bool {
			return to.IPBlock != nil && within(to.IPBlock.CIDR) && !slices.ContainsFunc(to.IPBlock.Except, within)
		}))
	})
}

func priorityLevelsOfFlowsAreThere(t *testing.T, built installation) {
	levels := append(names(built.objects, "PriorityLevelConfiguration"), "leader-election") // every cluster's own
	accounts := names(built.objects, "ServiceAccount")
	for _, flow := range of[*flowcontrolv1.FlowSchema](built.objects) {
		if !slices.Contains(levels, flow.Spec.PriorityLevelConfiguration.Name) {
			t.Errorf("FlowSchema %s: there is no level %s", flow.Name, flow.Spec.PriorityLevelConfiguration.Name)
		}
		for _, rule := range flow.Spec.Rules {
			for _, subject := range rule.Subjects {
				if account := subject.ServiceAccount; account == nil || account.Namespace != namespace || !slices.Contains(accounts, account.Name) {
					t.Errorf("FlowSchema %s is about %+v", flow.Name, subject)
				}
			}
		}
	}
}

func selects(selector, labels map[string]string) bool {
	for name, value := range selector {
		if labels[name] != value {
			return false
		}
	}
	return len(selector) > 0
}

func hasPort(pods []workload, selector map[string]string, name string) bool {
	return slices.ContainsFunc(pods, func(w workload) bool {
		return selects(selector, w.template.Labels) && slices.ContainsFunc(w.template.Spec.Containers[0].Ports, func(port corev1.ContainerPort) bool {
			return port.Name == name
		})
	})
}
