// SPDX-License-Identifier: Apache-2.0

package imagekind

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/table"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

var columns = []metav1.TableColumnDefinition{
	{Name: "Name", Type: "string", Format: "name", Description: "Plural name of the kind."},
	{Name: "Kind", Type: "string", Description: "Kind in manifests."},
	{Name: "Established", Type: "string", Description: "Whether the kind is served."},
	{Name: "Reason", Type: "string", Description: "Why the kind is not served, or not deleted."},
	{Name: "Instances", Type: "integer", Description: "Number of Images of the kind."},
	{Name: "Age", Type: "string", Description: "Time since the ImageKind was created."},
	{Name: "Outdated", Type: "integer", Priority: 1, Description: "Number of Images that an earlier revision of the kind made."},
	{Name: "Nonconforming", Type: "integer", Priority: 1, Description: "Number of Images with a value that no object of the kind can have."},
}

func newTable(clock clock.PassiveClock) resources.Table[*v1alpha1.ImageKind] {
	return table.New(columns, func(kind *v1alpha1.ImageKind) []any {
		established, reason := string(metav1.ConditionUnknown), ""
		if condition := meta.FindStatusCondition(kind.Status.Conditions, v1alpha1.ImageKindEstablished); condition != nil {
			established = string(condition.Status)
			if condition.Status != metav1.ConditionTrue {
				reason = condition.Reason
			}
		}
		if terminating := meta.FindStatusCondition(kind.Status.Conditions, v1alpha1.ImageKindTerminating); terminating != nil {
			reason = terminating.Reason
		}
		return []any{
			kind.Name, kind.Spec.Names.Kind, established, reason, int64(kind.Status.Instances), table.Age(clock, kind.CreationTimestamp),
			int64(kind.Status.Outdated), int64(kind.Status.Nonconforming),
		}
	})
}
