// SPDX-License-Identifier: Apache-2.0

package builders

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	shipped "goldsmith.dev/goldsmith/builders"
	"goldsmith.dev/goldsmith/cmd/internal/builders/document"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/capability"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

var update = flag.Bool("update", false, "write the components")

// component has the files of a component besides its document.
var component = map[string]string{
	"kustomization.yaml": `# SPDX-License-Identifier: Apache-2.0
# The builder NAME. make IMAGE-image builds its container image; name the image in the images of the overlay.
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
configMapGenerator:
  - name: goldsmith-builders
    namespace: goldsmith-system
    behavior: merge
    literals:
      - NAME=IMAGE:devel # beside the document, because the images of an overlay apply only here
    files:
      - NAME.yaml=builder.yaml
configurations:
  - images.yaml
`,
	"images.yaml": `# SPDX-License-Identifier: Apache-2.0
# A further field with the reference of a container image, so that the images of an overlay apply to it.
images:
  - path: data/NAME
    version: v1
    kind: ConfigMap
`,
}

// TestTheComponentsDescribeTheBuildersThatShip holds the document of each, and its component of kustomize, except for mock, which is in the base.
// -update writes them.
func TestTheComponentsDescribeTheBuildersThatShip(t *testing.T) {
	t.Parallel()
	type declaration struct {
		Name        string `json:"name"`
		Description string `json:"description"`
		Reports     bool   `json:"reports"`
		capability.Capabilities
	}
	for at, builder := range shipped.Shipped() {
		directory, file := filepath.Join("../../../kustomize/components", builder.Command), "builder.yaml"
		if at == 0 {
			directory, file = "../../../kustomize/base", "mock-builder.yaml"
		}
		described, err := yaml.Marshal(map[string]any{
			"apiVersion": "goldsmith.dev/v1alpha1", "kind": "BuilderConfiguration",
			"builders": []declaration{{builder.Name, builder.Description, true, builder.Capabilities}},
		})
		require.NoError(t, err)
		files := map[string]string{file: "# SPDX-License-Identifier: Apache-2.0\n" +
			"# What the entry " + builder.Name + " of the ConfigMap goldsmith-builders cannot tell. make generate writes this file.\n" + string(described)}
		for name, text := range component {
			if at > 0 {
				files[name] = strings.NewReplacer("NAME", builder.Name, "IMAGE", builder.Image).Replace(text)
			}
		}
		for name, want := range files {
			path := filepath.Join(directory, name)
			if *update {
				require.NoError(t, os.MkdirAll(directory, 0o750))
				require.NoError(t, os.WriteFile(path, []byte(want), 0o600))
			}
			written, err := os.ReadFile(path)
			require.NoError(t, err)
			if diff := cmp.Diff(want, string(written)); diff != "" {
				t.Errorf("%s is stale: run make generate\n%s", path, diff)
			}
		}
		builders, err := document.DecodeImages([]byte(files[file]), map[string]string{builder.Name: builder.Image + ":devel"})
		if err != nil || len(builders) != 1 {
			t.Errorf("the server reads %v, %v", builders, err)
		}
	}
}

// TestTheTesterWithKVMDiffersOnlyInItsPods holds the component that replaces the document of the tester.
func TestTheTesterWithKVMDiffersOnlyInItsPods(t *testing.T) {
	t.Parallel()
	read := func(content []byte) document.ImageBuilder {
		return require.Value(document.DecodeImages(content, map[string]string{inputs.Tester: "image"}))(t)[inputs.Tester]
	}
	components := "../../../kustomize/components/"
	changed := &corev1.ConfigMap{}
	require.NoError(t, yaml.Unmarshal(require.Value(os.ReadFile(components+"tester-kvm/builders.yaml"))(t), changed))
	want := read(require.Value(os.ReadFile(components + "tester/builder.yaml"))(t))
	want.Placement.Resources = &v1alpha1.ResourceRequirements{Limits: map[string]v1alpha1.Quantity{"devices.kubevirt.io/kvm": {Text: "1", Number: true}}}
	if diff := cmp.Diff(want, read([]byte(changed.Data["tester.yaml"]))); diff != "" {
		t.Error(diff)
	}
}
