// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

const (
	required  = "requiredDuringSchedulingIgnoredDuringExecution"
	preferred = "preferredDuringSchedulingIgnoredDuringExecution"

	// nodeName is the only field by which a node can be selected.
	nodeName = "metadata.name"
)

// nodeOperators are the operators of selectors of labels, by those of selectors of nodes.
var nodeOperators = map[corev1.NodeSelectorOperator]selection.Operator{
	corev1.NodeSelectorOpIn:           selection.In,
	corev1.NodeSelectorOpNotIn:        selection.NotIn,
	corev1.NodeSelectorOpExists:       selection.Exists,
	corev1.NodeSelectorOpDoesNotExist: selection.DoesNotExist,
	corev1.NodeSelectorOpGt:           selection.GreaterThan,
	corev1.NodeSelectorOpLt:           selection.LessThan,
}

func validateAffinity(affinity *corev1.Affinity, path *field.Path) field.ErrorList {
	if affinity == nil {
		return nil
	}
	var errs field.ErrorList
	if node := affinity.NodeAffinity; node != nil {
		errs = append(errs, validateNodeAffinity(node, path.Child("nodeAffinity"))...)
	}
	if near := affinity.PodAffinity; near != nil {
		errs = append(errs, validatePodAffinity(near.RequiredDuringSchedulingIgnoredDuringExecution,
			near.PreferredDuringSchedulingIgnoredDuringExecution, path.Child("podAffinity"))...)
	}
	if far := affinity.PodAntiAffinity; far != nil {
		errs = append(errs, validatePodAffinity(far.RequiredDuringSchedulingIgnoredDuringExecution,
			far.PreferredDuringSchedulingIgnoredDuringExecution, path.Child("podAntiAffinity"))...)
	}
	return errs
}

func validateNodeAffinity(affinity *corev1.NodeAffinity, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if selector := affinity.RequiredDuringSchedulingIgnoredDuringExecution; selector != nil {
		terms := path.Child(required, "nodeSelectorTerms")
		if len(selector.NodeSelectorTerms) == 0 {
			errs = append(errs, field.Required(terms, "list at least one term: an empty list selects no node"))
		}
		for i := range selector.NodeSelectorTerms {
			errs = append(errs, validateNodeTerm(&selector.NodeSelectorTerms[i], terms.Index(i))...)
		}
	}
	for i := range affinity.PreferredDuringSchedulingIgnoredDuringExecution {
		term, path := &affinity.PreferredDuringSchedulingIgnoredDuringExecution[i], path.Child(preferred).Index(i)
		errs = append(errs, validateWeight(term.Weight, path.Child("weight"))...)
		errs = append(errs, validateNodeTerm(&term.Preference, path.Child("preference"))...)
	}
	return errs
}

func validateNodeTerm(term *corev1.NodeSelectorTerm, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i := range term.MatchExpressions {
		errs = append(errs, validateNodeExpression(&term.MatchExpressions[i], path.Child("matchExpressions").Index(i))...)
	}
	for i := range term.MatchFields {
		errs = append(errs, validateNodeField(&term.MatchFields[i], path.Child("matchFields").Index(i))...)
	}
	return errs
}

func validateNodeExpression(expression *corev1.NodeSelectorRequirement, path *field.Path) field.ErrorList {
	operator, known := nodeOperators[expression.Operator]
	if !known {
		return field.ErrorList{field.NotSupported(path.Child("operator"), expression.Operator, []corev1.NodeSelectorOperator{
			corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn, corev1.NodeSelectorOpExists,
			corev1.NodeSelectorOpDoesNotExist, corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt,
		})}
	}
	if _, err := labels.NewRequirement(expression.Key, operator, expression.Values); err != nil {
		return field.ErrorList{field.Invalid(path, field.OmitValueType{}, err.Error())}
	}
	return nil
}

func validateNodeField(expression *corev1.NodeSelectorRequirement, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if expression.Key != nodeName {
		errs = append(errs, field.NotSupported(path.Child("key"), expression.Key, []string{nodeName}))
	}
	if operator := expression.Operator; operator != corev1.NodeSelectorOpIn && operator != corev1.NodeSelectorOpNotIn {
		errs = append(errs, field.NotSupported(path.Child("operator"), operator,
			[]corev1.NodeSelectorOperator{corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn}))
	}
	if len(expression.Values) != 1 {
		return append(errs, field.Required(path.Child("values"), "set the name of one node"))
	}
	return append(errs, Names(validation.IsDNS1123Subdomain(expression.Values[0]), expression.Values[0], path.Child("values").Index(0))...)
}

func validatePodAffinity(must []corev1.PodAffinityTerm, may []corev1.WeightedPodAffinityTerm, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i := range must {
		errs = append(errs, validatePodTerm(&must[i], path.Child(required).Index(i))...)
	}
	for i := range may {
		path := path.Child(preferred).Index(i)
		errs = append(errs, validateWeight(may[i].Weight, path.Child("weight"))...)
		errs = append(errs, validatePodTerm(&may[i].PodAffinityTerm, path.Child("podAffinityTerm"))...)
	}
	return errs
}

// validatePodTerm leaves the rules of matchLabelKeys, which depend on the cluster's version, to the cluster.
func validatePodTerm(term *corev1.PodAffinityTerm, path *field.Path) field.ErrorList {
	options := metav1validation.LabelSelectorValidationOptions{}
	errs := metav1validation.ValidateLabelSelector(term.LabelSelector, options, path.Child("labelSelector"))
	errs = append(errs, metav1validation.ValidateLabelSelector(term.NamespaceSelector, options, path.Child("namespaceSelector"))...)
	for i, key := range term.MatchLabelKeys {
		errs = append(errs, Line(key, path.Child("matchLabelKeys").Index(i))...)
	}
	for i, key := range term.MismatchLabelKeys {
		errs = append(errs, Line(key, path.Child("mismatchLabelKeys").Index(i))...)
	}
	for i, namespace := range term.Namespaces {
		errs = append(errs, Names(validation.IsDNS1123Label(namespace), namespace, path.Child("namespaces").Index(i))...)
	}
	if term.TopologyKey == "" {
		return append(errs, field.Required(path.Child("topologyKey"), "name a label of nodes, such as kubernetes.io/hostname"))
	}
	return append(errs, metav1validation.ValidateLabelName(term.TopologyKey, path.Child("topologyKey"))...)
}

func validateWeight(weight int32, path *field.Path) field.ErrorList {
	const lowest, highest = 1, 100
	if lowest <= weight && weight <= highest {
		return nil
	}
	return field.ErrorList{field.Invalid(path, weight, fmt.Sprintf("must be between %d and %d", lowest, highest))}
}
