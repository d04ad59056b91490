// SPDX-License-Identifier: Apache-2.0

package image

import (
	"testing"

	"goldsmith.dev/goldsmith/apiserver/registry/validation/validationtest"
)

// BenchmarkValidate measures the validation of a typical Image.
func BenchmarkValidate(b *testing.B) {
	image := validationtest.Image()
	b.ReportAllocs()
	for b.Loop() {
		if errs := Validate(image); len(errs) > 0 {
			b.Fatal(errs)
		}
	}
}
