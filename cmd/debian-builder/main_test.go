// SPDX-License-Identifier: Apache-2.0

package main

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/builders/debian"
	"goldsmith.dev/goldsmith/cmd/internal/builders/document"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/capability"
)

var update = flag.Bool("update", false, "write the document of the component")

// component is the document of the component, which registers the builder in a cluster.
const component = "../../kustomize/components/debian-builder/builder.yaml"

func TestTheComponentDescribesTheBuilder(t *testing.T) {
	t.Parallel()
	type declaration struct {
		Name        string `json:"name"`
		Description string `json:"description"`
		Reports     bool   `json:"reports"`
		capability.Capabilities
	}
	described, err := yaml.Marshal(map[string]any{
		"apiVersion": "goldsmith.dev/v1alpha1", "kind": "BuilderConfiguration",
		"builders": []declaration{{"debian", debian.Description, true, debian.Capabilities()}},
	})
	require.NoError(t, err)
	want := "# SPDX-License-Identifier: Apache-2.0\n" +
		"# What the entry debian of the ConfigMap goldsmith-builders cannot tell. go test ./cmd/debian-builder -update writes this file.\n" + string(described)
	if *update {
		require.NoError(t, os.WriteFile(component, []byte(want), 0o600))
	}
	written, err := os.ReadFile(component)
	require.NoError(t, err)
	if diff := cmp.Diff(want, string(written)); diff != "" {
		t.Errorf("run go test ./cmd/debian-builder -update\n%s", diff)
	}
	if builders, err := document.DecodeImages(written, map[string]string{"debian": "debian-builder:devel"}); err != nil || len(builders) != 1 {
		t.Errorf("the server reads %v, %v", builders, err)
	}
}
