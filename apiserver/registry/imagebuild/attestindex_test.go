// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func TestOnlyAnIndexOfAttestedManifestsIsAttested(t *testing.T) {
	digest := func(hex string) string { return "sha256:" + strings.Repeat(hex, 64) }
	member := func(hex string) string {
		return fmt.Sprintf(`{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":%q,"size":2,"platform":{"os":"linux","architecture":"amd64"}}`, digest(hex))
	}
	index := func(members ...string) string {
		return `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[` + strings.Join(members, ",") + `]}`
	}
	good := index(member("a"), member("b"))
	for name, test := range map[string]struct {
		index  string
		change func(*v1alpha1.ImageBuild, *v1alpha1.BuildAttestation)
		want   string
	}{
		"valid":                     {index: good},
		"targets with one manifest": {index: index(member("a"), member("b"), member("a"))},
		"one manifest":              {index: index(member("b"))},
		"not attested":              {index: index(member("a"), member("c")), want: "manifests[1] is \"" + digest("c") + `", which is the manifest of no artifact that this attempt has attested: attest the artifact first`},
		"of an attempt without artifacts": {index: good, change: func(build *v1alpha1.ImageBuild, _ *v1alpha1.BuildAttestation) { build.Status.Attestation = nil },
			want: "attest the artifact first"},
		"of artifacts that it tests": {index: good, change: func(build *v1alpha1.ImageBuild, _ *v1alpha1.BuildAttestation) {
			build.Status.Attestation = nil
			build.Spec.Retests = &v1alpha1.TestedBuild{Artifacts: []v1alpha1.Artifact{
				{Location: "registry.example.com/team/web@" + digest("a")}, {Location: "registry.example.com/team/web@" + digest("b")},
			}}
		}},
		"of artifacts elsewhere that it tests": {index: good, change: func(build *v1alpha1.ImageBuild, _ *v1alpha1.BuildAttestation) {
			build.Status.Attestation = nil
			build.Spec.Retests = &v1alpha1.TestedBuild{Artifacts: []v1alpha1.Artifact{{Location: "registry.example.com/team/db@" + digest("a")}}}
		}, want: "attest the artifact first"},
		"the content of an artifact": {index: index(member("d")), want: "attest the artifact first"},
		"without an output":          {index: good, change: func(build *v1alpha1.ImageBuild, _ *v1alpha1.BuildAttestation) { build.Spec.Inputs.Output = nil }, want: "the build has no output"},
		"with an artifact": {index: good, change: func(_ *v1alpha1.ImageBuild, request *v1alpha1.BuildAttestation) {
			request.Artifact = &v1alpha1.Artifact{}
		}, want: "in other requests"},
		"with a manifest":    {index: good, change: func(_ *v1alpha1.ImageBuild, request *v1alpha1.BuildAttestation) { request.Manifest = digest("a") }, want: "in other requests"},
		"with locks":         {index: good, change: func(_ *v1alpha1.ImageBuild, request *v1alpha1.BuildAttestation) { request.Locks = [][]byte{{1}} }, want: "in other requests"},
		"too large":          {index: good + strings.Repeat(" ", v1alpha1.MaxIndexBytes-len(good)+1), want: "may not be more than 65536 bytes"},
		"as large as can be": {index: good + strings.Repeat(" ", v1alpha1.MaxIndexBytes-len(good))},
		"no JSON":            {index: "index", want: "must be JSON"},
		"two documents":      {index: good + good, want: "must be JSON"},
		"null":               {index: "null", want: "must have schemaVersion 2"},
		"a manifest": {index: `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{},"layers":[]}`,
			want: "must have schemaVersion 2 and mediaType application/vnd.oci.image.index.v1+json"},
		"a Docker list":       {index: strings.Replace(good, "application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json", 1), want: "mediaType"},
		"of another version":  {index: strings.Replace(good, `:2,`, `:1,`, 1), want: "schemaVersion 2"},
		"without manifests":   {index: index(), want: "has 0 manifests: must have 1 to 16"},
		"too many manifests":  {index: index(slices.Repeat([]string{member("a")}, 17)...), want: "has 17 manifests"},
		"manifests twice":     {index: strings.Replace(good, `{`, `{"manifests":[],`, 1), want: `duplicate field "manifests"`},
		"manifests of others": {index: strings.Replace(good, `{`, `{"Manifests":[`+member("c")+`],`, 1), want: `unknown field "Manifests"`},
		"a digest of nothing": {index: strings.Replace(good, digest("a"), "", 1), want: `manifests[0] is ""`},
	} {
		t.Run(name, func(t *testing.T) {
			build := &v1alpha1.ImageBuild{}
			build.Spec.Inputs.Output = &v1alpha1.Output{Repository: "registry.example.com/team/web"}
			build.Status.Attestation = &v1alpha1.Attestation{Artifacts: []v1alpha1.AttestedArtifact{
				{Target: "linux/amd64/raw", Digest: digest("d"), Manifest: digest("a")}, {Target: "linux/arm64/raw", Digest: digest("e"), Manifest: digest("b")},
			}}
			request := &v1alpha1.BuildAttestation{Index: []byte(test.index)}
			if test.change != nil {
				test.change(build, request)
			}
			errs := ValidateAttestation(request, "web-1")
			if len(errs) == 0 {
				errs = checkIndex(build, request)
			}
			if refused := len(errs) > 0; refused != (test.want != "") || refused && (errs[0].Field != "index" || !strings.Contains(errs[0].Error(), test.want)) {
				t.Errorf("got %v, want %q", errs, test.want)
			}
		})
	}
}
