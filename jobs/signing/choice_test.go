// SPDX-License-Identifier: Apache-2.0

package signing

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// signingKey returns a key, which each change changes.
func signingKey(name string, changes ...func(*v1alpha1.SigningKey)) *v1alpha1.SigningKey {
	key := &v1alpha1.SigningKey{ObjectMeta: metav1.ObjectMeta{Name: name, Generation: 3}}
	for _, change := range changes {
		change(key)
	}
	return key
}

func TestTheKeysOfANamespaceAreChosen(t *testing.T) {
	now := time.Date(2026, time.November, 20, 12, 0, 0, 0, time.UTC)
	until := func(notAfter time.Time) func(*v1alpha1.SigningKey) {
		return func(key *v1alpha1.SigningKey) { key.Spec.NotAfter = &metav1.Time{Time: notAfter} }
	}
	selecting := func(label, value string) func(*v1alpha1.SigningKey) {
		return func(key *v1alpha1.SigningKey) {
			key.Spec.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{label: value}}
		}
	}
	reported := func(status metav1.ConditionStatus, reason string, generation int64) func(*v1alpha1.SigningKey) {
		return func(key *v1alpha1.SigningKey) {
			key.Status.Conditions = []metav1.Condition{{Type: v1alpha1.SigningKeyReady, Status: status, Reason: reason, Message: "told by the signer", ObservedGeneration: generation}}
		}
	}
	malformed := func(key *v1alpha1.SigningKey) {
		key.Spec.NamespaceSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "team", Operator: "Near"}}}
	}
	const here, there = "web", "db"
	team := Namespace{Name: "team-web", Labels: map[string]string{"team": here}}
	required, automatic, never := v1alpha1.AttestRequired, v1alpha1.AttestPolicy(""), v1alpha1.AttestNever
	type keys = []*v1alpha1.SigningKey
	for name, test := range map[string]struct {
		policy v1alpha1.AttestPolicy
		keys   keys
		want   string // the names of the chosen keys
		reason v1alpha1.FailureReason
		says   string
	}{
		"a key for all namespaces":          {automatic, keys{signingKey("a")}, "a", "", ""},
		"the written default":               {v1alpha1.AttestAutomatic, keys{signingKey("a")}, "a", "", ""},
		"required":                          {required, keys{signingKey("a")}, "a", "", ""},
		"never":                             {never, keys{signingKey("a")}, "", "", ""},
		"never, with an expired key":        {never, keys{signingKey("a", until(now))}, "", "", ""},
		"sorted by name":                    {automatic, keys{signingKey("b"), signingKey("a", selecting("team", here))}, "a b", "", ""},
		"no key":                            {automatic, nil, "", "", ""},
		"no key, required":                  {required, nil, "", v1alpha1.ReasonNoSigningKey, "goldsmith keys create"},
		"a key for others":                  {automatic, keys{signingKey("a", selecting("team", there))}, "", "", ""},
		"keys for others, required":         {required, keys{signingKey("b", selecting("team", there)), signingKey("a", selecting("env", here))}, "", v1alpha1.ReasonNoSigningKey, "namespace team-web: let spec.namespaceSelector of one of these select it: a, b"},
		"a malformed selector":              {automatic, keys{signingKey("a", malformed)}, "", v1alpha1.ReasonSigningKeyUnusable, "spec.namespaceSelector of SigningKey a"},
		"a malformed selector and a key":    {automatic, keys{signingKey("a", malformed), signingKey("b")}, "b", "", ""},
		"a second before notAfter":          {required, keys{signingKey("a", until(now.Add(time.Second)))}, "a", "", ""},
		"at notAfter":                       {required, keys{signingKey("a", until(now))}, "", v1alpha1.ReasonSigningKeyExpired, "a at 2026-11-20T12:00:00Z; the clock of the server says 2026-11-20T12:00:00Z"},
		"an hour after notAfter":            {automatic, keys{signingKey("a", until(now.Add(-time.Hour)))}, "", v1alpha1.ReasonSigningKeyExpired, "a at 2026-11-20T11:00:00Z; the clock of the server says 2026-11-20T12:00:00Z"},
		"an expired key for others":         {automatic, keys{signingKey("a", selecting("team", there), until(now))}, "", "", ""},
		"the next key of a rotation":        {required, keys{signingKey("old", until(now)), signingKey("new")}, "new", "", ""},
		"overlap of a rotation":             {required, keys{signingKey("old", until(now.Add(time.Hour))), signingKey("new")}, "new old", "", ""},
		"the signer's clock an hour ahead":  {required, keys{signingKey("a", until(now.Add(time.Minute)), reported("False", v1alpha1.ReasonKeyExpired, 3))}, "", v1alpha1.ReasonSigningKeyExpired, "a by the clock of the signer; the clock of the server says 2026-11-20T12:00:00Z"},
		"the signer's clock an hour behind": {required, keys{signingKey("a", until(now.Add(-time.Minute)), reported("True", v1alpha1.ReasonKeyRead, 3))}, "", v1alpha1.ReasonSigningKeyExpired, "a at 2026-11-20T11:59:00Z"},
		"extended, not observed yet":        {required, keys{signingKey("a", until(now.Add(time.Hour)), reported("False", v1alpha1.ReasonKeyExpired, 2))}, "a", "", ""},
		"read":                              {required, keys{signingKey("a", reported("True", v1alpha1.ReasonKeyRead, 3))}, "a", "", ""},
		"without its Secret":                {automatic, keys{signingKey("a", reported("False", v1alpha1.ReasonSecretNotFound, 3))}, "", v1alpha1.ReasonSigningKeyUnusable, "namespace team-web with SigningKey a: told by the signer"},
		"another key in the Secret":         {automatic, keys{signingKey("a", reported("False", v1alpha1.ReasonKeyChanged, 3)), signingKey("b", until(now))}, "", v1alpha1.ReasonSigningKeyUnusable, "a: told by the signer"},
		"unusable, and another signs":       {required, keys{signingKey("a", reported("False", v1alpha1.ReasonInvalidKey, 3)), signingKey("b")}, "b", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			chosen, failure := Choose(test.policy, test.keys, team, now)
			var names []string
			for _, key := range chosen {
				names = append(names, key.Name)
			}
			if got := strings.Join(names, " "); got != test.want {
				t.Errorf("got keys %q, want %q", got, test.want)
			}
			if test.reason == "" {
				if failure != nil {
					t.Errorf("got %+v", failure)
				}
				return
			}
			if failure == nil || failure.Reason != test.reason || failure.Class != v1alpha1.FailureConfig || !strings.Contains(failure.Message, test.says) {
				t.Errorf("got %+v", failure)
			}
		})
	}
}
