// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/jobs/render"
)

// Limits of environment variables.
const (
	maxEnvName       = 253
	maxEnvValueBytes = 4096
)

const onlyKeys = "use value, secretKeyRef or configMapKeyRef: builders get fields of the build from the file $GOLDSMITH_INPUT instead"

func validateEnv(env []corev1.EnvVar, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	seen := map[string]bool{}
	for i := range env {
		variable, path := &env[i], path.Index(i)
		errs = append(errs, validateEnvName(variable.Name, path.Child("name"))...)
		if variable.Name != "" && seen[variable.Name] {
			errs = append(errs, field.Duplicate(path.Child("name"), variable.Name))
		}
		seen[variable.Name] = true
		if len(variable.Value) > maxEnvValueBytes {
			errs = append(errs, field.TooLong(path.Child("value"), variable.Value, maxEnvValueBytes))
		}
		if strings.ContainsRune(variable.Value, 0) {
			errs = append(errs, field.Invalid(path.Child("value"), variable.Value, "remove the NUL: a NUL ends the value of an environment variable"))
		}
		if variable.ValueFrom == nil {
			continue
		}
		if variable.Value != "" {
			errs = append(errs, field.Invalid(path.Child("valueFrom"), field.OmitValueType{}, "set either value or valueFrom"))
		}
		errs = append(errs, validateEnvSource(variable.ValueFrom, path.Child("valueFrom"))...)
	}
	return errs
}

func validateEnvName(name string, path *field.Path) field.ErrorList {
	switch {
	case name == "":
		return field.ErrorList{field.Required(path, "set the name of the variable")}
	case len(name) > maxEnvName:
		return field.ErrorList{field.TooLong(path, name, maxEnvName)}
	case strings.HasPrefix(name, render.EnvPrefix):
		return field.ErrorList{field.Invalid(path, name, fmt.Sprintf("must not begin with %s: the builder contract reserves this prefix", render.EnvPrefix))}
	}
	return Names(validation.IsEnvVarName(name), name, path)
}

func validateEnvSource(source *corev1.EnvVarSource, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if source.FieldRef != nil {
		errs = append(errs, field.Forbidden(path.Child("fieldRef"), onlyKeys))
	}
	if source.ResourceFieldRef != nil {
		errs = append(errs, field.Forbidden(path.Child("resourceFieldRef"), onlyKeys))
	}
	if source.FileKeyRef != nil {
		errs = append(errs, field.Forbidden(path.Child("fileKeyRef"), onlyKeys))
	}
	if ref := source.SecretKeyRef; ref != nil {
		errs = append(errs, validateKey(ref.Name, ref.Key, path.Child("secretKeyRef"))...)
	}
	if ref := source.ConfigMapKeyRef; ref != nil {
		errs = append(errs, validateKey(ref.Name, ref.Key, path.Child("configMapKeyRef"))...)
	}
	switch {
	case source.SecretKeyRef != nil && source.ConfigMapKeyRef != nil:
		errs = append(errs, field.Invalid(path, field.OmitValueType{}, "set either secretKeyRef or configMapKeyRef"))
	case len(errs) == 0 && source.SecretKeyRef == nil && source.ConfigMapKeyRef == nil:
		errs = append(errs, field.Required(path, "set secretKeyRef or configMapKeyRef"))
	}
	return errs
}

// validateKey checks a reference to a key of a Secret or a ConfigMap of the namespace.
func validateKey(name, key string, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if name == "" {
		errs = append(errs, field.Required(path.Child("name"), "set the name of an object of the same namespace"))
	} else {
		errs = append(errs, Names(validation.IsDNS1123Subdomain(name), name, path.Child("name"))...)
	}
	if key == "" {
		return append(errs, field.Required(path.Child("key"), "set the key that contains the value"))
	}
	return append(errs, Names(validation.IsConfigMapKey(key), key, path.Child("key"))...)
}
