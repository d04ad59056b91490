// SPDX-License-Identifier: Apache-2.0

package validation

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// validateLegalHold checks a new value of the label for a legal hold. A stored value can stay. old is nil for a new object.
func validateLegalHold(meta, old *metav1.ObjectMeta) field.ErrorList {
	value, set := meta.Labels[v1alpha1.LabelLegalHold]
	if !set {
		return nil
	}
	if old != nil {
		if stored, kept := old.Labels[v1alpha1.LabelLegalHold]; kept && stored == value {
			return nil
		}
	}
	return validateEnum(value, []string{v1alpha1.LegalHold, v1alpha1.NoLegalHold}, metadata.Child("labels").Key(v1alpha1.LabelLegalHold))
}
