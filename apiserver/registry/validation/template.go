// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// maxTemplateBytes limits the JSON of a BuildTemplate.
const maxTemplateBytes = 32 << 10

// Template enforces the rules of pods for the same fields, as far as they do not depend on the cluster. So the author
// of a mistake learns of it at once, and not from the first build.
func Template(template *v1alpha1.BuildTemplate, path *field.Path) field.ErrorList {
	if template == nil {
		return nil
	}
	errs := validateResources(template.Resources, path.Child("resources"))
	errs = append(errs, validateNodeSelector(template.NodeSelector, path.Child("nodeSelector"))...)
	errs = append(errs, validateTolerations(template.Tolerations, path.Child("tolerations"))...)
	errs = append(errs, validateAffinity(template.Affinity, path.Child("affinity"))...)
	errs = append(errs, validateEnv(template.Env, path.Child("env"))...)
	return append(errs, validateTemplateSize(template, path)...)
}

// validateTemplateSize keeps the copy of a template in every build small.
func validateTemplateSize(template *v1alpha1.BuildTemplate, path *field.Path) field.ErrorList {
	encoded, err := inputs.CanonicalJSON(template)
	if err != nil {
		return field.ErrorList{field.InternalError(path, err)}
	}
	if len(encoded) <= maxTemplateBytes {
		return nil
	}
	return field.ErrorList{field.Invalid(path, fmt.Sprintf("%d bytes", len(encoded)),
		fmt.Sprintf("must be at most %d bytes of JSON in all", maxTemplateBytes))}
}

func validateNodeSelector(selector map[string]string, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, label := range slices.Sorted(maps.Keys(selector)) {
		errs = append(errs, metav1validation.ValidateLabelName(label, path.Key(label))...)
		errs = append(errs, Names(validation.IsValidLabelValue(selector[label]), selector[label], path.Key(label))...)
	}
	return errs
}

func validateTolerations(tolerations []corev1.Toleration, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i := range tolerations {
		errs = append(errs, validateToleration(&tolerations[i], path.Index(i))...)
	}
	return errs
}

func validateToleration(toleration *corev1.Toleration, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	switch {
	case toleration.Key != "":
		errs = append(errs, metav1validation.ValidateLabelName(toleration.Key, path.Child("key"))...)
	case toleration.Operator != corev1.TolerationOpExists:
		errs = append(errs, field.Invalid(path.Child("operator"), toleration.Operator, "must be Exists if key is empty: an empty key tolerates every taint"))
	}
	switch toleration.Operator {
	case corev1.TolerationOpEqual, "":
		errs = append(errs, Names(validation.IsValidLabelValue(toleration.Value), toleration.Value, path.Child("value"))...)
	case corev1.TolerationOpExists:
		if toleration.Value != "" {
			errs = append(errs, field.Invalid(path.Child("value"), toleration.Value, "must be empty if operator is Exists"))
		}
	default:
		errs = append(errs, field.NotSupported(path.Child("operator"), toleration.Operator,
			[]corev1.TolerationOperator{corev1.TolerationOpEqual, corev1.TolerationOpExists}))
	}
	effects := []corev1.TaintEffect{corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute}
	switch {
	case toleration.Effect != "" && !slices.Contains(effects, toleration.Effect):
		errs = append(errs, field.NotSupported(path.Child("effect"), toleration.Effect, effects))
	case toleration.TolerationSeconds != nil && toleration.Effect != corev1.TaintEffectNoExecute:
		errs = append(errs, field.Invalid(path.Child("effect"), toleration.Effect, "must be NoExecute if tolerationSeconds is set"))
	}
	return errs
}
