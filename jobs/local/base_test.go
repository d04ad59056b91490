// SPDX-License-Identifier: Apache-2.0

package local

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/local/artifacts"
	"goldsmith.dev/goldsmith/jobs/publish"
	"goldsmith.dev/goldsmith/jobs/publish/registrytest"
	"goldsmith.dev/goldsmith/jobs/publish/transport"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

// published pushes the artifact of a base to a registry, and returns it as an input names it.
func published(t *testing.T, registry *registrytest.Registry) render.InputArtifact {
	t.Helper()
	const content = "base\n"
	artifact := render.InputArtifact{
		Target: "linux/amd64/raw", Digest: digestOf(content), SizeBytes: int64(len(content)), Path: "linux-amd64.raw", MediaType: "application/x-raw-disk-image",
	}
	file := filepath.Join(t.TempDir(), "disk")
	require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
	pushed, err := publish.Push(t.Context(), registry.Host()+"/team/debian", []publish.Artifact{{
		Target: artifact.Target, Platform: "linux/amd64", MediaType: artifact.MediaType,
		Content: transport.Content{Digest: artifact.Digest, SizeBytes: artifact.SizeBytes, Open: func() (transport.File, error) { return os.Open(file) }},
	}}, transport.Options{DockerConfig: registry.DockerConfig(registrytest.Password)})
	require.NoError(t, err)
	artifact.Location = pushed[0].Location
	return artifact
}

// startingFrom is a Job whose base has an artifact, and that may read the Secret of its output.
func startingFrom(name string, artifact render.InputArtifact, secret string) func(*batchv1.Job) {
	return func(job *batchv1.Job) {
		base, _ := json.Marshal(render.InputBase{Artifacts: []render.InputArtifact{artifact}, Build: "debian-6", Image: "debian"}) // of text only
		withOutput(name, render.Output{Repository: "127.0.0.1:1/team/web", Secret: secret})(job)
		job.Spec.Template.Annotations[v1alpha1.AnnotationInput] = `{"base":` + string(base) + `,` + twoTargets[1:]
		if secret == "" {
			delete(job.Spec.Template.Annotations, v1alpha1.AnnotationOutput)
		}
	}
}

// useBase is a builder that publishes what it made of its base itself.
var useBase = `cat "$GOLDSMITH_BASE/linux-amd64.raw"` + succeed(`"location":"oci://r/x","digest":"`+digestOf("x")+`","sizeBytes":1`, `"location":"oci://r/y","digest":"`+digestOf("y")+`","sizeBytes":1`)

// fetcherEnd returns how the fetching of a pod's base ended.
func fetcherEnd(pod *corev1.Pod) *corev1.ContainerStateTerminated {
	if status := render.FetcherStatus(pod); status != nil {
		return status.State.Terminated
	}
	return nil
}

func TestABaseThatIsPublishedIsFetchedOnce(t *testing.T) {
	registry := registrytest.New(t, registrytest.Options{Auth: "Basic"})
	base, dir := published(t, registry), t.TempDir()
	_, adapt := withStore(t, dir, nil)
	c := newCluster(t, map[string]string{"good": useBase}, adapt)
	c.createRegistrySecret("registry", map[string][]byte{corev1.DockerConfigJsonKey: registry.DockerConfig(registrytest.Password)})
	registry.Inject(1, http.MethodGet, "/blobs/", registrytest.Truncate(50))
	first := c.run("good", startingFrom("first", base, "registry"))
	c.Expect(c.outcome(first).Failure).To(BeNil())
	pod := require.Value(c.pod(first))(t)
	c.Expect(c.log(pod, nil)).To(MatchRegexp("^goldsmith: fetching linux/amd64/raw of build debian-6 of base debian: " + base.Location + "\ngoldsmith: retrying: .*\ngoldsmith: fetched 5 B, .*\nbase\n$"))
	c.Expect(fetcherEnd(pod)).To(And(HaveField("ExitCode", int32(0)), HaveField("StartedAt", *pod.Status.StartTime), HaveField("FinishedAt", terminatedOf(pod).StartedAt)))
	c.Expect(conditionOf(pod, corev1.PodInitialized)).To(HaveField("Status", corev1.ConditionTrue))

	c.Expect(c.stop()).To(Succeed())
	store, adapt := withStore(t, dir, nil)
	adapt(&c.options)
	registry.Requests()
	c.start()
	second := c.run("good", startingFrom("second", base, ""))
	c.Expect(c.outcome(second).Failure).To(BeNil())
	pod = require.Value(c.pod(second))(t)
	c.Expect(c.log(pod, nil)).To(Equal("base\n"))
	c.Expect(pod.Status.InitContainerStatuses).To(BeEmpty())
	c.Expect(registry.Requests()).To(BeEmpty(), "the store has it")
	c.Expect(store.Entries()).To(Equal([]artifacts.Entry{{
		Build:    artifacts.Build{UID: types.UID(base.Digest), Namespace: "default", Image: "debian"},
		Artifact: artifacts.Artifact{Target: base.Target, Content: artifacts.Content{Digest: base.Digest, SizeBytes: base.SizeBytes}, MediaType: base.MediaType},
	}}))
}

