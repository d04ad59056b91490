// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// LegalHold validates the label for a legal hold, whose other values look as if they set none.
func LegalHold(labels map[string]string) field.ErrorList {
	value, set := labels[v1alpha1.LabelLegalHold]
	if !set {
		return nil
	}
	return Enum(value, []string{v1alpha1.LegalHold, v1alpha1.NoLegalHold}, metadata.Child("labels").Key(v1alpha1.LabelLegalHold))
}
