// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// InputWarnings warns about valid inputs that are probably mistakes.
func InputWarnings(inputs *v1alpha1.BuildInputs, path *field.Path) []string {
	return append(sourceWarnings(inputs, path), passwordWarnings(inputs, path)...)
}

// passwordWarnings warns about URLs with passwords.
func passwordWarnings(inputs *v1alpha1.BuildInputs, path *field.Path) []string {
	var warnings []string
	check := func(text string, path *field.Path) {
		if v1alpha1.HasPassword(text) {
			warnings = append(warnings, fmt.Sprintf("%s: has a URL with a password, which everybody who can read the image or its builds reads: "+
				"set a variable of template.env from a Secret instead", path))
		}
	}
	check(inputs.Base.Reference, path.Child("base", "reference"))
	for i, parameter := range inputs.Parameters {
		check(parameter.Value, path.Child("parameters").Index(i).Child("value"))
	}
	if inputs.Template != nil {
		for i := range inputs.Template.Env {
			check(inputs.Template.Env[i].Value, path.Child("template", "env").Index(i).Child("value"))
		}
	}
	return warnings
}

func sourceWarnings(given *v1alpha1.BuildInputs, path *field.Path) []string {
	source := given.Source
	switch {
	case source == nil || inputs.Checked(source):
		return nil
	case source.ConfigMapRef != nil:
		return lendingWarnings(given, path)
	case source.Inline == nil:
		return []string{fmt.Sprintf("%s: sets none of inline, configMapRef, git and oci, so the builder gets no files", path.Child("source"))}
	case len(source.Inline.Files) == 0:
		return []string{fmt.Sprintf("%s: is empty, so the builder gets no files", path.Child("source", "inline", "files"))}
	}
	return nil
}

// lendingWarnings warns about files that other users may change, in a build with more permissions than these users.
func lendingWarnings(inputs *v1alpha1.BuildInputs, path *field.Path) []string {
	template := inputs.Template
	if template == nil {
		return nil
	}
	secret := slices.ContainsFunc(template.Env, func(variable corev1.EnvVar) bool {
		return variable.ValueFrom != nil && variable.ValueFrom.SecretKeyRef != nil
	})
	if !secret && (template.ServiceAccountName == "" || template.ServiceAccountName == "default") {
		return nil
	}
	return []string{fmt.Sprintf("%s: users who can change ConfigMap %s decide what runs with the service account and the Secrets of %s",
		path.Child("source", "configMapRef"), inputs.Source.ConfigMapRef.Name, path.Child("template"))}
}
