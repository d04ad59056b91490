// SPDX-License-Identifier: Apache-2.0

package local

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/local/artifacts"
	"goldsmith.dev/goldsmith/jobs/local/process"
	"goldsmith.dev/goldsmith/jobs/result"
)

const twoTargets = `{"targets":[` +
	`{"format":"raw","name":"linux/amd64/raw","platform":"linux/amd64"},{"format":"qcow2","name":"linux/amd64/qcow2","platform":"linux/amd64"}],"version":1}`

func withTwoTargets(job *batchv1.Job) {
	job.Spec.Template.Annotations[v1alpha1.AnnotationInput] = twoTargets
}

// succeed is a script that reports a success whose artifacts have these fields: those of raw, and by default a good file for qcow2.
func succeed(raw string, qcow2 ...string) string {
	second := strings.Join(append(qcow2, `"file":"good"`)[:1], "")
	return `; echo good >"$GOLDSMITH_OUTPUT/good"; echo '{"version":1,"outcome":"Succeeded","artifacts":[` +
		`{"target":"linux/amd64/raw",` + raw + `},{"target":"linux/amd64/qcow2",` + second + `}]}' >"$GOLDSMITH_RESULT"`
}

func digestOf(content string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(content))) }

func withStore(t *testing.T, dir string, c clock.Clock) (store *artifacts.Store, adapt func(*Options)) {
	t.Helper()
	store = require.Value(artifacts.Open(filepath.Join(dir, "artifacts"), artifacts.Options{Volatile: true, Clock: c}))(t)
	return store, func(o *Options) { o.Artifacts = store }
}

// outcome waits for the end of a Job whose agent has a store, and returns the outcome of its builder.
func (c *cluster) outcome(job *batchv1.Job) result.Outcome {
	c.t.Helper()
	c.finishedJob(job)
	pod := require.Value(c.pod(job))(c.t)
	targets := inputOf(pod).BuildTargets()
	end := terminatedOf(pod)
	c.Eventually(func() []string {
		left, _ := filepath.Glob(filepath.Join(c.options.Dir, string(pod.UID), "*"))
		for i, path := range left {
			left[i] = filepath.Base(path)
		}
		return left
	}).Should(Equal([]string{"log", "started"}), "the output is removed")
	return result.Parse(end.Message, end.ExitCode, targets, result.Policy{Checked: true})
}

func TestTheLogTellsThatALargeFileIsStored(t *testing.T) {
	c := newCluster(t, nil)
	require.NoError(t, c.stop())
	_, adapt := withStore(t, t.TempDir(), nil)
	adapt(&c.options)
	c.options.Builders = map[string]Builder{"large": {Path: "/bin/bash", Args: []string{"-c", `PATH=/usr/bin:/bin; echo made; cd "$GOLDSMITH_OUTPUT"
truncate -s 67108865 disk` + succeed(`"file":"disk"`)}}}
	c.start()
	job := c.run("large", withTwoTargets)
	c.Expect(c.outcome(job).Failure).To(BeNil())
	c.Expect(c.log(require.Value(c.pod(job))(t), nil)).To(Equal("made\ngoldsmith: storing linux/amd64/raw, 64 MiB\n"), "the small file has no line")
}

