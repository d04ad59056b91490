// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"encoding/json"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

const debianServers = `
apiVersion: images.goldsmith.dev/v1alpha1
kind: ImageKind
metadata: {name: debianservers}
spec:
  names: {kind: DebianServer, singular: debianserver, shortNames: [deb], categories: [catalog]}
  template:
    builder: {name: debian}
    targets: [{platform: linux/amd64, format: qcow2}]
    parameters: [{name: flavour, value: server}]
    template: {serviceAccountName: image-builder}
  versions:
  - name: v1
    schema:
      type: object
      required: [size]
      properties:
        release: {type: string, enum: [bookworm, trixie], default: bookworm}
        size: {type: string, enum: [small, large]}
        packages: {type: array, maxItems: 16, x-kubernetes-list-type: atomic, items: {type: string, maxLength: 63}}
        owner: {type: string, maxLength: 32}
        paused: {type: boolean, default: false}
        retries: {type: integer, minimum: 0, maximum: 10, default: 2}
        rebuild:
          type: object
          required: [at]
          properties:
            at: {type: string, minLength: 1, maxLength: 64}
            within: {type: string, pattern: "^[0-9]+m$", maxLength: 8}
    bindings:
    - {field: spec.release, to: spec.base.reference, prefix: "debian:"}
    - {field: spec.size, to: "spec.parameters[disk]", values: [{value: small, to: 20Gi}, {value: large, to: 100Gi}]}
    - {field: spec.packages, to: "spec.parameters[packages]", json: true}
    - {field: spec.owner, to: "spec.parameters[owner]"}
    - {field: spec.paused, to: spec.suspend}
    - {field: spec.retries, to: spec.retry.limit}
    - {field: spec.rebuild.at, to: spec.triggers.schedule.cron}
    - {field: spec.rebuild.within, to: spec.triggers.schedule.startingDeadline}
`

func parseKind(t testing.TB, document string) *v1alpha1.ImageKind {
	t.Helper()
	declared := &v1alpha1.ImageKind{}
	require.NoError(t, yaml.UnmarshalStrict([]byte(document), declared))
	return declared
}

func compile(t testing.TB, document string) *Kind {
	t.Helper()
	kind, errs := Compile(t.Context(), parseKind(t, document))
	if len(errs) > 0 {
		t.Fatal(errs.ToAggregate())
	}
	return kind
}

func object(t testing.TB, document string) *unstructured.Unstructured {
	t.Helper()
	read := &unstructured.Unstructured{}
	require.NoError(t, json.Unmarshal(require.Value(yaml.YAMLToJSON([]byte(document)))(t), &read.Object))
	return normal(t, read)
}

// normal returns an object in the form in which a server reads it.
func normal(t testing.TB, object *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	read := &unstructured.Unstructured{}
	require.NoError(t, utiljson.Unmarshal(require.Value(json.Marshal(object.Object))(t), &read.Object))
	return read
}

func jsonOf(t testing.TB, value any) string {
	t.Helper()
	return string(require.Value(json.Marshal(value))(t))
}

