// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package proof_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

// The policy on the page on proof accepts a pod whose image a namespace has built and one key has signed. So does a ClusterPolicy, which reads
// the tags as Cosign, and the bundles as SigstoreBundle.
func TestThePolicyOfKyvernoAcceptsWhatIsSigned(t *testing.T) {
	cluster := string(require.Value(os.ReadFile("testdata/clusterpolicy.yaml"))(t))
	policies := map[string]kyvernoPolicy{
		"ImageValidatingPolicy":        {documented(t, "yaml kyverno"), "no key has signed the provenance", "no key has signed the provenance", "another namespace has built the image"},
		"ClusterPolicy Cosign":         {cluster, "no signatures found", "invalid signature", "attestation checks failed"},
		"ClusterPolicy SigstoreBundle": {strings.Replace(cluster, "type: Cosign", "type: SigstoreBundle", 1), "no matching signatures found", "no matching signatures found", "attestation checks failed"},
	}
	for name, host := range registries(t) {
		p := publishIn(t, host, "disk", 2)
		unsigned := publishIn(t, host, "unsigned disk", 0).reported.Artifacts[0].Location
		amd64 := p.reported.Artifacts[0].Location
		for kind, policy := range policies {
			t.Run(name+" "+kind, func(t *testing.T) {
				p.admit(t, policy.text, "0.pub", amd64, "")
				p.admit(t, policy.text, "1.pub", amd64, "")
				p.admit(t, policy.text, "0.pub", unsigned, policy.unsigned)
				p.admit(t, policy.text, "other.pub", amd64, policy.otherKey)
				namespace := regexp.MustCompile(`(value: |== ')team\b`)
				p.admit(t, namespace.ReplaceAllString(policy.text, "${1}another"), "0.pub", amd64, policy.otherNamespace)
			})
		}
	}
}

// kyvernoPolicy is a policy, and the texts with which it refuses pods.
type kyvernoPolicy struct{ text, unsigned, otherKey, otherNamespace string }

// keyOfPolicy is the key in a policy, with the indentation of its lines.
var keyOfPolicy = regexp.MustCompile(`(?s)( +)-----BEGIN PUBLIC KEY-----.*-----END PUBLIC KEY-----\n`)

// admit applies a policy with a key to a pod with an image. It fails the test unless Kyverno accepts the pod, or refuses it with a text.
func (p *published) admit(t *testing.T, policy, key, reference, refusal string) {
	t.Helper()
	public := strings.TrimSpace(string(require.Value(os.ReadFile(filepath.Join(p.directory, key)))(t)))
	indentation := keyOfPolicy.FindStringSubmatch(policy)[1]
	policy = keyOfPolicy.ReplaceAllString(policy, indentation+strings.ReplaceAll(public, "\n", "\n"+indentation)+"\n")
	p.write(t, "policy.yaml", []byte(strings.Replace(policy, "registry.example.com/team", strings.TrimSuffix(p.repository, "/web"), 1)))
	p.write(t, "pod.json", []byte(`{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": {"containers": [{"name": "web", "image": "`+reference+`"}]}}`))
	p.expect(t, refusal, "KYVERNO", "apply", "policy.yaml", "--resource=pod.json", "--registry", "--remove-color", "--detailed-results")
}
