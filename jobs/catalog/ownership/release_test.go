// SPDX-License-Identifier: Apache-2.0

package ownership

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestAReleasedImageHasNothingOfItsKind(t *testing.T) {
	t.Parallel()
	entry := func(manager, fields string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: v1alpha1.SchemeGroupVersion.String(),
			FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(fields)}
	}
	const labels = `{"f:metadata":{"f:labels":{".":{},"f:catalog.goldsmith.dev/kind":{},"f:team":{}}}}`
	for name, test := range map[string]struct {
		labels, want map[string]string
		owned        string
	}{
		"with a label of its own": {map[string]string{v1alpha1.ImageKindLabel: "debianservers", v1alpha1.ImageKindRevisionLabel: "7c1f", "team": "red"}, map[string]string{"team": "red"},
			`{"f:metadata":{"f:labels":{".":{},"f:team":{}}}}`},
		"without": {map[string]string{v1alpha1.ImageKindRevisionLabel: "7c1f"}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			marked := metav1.ObjectMeta{Labels: test.labels, ManagedFields: []metav1.ManagedFieldsEntry{entry(Manager, labels), entry("kubectl", labels)}}
			before := marked.DeepCopy()
			released := marked
			require.NoError(t, Release(&released))
			want := metav1.ObjectMeta{Labels: test.want}
			if test.owned != "" {
				want.ManagedFields = []metav1.ManagedFieldsEntry{entry("kubectl", test.owned)}
			}
			if diff := cmp.Diff(want, released); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(*before, marked); diff != "" {
				t.Errorf("the argument was changed: %s", diff)
			}
		})
	}
}
