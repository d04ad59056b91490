// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// hash returns the revision: 8 hex digits that depend on what the kind declares, and not on the order in which it does so.
func (k *Kind) hash() string {
	declared := struct {
		Template map[string]any                 `json:"template"`
		Bindings []v1alpha1.ImageKindBinding    `json:"bindings"`
		Derived  []v1alpha1.ImageKindDerivation `json:"derived"`
	}{k.template.Declared, k.version.DeepCopy().Bindings, k.version.DeepCopy().Derived}
	slices.SortFunc(declared.Bindings, func(a, b v1alpha1.ImageKindBinding) int { return cmp.Compare(a.Field, b.Field) })
	for i := range declared.Bindings {
		slices.SortFunc(declared.Bindings[i].Values, func(a, b v1alpha1.ImageKindValue) int { return cmp.Compare(a.Value, b.Value) })
	}
	slices.SortFunc(declared.Derived, func(a, b v1alpha1.ImageKindDerivation) int { return cmp.Compare(a.To, b.To) })
	text, err := json.Marshal(declared)
	if err != nil {
		panic(err) // the values were read from JSON
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:4])
}
