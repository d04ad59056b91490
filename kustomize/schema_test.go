// SPDX-License-Identifier: Apache-2.0

package kustomize_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"k8s.io/client-go/kubernetes/scheme"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/e2e/require"
)

// others are the kinds that something else in the cluster defines, by the component that needs it.
var others = map[string][]schema.GroupVersionKind{
	certManager: {
		{Group: "cert-manager.io", Version: "v1", Kind: "Certificate"},
		{Group: "cert-manager.io", Version: "v1", Kind: "Issuer"},
	},
	monitoring: {
		{Group: "monitoring.coreos.com", Version: "v1", Kind: "PrometheusRule"},
		{Group: "monitoring.coreos.com", Version: "v1", Kind: "ServiceMonitor"},
	},
}

// strictDecoder knows the cluster's own kinds. A field that a kind does not have is an error.
func strictDecoder(t *testing.T) runtime.Decoder {
	t.Helper()
	known := runtime.NewScheme()
	require.NoError(t, errors.Join(scheme.AddToScheme(known), apiregistrationv1.AddToScheme(known), auditv1.AddToScheme(known)))
	return serializer.NewCodecFactory(known, serializer.EnableStrict).UniversalDeserializer()
}

// decode reads an object. Of kinds that the decoder does not know it only sees to it that no field is there twice.
func decode(decoder runtime.Decoder, text []byte) (object, error) {
	value, kind, err := decoder.Decode(text, nil, nil)
	if runtime.IsNotRegisteredError(err) {
		content := map[string]any{}
		if err := yaml.UnmarshalStrict(text, &content); err != nil {
			return object{}, err
		}
		foreign := &unstructured.Unstructured{Object: content}
		value, err = foreign, nil
		kind = new(foreign.GroupVersionKind())
	}
	if err != nil {
		return object{}, err
	}
	named, err := meta.Accessor(value)
	if err != nil {
		return object{}, err
	}
	return object{kind: *kind, namespace: named.GetNamespace(), name: named.GetName(), value: value}, nil
}

func everyKindIsTheClustersOrOfWhatAComponentNeeds(t *testing.T, built installation) {
	for _, each := range built.objects {
		if _, foreign := each.value.(*unstructured.Unstructured); !foreign {
			continue
		}
		allowed := false
		for component, kinds := range others {
			allowed = allowed || built.has(component) && slices.Contains(kinds, each.kind)
		}
		if !allowed {
			t.Errorf("%s is a %s", each, each.kind)
		}
	}
}

func noObjectIsThereTwice(t *testing.T, built installation) {
	seen := map[string]bool{}
	for _, each := range built.objects {
		id := each.kind.GroupKind().String() + " " + each.String()
		if seen[id] {
			t.Errorf("%s is there twice", id)
		}
		seen[id] = true
	}
}

// Selectors with these labels find each object, to count the objects or to check that all are deleted.
func everyObjectSaysWhatItIsPartOf(t *testing.T, built installation) {
	for _, each := range built.objects {
		named, err := meta.Accessor(each.value)
		require.NoError(t, err)
		if each.kind.Kind == "ConfigMap" && isOperators(built, each.name) {
			continue
		}
		if named.GetLabels()[partOfLabel] != "goldsmith" || named.GetLabels()[nameLabel] == "" {
			t.Errorf("%s has labels %v", each, named.GetLabels())
		}
	}
}

// isOperators reports whether a ConfigMap is the operator's own, whose name ends with a digest.
func isOperators(built installation, name string) bool {
	for component, configMap := range operators {
		if built.has(component) && strings.HasPrefix(name, configMap+"-") {
			return true
		}
	}
	return false
}

// The namespace of checks has no account and no Secret of ours. The controller creates Jobs in it, also with the component namespaced.
func theNamespacesAreRestricted(t *testing.T, built installation) {
	if found := names(built.objects, "Namespace"); !slices.Equal(found, []string{namespace, archives}) {
		t.Errorf("the namespaces are %v", found)
	}
	for _, each := range of[*corev1.Namespace](built.objects) {
		for _, mode := range []string{"enforce", "audit", "warn"} {
			if level := each.Labels["pod-security.kubernetes.io/"+mode]; level != "restricted" {
				t.Errorf("%s has the level %q in the mode %s", each.Name, level, mode)
			}
		}
	}
	elsewhere := []string{"goldsmith-archives/NetworkPolicy/goldsmith-archives", "kube-system/RoleBinding/goldsmith-apiserver-authentication-reader"}
	if built.has(namespaced) {
		elsewhere = append(elsewhere, "goldsmith-archives/RoleBinding/goldsmith-builds")
	}
	var found []string
	for _, each := range built.objects {
		if each.namespace != "" && each.namespace != namespace {
			found = append(found, each.String())
		}
	}
	if diff := cmp.Diff(elsewhere, found, cmpopts.SortSlices(strings.Compare)); diff != "" {
		t.Errorf("objects of other namespaces (-want +got):\n%s", diff)
	}
}

