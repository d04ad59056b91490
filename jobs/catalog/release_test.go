// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestAReleasedImageHasNothingOfItsKind(t *testing.T) {
	t.Parallel()
	marked := metav1.ObjectMeta{
		Labels: map[string]string{KindLabel: "debianservers", RevisionLabel: "7c1f", "team": "red", "app.kubernetes.io.view.catalog.goldsmith.dev/instance": "shop",
			"app.kubernetes.io/instance": "images"},
		Annotations:   map[string]string{"kubectl.kubernetes.io.view.catalog.goldsmith.dev/last-applied-configuration": "{}", "plain": "stays"},
		ManagedFields: []metav1.ManagedFieldsEntry{{Manager: Manager, Operation: metav1.ManagedFieldsOperationApply}, {Manager: "kubectl"}},
	}
	before := marked.DeepCopy()
	released := marked
	Release(&released)
	want := metav1.ObjectMeta{
		Labels:        map[string]string{"team": "red", "app.kubernetes.io/instance": "images"},
		Annotations:   map[string]string{"plain": "stays"},
		ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubectl"}},
	}
	if diff := cmp.Diff(want, released); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(*before, marked); diff != "" {
		t.Errorf("the argument was changed: %s", diff)
	}
}