func TestFilesOfASuccessAreVerifiedAndStored(t *testing.T) {
	const disk = `cd "$GOLDSMITH_OUTPUT"; mkdir d; echo disk >d/disk; echo sbom >sbom; chmod 500 d`
	c := newCluster(t, nil)
	require.NoError(t, c.stop())
	store, adapt := withStore(t, t.TempDir(), nil)
	adapt(&c.options)
	c.options.Builders = map[string]Builder{}
	tests := map[string]struct{ script, want string }{
		"file": {disk + succeed(`"file":"d/disk","annotations":{"a":"b"},"sbom":{"file":"sbom","mediaType":"x/sbom"}`,
			`"location":"oci://r/x","digest":"`+digestOf("x")+`","sizeBytes":1,"verified":"Content","provenance":{"file":"sbom","mediaType":"x/p"}`), ""},
		"right":         {disk + succeed(`"file":"./d/../d/disk","digest":"`+digestOf("disk\n")+`","sizeBytes":5`, `"file":"d/disk"`), ""},
		"link-and-file": {disk + "; ln -s d/disk latest" + succeed(`"file":"latest"`, `"file":"d/disk"`), ""},
		"hard-link":     {disk + "; ln d/disk second" + succeed(`"file":"second"`, `"file":"d/disk"`), ""},
		"wrong-digest":  {disk + succeed(`"file":"d/disk","digest":"`+digestOf("other")+`"`), "digest of artifact \"linux/amd64/raw\" is " + digestOf("other") + ", but file \"d/disk\" has " + digestOf("disk\n")},
		"wrong-size":    {disk + succeed(`"file":"d/disk","sizeBytes":6`), `sizeBytes of artifact "linux/amd64/raw" is 6, but file "d/disk" has 5 bytes`},
		"missing":       {disk + succeed(`"file":"disk"`), `artifact "linux/amd64/raw": file "disk" does not exist`},
		"missing-sbom":  {disk + succeed(`"file":"d/disk","sbom":{"file":"s","mediaType":"x/sbom"}`), `sbom of artifact "linux/amd64/raw": file "s" does not exist`},
		"link":          {`ln -s /etc/passwd "$GOLDSMITH_OUTPUT/disk"` + succeed(`"file":"disk"`), `file "disk" leads through an absolute symbolic link, to "/etc/passwd": copy the file, or make the link relative within the directory`},
		"pipe":          {`mkfifo "$GOLDSMITH_OUTPUT/disk"` + succeed(`"file":"disk"`), `file "disk" is a named pipe`},
		"no-directory":  {"true" + succeed(`"file":"good"`) + `; rm -r "$GOLDSMITH_OUTPUT"`, "the output directory does not exist any more"},
		"not-a-success": {disk + succeed(`"file":"d/disk"`) + "; exit 3", "outcome is Succeeded, but exit code is not 0: builder ended with exit code 3"},
		"invalid":       {disk + succeed(`"file":"../disk"`), `file of artifact "linux/amd64/raw" is "../disk"`},
	}
	for name, tt := range tests {
		c.options.Builders[name] = Builder{Path: "/bin/bash", Args: []string{"-c", "PATH=/usr/bin:/bin; " + tt.script}}
	}
	c.start()
	jobs := map[string]*batchv1.Job{}
	for name := range tests {
		jobs[name] = c.run(name, withTwoTargets)
	}
	good := v1alpha1.Artifact{
		Target: "linux/amd64/raw", Digest: digestOf("disk\n"), SizeBytes: 5, MediaType: "application/x-raw-disk-image", Verified: v1alpha1.ArtifactVerifiedContent,
	}
	for name, tt := range tests {
		outcome := c.outcome(jobs[name])
		message := terminatedOf(require.Value(c.pod(jobs[name]))(t)).Message
		c.Expect(result.Checked(message)).To(Equal(name != "not-a-success" && name != "invalid"), "the files of no other result are read")
		if tt.want != "" {
			c.Expect(outcome.Failure).To(And(HaveField("Class", Not(Equal(v1alpha1.FailureInfrastructure))), HaveField("Message", ContainSubstring(tt.want))), name)
			continue
		}
		c.Expect(outcome.Failure).To(BeNil(), name)
		if name == "right" || name == "link-and-file" || name == "hard-link" {
			c.Expect(outcome.Artifacts[0]).To(Equal(good))
			c.Expect(outcome.Artifacts[1].Digest).To(Equal(good.Digest), "two artifacts can name one file")
			continue
		}
		document := v1alpha1.ArtifactDocument{Type: v1alpha1.DocumentSBOM, Digest: digestOf("sbom\n"), SizeBytes: 5, MediaType: "x/sbom", Verified: v1alpha1.ArtifactVerifiedContent}
		raw := good
		raw.Annotations, raw.Documents = map[string]string{"a": "b"}, []v1alpha1.ArtifactDocument{document}
		c.Expect(outcome.Artifacts[0]).To(Equal(raw))
		c.Expect(outcome.Artifacts[1]).To(And(HaveField("Verified", BeEmpty()), HaveField("Documents", ConsistOf(And(HaveField("Type", v1alpha1.DocumentProvenance), HaveField("Digest", document.Digest))))))
	}
	again := c.run("file", withTwoTargets, func(job *batchv1.Job) {
		job.Name, job.UID = "again", ""
		c.beginAttempt(job, "file", 2)
	})
	c.Expect(c.outcome(again).Failure).To(BeNil())
	build := artifacts.Build{UID: "build-file", Namespace: "default", Name: "file", Image: "debian"}
	content, text := artifacts.Content{Digest: digestOf("disk\n"), SizeBytes: 5}, artifacts.Content{Digest: digestOf("sbom\n"), SizeBytes: 5}
	c.Expect(slices.DeleteFunc(store.Entries(), func(entry artifacts.Entry) bool { return entry.Build != build })).To(Equal([]artifacts.Entry{
		{Build: build, Artifact: artifacts.Artifact{
			Target: "linux/amd64/raw", Content: content, MediaType: good.MediaType, Title: "disk",
			Annotations: map[string]string{"a": "b"}, Documents: []artifacts.Document{{Type: v1alpha1.DocumentSBOM, Content: text, MediaType: "x/sbom"}},
		}},
		{Build: build, Artifact: artifacts.Artifact{
			Target: "linux/amd64/qcow2", MediaType: "application/x-qemu-disk", Documents: []artifacts.Document{{Type: v1alpha1.DocumentProvenance, Content: text, MediaType: "x/p"}},
		}},
	}), "those of the newest attempt")
	blob := require.Value(store.OpenBlob(content.Digest))(t)
	defer func() { _ = blob.Close() }() // only read from
	c.Expect(string(require.Value(io.ReadAll(blob))(t))).To(Equal("disk\n"))
	_, err := store.Remove(func(artifacts.Entry) bool { return false })
	require.NoError(t, err)
	c.Expect(store.Usage()).To(BeZero(), "nothing that was taken is held back, of failures neither")
}

