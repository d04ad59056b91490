// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

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
