// SPDX-License-Identifier: Apache-2.0

package imagespec

import (
	"encoding/json"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/apis/generated/openapi"
	"goldsmith.dev/goldsmith/e2e/require"
)

// TestTheTemplateIsOwnedAsTheServerWouldOwnIt compares the paths of a template that has each form of list and object with those that
// server-side apply finds by the published schema.
func TestTheTemplateIsOwnedAsTheServerWouldOwnIt(t *testing.T) {
	content := &unstructured.Unstructured{}
	require.NoError(t, yaml.Unmarshal([]byte(`
apiVersion: images.goldsmith.dev/v1alpha1
kind: Image
spec:
  builder: {image: example.com/builder, command: [a, b]}
  base: {imageRef: {name: base, channel: stable}}
  source: {inline: {files: {a.txt: a, b/c.txt: ""}}}
  parameters: [{name: a, value: x}, {name: b}]
  targets: [{platform: linux/amd64, format: raw}, {platform: linux/arm64, format: raw}]
  template:
    serviceAccountName: builder
    resources: {limits: {cpu: 500m, memory: 4Gi}, requests: {}}
    nodeSelector: {example.com/pool: builders}
    tolerations: [{key: a, operator: Exists}]
    affinity:
      nodeAffinity:
        requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Exists}]}]}
        preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, preference: {matchExpressions: [{key: a, operator: Exists}]}}]
      podAntiAffinity:
        requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: a, labelSelector: {matchLabels: {a: b}}}]
    env:
    - {name: A, value: a}
    - {name: B, valueFrom: {secretKeyRef: {name: s, key: k}}}
    - {name: C, valueFrom: {configMapKeyRef: {name: s, key: k}}}
    - {name: D, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
    - {name: E, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}
    - {name: F, valueFrom: {fileKeyRef: {volumeName: v, path: p, key: k}}}
  output: {repository: example.com/x, secretRef: {name: s}}
  triggers: {schedule: {cron: "@daily", jitter: 5m}, onBaseChange: false}
  retry: {classes: [Infrastructure, User], backoff: {}}
  history: {succeeded: 5, ttl: {failed: 7d}, logMaxBytes: 1Gi}
`), &content.Object))
	var document struct {
		Components struct {
			Schemas map[string]*spec.Schema `json:"schemas"`
		} `json:"components"`
	}
	require.NoError(t, json.Unmarshal([]byte(openapi.Document()), &document))
	converter := require.Value(managedfields.NewTypeConverter(document.Components.Schemas, false))(t)
	want := require.Value(require.Value(converter.ObjectToTyped(content))(t).ToFieldSet())(t)

	declared, _, err := unstructured.NestedMap(content.Object, "spec")
	require.NoError(t, err)
	got := (&Template{Declared: declared}).OwnedPaths()
	want = want.Difference(fieldpath.NewSet(fieldPath("apiVersion"), fieldPath("kind")))
	if missing, more := want.Difference(got), got.Difference(want); !missing.Empty() || !more.Empty() {
		t.Errorf("the paths lack\n%s\nand have\n%s", missing, more)
	}
}