func TestBuildsThatNeedTheSameBaseFetchItOnce(t *testing.T) {
	registry := registrytest.New(t, registrytest.Options{})
	base := published(t, registry)
	_, adapt := withStore(t, t.TempDir(), nil)
	c := newCluster(t, map[string]string{"good": useBase}, adapt)
	started, release := make(chan struct{}), make(chan struct{})
	registry.Inject(1, http.MethodGet, "/blobs/", func(w http.ResponseWriter, request *http.Request, next http.Handler) {
		close(started)
		<-release
		next.ServeHTTP(w, request)
	})
	registry.Requests()
	var jobs []*batchv1.Job
	for _, name := range []string{"first", "second", "third"} {
		jobs = append(jobs, c.run("good", startingFrom(name, base, "")))
	}
	for _, job := range jobs {
		c.podWhen(job, func(pod *corev1.Pod) bool { return render.FetcherStatus(pod) != nil })
	}
	c.Eventually(started).Should(BeClosed())
	waiting := jobs[2]
	if log := c.log(require.Value(c.pod(waiting))(t), nil); log != "" { // this one fetches
		waiting = jobs[1]
	}
	c.deletePod(waiting, 1000)
	c.podGone(waiting)
	close(release)
	for _, job := range jobs {
		if job != waiting {
			c.Expect(c.outcome(job).Failure).To(BeNil())
		}
	}
	c.Expect(registry.Requests()).To(ConsistOf(HavePrefix("GET /v2/team/debian/manifests/"), HavePrefix("GET /v2/team/debian/blobs/")))
}

func TestABaseThatIsNotFetchedTellsWhy(t *testing.T) {
	registry := registrytest.New(t, registrytest.Options{Auth: "Basic"})
	base, dir := published(t, registry), t.TempDir()
	store, adapt := withStore(t, dir, nil)
	ran := filepath.Join(dir, "ran")
	c := newCluster(t, map[string]string{"good": "touch " + ran}, adapt)
	c.createRegistrySecret("registry", map[string][]byte{corev1.DockerConfigJsonKey: registry.DockerConfig(registrytest.Password)})
	c.createRegistrySecret("wrong", map[string][]byte{corev1.DockerConfigJsonKey: registry.DockerConfig("wrong")})
	for name, tt := range map[string]struct {
		secret string
		change func(*render.InputArtifact)
		reason v1alpha1.FailureReason // empty: a fault of the machine
		saying string
	}{
		"no-credentials":   {"", nil, v1alpha1.ReasonRegistryDenied, "HTTP 401"},
		"a-wrong-password": {"wrong", nil, v1alpha1.ReasonRegistryDenied, "HTTP 401"},
		"no-secret":        {"missing", nil, v1alpha1.ReasonRegistryDenied, "the Secret default/missing of output.secretRef does not exist"},
		"no-manifest": {"registry", func(a *render.InputArtifact) { a.Location = a.Location[:len(a.Location)-4] + "0000" },
			v1alpha1.ReasonBaseNotFound, "fetch from " + registry.Host() + "/team/debian: fetch manifest: HTTP 404"},
		"no-content":   {"registry", func(a *render.InputArtifact) { a.Digest = digestOf("other") }, v1alpha1.ReasonBaseNotFound, "has no content"},
		"another-size": {"registry", func(a *render.InputArtifact) { a.SizeBytes++ }, v1alpha1.ReasonBaseNotFound, "the registry has 5 bytes, and the artifact 6"},
		"another-content": {"registry", func(*render.InputArtifact) {
			registry.Inject(1, http.MethodGet, "/blobs/", func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { _, _ = io.WriteString(w, "evil\n") })
		}, v1alpha1.ReasonRegistryUnavailable, "another content"},
		"not-published": {"registry", func(a *render.InputArtifact) { a.Location = "/apis/x" }, v1alpha1.ReasonBaseNotFound, "it is lost, and no registry has its file: build image debian again"},
		"an-image":      {"registry", func(a *render.InputArtifact) { a.MediaType = result.MediaTypeLayout }, v1alpha1.ReasonBaseNotFound, "it is lost"},
		"a-full-disk": {"registry", func(*render.InputArtifact) {
			require.NoError(t, os.Rename(filepath.Join(dir, "artifacts", "ingest"), filepath.Join(dir, "ingest")))
		}, "", "no such file or directory"},
	} {
		t.Run(name, func(t *testing.T) {
			g, artifact := NewWithT(t), base
			if tt.change != nil {
				tt.change(&artifact)
			}
			job := c.finishedJob(c.run("good", startingFrom(name, artifact, tt.secret)))
			if name == "a-full-disk" {
				require.NoError(t, os.Rename(filepath.Join(dir, "ingest"), filepath.Join(dir, "artifacts", "ingest")))
			}
			pod := require.Value(c.pod(job))(t)
			end := fetcherEnd(pod)
			g.Expect(end).To(And(HaveField("ExitCode", int32(1)), HaveField("Message", ContainSubstring(tt.saying))))
			if failure := result.ParseNotFetched(end.Message); tt.reason == "" {
				g.Expect(failure).To(BeNil())
			} else {
				g.Expect(failure).To(And(HaveField("Reason", tt.reason), HaveField("Message", HavePrefix("artifact linux/amd64/raw of build debian-6 of base debian: "))))
			}
			g.Expect(pod.Status).To(And(HaveField("Phase", corev1.PodFailed), HaveField("ContainerStatuses", HaveExactElements(HaveField("State.Waiting.Reason", "PodInitializing")))))
			g.Expect(c.log(pod, nil)).To(HaveSuffix("goldsmith: " + pod.Status.Message + "\n"))
			g.Expect(ran).NotTo(BeAnExistingFile())
			g.Expect(store.Has(base.Digest)).To(BeFalse())
			g.Expect(filepath.Glob(filepath.Join(dir, "artifacts", "ingest", "*"))).To(BeEmpty())
		})
	}
}