func theAPIServicesHaveTheirServerAndAreVerified(t *testing.T, built installation) {
	want := []string{"v1alpha1.images.goldsmith.dev", "v1.catalog.goldsmith.dev", "v1beta1.catalog.goldsmith.dev", "v1alpha1.catalog.goldsmith.dev"}
	if found := names(built.objects, "APIService"); !slices.Equal(found, want) {
		t.Errorf("the APIServices are %v, want %v", found, want)
	}
	priority := map[string]int32{} // of the last version of each group
	for _, each := range of[*apiregistrationv1.APIService](built.objects) {
		spec := each.Spec
		if each.Name != spec.Version+"."+spec.Group || spec.InsecureSkipTLSVerify || spec.GroupPriorityMinimum == 0 || spec.VersionPriority == 0 {
			t.Errorf("%s is %+v", each.Name, spec)
		}
		if before, ok := priority[spec.Group]; ok && spec.VersionPriority >= before {
			t.Errorf("clients prefer %s", each.Name)
		}
		priority[spec.Group] = spec.VersionPriority
		if len(spec.CABundle) > 0 {
			t.Errorf("%s: its bundle is applied, and so what makes certificates is undone", each.Name)
		}
		found := slices.ContainsFunc(of[*corev1.Service](built.objects), func(service *corev1.Service) bool {
			return spec.Service != nil && service.Name == spec.Service.Name && service.Namespace == spec.Service.Namespace &&
				slices.ContainsFunc(service.Spec.Ports, func(port corev1.ServicePort) bool { return port.Port == *spec.Service.Port })
		})
		if !found {
			t.Errorf("%s: there is no Service %+v", each.Name, spec.Service)
		}
		if _, injected := each.Annotations["cert-manager.io/inject-ca-from"]; injected != built.has(certManager) {
			t.Errorf("%s has annotations %v", each.Name, each.Annotations)
		}
	}
}

// onlyOurAPIServicesAreWritten ensures that the controller can inject the bundle of each APIService, so that its server is trusted, and
// that the server can annotate those whose kinds change.
func onlyOurAPIServicesAreWritten(t *testing.T, built installation) {
	all := names(built.objects, "APIService")
	ofKinds := slices.DeleteFunc(slices.Clone(all), func(name string) bool { return !strings.HasSuffix(name, "."+catalog) })
	patched := false
	for _, each := range roles(built.objects) {
		for _, rule := range each.rules {
			if !slices.Contains(rule.Resources, "apiservices") {
				continue
			}
			if slices.Contains(rule.Verbs, "update") && !slices.Equal(rule.ResourceNames, all) {
				t.Errorf("%s can update %v", each, rule.ResourceNames)
			}
			if slices.Contains(rule.Verbs, "patch") {
				patched = true
				if each.name != "goldsmith-apiserver" || !slices.Equal(rule.ResourceNames, ofKinds) {
					t.Errorf("%s can patch %v", each, rule.ResourceNames)
				}
			}
		}
	}
	if !patched {
		t.Error("no role can patch the APIServices of kinds: kubectl would not learn of their changes")
	}
}

// A policy that is not one keeps the API server from starting.
func theAuditPolicyIsOne(t *testing.T, built installation) {
	found := false
	for _, each := range of[*corev1.ConfigMap](built.objects) {
		content, ok := each.Data["audit-policy.yaml"]
		if !ok {
			continue
		}
		found = true
		if _, kind, err := strictDecoder(t).Decode([]byte(content), nil, nil); err != nil || kind.Kind != "Policy" {
			t.Errorf("%s: %v, %v", each.Name, kind, err)
		}
	}
	if !found {
		t.Error("there is none")
	}
}
