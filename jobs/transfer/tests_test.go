// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/publish"
	"goldsmith.dev/goldsmith/jobs/publish/registrytest"
	"goldsmith.dev/goldsmith/jobs/publish/transport"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

const junit = `<testsuites><testsuite name="web"/></testsuites>`

// newTestPod is a pod that tests an artifact which is published without its tag.
func newTestPod(t *testing.T, registry *registrytest.Registry) *pod {
	t.Helper()
	p := newPod(t, registry)
	const disk = "content"
	pushed, err := publish.Push(t.Context(), p.output.Repository, []publish.Artifact{{
		Target: target, Platform: "linux/amd64", MediaType: "a/b", Content: transport.Content{
			Digest: contents.Digest([]byte(disk)), SizeBytes: int64(len(disk)), Open: func() (transport.File, error) { return stored{strings.NewReader(disk)}, nil },
		},
	}}, transport.Options{DockerConfig: registry.DockerConfig(registrytest.Password)})
	require.NoError(t, err)
	p.input = render.Input{
		Build: render.InputBuild{Namespace: "team", Name: "web-1"},
		Base: render.InputBase{Artifacts: []render.InputArtifact{{
			Target: target, Digest: contents.Digest([]byte(disk)), SizeBytes: int64(len(disk)), MediaType: "a/b", Location: pushed[0].Location, Path: "linux-amd64.raw",
		}}},
		Tests: []v1alpha1.ImageTest{{Name: "web", Target: target}, {Name: "slow", Target: target}},
	}
	p.write(render.PublishInput, require.Value(json.Marshal(p.input))(t))
	p.output.Gates = []string{"web"}
	p.write(render.PublishOutput, require.Value(json.Marshal(p.output))(t))
	p.write(filepath.Join(render.PublishFiles, "junit.xml"), []byte(junit))
	registry.Requests()
	return p
}

// tested is the message of a runner whose test web has an outcome, and whose test slow failed.
func tested(web v1alpha1.TestOutcome, report string) string {
	return `{"version":1,"outcome":"Succeeded","tests":[{"name":"web","outcome":"` + string(web) + `"},{"name":"slow","outcome":"Failed"}],"report":{` + report + `}}`
}

