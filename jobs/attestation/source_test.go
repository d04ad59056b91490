// SPDX-License-Identifier: Apache-2.0

package attestation

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// A provenance names the commit or the artifact that a source named, and a rebuild of it takes that and not what the ref names now.
func TestAProvenanceNamesTheCommitOfTheSource(t *testing.T) {
	commit, long := strings.Repeat("0123456789", 4), strings.Repeat("01234567", 8)
	git := func(ref string) *v1alpha1.Source {
		return &v1alpha1.Source{Git: &v1alpha1.GitSource{
			URL: "https://git.example.com/team/images.git", Ref: ref, Path: "web", SecretRef: &v1alpha1.SecretReference{Name: "git"},
		}}
	}
	oci := func(tag string) *v1alpha1.Source {
		return &v1alpha1.Source{OCI: &v1alpha1.OCISource{Repository: "registry.example.com/team/web", Tag: tag}}
	}
	for name, test := range map[string]struct {
		source, pinned *v1alpha1.Source
		resolved       v1alpha1.SourceRevision
		uri            string
		digest         map[string]string
	}{
		"a branch": {
			source: git("main"), pinned: git(commit), resolved: v1alpha1.SourceRevision{Revision: "sha1:" + commit, Ref: "refs/heads/main", Summary: "Add a page"},
			uri: "git+https://git.example.com/team/images.git@refs/heads/main", digest: map[string]string{"gitCommit": commit},
		},
		"a commit": {
			source: git(commit), pinned: git(commit), resolved: v1alpha1.SourceRevision{Revision: "sha1:" + commit},
			uri: "git+https://git.example.com/team/images.git", digest: map[string]string{"gitCommit": commit},
		},
		"a commit of SHA-256": {
			source: git("main"), pinned: git(long), resolved: v1alpha1.SourceRevision{Revision: "sha256:" + long, Ref: "refs/heads/main"},
			uri: "git+https://git.example.com/team/images.git@refs/heads/main", digest: map[string]string{"gitCommit": long, "sha256": long},
		},
		"a tag of a registry": {
			source: oci("stable"), pinned: oci("sha256:" + long), resolved: v1alpha1.SourceRevision{Revision: "sha256:" + long, Ref: "stable"},
			uri: "oci://registry.example.com/team/web", digest: map[string]string{"sha256": long},
		},
	} {
		t.Run(name, func(t *testing.T) {
			build := web()
			build.Spec.Inputs.Source = test.source
			resolved := build.Status.Resolved
			resolved.Files, resolved.Source = nil, &test.resolved
			resolved.InputsDigest = inputs.Digest(build.Spec.Inputs, nil, resolved.BaseDigest, test.resolved.Revision)
			statement := statementsOf(t, build, artifactOfWeb(t))[0]
			if bytes.Contains(statement.Payload, []byte("Add a page")) {
				t.Errorf("the statement has what the author of the commit wrote: %s", statement.Payload)
			}
			var decoded struct {
				Predicate struct {
					BuildDefinition struct {
						ResolvedDependencies []descriptor `json:"resolvedDependencies"`
					} `json:"buildDefinition"`
				} `json:"predicate"`
			}
			require.NoError(t, json.Unmarshal(statement.Payload, &decoded))
			var found []descriptor
			for _, one := range decoded.Predicate.BuildDefinition.ResolvedDependencies {
				if one.Name == dependencySource {
					found = append(found, one)
				}
			}
			if diff := cmp.Diff([]descriptor{{Name: "source", URI: test.uri, Digest: test.digest}}, found); diff != "" {
				t.Errorf("the dependency differs (-want +got):\n%s", diff)
			}

			made := require.Value(require.Value(statement.Content())(t).Provenance())(t)
			want := build.Spec.Inputs.DeepCopy()
			want.Source = test.pinned
			if diff := cmp.Diff(*want, require.Value(made.Inputs())(t)); diff != "" {
				t.Errorf("the inputs of a rebuild differ (-want +got):\n%s", diff)
			}
			if made.External.SourceRevision != test.resolved.Revision {
				t.Errorf("the revision is %q", made.External.SourceRevision)
			}
			made.External.SourceRevision = "sha1:" + strings.Repeat("f", 40)
			if _, err := made.Inputs(); err == nil || !strings.Contains(err.Error(), "the build had inputs with the digest") {
				t.Errorf("with another commit: %v", err)
			}
		})
	}
}