// TestTags holds that Compile enforces the tags of ImageKinds.
func TestTags(t *testing.T) {
	const versions = "spec.versions[0]."
	for want, change := range map[string]func(*v1alpha1.ImageKind, *v1alpha1.ImageKindVersion){
		"spec.names.kind: Required value":                               func(k *v1alpha1.ImageKind, _ *v1alpha1.ImageKindVersion) { k.Spec.Names.Kind = "" },
		"spec.names.kind: Too long: may not be more than 59 characters": func(k *v1alpha1.ImageKind, _ *v1alpha1.ImageKindVersion) { k.Spec.Names.Kind = strings.Repeat("A", 60) },
		"spec.names.shortNames: Too many: 17: must have at most 16 items": func(k *v1alpha1.ImageKind, _ *v1alpha1.ImageKindVersion) {
			k.Spec.Names.ShortNames = strings.Split("a b c d e f g h i j k l m n o p q", " ")
		},
		`spec.onDelete: Unsupported value: "Keep": supported values: "Release", "Wait"`: func(k *v1alpha1.ImageKind, _ *v1alpha1.ImageKindVersion) { k.Spec.OnDelete = "Keep" },
		versions + "derived[0].expression: Required value": func(_ *v1alpha1.ImageKind, v *v1alpha1.ImageKindVersion) {
			v.Derived = []v1alpha1.ImageKindDerivation{{To: "spec.parameters[x]"}}
		},
		versions + "columns: Too many: 17: must have at most 16 items": func(_ *v1alpha1.ImageKind, v *v1alpha1.ImageKindVersion) {
			v.Columns = make([]v1alpha1.ImageKindColumn, 17)
		},
		versions + "columns[0].name: Too long: may not be more than 63 bytes": func(_ *v1alpha1.ImageKind, v *v1alpha1.ImageKindVersion) {
			v.Columns = []v1alpha1.ImageKindColumn{{Name: strings.Repeat("ü", 32), JSONPath: "."}}
		},
		versions + "bindings[1].values[0].to: Too long: may not be more than 4096 bytes": func(_ *v1alpha1.ImageKind, v *v1alpha1.ImageKindVersion) {
			v.Bindings[1].Values[0].To = strings.Repeat("a", 4097)
		},
	} {
		kind := parseKind(t, debianServers)
		change(kind, &kind.Spec.Versions[0])
		expectFaultsOf(t, kind, want)
	}
}

func TestAViewHasTheStatusWithoutRecordsOfTheServer(t *testing.T) {
	kind := compile(t, debianServers)
	image := storedServer(t, kind)
	image.Status = v1alpha1.ImageStatus{
		ObservedGeneration: 3, BuildCounter: 7, CountedBuild: 6, RecentRequests: []v1alpha1.BuildRequestRecord{{RequestID: "a", Number: 7}},
		Conformance: &v1alpha1.ImageConformance{Fields: []string{"spec.builder.name"}},
	}
	former := jsonOf(t, image)
	if got := jsonOf(t, require.Value(kind.Get(image))(t).Status); got != `{"observedGeneration":3}` {
		t.Errorf("the status is %s", got)
	}
	before := viewOf(t, kind, image)
	if got := jsonOf(t, require.Value(kind.Put(t.Context(), before, before, image))(t)); got != former || jsonOf(t, image) != former {
		t.Errorf("the Image is\n%s\nwant\n%s", got, former)
	}
}

func TestAnObjectIsStoredAsItsImage(t *testing.T) {
	kind := compile(t, debianServers)
	view := object(t, `
apiVersion: catalog.goldsmith.dev/v1
kind: DebianServer
metadata: {name: web, namespace: red, labels: {app: web}}
spec: {release: trixie, size: small, packages: [nginx, "a<b"], owner: ada, paused: true, retries: 3, rebuild: {at: "@daily", within: 90m}}
`)
	image := require.Value(kind.Put(t.Context(), view, nil, nil))(t)
	image.ManagedFields = nil
	want := &v1alpha1.Image{}
	require.NoError(t, yaml.UnmarshalStrict([]byte(`
metadata:
  name: web
  namespace: red
  labels: {app: web, catalog.goldsmith.dev/kind: debianservers, catalog.goldsmith.dev/revision: `+`"`+kind.Revision()+`"`+`}
spec:
  builder: {name: debian}
  targets: [{platform: linux/amd64, format: qcow2}]
  base: {reference: "debian:trixie"}
  parameters:
  - {name: flavour, value: server}
  - {name: disk, value: 20Gi}
  - {name: packages, value: '["nginx","a<b"]'}
  - {name: owner, value: ada}
  template: {serviceAccountName: image-builder}
  suspend: true
  retry: {limit: 3}
  triggers: {schedule: {cron: "@daily", startingDeadline: 90m}}
`), want))
	if got := jsonOf(t, image); got != jsonOf(t, want) {
		t.Errorf("the Image is\n%s\nwant\n%s", got, jsonOf(t, want))
	}

	read := require.Value(kind.Get(image))(t)
	got := require.Value(read.Unstructured())(t)
	delete(got.Object, "status")
	unstructured.RemoveNestedField(got.Object, "metadata", "creationTimestamp")
	if jsonOf(t, got) != jsonOf(t, view) {
		t.Errorf("the object is\n%s\nwant\n%s", jsonOf(t, got), jsonOf(t, view))
	}
}
