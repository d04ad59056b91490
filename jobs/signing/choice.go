// SPDX-License-Identifier: Apache-2.0

package signing

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Namespace is the namespace of a build.
type Namespace struct {
	Name   string
	Labels map[string]string
}

// Expired reports whether a key signs nothing at a time, because its notAfter has passed.
func Expired(key *v1alpha1.SigningKey, now time.Time) bool {
	return key.Spec.NotAfter != nil && !now.Before(key.Spec.NotAfter.Time)
}

// Selects reports whether a key signs the builds of a namespace while it has not expired.
func Selects(key *v1alpha1.SigningKey, namespace Namespace) (bool, error) {
	if key.Spec.NamespaceSelector == nil {
		return true, nil
	}
	selector, err := metav1.LabelSelectorAsSelector(key.Spec.NamespaceSelector)
	if err != nil {
		return false, fmt.Errorf("spec.namespaceSelector of SigningKey %s: %w", key.Name, err)
	}
	return selector.Matches(labels.Set(namespace.Labels)), nil
}

// Choose returns the keys that sign the builds of a namespace, sorted by name: those that select it, have not expired, and that the signer has not called
// unusable. A key that the signer has not read yet is one of them, because the build waits for the signer. The failure is nil if the policy
// needs no key, or if there is one.
//
// While a key that selects the namespace has expired or is unusable, and no other signs, the failure says so, also with the policy Automatic: the
// operator wants these builds signed.
func Choose(policy v1alpha1.AttestPolicy, keys []*v1alpha1.SigningKey, namespace Namespace, now time.Time) ([]*v1alpha1.SigningKey, *v1alpha1.BuildFailure) {
	if policy == v1alpha1.AttestNever {
		return nil, nil
	}
	keys = slices.SortedFunc(slices.Values(keys), func(a, b *v1alpha1.SigningKey) int { return cmp.Compare(a.Name, b.Name) })
	var chosen []*v1alpha1.SigningKey
	var expired, unusable, others []string
	for _, key := range keys {
		ready := meta.FindStatusCondition(key.Status.Conditions, v1alpha1.SigningKeyReady)
		selects, err := Selects(key, namespace)
		switch {
		case err != nil:
			unusable = append(unusable, err.Error())
		case !selects:
			others = append(others, key.Name)
		case Expired(key, now):
			expired = append(expired, fmt.Sprintf("%s at %s", key.Name, key.Spec.NotAfter.UTC().Format(time.RFC3339)))
		case ready == nil || ready.Status != metav1.ConditionFalse || ready.ObservedGeneration != key.Generation:
			chosen = append(chosen, key)
		case ready.Reason == v1alpha1.ReasonKeyExpired: // the signer's clock is ahead of the server's
			expired = append(expired, key.Name+" by the clock of the signer")
		default:
			unusable = append(unusable, fmt.Sprintf("%s: %s", key.Name, ready.Message))
		}
	}
	switch {
	case len(chosen) > 0:
		return chosen, nil
	case len(unusable) > 0:
		return nil, v1alpha1.ReasonSigningKeyUnusable.Failure("the signer cannot sign the builds of namespace %s with SigningKey %s", namespace.Name, strings.Join(unusable, "; "))
	case len(expired) > 0:
		return nil, v1alpha1.ReasonSigningKeyExpired.Failure(
			"each SigningKey for namespace %s has expired: %s; the clock of the server says %s: make the next key, or set output.attest to Never",
			namespace.Name, strings.Join(expired, ", "), now.UTC().Format(time.RFC3339))
	case policy != v1alpha1.AttestRequired:
		return nil, nil
	case len(others) > 0:
		return nil, v1alpha1.ReasonNoSigningKey.Failure("output.attest is Required, and no SigningKey selects namespace %s: let spec.namespaceSelector of one of these select it: %s",
			namespace.Name, strings.Join(others, ", "))
	}
	return nil, v1alpha1.ReasonNoSigningKey.Failure("output.attest is Required, and there is no SigningKey: %s", makeKey)
}
