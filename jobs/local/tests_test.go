// SPDX-License-Identifier: Apache-2.0

package local

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/local/artifacts"
	"goldsmith.dev/goldsmith/jobs/publish/registrytest"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

// runTests is a runner that reads the artifact and leaves a report. The outcome of its test web is that of the file outcome, if there is one.
const runTests = `cat "$GOLDSMITH_BASE/linux-amd64.raw"; echo "<testsuites/>" >"$GOLDSMITH_OUTPUT/junit.xml"
echo '{"version":1,"outcome":"Succeeded","tests":[{"name":"web","outcome":"OUTCOME"}],"report":{"file":"junit.xml","mediaType":"MEDIATYPE"}}' >"$GOLDSMITH_RESULT"`

// testOf returns a runner whose test has an outcome.
func testOf(outcome v1alpha1.TestOutcome, mediaType string) string {
	return strings.NewReplacer("OUTCOME", string(outcome), "MEDIATYPE", mediaType).Replace(runTests)
}

// testAttempt is a Job that tests an artifact of build, which has the same name as the Job.
func (c *cluster) testAttempt(artifact render.InputArtifact, output *render.Output, change ...func(*v1alpha1.ImageBuild)) func(*batchv1.Job) {
	return func(job *batchv1.Job) {
		name := job.Name
		job.Name, job.UID = name+"-attempt", ""
		input := render.Input{
			Version: render.InputVersion, Base: render.InputBase{Artifacts: []render.InputArtifact{artifact}, Build: "web-1", Image: "debian"},
			Tests: []v1alpha1.ImageTest{{Name: "web", Target: artifact.Target}},
		}
		job.Spec.Template.Annotations[v1alpha1.AnnotationInput] = string(require.Value(json.Marshal(input))(c.t))
		if output != nil {
			job.Spec.Template.Annotations[v1alpha1.AnnotationOutput] = string(require.Value(json.Marshal(output))(c.t))
		}
		build := c.beginAttempt(job, name, 2)
		build.Status.Phase, build.Status.Attempts[0].Tests = v1alpha1.BuildTesting, []string{"web"}
		build.Status.Artifacts = []v1alpha1.Artifact{{Target: artifact.Target, Digest: artifact.Digest, Location: artifact.Location}}
		for _, change := range change {
			change(build)
		}
		require.Value(c.builds.ImagesV1alpha1().ImageBuilds("default").Update(c.t.Context(), build, metav1.UpdateOptions{}))(c.t)
	}
}

// tested waits for the end of a Job that runs tests, and returns what its runner found out.
func (c *cluster) tested(job *batchv1.Job) (result.TestsOutcome, string) {
	c.t.Helper()
	c.finishedJob(job)
	pod := require.Value(c.pod(job))(c.t)
	end := terminatedOf(pod)
	return result.ParseTests(end.Message, end.ExitCode, inputOf(pod).Tests, result.Policy{Checked: true}), c.log(pod, nil)
}

