// SPDX-License-Identifier: Apache-2.0

package kustomize_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/e2e/require"
)

// inputs refer to an object by every field of images.goldsmith.dev that names one.
const inputs = `{
  builder: {name: mock}, base: {imageRef: {name: own-base}}, source: {configMapRef: {name: own-files}},
  template: {
    serviceAccountName: own-account, priorityClassName: own-priority, runtimeClassName: own-runtime, queueName: own-queue,
    env: [
      {name: A, valueFrom: {configMapKeyRef: {name: own-files, key: a}}},
      {name: B, valueFrom: {secretKeyRef: {name: own-secret, key: b}}},
      {name: C, valueFrom: {configMapKeyRef: {name: foreign, key: c}}}]}}`

const referring = `
{apiVersion: images.goldsmith.dev/v1alpha1, kind: Image, metadata: {name: own-base}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: own-account}}
---
{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: own-priority}, value: 1}
---
{apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {name: own-runtime}, handler: x}
---
{apiVersion: kueue.x-k8s.io/v1beta2, kind: LocalQueue, metadata: {name: own-queue}}
---
{apiVersion: images.goldsmith.dev/v1alpha1, kind: Image, metadata: {name: web}, spec: ` + inputs + `}
---
{apiVersion: images.goldsmith.dev/v1alpha1, kind: ImageBuild, metadata: {name: once}, spec: {inputs: ` + inputs + `}}
`

func TestKustomizeRenamesWhatImagesAndBuildsReferTo(t *testing.T) {
	tree := inMemory(t)
	for file, text := range map[string]string{
		"objects.yaml": referring,
		"kustomization.yaml": `
components: [../../kustomize/config]
resources: [objects.yaml]
namePrefix: a-
nameSuffix: -z
namespace: team
configMapGenerator: [{name: own-files, literals: [a=b]}]
secretGenerator: [{name: own-secret, literals: [b=c]}]
`,
	} {
		require.NoError(t, tree.WriteFile("layers/team/"+file, []byte(text)))
	}
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(tree, "layers/team")
	require.NoError(t, err)
	var names []string
	specs := map[string]any{}
	for _, resource := range built.Resources() {
		renamed := resource.GetName() // a generated object has a hash, too
		name, _, ok := strings.Cut(strings.TrimPrefix(renamed, "a-"), "-z")
		content, err := resource.Map()
		if err != nil || !ok {
			t.Fatalf("%s: %v", renamed, err)
		}
		names, specs[name] = append(names, name, renamed), content["spec"]
	}
	var want map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(strings.NewReplacer(names...).Replace(inputs)), &want))
	if diff := cmp.Diff(any(want), specs["web"]); diff != "" {
		t.Errorf("the Image: %s", diff)
	}
	if diff := cmp.Diff(any(map[string]any{"inputs": want}), specs["once"]); diff != "" {
		t.Errorf("the ImageBuild: %s", diff)
	}
}
