// SPDX-License-Identifier: Apache-2.0

package result

import (
	"fmt"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

// published is a result of n targets with an SBOM each, as a publisher has checked it, and the message of its builder.
func published(t *testing.T, n int) (checked *Result, message string, targets []v1alpha1.Target) {
	t.Helper()
	var artifacts []string
	for i := range n {
		targets = append(targets, v1alpha1.Target{Platform: fmt.Sprintf("linux/a%d", i), Format: "raw"})
		artifacts = append(artifacts, fmt.Sprintf(`{"target":"linux/a%d/raw","file":"%d","sbom":{"file":"b","mediaType":"a/b"}}`, i, i))
	}
	message = `{"version":1,"outcome":"Succeeded","artifacts":[` + strings.Join(artifacts, ",") + `]}`
	checked = Readable(message, targets, Policy{})
	checked.Check = &Check{}
	for i, content := range checked.Contents() {
		content.Digest, content.SizeBytes = fmt.Sprintf("sha256:%064x", i), new(int64(1)<<34)
		content.Verified, content.Location = v1alpha1.ArtifactVerifiedContent, fmt.Sprintf("localhost/a@sha256:%064x", i+100)
	}
	return checked, message, targets
}

func TestTheMessagesOfBuilderAndPublisherAreOneResult(t *testing.T) {
	checked, message, targets := published(t, 16)
	text := require.Value(Findings(checked))(t)
	if len(text) > MaxBytes {
		t.Errorf("%d bytes do not fit into a message", len(text))
	}
	outcome := Parse(WithFindings(message, text, "localhost/a", map[string]string{"linux/a3/raw": "v3"}), 0, targets, Policy{Checked: true})
	if outcome.Failure != nil || len(outcome.Artifacts) != 16 {
		t.Fatalf("%+v", outcome)
	}
	third := outcome.Artifacts[3]
	if third.Digest != fmt.Sprintf("sha256:%064x", 6) || third.Location != fmt.Sprintf("localhost/a@sha256:%064x", 106) || third.SizeBytes != 1<<34 ||
		third.Tag != "v3" || third.Verified != v1alpha1.ArtifactVerifiedContent || third.SBOM.Digest != fmt.Sprintf("sha256:%064x", 7) || outcome.Artifacts[2].Tag != "" {
		t.Errorf("%+v", third)
	}
}

func TestMessagesThatDoNotFitTogetherAreNoSuccess(t *testing.T) {
	checked, message, targets := published(t, 2)
	other, _, _ := published(t, 3)
	many, manyMessage, manyTargets := published(t, 40)
	for name, test := range map[string]struct {
		message, publisher string
		targets            []v1alpha1.Target
		reason             v1alpha1.FailureReason
		says               string
	}{
		"no message of the publisher": {message, "", targets, v1alpha1.ReasonArtifactNotStored, "cannot be read"},
		"a cut message":               {message, require.Value(Findings(checked))(t)[:50], targets, v1alpha1.ReasonArtifactNotStored, "cannot be read"},
		"findings about another":      {message, require.Value(Findings(other))(t), targets, v1alpha1.ReasonArtifactNotStored, "another result"},
		"findings about other files":  {strings.Replace(message, `"file":"1"`, `"file":"0"`, 1), require.Value(Findings(checked))(t), targets, v1alpha1.ReasonArtifactNotStored, "another result"},
		"no findings":                 {message, require.Value(Findings(nil))(t), targets, v1alpha1.ReasonArtifactNotStored, "another result"},
		"no findings, but digests":    {require.Value(checked.Message())(t), require.Value(Findings(nil))(t), targets, v1alpha1.ReasonArtifactNotStored, "another result"},
		"a digest that is none":       {message, strings.Replace(require.Value(Findings(checked))(t), packed(checked.Artifacts[0].Digest), "!", 1), targets, v1alpha1.ReasonInvalidResult, "must be sha256:"},
		"a result that is no JSON":    {"{", require.Value(Findings(checked))(t), targets, v1alpha1.ReasonInvalidResult, "not JSON"},
		"too many contents":           {manyMessage, require.Value(Findings(many))(t), manyTargets, v1alpha1.ReasonInvalidResult, "80 contents are more than a pod can report"},
	} {
		t.Run(name, func(t *testing.T) {
			outcome := Parse(WithFindings(test.message, test.publisher, "localhost/a", nil), 0, test.targets, Policy{Checked: true})
			if outcome.Failure == nil || outcome.Failure.Reason != test.reason || !strings.Contains(outcome.Failure.Message, test.says) {
				t.Errorf("%+v", outcome.Failure)
			}
		})
	}
}