func TestAFaultOfTheStoreIsNotTheBuildersFault(t *testing.T) {
	dir := t.TempDir()
	store, adapt := withStore(t, dir, nil)
	c := newCluster(t, map[string]string{"good": "true" + succeed(`"file":"good"`)}, adapt, func(o *Options) {
		o.Fit = func(context.Context) error { return errors.New("no room") }
	})
	fails := func(name, message string) {
		t.Helper()
		job := c.run("good", withTwoTargets, func(job *batchv1.Job) { job.Name, job.UID = name, "" })
		c.Expect(c.outcome(job).Failure).To(And(HaveField("Reason", v1alpha1.ReasonArtifactNotStored), HaveField("Message", MatchRegexp(message))))
	}
	fails("full", "^no room$")
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "artifacts", "ingest")))
	fails("broken", `^artifact "linux/amd64/raw": store file "good": open .*: no such file or directory$`)
	c.Expect(store.Entries()).To(BeEmpty())
}

// storing runs a builder whose files are being stored: the test has one of them open, and the store waits on its clock.
func (c *cluster) storing(storeClock *testingclock.FakeClock, adapt ...func(*batchv1.Job)) *batchv1.Job {
	c.t.Helper()
	storeClock.Step(time.Hour) // nothing waits on it
	job := c.run("good", append(adapt, withTwoTargets)...)
	pod := c.ready(job)
	output := podDir(filepath.Join(c.options.Dir, string(pod.UID))).output()
	writer := require.Value(os.OpenFile(filepath.Join(output, "disk"), os.O_WRONLY, 0))(c.t)
	c.t.Cleanup(func() { _ = writer.Close() }) // nothing was written
	require.NoError(c.t, os.WriteFile(filepath.Join(output, "end"), nil, 0o600))
	c.Eventually(storeClock.HasWaiters).Should(BeTrue())
	c.Expect(c.pod(job)).To(Satisfy(running), "its end is not stored before its files are")
	c.Expect(c.agent.Running()).To(Equal(1), "it has its worker")
	return job
}

