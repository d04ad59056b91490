// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/table"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

const none = "<none>"

var columns = []metav1.TableColumnDefinition{
	{Name: "Name", Type: "string", Format: "name", Description: "Name of the Archive."},
	{Name: "Suite", Type: "string", Description: "Suite of the archive."},
	{Name: "Ready", Type: "string", Description: "Whether the last check succeeded."},
	{Name: "Checked", Type: "string", Description: "Time since the last check that succeeded."},
	{Name: "Changed", Type: "string", Description: "Time since the date of the archive's release file."},
	{Name: "Updates", Type: "integer", Description: "Number of newer versions of packages that images have."},
	{Name: "Images", Type: "integer", Description: "Number of Images that need the archive."},
	{Name: "Age", Type: "string", Description: "Time since the Archive was created."},
	{Name: "URI", Type: "string", Priority: 1, Description: "Address of the archive."},
	{Name: "Builder", Type: "string", Priority: 1, Description: "Builder that checks the archive."},
	{Name: "Reason", Type: "string", Priority: 1, Description: "Result of the last check."},
}

func newTable(clock clock.PassiveClock) resources.Table[*v1alpha1.Archive] {
	return table.New(columns, func(archive *v1alpha1.Archive) []any {
		of := &archive.Status
		suite, checked, changed := none, none, none
		if archive.Spec.Suite != "" {
			suite = archive.Spec.Suite
		}
		if of.LastCheckTime != nil {
			checked = table.Age(clock, *of.LastCheckTime)
		}
		if of.Release != nil {
			changed = table.Age(clock, of.Release.Date)
		}
		ready, reason := string(metav1.ConditionUnknown), none
		if condition := meta.FindStatusCondition(of.Conditions, v1alpha1.ArchiveReady); condition != nil {
			ready, reason = string(condition.Status), condition.Reason
			if condition.Message != "" {
				reason += ": " + condition.Message
			}
		}
		return []any{
			archive.Name, suite, ready, checked, changed, int64(of.UpdateCount), int64(of.Images), table.Age(clock, archive.CreationTimestamp),
			archive.Spec.URI, archive.Spec.Builder, reason,
		}
	})
}
