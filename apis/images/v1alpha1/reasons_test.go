// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"maps"
	"slices"
	"testing"

	"goldsmith.dev/goldsmith/apis/constants"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestEveryFailureReasonIsExplainedOnce(t *testing.T) {
	declared, err := constants.In(".", func(kind, _ string) bool { return kind == "FailureReason" })
	require.NoError(t, err)
	explained := v1alpha1.FailureReasons()
	if got, want := slices.Sorted(slices.Values(explained)), slices.Sorted(maps.Values(declared)); !slices.EqualFunc(got, want, func(a v1alpha1.FailureReason, b string) bool { return string(a) == b }) {
		t.Errorf("explained are %v, declared are %v", got, want)
	}
	for _, reason := range explained {
		if reason.Meaning() == "" || reason.Class() == "" || (reason.Remedy() == "") != (reason.Class() == v1alpha1.FailureCancelled) {
			t.Errorf("%s is not explained: class %q, meaning %q, remedy %q", reason, reason.Class(), reason.Meaning(), reason.Remedy())
		}
	}
	if class := v1alpha1.FailureReason("Because").Class(); class != "" {
		t.Errorf("an unknown reason has class %s", class)
	}
}