func TestStoringFilesEndsWithWhatNeedsThem(t *testing.T) {
	storeClock, agentClock := testingclock.NewFakeClock(time.Now()), testingclock.NewFakeClock(time.Now())
	store, adapt := withStore(t, t.TempDir(), storeClock)
	script := `cd "$GOLDSMITH_OUTPUT"; echo disk >disk; echo ready; until [ -e end ]; do sleep 0.01; done` + succeed(`"file":"disk"`)
	c := newCluster(t, map[string]string{"good": script}, adapt, func(o *Options) { o.Clock = agentClock })
	named := func(name string) func(*batchv1.Job) { return func(job *batchv1.Job) { job.Name, job.UID = name, "" } }

	late := c.storing(storeClock, named("late"), func(job *batchv1.Job) {
		job.Spec.Template.Spec.ActiveDeadlineSeconds = new(int64(3600))
		job.Spec.Template.Spec.TerminationGracePeriodSeconds = new(int64(30))
	})
	agentClock.Step(time.Hour)
	stepUntil(c, agentClock, time.Second, func() bool { return c.agent.Running() == 0 })
	c.Expect(c.outcome(late).Failure).To(And(HaveField("Reason", v1alpha1.ReasonArtifactNotStored), HaveField("Message", "the pod was deleted, or its deadline passed, before its artifacts were stored")))
	c.Expect(require.Value(c.pod(late))(t).Status.Reason).To(Equal("DeadlineExceeded"))

	wrong := c.storing(storeClock, named("wrong"), func(job *batchv1.Job) { job.Spec.Template.Spec.ActiveDeadlineSeconds = new(int64(3600)) })
	agentClock.Step(time.Hour)
	stepUntil(c, storeClock, time.Second, func() bool { return c.agent.Running() == 0 })
	c.Expect(c.outcome(wrong).Failure).To(HaveField("Reason", v1alpha1.ReasonInvalidResult))
	c.Expect(require.Value(c.pod(wrong))(t).Status.Reason).To(BeEmpty(), "the deadline has prevented nothing")

	deleted := c.storing(storeClock, named("deleted"))
	pod := require.Value(c.pod(deleted))(t)
	c.deletePod(deleted, 0)
	c.podGone(deleted)
	c.Eventually(func() string { return filepath.Join(c.options.Dir, string(pod.UID)) }).ShouldNot(BeADirectory())

	ended := c.storing(storeClock, named("ended"))
	pod = require.Value(c.pod(ended))(t)
	_, err := c.server.CoreV1().Pods("default").UpdateStatus(t.Context(), failedPod(pod), metav1.UpdateOptions{})
	require.NoError(t, err)
	c.Eventually(c.agent.Running).Should(BeZero())
	c.Eventually(func() string { return podDir(filepath.Join(c.options.Dir, string(pod.UID))).output() }).ShouldNot(BeADirectory())

	lost := c.storing(storeClock, named("lost"))
	before := time.Now()
	c.Expect(c.stop()).To(Succeed())
	c.Expect(time.Since(before)).To(BeNumerically("<", limit))
	c.Expect(c.pod(lost)).To(Satisfy(running))
	c.start()
	c.Expect(c.podWhen(lost, terminal).Status.Reason).To(Equal("ProcessLost"))
	c.Expect(store.Entries()).To(BeEmpty())
}

func failedPod(pod *corev1.Pod) *corev1.Pod {
	failed := pod.DeepCopy()
	failed.Status.Phase = corev1.PodFailed
	return failed
}

// withBase adds a base to the input, whose artifact has this digest.
func withBase(digest string) func(*batchv1.Job) {
	return func(job *batchv1.Job) {
		job.Spec.Template.Annotations[v1alpha1.AnnotationInput] = `{"base":{"artifacts":[{"digest":"` + digest + `","path":"linux-amd64.raw","target":"linux/amd64/raw"},` +
			`{"digest":"` + digestOf("elsewhere") + `","location":"https://images.example/debian","target":"linux/amd64/qcow2"}],"build":"debian-6","image":"debian"},` + twoTargets[1:]
	}
}

