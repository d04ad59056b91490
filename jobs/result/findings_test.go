// SPDX-License-Identifier: Apache-2.0

package result

import (
	"fmt"
	"slices"
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

func findingsOf(t *testing.T, checked *Result) string {
	t.Helper()
	message, _, err := Findings(checked)
	require.NoError(t, err)
	return message
}

func TestTheMessagesOfBuilderAndPublisherAreOneResult(t *testing.T) {
	checked, message, targets := published(t, 16)
	text := findingsOf(t, checked)
	if len(text) > MaxBytes {
		t.Errorf("%d bytes do not fit into a message", len(text))
	}
	outcome := Parse(WithFindings(message, text, "localhost/a", map[string]string{"linux/a3/raw": "v3"}), 0, targets, Policy{Checked: true})
	if outcome.Failure != nil || len(outcome.Artifacts) != 16 {
		t.Fatalf("%+v", outcome)
	}
	third := outcome.Artifacts[3]
	if third.Digest != fmt.Sprintf("sha256:%064x", 6) || third.Location != fmt.Sprintf("localhost/a@sha256:%064x", 106) || third.SizeBytes != 1<<34 ||
		third.Tag != "v3" || third.Verified != v1alpha1.ArtifactVerifiedContent || third.Document(v1alpha1.DocumentSBOM).Digest != fmt.Sprintf("sha256:%064x", 7) || outcome.Artifacts[2].Tag != "" {
		t.Errorf("%+v", third)
	}
}

// The repository has documents for which the message has no room. The number of packages always has room.
func TestDocumentsAreOfTheResultIfTheyHaveRoom(t *testing.T) {
	for targets, want := range map[int][]string{
		3: {"lock", "sbom", "cyclonedx", "spdx", "provenance"}, 5: {"lock", "sbom", "cyclonedx", "spdx", "provenance"}, 6: {"lock", "sbom", "provenance"}, 8: {"lock", "sbom", "provenance"}, 9: {"lock", "sbom"}, 16: nil,
	} {
		checked, message, all := published(t, targets)
		message = strings.ReplaceAll(message, `"sbom"`, `"lock":{"file":"c"},"sbom"`)
		for i := range checked.Artifacts {
			artifact := &checked.Artifacts[i]
			artifact.Packages = new(int32(20_000))
			made := func(at int, mediaType string) Content {
				return Content{
					Digest: fmt.Sprintf("sha256:%064x", 1000+5*i+at), SizeBytes: new(int64(1) << 20), MediaType: mediaType,
					Verified: v1alpha1.ArtifactVerifiedContent, Location: fmt.Sprintf("localhost/a@sha256:%064x", 2000+5*i+at),
				}
			}
			artifact.Lock = new(made(0, v1alpha1.LockMediaType))
			artifact.Lock.File = "c"
			for j, mediaType := range []string{v1alpha1.MediaTypeCycloneDX, v1alpha1.MediaTypeSPDX} {
				artifact.Made = append(artifact.Made, Document{Type: v1alpha1.DocumentSBOM, Content: made(1+j, mediaType)})
			}
			artifact.Made = append(artifact.Made, Document{Type: v1alpha1.DocumentProvenance, Content: made(3, v1alpha1.MediaTypeProvenance)},
				Document{Type: v1alpha1.DocumentProvenance, Content: made(4, v1alpha1.MediaTypeBundle)}) // only the repository has the bundle
		}
		text, documented, err := Findings(checked)
		outcome := Parse(WithFindings(message, text, "localhost/a", nil), 0, all, Policy{Checked: true})
		if outcome.Failure != nil || err != nil || len(text) > MaxBytes || documented != (len(want) == 5) {
			t.Fatalf("%d bytes, %t, %+v, %v", len(text), documented, outcome.Failure, err)
		}
		last := outcome.Artifacts[targets-1]
		var names []string
		for i := range last.Documents {
			names = append(names, last.Documents[i].Name())
		}
		if !slices.Equal(names, want) || *last.Packages != 20_000 {
			t.Errorf("%d targets, %d bytes: %v", targets, len(text), names)
		}
		if spdx := (v1alpha1.ArtifactDocument{
			Type: v1alpha1.DocumentSBOM, Digest: fmt.Sprintf("sha256:%064x", 1012), SizeBytes: 1 << 20, MediaType: v1alpha1.MediaTypeSPDX,
			Location: fmt.Sprintf("localhost/a@sha256:%064x", 2012), Verified: v1alpha1.ArtifactVerifiedContent, MadeBy: v1alpha1.DocumentMadeByGoldsmith,
		}); targets == 3 && last.Documents[3] != spdx {
			t.Errorf("%+v", last.Documents[3])
		}
	}
}

// A pod that began before an upgrade has a publisher that counts no packages.
func TestFindingsOfAnEarlierPublisherAreRead(t *testing.T) {
	checked, message, targets := published(t, 2)
	text, _, _ := strings.Cut(findingsOf(t, checked), `,"about":`)
	outcome := Parse(WithFindings(message, text+"}", "localhost/a", nil), 0, targets, Policy{Checked: true})
	if outcome.Failure != nil || len(outcome.Artifacts) != 2 || len(outcome.Artifacts[1].Documents) != 1 {
		t.Errorf("%+v", outcome)
	}
}

// The builder published the artifact. So its documents, which are files, are deleted with the pod.
func TestDocumentsThatAreNotPublishedAreLeftOut(t *testing.T) {
	const digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
	message := `{"version":1,"outcome":"Succeeded","artifacts":[{"target":"linux/a/raw","location":"oci://r/a","digest":"` + digest + `","sizeBytes":1,` +
		`"lock":{"file":"c"},"sbom":{"file":"b","mediaType":"a/b"},"provenance":{"location":"https://r/p","digest":"` + digest + `","sizeBytes":1,"mediaType":"a/b"}}]}`
	targets := []v1alpha1.Target{{Platform: "linux/a", Format: "raw"}}
	checked := Readable(message, targets, Policy{})
	checked.Check = &Check{}
	artifact := &checked.Artifacts[0]
	for _, document := range []*Content{artifact.Lock, artifact.SBOM} {
		document.Digest, document.SizeBytes, document.Verified = digest, new(int64(1)), v1alpha1.ArtifactVerifiedContent
	}
	artifact.Made = []Document{{Type: v1alpha1.DocumentSBOM, Content: Content{
		Digest: digest, SizeBytes: new(int64(1)), MediaType: v1alpha1.MediaTypeSPDX, Verified: v1alpha1.ArtifactVerifiedContent,
	}}}
	outcome := Parse(WithFindings(message, findingsOf(t, checked), "localhost/a", nil), 0, targets, Policy{Checked: true})
	if outcome.Failure != nil || len(outcome.Artifacts[0].Documents) != 1 || outcome.Artifacts[0].Documents[0].Type != v1alpha1.DocumentProvenance {
		t.Errorf("%+v", outcome)
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
		"a cut message":               {message, findingsOf(t, checked)[:50], targets, v1alpha1.ReasonArtifactNotStored, "cannot be read"},
		"findings about another":      {message, findingsOf(t, other), targets, v1alpha1.ReasonArtifactNotStored, "another result"},
		"findings about other files":  {strings.Replace(message, `"file":"1"`, `"file":"0"`, 1), findingsOf(t, checked), targets, v1alpha1.ReasonArtifactNotStored, "another result"},
		"no findings":                 {message, findingsOf(t, nil), targets, v1alpha1.ReasonArtifactNotStored, "another result"},
		"no findings, but digests":    {require.Value(checked.Message())(t), findingsOf(t, nil), targets, v1alpha1.ReasonArtifactNotStored, "another result"},
		"a digest that is none":       {message, strings.Replace(findingsOf(t, checked), packed(checked.Artifacts[0].Digest), "!", 1), targets, v1alpha1.ReasonInvalidResult, "must be sha256:"},
		"a result that is no JSON":    {"{", findingsOf(t, checked), targets, v1alpha1.ReasonInvalidResult, "not JSON"},
		"too many contents":           {manyMessage, findingsOf(t, many), manyTargets, v1alpha1.ReasonInvalidResult, "40 artifacts are more than a pod can report"},
	} {
		t.Run(name, func(t *testing.T) {
			outcome := Parse(WithFindings(test.message, test.publisher, "localhost/a", nil), 0, test.targets, Policy{Checked: true})
			if outcome.Failure == nil || outcome.Failure.Reason != test.reason || !strings.Contains(outcome.Failure.Message, test.says) {
				t.Errorf("%+v", outcome.Failure)
			}
		})
	}
}
