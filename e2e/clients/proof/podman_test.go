// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package proof_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

// The policy on the page on proof, of podman, skopeo and CRI-O, accepts what one key has signed.
func TestThePolicyOfPodmanAcceptsWhatIsSigned(t *testing.T) {
	for name, host := range registries(t) {
		t.Run(name, func(t *testing.T) {
			p := publishIn(t, host, "disk", 2, "web-1", "web-1-arm64")
			both := publishIn(t, host, "disk of an index", 1, "both", "both")
			unsigned := publishIn(t, host, "unsigned disk", 0, "unsigned", "unsigned-arm64")
			moved := publishIn(t, host, "another unsigned disk", 0).reported.Artifacts[0].Location
			amd64 := p.reported.Artifacts[0].Location
			p.expect(t, "", "ORAS", "tag", "--plain-http", p.repository+":"+tagOf(amd64)+".sig", tagOf(moved)+".sig")
			elsewhere := host + "/another/web:web-1"
			p.expect(t, "", "ORAS", "cp", "--from-plain-http", "--to-plain-http", amd64, elsewhere)
			p.expect(t, "", "ORAS", "cp", "--from-plain-http", "--to-plain-http", p.repository+":"+tagOf(amd64)+".sig", host+"/another/web:"+tagOf(amd64)+".sig")
			for _, attempt := range []struct{ key, reference, refusal string }{
				{"0.pub", amd64, ""},
				{"1.pub", amd64, ""},
				{"0.pub", p.repository + ":web-1", ""},
				{"other.pub", amd64, "cryptographic signature verification failed"},
				{"other.pub", p.repository + ":web-1", "cryptographic signature verification failed"},
				{"0.pub", both.reported.Artifacts[0].Location, "cryptographic signature verification failed"},
				{"0.pub", p.repository + ":both", "cryptographic signature verification failed"},
				{"0.pub", unsigned.reported.Artifacts[0].Location, "A signature was required, but no signature exists"},
				{"0.pub", p.repository + ":unsigned", "A signature was required, but no signature exists"},
				{"0.pub", moved, "does not match"},
				{"0.pub", elsewhere, "Signature for identity"},
			} {
				p.copyBy(t, attempt.key, attempt.reference, attempt.refusal)
			}
			both.copyBy(t, "0.pub", p.repository+":both", "")
		})
	}
}

// copyBy lets skopeo copy an artifact by the policy of the page with a key. It fails the test unless skopeo does so, or refuses with a text.
func (p *published) copyBy(t *testing.T, key, reference, refusal string) {
	t.Helper()
	host, path, _ := strings.Cut(reference, "/")
	policy := strings.NewReplacer("registry.example.com/team/web", host+"/"+path[:strings.IndexAny(path, ":@")], "/etc/containers/release.pub", filepath.Join(p.directory, key)).
		Replace(documented(t, "json podman"))
	p.write(t, "policy.json", []byte(policy))
	registries := filepath.Join(p.directory, "registries.d")
	require.NoError(t, os.MkdirAll(registries, 0o700))
	p.write(t, "registries.d/default.yaml", []byte("docker: {"+host+": {use-sigstore-attachments: true}}\n"))
	p.expect(t, refusal, "SKOPEO", "--policy", "policy.json", "--registries.d", registries, "copy", "--src-tls-verify=false", "docker://"+reference, "dir:"+t.TempDir())
}
