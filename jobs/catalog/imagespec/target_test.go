// SPDX-License-Identifier: Apache-2.0

package imagespec

import (
	"encoding/json"
	"math"
	"testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

// TestTargets reads and writes each form of target.
func TestTargets(t *testing.T) {
	for _, test := range []struct {
		path  string
		value any
	}{
		{"spec.base.reference", "debian:trixie"}, {"spec.parameters[a.b_c-D]", ""}, {"spec.source.inline.files[etc/a[1].conf]", ""},
		{"spec.template.nodeSelector[example.com/pool]", "a"}, {"spec.template.resources.limits[cpu]", "0500m"}, {"spec.runPolicy", "Parallel"},
		{"spec.suspend", false}, {"spec.history.failed", int64(math.MinInt32)}, {"spec.timeouts.run", "1h0m"}, {"spec.history.logMaxBytes", "0"},
		{"spec.history.ttl.failed", "1d12h"},
	} {
		t.Run(test.path, func(t *testing.T) {
			image := &v1alpha1.Image{}
			image.Spec.Parameters = []v1alpha1.Parameter{{Name: "disk", Value: "20Gi"}}
			v1alpha1.SetObjectDefaults_Image(image)
			target := require.Value(newTarget(test.path))(t)
			require.NoError(t, target.Set(&image.Spec, test.value))
			if got, found := target.Get(&image.Spec); !found || got != test.value {
				t.Errorf("the value is %#v, %t, want %#v", got, found, test.value)
			}
			text := string(require.Value(json.Marshal(image.Spec))(t))
			require.NoError(t, target.Set(&image.Spec, test.value))
			if string(require.Value(json.Marshal(image.Spec))(t)) != text {
				t.Errorf("setting the value again changes the Image to %s\nfrom %s", string(require.Value(json.Marshal(image.Spec))(t)), text)
			}
			target.Remove(&image.Spec)
			if got, found := target.Get(&image.Spec); found {
				t.Errorf("the value is %#v after it was removed", got)
			}
			if err := target.Set(&image.Spec, 0.5); err == nil || err.Error() != "must be of type "+target.Type() {
				t.Errorf("a number is %v", err)
			}
		})
	}
}
