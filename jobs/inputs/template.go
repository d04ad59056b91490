// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// digestedTemplate is a template as Digest counts it, without empty fields. It is nil for an empty template. Fields count if
// they can change an artifact or decide whether a build succeeds: raising the memory of a failed build must start a new
// build. queueName does not count, because a new queue is no reason to build again.
func digestedTemplate(template *v1alpha1.BuildTemplate) any {
	if template == nil {
		return nil
	}
	counts := *template
	counts.QueueName = ""
	counts.Resources = nil
	if equality.Semantic.DeepEqual(counts.Affinity, &corev1.Affinity{}) {
		counts.Affinity = nil
	}
	document, _ := plain(counts).(map[string]any)
	if resources := template.Resources.Kubernetes(); !equality.Semantic.DeepEqual(resources, corev1.ResourceRequirements{}) {
		document["resources"] = plain(resources) // in canonical form: another text for a quantity is no reason to build again
	}
	if len(document) == 0 {
		return nil // and not a map that is not nil
	}
	return document
}

// plain is a value as maps, lists and strings, whose keys are sorted when it is encoded. The order of the fields in the types of
// k8s.io/api is not stable.
func plain(value any) any {
	decoder := json.NewDecoder(bytes.NewReader(mustCanonicalJSON(value)))
	decoder.UseNumber()
	var document any
	if err := decoder.Decode(&document); err != nil {
		panic(err) // it was encoded a moment ago
	}
	return document
}

// templateValues are the fields of a template that Diff compares: those that Digest counts.
func templateValues(template *v1alpha1.BuildTemplate) map[path]Value {
	values := map[path]Value{}
	if template == nil {
		return values
	}
	for field, text := range map[string]string{
		"template.serviceAccountName": template.ServiceAccountName,
		"template.runtimeClassName":   template.RuntimeClassName,
		"template.priorityClassName":  template.PriorityClassName,
	} {
		if text != "" {
			values[path{field: field}] = TextValue(text)
		}
	}
	resources := template.Resources.Kubernetes()
	addQuantities(values, "template.resources.requests", resources.Requests)
	addQuantities(values, "template.resources.limits", resources.Limits)
	for label, text := range template.NodeSelector {
		values[path{"template.nodeSelector", label}] = TextValue(text)
	}
	if len(template.Tolerations) > 0 {
		values[path{field: "template.tolerations"}] = shownAsJSON(template.Tolerations)
	}
	if !equality.Semantic.DeepEqual(template.Affinity, &corev1.Affinity{}) && template.Affinity != nil {
		values[path{field: "template.affinity"}] = shownAsJSON(template.Affinity)
	}
	for _, variable := range template.Env {
		values[path{"template.env", variable.Name}] = ValueOf(string(mustCanonicalJSON(variable)), envText(variable))
	}
	return values
}

func addQuantities(values map[path]Value, field string, list corev1.ResourceList) {
	for name, quantity := range list {
		values[path{field, string(name)}] = TextValue(quantity.String())
	}
}

func shownAsJSON(value any) Value {
	return TextValue(string(mustCanonicalJSON(plain(value))))
}

// envText is the value of a variable, or the key that it comes from. The contents of Secrets are not shown.
func envText(variable corev1.EnvVar) string {
	switch source := variable.ValueFrom; {
	case source == nil && variable.Value == "":
		return `""`
	case source == nil:
		return variable.Value
	case source.SecretKeyRef != nil:
		return keyText("Secret", source.SecretKeyRef.Name, source.SecretKeyRef.Key, source.SecretKeyRef.Optional)
	case source.ConfigMapKeyRef != nil:
		return keyText("ConfigMap", source.ConfigMapKeyRef.Name, source.ConfigMapKeyRef.Key, source.ConfigMapKeyRef.Optional)
	}
	return string(mustCanonicalJSON(variable.ValueFrom))
}

func keyText(kind, name, key string, optional *bool) string {
	text := fmt.Sprintf("key %s of %s %s", key, kind, name)
	switch {
	case optional == nil:
		return text
	case *optional:
		return text + ", if there is one"
	}
	return text + ", which must exist"
}

// envOrder returns a change if the variables are the same but their order differs. The order counts, because a value may use the
// variables before it as $(NAME).
func envOrder(before, after *v1alpha1.BuildTemplate) []v1alpha1.InputChange {
	from, to := envNames(before), envNames(after)
	if slices.Equal(from, to) || !slices.Equal(slices.Sorted(slices.Values(from)), slices.Sorted(slices.Values(to))) {
		return nil
	}
	value := func(names []string) Value {
		return ValueOf(string(mustCanonicalJSON(names)), strings.Join(names, ", "))
	}
	return []v1alpha1.InputChange{change("template.env", value(from), value(to))}
}

func envNames(template *v1alpha1.BuildTemplate) (names []string) {
	if template == nil {
		return nil
	}
	for _, variable := range template.Env {
		names = append(names, variable.Name)
	}
	return names
}
