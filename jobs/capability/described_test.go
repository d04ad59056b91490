// SPDX-License-Identifier: Apache-2.0

package capability

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestABuilderOfTheAPIHasTheCapabilities(t *testing.T) {
	t.Parallel()
	some := Capabilities{
		Targets: []Target{{Platform: "linux/amd64", Format: "raw"}, {Format: "oci"}},
		Parameters: &Schema{Description: "How", Required: []string{"size"}, AdditionalProperties: true, Properties: map[string]Property{
			"size": {Pattern: "^[0-9]+M$", PatternErrorMessage: "must be MiB, such as 5M", MinLength: new(int64(2))}, "ratio": {Type: "number", Minimum: new(0.5), Default: 0.5, Enum: []any{0.5, 1.5}},
		}},
	}
	for _, capabilities := range []Capabilities{{}, {Parameters: &Schema{}}, some} {
		builder := &v1alpha1.Builder{}
		require.NoError(t, capabilities.Describe(builder))
		described, err := Described(builder)
		require.NoError(t, err)
		want := capabilities
		if want.Parameters != nil { // the defaults are explicit, as readers of JSON schema need them
			schema := *want.Parameters
			schema.Type = "object"
			if size, ok := schema.Properties["size"]; ok {
				size.Type = "string"
				schema.Properties = map[string]Property{"size": size, "ratio": schema.Properties["ratio"]}
			}
			want.Parameters = &schema
		}
		if diff := cmp.Diff(want, described); diff != "" {
			t.Error(diff)
		}
	}
	closed := &v1alpha1.Builder{}
	require.NoError(t, Capabilities{Parameters: &Schema{Properties: map[string]Property{"size": {}}}}.Describe(closed))
	if got, want := string(closed.Parameters.Raw), `{"type":"object","properties":{"size":{"type":"string"}},"additionalProperties":false}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	broken := &v1alpha1.Builder{Parameters: &runtime.RawExtension{Raw: []byte(`[]`)}}
	broken.Name = "disk"
	if _, err := Described(broken); err == nil || !strings.HasPrefix(err.Error(), "read the parameters of Builder disk: ") {
		t.Errorf("got error %v", err)
	}
}
