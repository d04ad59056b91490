// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"testing"

	"goldsmith.dev/goldsmith/apis/constants"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func TestEveryFailureReasonHasAClass(t *testing.T) {
	reasons, err := constants.In(".", func(kind, _ string) bool { return kind == "FailureReason" })
	if err != nil {
		t.Fatal(err)
	}
	for name, reason := range reasons {
		if v1alpha1.FailureReason(reason).Class() == "" {
			t.Errorf("%s has no class", name)
		}
	}
	if class := v1alpha1.FailureReason("Because").Class(); class != "" {
		t.Errorf("an unknown reason has class %s", class)
	}
}
