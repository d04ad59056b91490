// SPDX-License-Identifier: Apache-2.0

package kustomize_test

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/e2e/require"
)

// TestSettingsOfArgoCD holds that the settings are the same for an Argo CD that exists and for one that Kustomize installs, and that
// the other settings of the latter stay. The tests in e2e/clients/argocd run the scripts.
func TestSettingsOfArgoCD(t *testing.T) {
	tree := inMemory(t)
	for file, text := range map[string]string{
		"kustomization.yaml": "namespace: argocd\nresources: [install.yaml]\ncomponents: [../../kustomize/gitops/argocd/customizations]\n",
		"install.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: argocd-cm, labels: {app.kubernetes.io/part-of: argocd}}\n" +
			"data: {url: https://argocd.example.com}\n",
	} {
		require.NoError(t, tree.WriteFile("layers/argocd/"+file, []byte(text)))
	}
	alone, merged := settings(t, build(t, tree, "kustomize/gitops/argocd")), settings(t, build(t, tree, "layers/argocd"))
	if merged.Data["url"] == "" {
		t.Errorf("the settings of the installation are lost: %v", merged.Data)
	}
	delete(merged.Data, "url")
	var keys []string
	for key, value := range alone.Data {
		keys = append(keys, strings.TrimPrefix(key, "resource.customizations."))
		if merged.Data[key] != value {
			t.Errorf("%s differs", key)
		}
	}
	slices.Sort(keys)
	want := []string{"actions.images.goldsmith.dev_Image", "actions.images.goldsmith.dev_ImageBuild", "health.images.goldsmith.dev_Image", "health.images.goldsmith.dev_ImageBuild", "resource.customizations"}
	if !slices.Equal(keys, want) || len(merged.Data) != len(alone.Data) {
		t.Errorf("got %v, want %v", keys, want)
	}
	// A key of a ConfigMap cannot have the wildcard of all kinds of a group.
	groups := map[string]map[string]string{}
	require.NoError(t, yaml.UnmarshalStrict([]byte(alone.Data["resource.customizations"]), &groups))
	catalog := groups["catalog.goldsmith.dev/*"]
	if script := alone.Data["resource.customizations.health.images.goldsmith.dev_Image"]; len(groups) != 1 || len(catalog) != 1 || catalog["health.lua"] != script {
		t.Errorf("the health of the catalog is %v, want that of Images", groups)
	}
}

// settings returns the ConfigMap of Argo CD. Beside it are only a role for Argo CD's API server, and its binding.
func settings(t *testing.T, objects []object) *corev1.ConfigMap {
	t.Helper()
	found := of[*corev1.ConfigMap](objects)
	roles, bindings := of[*rbacv1.ClusterRole](objects), of[*rbacv1.ClusterRoleBinding](objects)
	if len(objects) != 3 || len(found) != 1 || len(roles) != 1 || len(bindings) != 1 {
		t.Fatalf("got %v", objects)
	}
	want := rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Name: "argocd-server", Namespace: "argocd"}
	if binding := bindings[0]; binding.RoleRef.Name != roles[0].Name || len(binding.Subjects) != 1 || binding.Subjects[0] != want {
		t.Errorf("%v gets the role %s", binding.Subjects, binding.RoleRef.Name)
	}
	if object := found[0]; object.Namespace != "argocd" || object.Name != "argocd-cm" || object.Labels["app.kubernetes.io/part-of"] != "argocd" {
		t.Errorf("Argo CD does not read %s/%s with labels %v", object.Namespace, object.Name, object.Labels)
	}
	return found[0]
}
