// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The reasons of the conditions NamespaceContentRemaining and NamespaceFinalizersRemaining; kube-controller-manager uses the same.
const (
	reasonResourcesRemain  = "SomeResourcesRemain"
	reasonFinalizersRemain = "SomeFinalizersRemain"
	reasonContentRemoved   = "ContentRemoved"
)

// setRemaining reports in the status which objects remain in a terminating namespace, and which finalizers keep it. It
// returns whether the status changed. It adds no conditions without content.
func setRemaining(status *corev1.NamespaceStatus, remaining []node, now metav1.Time) bool {
	resources, finalizers := map[string]int{}, map[string]int{}
	for _, n := range remaining {
		resources[n.id.resource.String()]++
		for _, finalizer := range n.Finalizers {
			finalizers[finalizer]++
		}
	}
	content := remainingCondition(corev1.NamespaceContentRemaining, reasonResourcesRemain,
		"Some resources are remaining: ", "%s has %d resource instances", resources)
	held := remainingCondition(corev1.NamespaceFinalizersRemaining, reasonFinalizersRemain,
		"Some content in the namespace has finalizers remaining: ", "%s in %d resource instances", finalizers)

	changed := setCondition(status, content, now)
	return setCondition(status, held, now) || changed
}

func remainingCondition(conditionType corev1.NamespaceConditionType, reason, intro, format string, counts map[string]int) corev1.NamespaceCondition {
	if len(counts) == 0 {
		return corev1.NamespaceCondition{
			Type: conditionType, Status: corev1.ConditionFalse, Reason: reasonContentRemoved, Message: "All content successfully removed",
		}
	}
	parts := make([]string, 0, len(counts))
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf(format, name, counts[name]))
	}
	return corev1.NamespaceCondition{
		Type: conditionType, Status: corev1.ConditionTrue, Reason: reason, Message: intro + strings.Join(parts, ", "),
	}
}

func setCondition(status *corev1.NamespaceStatus, condition corev1.NamespaceCondition, now metav1.Time) bool {
	condition.LastTransitionTime = now
	i := slices.IndexFunc(status.Conditions, func(c corev1.NamespaceCondition) bool { return c.Type == condition.Type })
	if i < 0 {
		if condition.Status == corev1.ConditionFalse {
			return false
		}
		status.Conditions = append(status.Conditions, condition)
		return true
	}
	current := status.Conditions[i]
	if current.Status == condition.Status {
		condition.LastTransitionTime = current.LastTransitionTime
	}
	status.Conditions[i] = condition
	return condition != current
}
