// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/conversion"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Immutable refuses the change of a value.
func Immutable[T any](value, stored T, path *field.Path, message string) field.ErrorList {
	if Unchanged.DeepEqual(value, stored) {
		return nil
	}
	return field.ErrorList{field.Invalid(path, field.OmitValueType{}, message)}
}

// Unchanged compares like equality.Semantic, and durations and quantities by their value: somebody may write 60m instead of
// 1h, or 0.5 instead of 500m.
var Unchanged = byValue(equality.Semantic.Copy())

func byValue(equalities conversion.Equalities) conversion.Equalities {
	err := equalities.AddFuncs(
		func(a, b v1alpha1.Duration) bool { return a.Duration == b.Duration },
		func(a, b v1alpha1.Quantity) bool { return a == b || sameAmount(a, b) },
	)
	if err != nil {
		panic(err)
	}
	return equalities
}

func sameAmount(a, b v1alpha1.Quantity) bool {
	first, errFirst := a.Parse()
	second, errSecond := b.Parse()
	return errFirst == nil && errSecond == nil && first.Cmp(second) == 0
}