func TestThePublisherMovesTagsAfterTests(t *testing.T) {
	const report = `"file":"junit.xml","mediaType":"application/vnd.junit+xml"`
	for name, test := range map[string]struct {
		message  string
		change   func(*pod, *registrytest.Registry)
		moved    bool
		reported bool
		check    result.Check
		says     string
	}{
		"passed": {message: tested(v1alpha1.TestPassed, report), moved: true, reported: true, says: ", tag web-1\n"},
		"failed": {message: tested(v1alpha1.TestFailed, report), reported: true, says: "no tag is moved, because these tests did not pass: web"},
		"other attempts have to pass": {message: tested(v1alpha1.TestPassed, report), reported: true, change: func(p *pod, _ *registrytest.Registry) {
			p.output.Tags = nil
			p.write(render.PublishOutput, require.Value(json.Marshal(p.output))(p.t))
		}},
		"no report": {message: `{"version":1,"outcome":"Succeeded"}`, moved: true, change: func(p *pod, _ *registrytest.Registry) {
			p.input.Tests[0].Runner = &v1alpha1.TestRunner{Name: "ours"}
			p.write(render.PublishInput, require.Value(json.Marshal(p.input))(p.t))
		}},
		"a report of text": {message: tested(v1alpha1.TestPassed, `"file":"junit.xml","mediaType":"text/plain"`), moved: true, says: `the report about tests is ignored: mediaType of the report is "text/plain", must be application/vnd.junit+xml`},
		"a report without a file": {message: tested(v1alpha1.TestPassed, `"location":"https://r/x","mediaType":"application/vnd.junit+xml"`), moved: true,
			says: "the report about tests is ignored: the report has no file"},
		"a report that is missing": {message: tested(v1alpha1.TestPassed, strings.Replace(report, "junit.xml", "other.xml", 1)), moved: true, says: `ignored: report: file "other.xml" does not exist`},
		"a report of another size": {message: tested(v1alpha1.TestPassed, report+`,"sizeBytes":1`), moved: true, says: "ignored: sizeBytes of report is 1, but file"},
		"a report outside": {message: tested(v1alpha1.TestPassed, strings.Replace(report, "junit.xml", "../input/input.json", 1)), moved: true,
			says: "is outside the output directory"},
		"a large report": {message: tested(v1alpha1.TestPassed, report), moved: true, says: "has 4194305 bytes, at most 4194304 are allowed", change: func(p *pod, _ *registrytest.Registry) {
			require.NoError(p.t, os.Truncate(p.at(filepath.Join(render.PublishFiles, "junit.xml")), 4<<20+1))
		}},
		"a directory": {message: tested(v1alpha1.TestPassed, strings.Replace(report, "junit.xml", "d", 1)), moved: true, says: `file "d" is a directory`, change: func(p *pod, _ *registrytest.Registry) {
			require.NoError(p.t, os.Mkdir(p.at(filepath.Join(render.PublishFiles, "d")), 0o755))
		}},
		"another test": {message: strings.Replace(tested(v1alpha1.TestPassed, report), "slow", "fast", 1), check: result.Check{NotStored: "the publisher read another result than that of the builder"}},
		"a missing Secret": {message: tested(v1alpha1.TestPassed, report), change: func(p *pod, r *registrytest.Registry) { p.loseSecret(r) }, check: result.Check{NotPublished: &result.NotPublished{
			Reason: v1alpha1.ReasonRegistryDenied, Message: "the Secret team/registry of output.secretRef does not exist, or has no key .dockerconfigjson; create it with the type kubernetes.io/dockerconfigjson, or correct output.secretRef",
		}}},
		"a wrong password": {message: tested(v1alpha1.TestPassed, report), change: (*pod).mistakePassword, says: "401", check: result.Check{NotPublished: &result.NotPublished{Reason: v1alpha1.ReasonRegistryDenied}}},
		"a pod that cannot attest": {message: tested(v1alpha1.TestPassed, report), says: "output.attest is Required", change: func(p *pod, _ *registrytest.Registry) {
			p.output.Attest = v1alpha1.AttestRequired
			p.write(render.PublishOutput, require.Value(json.Marshal(p.output))(p.t))
		}, check: result.Check{NotStored: "output.attest is Required, and an earlier version of the controller made the pod, without the token of the publisher: the next attempt has it"}},
	} {
		t.Run(name, func(t *testing.T) {
			registry := registrytest.New(t, registrytest.Options{Auth: "Basic"})
			p := newTestPod(t, registry)
			if test.change != nil {
				test.change(p, registry)
			}
			text, log := p.complete(test.message)
			completed := &result.Result{}
			require.NoError(t, json.Unmarshal([]byte(text), completed))
			got := *completed.Check
			if got.NotPublished != nil && test.check.NotPublished != nil && test.check.NotPublished.Message == "" {
				got.NotPublished.Message = ""
			}
			if a, b := require.Value(json.Marshal(got))(t), require.Value(json.Marshal(test.check))(t); string(a) != string(b) {
				t.Errorf("found %s, want %s", a, b)
			}
			if moved := slices.Contains(registry.Tags("team/web"), "web-1"); moved != test.moved || test.moved && !maps.Equal(completed.Tagged, p.output.Tags) || !test.moved && completed.Tagged != nil {
				t.Errorf("the tag is there: %t; told: %v", moved, completed.Tagged)
			}
			its := completed.Report
			if its != nil && its.Verified == "" {
				its = nil // it was ignored
			}
			if (its != nil) != test.reported {
				t.Fatalf("the report is %+v", its)
			}
			if its != nil {
				_, at, _ := strings.Cut(its.Location, p.output.Repository+"@")
				if status, _ := registry.Get("/team/web/manifests/" + at); status != http.StatusOK || its.Digest != contents.Digest([]byte(junit)) || *its.SizeBytes != int64(len(junit)) {
					t.Errorf("%d, %+v", status, its)
				}
				if status, content := registry.Get("/team/web/blobs/" + its.Digest); status != http.StatusOK || string(content) != junit {
					t.Errorf("%d, %s", status, content)
				}
			}
			if !strings.Contains(log, test.says) {
				t.Errorf("the log is %q", log)
			}
		})
	}
}