func TestFetchingABaseEndsWithWhatNeedsIt(t *testing.T) {
	agentClock := testingclock.NewFakeClock(time.Now())
	registry := registrytest.New(t, registrytest.Options{})
	base, dir := published(t, registry), t.TempDir()
	_, adapt := withStore(t, dir, nil)
	ran := filepath.Join(dir, "ran")
	c := newCluster(t, map[string]string{"good": "echo x >>" + ran + "; " + useBase}, adapt, func(o *Options) { o.Clock = agentClock })
	started := make(chan struct{}, 1)
	registry.Inject(3, http.MethodGet, "/blobs/", hang(started))
	fetching := func(name string, adapt ...func(*batchv1.Job)) *batchv1.Job {
		t.Helper()
		job := c.run("good", append([]func(*batchv1.Job){startingFrom(name, base, "")}, adapt...)...)
		c.Eventually(started).Should(Receive())
		pod := c.podWhen(job, func(pod *corev1.Pod) bool { return render.FetcherStatus(pod) != nil })
		c.Expect(pod.Status).To(And(HaveField("Phase", corev1.PodPending), HaveField("ContainerStatuses", HaveExactElements(HaveField("State.Waiting.Reason", "PodInitializing")))))
		c.Expect(render.FetcherStatus(pod).State.Running).NotTo(BeNil())
		c.Expect(conditionOf(pod, corev1.PodInitialized)).To(HaveField("Status", corev1.ConditionFalse))
		c.Expect(c.agent.Running()).To(Equal(1), "it has its worker")
		return job
	}
	ended := func(job *batchv1.Job, exitCode int32, reason string) {
		t.Helper()
		pod := c.podWhen(job, terminal)
		c.Expect(fetcherEnd(pod)).To(HaveField("ExitCode", exitCode))
		c.Expect(pod.Status).To(And(HaveField("Reason", reason), HaveField("ContainerStatuses", HaveExactElements(HaveField("State.Terminated", BeNil())))))
	}

	late := fetching("late", func(job *batchv1.Job) { job.Spec.Template.Spec.ActiveDeadlineSeconds = new(int64(3600)) })
	agentClock.Step(time.Hour)
	ended(late, 143, "DeadlineExceeded")

	deleted := fetching("deleted")
	c.deletePod(deleted, 1000)
	c.podGone(deleted)

	stopped := fetching("stopped")
	left := require.Value(filepath.Glob(filepath.Join(dir, "artifacts", "ingest", "*")))(t)
	c.Expect(left).To(HaveLen(1))
	c.Expect(c.stop()).To(Succeed())
	c.Expect(left[0]).NotTo(BeAnExistingFile())
	require.NoError(t, os.WriteFile(left[0], []byte("ba"), 0o600)) // as after a crash
	store, adapt := withStore(t, dir, nil)
	adapt(&c.options)
	c.Expect(left[0]).NotTo(BeAnExistingFile())
	c.start()
	ended(stopped, 137, "ProcessLost")
	c.Expect(store.Has(base.Digest)).To(BeFalse())
	c.Expect(ran).NotTo(BeAnExistingFile())

	again := c.run("good", startingFrom("again", base, ""))
	c.Expect(c.outcome(again).Failure).To(BeNil())
	c.Expect(strings.Split(string(require.Value(os.ReadFile(ran))(t)), "\n")).To(HaveLen(2))
}
