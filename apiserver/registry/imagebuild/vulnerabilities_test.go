// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"slices"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func TestStatementsNameArtifactsAndTheirManifests(t *testing.T) {
	content, manifest := "sha256:"+strings.Repeat("a", 64), "sha256:"+strings.Repeat("b", 64)
	for name, c := range map[string]struct {
		repository, location string
		want                 []string
	}{
		"published":                      {"registry.example/web", "registry.example/web@" + manifest, []string{content, manifest}},
		"kept":                           {"registry.example/web", "/apis/images.goldsmith.dev", []string{content}},
		"elsewhere, as a builder claims": {"registry.example/web", "registry.example/other@" + manifest, []string{content}},
		"not published":                  {"", "registry.example/web@" + manifest, []string{content}},
		"no repository":                  {"", "@" + manifest, []string{content}},
	} {
		build := &v1alpha1.ImageBuild{Status: v1alpha1.ImageBuildStatus{Artifacts: []v1alpha1.Artifact{{Digest: content, Location: c.location}}}}
		if c.repository != "" {
			build.Spec.Inputs.Output = &v1alpha1.Output{Repository: c.repository}
		}
		if got := subjectOf(build).Digests; !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