func TestWhatTestsLeaveIsStoredAndPublished(t *testing.T) {
	const target = "linux/amd64/raw"
	registry := registrytest.New(t, registrytest.Options{Referrers: true})
	base, dir := published(t, registry), t.TempDir()
	location := base.Location
	store, adapt := withStore(t, dir, nil)
	c := newCluster(t, map[string]string{
		"passes": testOf(v1alpha1.TestPassed, result.MediaTypeJUnit), "fails": testOf(v1alpha1.TestFailed, result.MediaTypeJUnit), "text": testOf(v1alpha1.TestPassed, "text/plain"), "exits": "cat $GOLDSMITH_BASE/linux-amd64.raw; exit 1",
	}, adapt)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "disk"), []byte("base\n"), 0o600))
	top := require.Value(os.OpenRoot(dir))(t)
	defer func() { _ = top.Close() }() // only read from
	content := store.Take(t.Context(), top, "disk")[0].Content
	first := artifacts.Build{UID: "build-first", Namespace: "default", Name: "first", Image: "debian"}
	made := artifacts.Artifact{Target: target, Content: content, MediaType: base.MediaType}
	require.NoError(t, store.Record(first, []artifacts.Artifact{made}))
	store.Release(content)
	report := "<testsuites/>\n"
	reported := made
	reported.Documents = []artifacts.Document{{Type: v1alpha1.DocumentTestReport, Content: artifacts.Content{Digest: digestOf(report), SizeBytes: int64(len(report))}, MediaType: result.MediaTypeJUnit}}
	output := func(tag string) *render.Output {
		return &render.Output{Repository: registry.Host() + "/team/debian", Gates: []string{"web"}, Tags: map[string]string{target: tag}}
	}
	for _, tt := range []struct {
		name, runner string
		output       *render.Output
		recorded     bool
		stored       bool // the report
		tagged       string
		says         string
		change       func(*v1alpha1.ImageBuild)
		reason       v1alpha1.FailureReason
		forged       bool // the runner gets no artifact
	}{
		{name: "first", runner: "passes", output: output("v1"), recorded: true, stored: true, tagged: "v1", says: "goldsmith: published " + target + ": " + location + ", tag v1\n"},
		{name: "second", runner: "fails", output: output("v2"), recorded: true, stored: true, says: "goldsmith: no tag is moved, because these tests did not pass: web\ngoldsmith: publishing in "},
		{name: "stored-only", runner: "passes", recorded: true, stored: true},
		{name: "exits", runner: "exits", output: output("v5"), recorded: true, reason: v1alpha1.ReasonTestMachineFailed},
		{name: "text", runner: "text", output: output("v3"), recorded: true, tagged: "v3", says: `goldsmith: the report about tests is ignored: mediaType of the report is "text/plain"`},
		{name: "other-tests", runner: "passes", output: output("forged"), forged: true, says: `attempt 2 of build other-tests has the tests ["ssh"], and its input ["web"]`,
			change: func(b *v1alpha1.ImageBuild) { b.Status.Attempts[0].Tests = []string{"ssh"} }},
		{name: "no-tests", runner: "passes", output: output("forged"), forged: true, says: `attempt 2 of build no-tests has the tests [], and its input ["web"]`,
			change: func(b *v1alpha1.ImageBuild) { b.Status.Attempts[0].Tests = nil }},
		{name: "other-content", runner: "passes", output: output("forged"), forged: true, says: "its input tests linux/amd64/raw, which is not that of build other-content",
			change: func(b *v1alpha1.ImageBuild) { b.Status.Artifacts[0].Digest = digestOf("other") }},
		{name: "other-location", runner: "passes", output: output("forged"), forged: true, says: "which is not that of build other-location",
			change: func(b *v1alpha1.ImageBuild) {
				b.Status.Artifacts[0].Location = registry.Host() + "/team/debian@" + digestOf("other")
			}},
		{name: "finished", runner: "passes", output: output("forged"), forged: true, says: "build finished waits for no attempt",
			change: func(b *v1alpha1.ImageBuild) { b.Status.Finished = true }},
		{name: "no-secret", runner: "passes", output: &render.Output{Repository: registry.Host() + "/team/debian", Gates: []string{"web"}, Tags: map[string]string{target: "v4"}, Secret: "missing"},
			recorded: true, stored: true, reason: v1alpha1.ReasonRegistryDenied, says: "goldsmith: not published: the Secret default/missing of output.secretRef does not exist"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := NewWithT(t)
			artifact, change := base, func(*v1alpha1.ImageBuild) {}
			if tt.output == nil {
				artifact.Location = v1alpha1.ArtifactPath("default", "web-1", artifact.Digest) // the status has another build's name
				change = func(b *v1alpha1.ImageBuild) {
					b.Status.Artifacts[0].Location = v1alpha1.ArtifactPath("default", b.Name, artifact.Digest)
				}
			}
			if tt.change != nil {
				change = tt.change
			}
			registry.Requests()
			found, log := c.tested(c.run(tt.runner, func(job *batchv1.Job) { job.Name = tt.name }, c.testAttempt(artifact, tt.output, change)))
			begins := "base\n"
			switch {
			case tt.forged:
				begins = "goldsmith: pod default/"
				g.Expect(found.Failure).NotTo(BeNil())
			case tt.reason == "":
				g.Expect(found.Failure).To(BeNil())
			default:
				g.Expect(found.Failure).To(HaveField("Reason", tt.reason))
			}
			g.Expect(log).To(And(HavePrefix(begins), ContainSubstring(tt.says)))
			want := map[string]string(nil)
			if tt.tagged != "" {
				want = map[string]string{target: tt.tagged}
			}
			g.Expect(found.Tagged).To(Equal(want))
			if tt.output != nil {
				tag := tt.output.Tags[target]
				g.Expect(slices.Contains(registry.Tags("team/debian"), tag)).To(Equal(tag == tt.tagged))
			}
			g.Expect(registry.Requests()).NotTo(ContainElement(ContainSubstring("/blobs/"+base.Digest)), "no artifact is sent again")
			build, entry := artifacts.Build{UID: types.UID("build-" + tt.name), Namespace: "default", Name: tt.name, Image: "debian"}, made
			if tt.stored {
				entry = reported
			}
			if tt.recorded {
				g.Expect(store.Entries()).To(ContainElement(artifacts.Entry{Build: build, Artifact: entry}))
				g.Expect(store.Complete(artifacts.Entry{Build: build, Artifact: entry})).To(BeTrue())
			} else {
				g.Expect(store.Entries()).NotTo(ContainElement(HaveField("Build", build)))
			}
			if !tt.stored || tt.reason != "" {
				g.Expect(found.Report).To(BeNil())
				return
			}
			g.Expect(found.Report).To(And(HaveField("Digest", digestOf(report)), HaveField("Type", v1alpha1.DocumentTestReport), HaveField("Verified", v1alpha1.ArtifactVerifiedContent)))
			if tt.output == nil {
				g.Expect(found.Report.Location).To(BeEmpty())
				g.Expect(registry.Requests()).To(BeEmpty())
				return
			}
			_, at, _ := strings.Cut(found.Report.Location, "/team/debian@")
			status, _ := registry.Get("/team/debian/manifests/" + at)
			g.Expect(status).To(Equal(http.StatusOK))
		})
	}
	removed := require.Value(store.Remove(func(entry artifacts.Entry) bool { return entry.Build.Name == "second" }))(t)
	c.Expect(removed.Entries).NotTo(BeEmpty())
	c.Expect(store.Has(base.Digest)).To(BeTrue(), "the second build has tested the artifact of the first")
	_, err := store.Remove(func(artifacts.Entry) bool { return false })
	require.NoError(t, err)
	c.Expect(store.Usage()).To(BeZero(), "nothing that was taken is held back")
}
