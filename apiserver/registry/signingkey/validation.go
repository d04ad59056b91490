// SPDX-License-Identifier: Apache-2.0

package signingkey

import (
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	declared "goldsmith.dev/goldsmith/apis/generated/validation"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/validation"
	"goldsmith.dev/goldsmith/jobs/signing"
)

var (
	spec   = field.NewPath("spec")
	status = field.NewPath("status")
)

// Validate validates the spec of a SigningKey. A notAfter in the past is valid: it retires a key.
func Validate(key *v1alpha1.SigningKey) field.ErrorList {
	var errs field.ErrorList
	if selector := key.Spec.NamespaceSelector; selector != nil {
		errs = metav1validation.ValidateLabelSelector(selector, metav1validation.LabelSelectorValidationOptions{}, spec.Child("namespaceSelector"))
	}
	return validation.Declared(declared.Validate_SigningKeySpec, &key.Spec, spec, errs)
}

// ValidateUpdate validates a change of the spec.
func ValidateUpdate(key, old *v1alpha1.SigningKey) field.ErrorList {
	return append(Validate(key), validation.Immutable(key.Spec.SecretRef, old.Spec.SecretRef, spec.Child("secretRef"),
		"is immutable: create another SigningKey for another key")...)
}

// ValidateStatusUpdate validates a change of the status. A public key that verifiers have read stays.
func ValidateStatusUpdate(key, old *v1alpha1.SigningKey) field.ErrorList {
	current, stored := &key.Status, &old.Status
	errs := metav1validation.ValidateConditions(current.Conditions, status.Child("conditions"))
	if stored.KeyID != "" && current.KeyID != stored.KeyID {
		return append(errs, field.Invalid(status.Child("keyID"), current.KeyID, "is immutable once it is set: create another SigningKey for another key"))
	}
	return append(errs, validatePublicKey(current)...)
}

func validatePublicKey(current *v1alpha1.SigningKeyStatus) field.ErrorList {
	if current.KeyID == "" && current.PublicKey == "" {
		return nil
	}
	public, err := signing.ReadPublic([]byte(current.PublicKey))
	switch {
	case err != nil:
		return field.ErrorList{field.Invalid(status.Child("publicKey"), field.OmitValueType{}, err.Error())}
	case public.ID() != current.KeyID:
		return field.ErrorList{field.Invalid(status.Child("keyID"), current.KeyID, "must be "+public.ID()+", the digest of status.publicKey")}
	}
	return nil
}
