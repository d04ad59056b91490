// SPDX-License-Identifier: Apache-2.0

package image

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/validation/validationtest"
)

func list(pairs ...string) map[string]v1alpha1.Quantity {
	resources := map[string]v1alpha1.Quantity{}
	for i := 0; i < len(pairs); i += 2 {
		resources[pairs[i]] = v1alpha1.Quantity{Text: pairs[i+1]}
	}
	return resources
}

func validTemplate() *v1alpha1.BuildTemplate {
	return &v1alpha1.BuildTemplate{
		ServiceAccountName: "builder",
		Resources: &v1alpha1.ResourceRequirements{
			Requests: list("cpu", "500m", "memory", "1Gi", "example.com/tape", "1"),
			Limits:   list("cpu", "2", "memory", "1Gi", "ephemeral-storage", "10Gi", "example.com/tape", "1"),
		},
		NodeSelector: map[string]string{"disk": "fast", "example.com/pool": ""},
		Tolerations: []corev1.Toleration{
			{Key: "builds", Value: "only", Effect: corev1.TaintEffectNoSchedule},
			{Operator: corev1.TolerationOpExists},
			{Key: "slow", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: new(int64(30))},
		},
		Affinity:          validAffinity(),
		RuntimeClassName:  "kata",
		PriorityClassName: "system.low",
		Env: []corev1.EnvVar{
			{Name: "EMPTY"},
			{Name: "HTTP_PROXY", Value: "http://proxy:3128"},
			{Name: "my.dotted-name", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: configMapKey("settings", "a.b")}},
			{Name: "TOKEN", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: secretKey("mirror", "token")}},
		},
	}
}

func validAffinity() *corev1.Affinity {
	near := corev1.PodAffinityTerm{
		TopologyKey: "kubernetes.io/hostname", Namespaces: []string{"team"}, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}},
	}
	node := corev1.NodeSelectorTerm{
		MatchExpressions: []corev1.NodeSelectorRequirement{
			{Key: "arch", Operator: corev1.NodeSelectorOpIn, Values: []string{"amd64", "arm64"}},
			{Key: "cores", Operator: corev1.NodeSelectorOpGt, Values: []string{"8"}},
			{Key: "spot", Operator: corev1.NodeSelectorOpDoesNotExist},
		},
		MatchFields: []corev1.NodeSelectorRequirement{{Key: "metadata.name", Operator: corev1.NodeSelectorOpNotIn, Values: []string{"node-1"}}},
	}
	return &corev1.Affinity{
		NodeAffinity: &corev1.NodeAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution:  &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{node}},
			PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{{Weight: 100, Preference: *node.DeepCopy()}},
		},
		PodAffinity:     &corev1.PodAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{near}},
		PodAntiAffinity: &corev1.PodAntiAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{Weight: 1, PodAffinityTerm: *near.DeepCopy()}}},
	}
}

func secretKey(name, key string) *corev1.SecretKeySelector {
	return &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: name}, Key: key}
}

func configMapKey(name, key string) *corev1.ConfigMapKeySelector {
	return &corev1.ConfigMapKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: name}, Key: key}
}

