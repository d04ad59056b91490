// SPDX-License-Identifier: Apache-2.0

package definition

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// expectErrors compares errors with their texts, one a line.
func expectErrors(t *testing.T, errs field.ErrorList, want string) {
	t.Helper()
	lines := make([]string, len(errs))
	for i, err := range errs {
		lines[i] = err.Error()
	}
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestColumns(t *testing.T) {
	size := v1alpha1.ImageKindColumn{Name: "Size", Type: "string", JSONPath: ".spec.size"}
	_, object := defined(t, debian(t))
	for _, test := range []struct {
		name    string
		columns []v1alpha1.ImageKindColumn
		want    string
	}{
		{"none", nil, ""},
		{"valid", []v1alpha1.ImageKindColumn{
			size,
			{Name: "Port", Type: "integer", JSONPath: ".spec.ports.http"},
			{Name: "First", Type: "string", JSONPath: ".spec.packages[0]"},
			{Name: "Ready", Type: "string", JSONPath: `.status.conditions[?(@.type=="Ready")].status`},
			{Name: "Build", Type: "string", JSONPath: ".status.latestBuild.name"},
			{Name: "Age", Type: "date", JSONPath: ".metadata.creationTimestamp"},
		}, ""},
		{"no name", []v1alpha1.ImageKindColumn{{Type: "string", JSONPath: ".spec.size"}}, "columns[0].name: Required value"},
		{"name twice", []v1alpha1.ImageKindColumn{size, size}, `columns[1].name: Duplicate value: "Size"`},
		{"type", []v1alpha1.ImageKindColumn{{Name: "Size", Type: "text", JSONPath: ".spec.size"}}, `columns[0].type: Invalid value: "text": must be one of boolean,date,integer,number,string`},
		{"format", []v1alpha1.ImageKindColumn{{Name: "Size", Type: "string", Format: "a", JSONPath: ".spec.size"}}, `columns[0].format: Invalid value: "a": must be one of byte,date,date-time,double,float,int32,int64,password`},
		{"no path", []v1alpha1.ImageKindColumn{{Name: "Size", Type: "string"}}, "columns[0].jsonPath: Required value"},
		{"path", []v1alpha1.ImageKindColumn{{Name: "Size", Type: "string", JSONPath: "spec.size"}}, `columns[0].jsonPath: Invalid value: "spec.size": must be a simple json path starting with .`},
		{"unknown field", []v1alpha1.ImageKindColumn{{Name: "Size", Type: "string", JSONPath: ".spec.network.adress"}}, `columns[0].jsonPath: Invalid value: ".spec.network.adress": the schema has no field .spec.network.adress`},
		{"hidden status", []v1alpha1.ImageKindColumn{{Name: "Counter", Type: "integer", JSONPath: ".status.buildCounter"}}, `columns[0].jsonPath: Invalid value: ".status.buildCounter": the schema has no field .status.buildCounter`},
	} {
		t.Run(test.name, func(t *testing.T) {
			expectErrors(t, CheckColumns(test.columns, object, field.NewPath("columns")), test.want)
		})
	}
}
