// SPDX-License-Identifier: Apache-2.0

package capability

import (
	"encoding/json"
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
		Probe:   true,
		Reasons: []v1alpha1.BuilderReason{{Reason: "MirrorDown", Class: v1alpha1.FailureInfrastructure, Meaning: "the mirror is unreachable", Remedy: "nothing"}},
		Targets: []Target{{Platform: "linux/amd64", Format: "raw"}, {Format: "oci"}},
		Parameters: &Schema{Description: "How", Required: []string{"size"}, AdditionalProperties: true, Properties: map[string]Property{
			"size": {Pattern: "^[0-9]+M$", PatternErrorMessage: "must be MiB, such as 5M", MinLength: new(int64(2))}, "ratio": {Type: "number", Minimum: new(0.5), Default: 0.5, Enum: []any{0.5, 1.5}},
		}},
	}
	inputs := Capabilities{Base: &Property{Type: "string", Enum: []any{"debian:trixie"}}, FileNames: &Property{Type: "string", Pattern: "^root/"}}
	for _, capabilities := range []Capabilities{{}, {Parameters: &Schema{}}, inputs, some} {
		builder := &v1alpha1.Builder{}
		require.NoError(t, capabilities.Describe(builder))
		described, err := FromBuilder(builder)
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
	lists := Property{ContentMediaType: "application/yaml", ContentSchema: &Content{Property: Property{Type: "array"}, Items: &Content{
		Property: Property{Type: "object"}, Required: []string{"size"}, Properties: map[string]Content{"size": {Property: Property{Pattern: "^[0-9]+$"}}},
	}}}
	const content = `{"type":"string","contentMediaType":"application/yaml","contentSchema":{"type":"array","items":{"type":"object",` +
		`"properties":{"size":{"type":"string","pattern":"^[0-9]+$"}},"required":["size"],"additionalProperties":false}}}`
	if got := string(require.Value(json.Marshal(lists))(t)); got != content {
		t.Errorf("got %s, want %s", got, content)
	}
	read := Property{}
	require.NoError(t, json.Unmarshal([]byte(content), &read))
	if got := string(require.Value(json.Marshal(read))(t)); got != content {
		t.Errorf("got %s, want %s", got, content)
	}
	closed := &v1alpha1.Builder{}
	require.NoError(t, Capabilities{Parameters: &Schema{Properties: map[string]Property{"size": {}}}}.Describe(closed))
	if got, want := string(closed.Parameters.Raw), `{"type":"object","properties":{"size":{"type":"string"}},"additionalProperties":false}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	wrong := &v1alpha1.Builder{FileNames: &runtime.RawExtension{Raw: []byte(`[]`)}}
	if _, err := FromBuilder(wrong); err == nil || !strings.HasPrefix(err.Error(), "read the fileNames of Builder ") {
		t.Errorf("got error %v", err)
	}
	broken := &v1alpha1.Builder{Parameters: &runtime.RawExtension{Raw: []byte(`[]`)}}
	broken.Name = "disk"
	if _, err := FromBuilder(broken); err == nil || !strings.HasPrefix(err.Error(), "read the parameters of Builder disk: ") {
		t.Errorf("got error %v", err)
	}
}