func templateExamples() map[string]example[v1alpha1.BuildTemplate] {
	long := strings.Repeat("a", 5000)
	type template = v1alpha1.BuildTemplate
	env := func(variables ...corev1.EnvVar) func(*template) {
		return func(t *template) { t.Env = variables }
	}
	from := func(source corev1.EnvVarSource) func(*template) {
		return env(corev1.EnvVar{Name: "A", ValueFrom: &source})
	}
	tolerating := func(toleration corev1.Toleration) func(*template) {
		return func(t *template) { t.Tolerations = []corev1.Toleration{toleration} }
	}
	resources := func(requests, limits map[string]v1alpha1.Quantity) func(*template) {
		return func(t *template) { t.Resources = &v1alpha1.ResourceRequirements{Requests: requests, Limits: limits} }
	}
	variables := func(n, bytes int) (env []corev1.EnvVar) {
		for i := range n {
			env = append(env, corev1.EnvVar{Name: fmt.Sprintf("V%d", i), Value: long[:bytes]})
		}
		return env
	}
	labels := func(n int) map[string]string {
		labels := map[string]string{}
		for i := range n {
			labels[fmt.Sprint(i)] = ""
		}
		return labels
	}
	return map[string]example[template]{
		"a complete template": {func(*template) {}, nil},
		"an empty template":   {func(t *template) { *t = template{} }, nil},
		"names that are none": {
			func(t *template) {
				t.ServiceAccountName, t.RuntimeClassName, t.PriorityClassName = "A", "a_b", long[:254]
			},
			[]string{"serviceAccountName", "runtimeClassName", "priorityClassName"},
		},

		"requests alone":            {resources(list("cpu", "1"), nil), nil},
		"a request above the limit": {resources(list("cpu", "2"), list("cpu", "1")), []string{"resources.requests[cpu]"}},
		"a negative quantity":       {resources(nil, list("memory", "-1")), []string{"resources.limits[memory]"}},
		"an unknown resource":       {resources(list("ram", "1"), list("pods", "1")), []string{"resources.limits[pods]", "resources.requests[ram]"}},
		"not the name of a resource": {
			resources(nil, list("example.com/a b", "1")), []string{"resources.limits[example.com/a b]"},
		},
		"an extended resource without limit": {resources(list("example.com/tape", "1"), nil), []string{"resources.requests[example.com/tape]"}},
		"an extended resource below its limit": {
			resources(list("example.com/tape", "1"), list("example.com/tape", "2")), []string{"resources.requests[example.com/tape]"},
		},
		"half a tape":                 {resources(nil, list("example.com/tape", "500m")), []string{"resources.limits[example.com/tape]"}},
		"huge pages":                  {resources(list("hugepages-2Mi", "4Mi"), list("hugepages-2Mi", "4Mi", "memory", "1Gi")), nil},
		"huge pages alone":            {resources(nil, list("hugepages-2Mi", "4Mi")), []string{"resources"}},
		"huge pages overcommit":       {resources(list("hugepages-2Mi", "2Mi", "cpu", "1"), list("hugepages-2Mi", "4Mi")), []string{"resources.requests[hugepages-2Mi]"}},
		"a quantity that is too long": {resources(nil, list("memory", "1"+strings.Repeat("0", 64))), []string{"resources.limits[memory]"}},
		"an exponent without sense":   {resources(nil, list("cpu", "1e1000000000", "memory", "1e-1000000000")), []string{"resources.limits[cpu]", "resources.limits[memory]"}},

		"64 labels of nodes": {func(t *template) { t.NodeSelector = labels(64) }, nil},
		"65 labels of nodes": {func(t *template) { t.NodeSelector = labels(65) }, []string{"nodeSelector"}},
		"labels that are none": {
			func(t *template) { t.NodeSelector = map[string]string{"a b": "c", "d": "e f"} }, []string{"nodeSelector[a b]", "nodeSelector[d]"},
		},

		"50 tolerations":            {func(t *template) { t.Tolerations = make([]corev1.Toleration, 50); tolerateAll(t.Tolerations) }, nil},
		"51 tolerations":            {func(t *template) { t.Tolerations = make([]corev1.Toleration, 51); tolerateAll(t.Tolerations) }, []string{"tolerations"}},
		"a toleration of nothing":   {tolerating(corev1.Toleration{}), []string{"tolerations[0].operator"}},
		"a toleration's bad key":    {tolerating(corev1.Toleration{Key: "a b"}), []string{"tolerations[0].key"}},
		"a toleration's bad value":  {tolerating(corev1.Toleration{Key: "a", Value: "b c"}), []string{"tolerations[0].value"}},
		"a value that is not read":  {tolerating(corev1.Toleration{Key: "a", Operator: "Exists", Value: "b"}), []string{"tolerations[0].value"}},
		"an unknown operator":       {tolerating(corev1.Toleration{Key: "a", Operator: "Like"}), []string{"tolerations[0].operator"}},
		"an unknown effect":         {tolerating(corev1.Toleration{Key: "a", Effect: "Delay"}), []string{"tolerations[0].effect"}},
		"seconds without NoExecute": {tolerating(corev1.Toleration{Key: "a", TolerationSeconds: new(int64(1))}), []string{"tolerations[0].effect"}},

		"100 variables":           {func(t *template) { t.Env = variables(100, 10) }, nil},
		"101 variables":           {func(t *template) { t.Env = variables(101, 10) }, []string{"env"}},
		"the longest value":       {env(variables(1, 4096)...), nil},
		"a value too long":        {env(variables(1, 4097)...), []string{"env[0].value"}},
		"too much in all":         {env(variables(8, 4096)...), []string{""}},
		"a value with a NUL":      {env(corev1.EnvVar{Name: "A", Value: "a\x00b"}), []string{"env[0].value"}},
		"a nameless variable":     {env(corev1.EnvVar{}), []string{"env[0].name"}},
		"a variable's bad name":   {env(corev1.EnvVar{Name: "A=B"}), []string{"env[0].name"}},
		"a variable's long name":  {env(corev1.EnvVar{Name: long[:254]}), []string{"env[0].name"}},
		"a variable twice":        {env(corev1.EnvVar{Name: "A"}, corev1.EnvVar{Name: "A"}), []string{"env[1].name"}},
		"the contract's variable": {env(corev1.EnvVar{Name: "GOLDSMITH_RESULT", Value: "/tmp/x"}), []string{"env[0].name"}},
		"value and valueFrom": {
			env(corev1.EnvVar{Name: "A", Value: "b", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: secretKey("s", "k")}}), []string{"env[0].valueFrom"},
		},
		"a value from nowhere":  {from(corev1.EnvVarSource{}), []string{"env[0].valueFrom"}},
		"a value from both":     {from(corev1.EnvVarSource{SecretKeyRef: secretKey("s", "k"), ConfigMapKeyRef: configMapKey("c", "k")}), []string{"env[0].valueFrom"}},
		"a nameless Secret":     {from(corev1.EnvVarSource{SecretKeyRef: secretKey("", "k")}), []string{"env[0].valueFrom.secretKeyRef.name"}},
		"a Secret's bad key":    {from(corev1.EnvVarSource{SecretKeyRef: secretKey("s", "a/b")}), []string{"env[0].valueFrom.secretKeyRef.key"}},
		"a ConfigMap's no key":  {from(corev1.EnvVarSource{ConfigMapKeyRef: configMapKey("C", "")}), []string{"env[0].valueFrom.configMapKeyRef.name", "env[0].valueFrom.configMapKeyRef.key"}},
		"a field of the pod":    {from(corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.uid"}}), []string{"env[0].valueFrom.fieldRef"}},
		"a resource of the pod": {from(corev1.EnvVarSource{ResourceFieldRef: &corev1.ResourceFieldSelector{Resource: "limits.cpu"}}), []string{"env[0].valueFrom.resourceFieldRef"}},
		"a key of a file":       {from(corev1.EnvVarSource{FileKeyRef: &corev1.FileKeySelector{}}), []string{"env[0].valueFrom.fileKeyRef"}},
	}
}

func TestTemplate(t *testing.T) {
	for what, test := range templateExamples() {
		t.Run(what, func(t *testing.T) {
			image := validationtest.Image()
			image.Spec.Template = validTemplate()
			test.change(image.Spec.Template)
			validationtest.ExpectPaths(t, Validate(image), templatePaths(test.want))
		})
	}
}

// templatePaths are the paths of fields of a template. The empty one is the template itself.
func templatePaths(fields []string) []string {
	paths := make([]string, len(fields))
	for i, path := range fields {
		paths[i] = strings.TrimSuffix("spec.template."+path, ".")
	}
	return paths
}

func tolerateAll(tolerations []corev1.Toleration) {
	for i := range tolerations {
		tolerations[i].Operator = corev1.TolerationOpExists
	}
}

type affinityExample struct {
	change func(*corev1.Affinity)
	want   string
}

func affinityExamples() map[string]affinityExample {
	const node, must, may = "nodeAffinity.", "requiredDuringSchedulingIgnoredDuringExecution", "preferredDuringSchedulingIgnoredDuringExecution"
	const term = node + must + ".nodeSelectorTerms[0]."
	first := func(a *corev1.Affinity) *corev1.NodeSelectorTerm {
		return &a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0]
	}
	return map[string]affinityExample{
		"no terms": {func(a *corev1.Affinity) {
			a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms = nil
		}, node + must + ".nodeSelectorTerms"},
		"an unknown operator": {func(a *corev1.Affinity) { first(a).MatchExpressions[0].Operator = "Like" }, term + "matchExpressions[0].operator"},
		"nothing to be in":    {func(a *corev1.Affinity) { first(a).MatchExpressions[0].Values = nil }, term + "matchExpressions[0]"},
		"more than a word":    {func(a *corev1.Affinity) { first(a).MatchExpressions[1].Values = []string{"many"} }, term + "matchExpressions[1]"},
		"a key that is none":  {func(a *corev1.Affinity) { first(a).MatchExpressions[2].Key = "a b" }, term + "matchExpressions[2]"},
		"an unknown field":    {func(a *corev1.Affinity) { first(a).MatchFields[0].Key = "spec.taints" }, term + "matchFields[0].key"},
		"a field that exists": {func(a *corev1.Affinity) { first(a).MatchFields[0].Operator = "Exists" }, term + "matchFields[0].operator"},
		"two nodes":           {func(a *corev1.Affinity) { first(a).MatchFields[0].Values = []string{"a", "b"} }, term + "matchFields[0].values"},
		"not a node's name":   {func(a *corev1.Affinity) { first(a).MatchFields[0].Values = []string{"A"} }, term + "matchFields[0].values[0]"},
		"no weight":           {func(a *corev1.Affinity) { a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution[0].Weight = 0 }, node + may + "[0].weight"},
		"too much weight": {func(a *corev1.Affinity) {
			a.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution[0].Weight = 101
		}, "podAntiAffinity." + may + "[0].weight"},
		"no topology": {func(a *corev1.Affinity) {
			a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution[0].TopologyKey = ""
		}, "podAffinity." + must + "[0].topologyKey"},
		"not a topology": {func(a *corev1.Affinity) {
			a.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution[0].PodAffinityTerm.TopologyKey = "a b"
		}, "podAntiAffinity." + may + "[0].podAffinityTerm.topologyKey"},
		"not a selector": {func(a *corev1.Affinity) {
			a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution[0].LabelSelector.MatchLabels = map[string]string{"a": "b c"}
		}, "podAffinity." + must + "[0].labelSelector.matchLabels"},
		"not a selector of namespaces": {func(a *corev1.Affinity) {
			a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution[0].NamespaceSelector = &metav1.LabelSelector{
				MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Gt", Values: []string{"1"}}},
			}
		}, "podAffinity." + must + "[0].namespaceSelector.matchExpressions[0].operator"},
		"not a namespace": {func(a *corev1.Affinity) {
			a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution[0].Namespaces = []string{"A"}
		}, "podAffinity." + must + "[0].namespaces[0]"},
	}
}

func TestAffinity(t *testing.T) {
	for what, test := range affinityExamples() {
		t.Run(what, func(t *testing.T) {
			image := validationtest.Image()
			image.Spec.Template = validTemplate()
			test.change(image.Spec.Template.Affinity)
			validationtest.ExpectPaths(t, Validate(image), []string{"spec.template.affinity." + test.want})
		})
	}
}

// Clients that send JSON cannot send such a text, but those that send protobuf can.
func TestTextsThatAreNoQuantities(t *testing.T) {
	image := validationtest.Image()
	image.Spec.History = &v1alpha1.HistoryLimits{LogMaxBytes: &v1alpha1.Quantity{Text: "much"}}
	image.Spec.Template = &v1alpha1.BuildTemplate{Resources: &v1alpha1.ResourceRequirements{Requests: list("cpu", "much")}}
	validationtest.ExpectPaths(t, Validate(image), []string{"spec.template.resources.requests[cpu]", "spec.history.logMaxBytes"})
}
