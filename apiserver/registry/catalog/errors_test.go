// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"errors"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// TestAdmissionRefusesInTheTermsOfTheKind has the errors of quotas and of ValidatingAdmissionPolicies, which are invalid without a field.
func TestAdmissionRefusesInTheTermsOfTheKind(t *testing.T) {
	t.Parallel()
	kind := mustCompile(t, declare("servers", "Server", 0))
	images := schema.GroupResource{Group: v1alpha1.GroupName, Resource: "images"}
	image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Name: "web"}}
	forbidden := apierrors.NewForbidden(images, "web", errors.New("exceeded quota"))
	denied := apierrors.NewForbidden(images, "web", errors.New("exceeded quota"))
	denied.ErrStatus.Reason, denied.ErrStatus.Code = metav1.StatusReasonInvalid, 422
	denied.ErrStatus.Details.Causes = []metav1.StatusCause{{Message: "exceeded quota"}}
	for _, err := range []*apierrors.StatusError{forbidden, denied} {
		var explained *apierrors.StatusError
		if !errors.As((&REST{kind: kind}).explain(err, image), &explained) {
			t.Fatalf("%v has no status", err)
		}
		status := explained.ErrStatus
		if want := kind.Name() + `.catalog.goldsmith.dev "web" is forbidden: exceeded quota`; status.Message != want || status.Reason != err.ErrStatus.Reason || status.Code != err.ErrStatus.Code ||
			status.Details.Kind != kind.Name() || status.Details.Group != v1alpha1.CatalogGroup || err.ErrStatus.Details.Kind != "images" {
			t.Errorf("got %+v of %+v", status, err)
		}
	}
}