// Whether the builder can be given the store's own file or gets a copy, it reads the same.
func TestABuilderReadsItsBase(t *testing.T) {
	for name, unconfined := range map[string]bool{"confined": false, "unconfined": true} {
		t.Run(name, func(t *testing.T) {
			dir := require.Value(filepath.EvalSymlinks(t.TempDir()))(t)
			store, adapt := withStore(t, dir, nil)
			require.NoError(t, os.WriteFile(filepath.Join(dir, "disk"), []byte("base\n"), 0o600))
			top := require.Value(os.OpenRoot(dir))(t)
			defer func() { _ = top.Close() }() // only read from
			base := store.Take(t.Context(), top, "disk")[0].Content
			made := func(namespace string) {
				t.Helper()
				require.NoError(t, store.Record(artifacts.Build{UID: "uid-6", Namespace: namespace, Name: "debian-6"}, []artifacts.Artifact{{
					Target: "linux/amd64/raw", Content: base,
				}}))
			}
			made("elsewhere")
			script := `ls "$GOLDSMITH_BASE"; chmod 600 "$GOLDSMITH_BASE"/*; echo changed >>"$GOLDSMITH_BASE/linux-amd64.raw"
				cat "$GOLDSMITH_BASE/linux-amd64.raw" >"$GOLDSMITH_OUTPUT/disk"` + succeed(`"file":"disk"`)
			c := newCluster(t, map[string]string{"good": "PATH=/usr/bin:/bin; " + script}, adapt, func(o *Options) {
				o.Dir, o.Hidden = filepath.Join(dir, "builds"), []string{dir}
				good := o.Builders["good"]
				good.Unconfined = unconfined
				o.Builders["good"] = good
			})
			notProvided := func(name, why string, adapt ...func(*batchv1.Job)) {
				t.Helper()
				job := c.run("good", append(adapt, func(job *batchv1.Job) { job.Name, job.UID = name, "" })...)
				c.finishedJob(job)
				c.Expect(result.ParseNotFetched(fetcherEnd(require.Value(c.pod(job))(t)).Message)).To(And(HaveField("Reason", v1alpha1.ReasonBaseNotFound),
					HaveField("Message", ContainSubstring("artifact linux/amd64/raw of build debian-6 of base debian: "+why))))
			}
			lost := func(name, digest string) {
				t.Helper()
				notProvided(name, "it is lost, and no registry has its file: build image debian again", withBase(digest))
			}
			lost("elsewhere", base.Digest) // only another namespace has it
			made("default")
			disk, kept := digestOf("base\n"), digestOf("base\n")
			if unconfined || process.LandlockVersion() == 0 {
				disk = digestOf("base\nchanged\n")
			}
			outcome := c.outcome(c.run("good", withBase(base.Digest)))
			c.Expect(outcome.Failure).To(BeNil())
			c.Expect(outcome.Artifacts[0].Digest).To(Equal(disk))
			blob := require.Value(store.OpenBlob(kept))(t)
			defer func() { _ = blob.Close() }() // only read from
			c.Expect(string(require.Value(io.ReadAll(blob))(t))).To(Equal("base\n"), "no builder changes what is kept")

			lost("lost", digestOf("lost"))

			require.NoError(t, os.Chmod(blob.Name(), 0o600))
			require.NoError(t, os.WriteFile(blob.Name(), []byte("BASE\n"), 0o600))
			notProvided("rebuild", "the file that the server keeps has "+digestOf("BASE\n"), withBase(base.Digest), func(job *batchv1.Job) {
				annotations := job.Spec.Template.Annotations
				annotations[v1alpha1.AnnotationInput] = `{"build":{"reproduces":true},` + annotations[v1alpha1.AnnotationInput][1:]
			})
		})
	}
}

// A builder whose disk is full is tried again only if that can help.
func TestABuilderWithoutRoomIsToldWhichDiskIsFull(t *testing.T) {
	for name, tt := range map[string]struct {
		freed  int64
		class  v1alpha1.FailureClass
		saying string
	}{
		"nothing is unneeded": {0, v1alpha1.FailureConfig, "full: 3 bytes; the full disk is that of DIR"},
		"room was made":       {2 << 20, v1alpha1.FailureInfrastructure, "full: 3 bytes; the full disk is that of DIR, where 2.0 MiB of artifacts that are not needed were removed now"},
	} {
		t.Run(name, func(t *testing.T) {
			store, adapt := withStore(t, t.TempDir(), nil)
			store.WhenFull(func(int64) (int64, error) { return tt.freed, nil })
			c := newCluster(t, map[string]string{"full": `echo '{"version":1,"outcome":"Failed","failure":{"reason":"DiskFull","message":"full: 3 bytes","class":"Config"}}' >"$GOLDSMITH_RESULT"; exit 1`}, adapt)
			c.Expect(c.outcome(c.run("full", withTwoTargets)).Failure).To(And(HaveField("Class", tt.class),
				HaveField("Message", HaveSuffix(strings.ReplaceAll(tt.saying, "DIR", c.options.Dir)))))
		})
	}
}
