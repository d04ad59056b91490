// SPDX-License-Identifier: Apache-2.0

package local

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/opencontainers/go-digest"
	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"
	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/documents"
	"goldsmith.dev/goldsmith/jobs/local/jobcontroller"
	"goldsmith.dev/goldsmith/jobs/publish/registrytest"
	"goldsmith.dev/goldsmith/jobs/render"
)

const (
	makeDisk = `printf making; cd "$GOLDSMITH_OUTPUT"; echo disk >disk; echo sbom >sbom; printf '%s' '` + diskLock + `' >lock`
	diskLock = `{"version":1,"packages":[{"name":"openssl","version":"3.5.6-1","architecture":"amd64"}]}`
)

// withOutput is a Job with the two targets whose artifacts are published.
func withOutput(name string, output render.Output) func(*batchv1.Job) {
	return func(job *batchv1.Job) {
		withTwoTargets(job)
		encoded, _ := json.Marshal(output) // of text only
		job.Name, job.UID = name, ""
		job.Spec.Template.Annotations[v1alpha1.AnnotationOutput] = string(encoded)
	}
}

func (c *cluster) createRegistrySecret(name string, data map[string][]byte) {
	c.t.Helper()
	_, err := c.server.CoreV1().Secrets("default").Create(c.t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: data}, metav1.CreateOptions{})
	require.NoError(c.t, err)
}

func TestStoredArtifactsArePublished(t *testing.T) {
	open := registrytest.New(t, registrytest.Options{Referrers: true})
	guarded := registrytest.New(t, registrytest.Options{Auth: "Basic", TLS: true, Referrers: true})
	named := registrytest.New(t, registrytest.Options{Referrers: true})
	store, adapt := withStore(t, t.TempDir(), nil)
	recorded := make(chan string, 1)
	c := newCluster(t, map[string]string{
		"good": makeDisk + succeed(`"file":"disk","annotations":{"a":"b"},"sbom":{"file":"sbom","mediaType":"x/sbom"},"provenance":{"file":"sbom","mediaType":"x/provenance"},"lock":{"file":"lock"}`,
			`"location":"oci://r/x","digest":"`+digestOf("x")+`","sizeBytes":1`),
		"elsewhere": makeDisk + succeed(`"location":"oci://r/x","digest":"`+digestOf("x")+`","sizeBytes":1`, `"location":"oci://r/y","digest":"`+digestOf("y")+`","sizeBytes":1`),
		"two":       makeDisk + succeed(`"file":"disk"`),
		"bad":       makeDisk + succeed(`"file":"disk"`) + "; exit 3",
		"invalid":   makeDisk + succeed(`"file":"missing"`),
	}, adapt, func(o *Options) {
		o.PlainHTTPRegistries = []string{named.Host()}
		o.RecordLocks = func(_ context.Context, build *v1alpha1.ImageBuild, locks []documents.Lock) error {
			for _, lock := range locks {
				recorded <- build.Name + " " + lock.Digest
			}
			return errors.New("the database is full")
		}
	})
	login := guarded.DockerConfig(registrytest.Password)
	c.createRegistrySecret("registry", map[string][]byte{corev1.DockerConfigJsonKey: login, "ca.crt": guarded.CA()})
	c.createRegistrySecret("wrong", map[string][]byte{corev1.DockerConfigJsonKey: guarded.DockerConfig("wrong"), "ca.crt": guarded.CA()})
	c.createRegistrySecret("no-certificate", map[string][]byte{corev1.DockerConfigJsonKey: login, "ca.crt": []byte("none")})
	c.createRegistrySecret("opaque", map[string][]byte{"password": []byte("x")})
	tags := map[string]string{"linux/amd64/raw": "v1", "linux/amd64/qcow2": "v1"}
	for _, tt := range []struct {
		name, builder string
		registry      *registrytest.Registry
		output        render.Output
		tag           string
		reason        v1alpha1.FailureReason
		says          string
	}{
		{name: "anonymous", registry: open, output: render.Output{Tags: tags}, tag: "v1"},
		{name: "one-off", registry: open},
		{name: "credentials", registry: guarded, output: render.Output{Secret: "registry", Tags: tags}, tag: "v1"},
		{name: "plain", registry: named, output: render.Output{Secret: "registry", Tags: tags}, tag: "v1"},
		{name: "wrong-password", registry: guarded, output: render.Output{Secret: "wrong", Tags: tags}, reason: v1alpha1.ReasonRegistryDenied, says: "HTTP 401 Unauthorized"},
		{name: "no-certificate", registry: guarded, output: render.Output{Secret: "no-certificate"}, reason: v1alpha1.ReasonRegistryRefused, says: "ca.crt of the Secret has no certificate"},
		{name: "no-secret", registry: guarded, output: render.Output{Secret: "missing", Tags: tags}, reason: v1alpha1.ReasonRegistryDenied,
			says: "^the Secret default/missing of output.secretRef does not exist, or has no key .dockerconfigjson; create it with the type kubernetes.io/dockerconfigjson, or correct output.secretRef$"},
		{name: "no-key", registry: guarded, output: render.Output{Secret: "opaque", Tags: tags}, reason: v1alpha1.ReasonRegistryDenied,
			says: "^the Secret default/opaque of output.secretRef does not exist, or has no key .dockerconfigjson; create it"},
		{name: "published-by-the-builder", builder: "elsewhere", registry: open},
		{name: "a-failure", builder: "bad", registry: open, reason: v1alpha1.ReasonBuilderFailed},
		{name: "an-invalid-result", builder: "invalid", registry: open, reason: v1alpha1.ReasonInvalidResult},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := NewWithT(t)
			builder := tt.builder
			if builder == "" {
				builder = "good"
			}
			tt.output.Repository = tt.registry.Host() + "/team/" + tt.name
			tt.registry.Requests()
			job := c.run(builder, withOutput(tt.name, tt.output))
			outcome := c.outcome(job)
			g.Expect(store.Has(digestOf("disk\n"))).To(BeTrue(), "published or not, it is stored")
			if tt.reason != "" {
				g.Expect(outcome.Failure).To(And(HaveField("Reason", tt.reason), HaveField("Message", MatchRegexp(tt.says))))
				g.Expect(outcome.Failure.Message).NotTo(ContainSubstring(registrytest.Password))
				g.Expect(tt.registry.Tags("team/" + tt.name)).To(BeEmpty())
			} else {
				g.Expect(outcome.Failure).To(BeNil())
				g.Expect(tt.registry.Tags("team/" + tt.name)).To(ConsistOf(strings.Fields(tt.tag)))
			}
			log := c.log(require.Value(c.server.CoreV1().Pods("default").Get(t.Context(), jobcontroller.PodName(job), metav1.GetOptions{}))(t), nil)
			begun := "making\ngoldsmith: publishing in " + tt.output.Repository + "\ngoldsmith: pushing linux/amd64/raw: 5 B, sha256:"
			switch {
			case tt.builder != "":
				g.Expect(log).To(Equal("making"))
			case tt.reason == "":
				line := "goldsmith: published linux/amd64/raw: " + outcome.Artifacts[0].Location
				if tt.tag != "" {
					line += ", tag " + tt.tag
				}
				g.Expect(log).To(And(HavePrefix(begun), ContainSubstring("\ngoldsmith: pushed linux/amd64/raw in "), HaveSuffix("\n"+line+"\ngoldsmith: the packages are not recorded: the database is full\n")))
			default:
				g.Expect(log).To(And(HavePrefix("making\ngoldsmith: "), HaveSuffix("not published: "+outcome.Failure.Message+"\n")))
			}
			if tt.builder != "" {
				g.Expect(tt.registry.Requests()).To(BeEmpty(), "there is nothing to publish")
				return
			}
			if tt.reason != "" {
				return
			}
			raw, other := outcome.Artifacts[0], outcome.Artifacts[1]
			at, manifestDigest, _ := strings.Cut(raw.Location, "@")
			g.Expect(at).To(Equal(tt.output.Repository))
			_, text := tt.registry.Get("/team/" + tt.name + "/manifests/" + manifestDigest)
			var manifest ociv1.Manifest
			require.NoError(t, json.Unmarshal(text, &manifest))
			g.Expect(manifest).To(And(HaveField("ArtifactType", raw.MediaType), HaveField("Annotations", raw.Annotations), HaveField("Layers", ConsistOf(
				And(HaveField("Digest", digest.Digest(raw.Digest)), HaveField("Annotations", HaveKeyWithValue(ociv1.AnnotationTitle, "linux-amd64.raw")))))))
			sbom, provenance := raw.Document(v1alpha1.DocumentSBOM), raw.Document(v1alpha1.DocumentProvenance)
			g.Expect(sbom.Location).To(HavePrefix(tt.output.Repository + "@sha256:"))
			g.Expect(provenance.Location).To(HavePrefix(tt.output.Repository + "@sha256:"))
			g.Expect(provenance.Location).NotTo(Equal(sbom.Location))
			g.Expect(recorded).To(Receive(HaveSuffix(" " + digestOf(diskLock))))
			var described []string
			for i := range raw.Documents {
				document := &raw.Documents[i]
				described = append(described, strings.TrimSpace(document.Name()+" "+string(document.MadeBy)))
				g.Expect(document.Location).To(HavePrefix(tt.output.Repository + "@sha256:"))
				g.Expect(store.Has(document.Digest)).To(BeTrue())
			}
			g.Expect(described).To(Equal([]string{"lock", "sbom", "self-reported", "cyclonedx Goldsmith", "spdx Goldsmith"}))
			g.Expect(raw.Packages).To(HaveValue(BeEquivalentTo(1)))
			_, content := tt.registry.Get("/team/" + tt.name + "/blobs/" + digestOf("sbom\n"))
			g.Expect(string(content)).To(Equal("sbom\n"))
			g.Expect(raw).To(And(HaveField("Tag", tt.tag), HaveField("Digest", digestOf("disk\n")), HaveField("Verified", v1alpha1.ArtifactVerifiedContent)))
			g.Expect(other).To(And(HaveField("Tag", ""), HaveField("Location", "oci://r/x")))
		})
	}

	open.Inject(1, "", "/team/anonymous/", registrytest.Status(http.StatusServiceUnavailable))
	again := c.run("two", withOutput("again", render.Output{Repository: open.Host() + "/team/anonymous", Tags: tags}))
	c.Expect(c.outcome(again).Failure).To(BeNil())
	c.Expect(c.log(require.Value(c.server.CoreV1().Pods("default").Get(t.Context(), jobcontroller.PodName(again), metav1.GetOptions{}))(t), nil)).
		To(ContainSubstring("\ngoldsmith: retrying: push to "+open.Host()+"/team/anonymous: HTTP 503 Service Unavailable"), "an outage can last for minutes")
	_, text := open.Get("/team/anonymous/manifests/v1")
	var index ociv1.Index
	require.NoError(t, json.Unmarshal(text, &index))
	c.Expect(index.Manifests).To(HaveEach(HaveField("Platform", HaveValue(Equal(ociv1.Platform{OS: "linux", Architecture: "amd64"})))), "both targets share the tag")
	c.Expect(index.Manifests).To(HaveLen(2))
	for _, action := range c.server.Actions() {
		if action.GetResource().Resource == "secrets" {
			c.Expect(action.GetVerb()).To(BeElementOf("get", "create"), "a cache would hold every Secret")
		}
	}
}

// hang is a fault that lets a request wait until its client gives up. started is closed by the first one.
func hang(started chan<- struct{}) registrytest.Fault {
	return func(_ http.ResponseWriter, request *http.Request, _ http.Handler) {
		started <- struct{}{}
		<-request.Context().Done()
	}
}

func TestAStoredDiskIsPublishedAsAContainerDisk(t *testing.T) {
	g := NewWithT(t)
	registry := registrytest.New(t, registrytest.Options{Referrers: true})
	_, adapt := withStore(t, t.TempDir(), nil)
	elsewhere := `"location":"oci://r/x","digest":"` + digestOf("x") + `","sizeBytes":1`
	c := newCluster(t, map[string]string{"good": makeDisk + succeed(`"file":"disk"`), "elsewhere": makeDisk + succeed(elsewhere, elsewhere)}, adapt)
	output := render.Output{
		Repository: registry.Host() + "/team/web", Tags: map[string]string{"linux/amd64/raw": "raw", "linux/amd64/qcow2": "qcow2"}, ContainerDisks: []string{"linux/amd64/qcow2"},
	}
	outcome := c.outcome(c.run("good", withOutput("good", output)))
	g.Expect(outcome.Failure).To(BeNil())
	g.Expect(outcome.Artifacts[1]).To(And(HaveField("Digest", digestOf("good\n")), HaveField("Tag", "qcow2")))
	names, disk := registry.ContainerDisk("/team/web", "qcow2")
	g.Expect(names).To(Equal([]string{"disk/", "disk/disk.qcow2"}))
	g.Expect(disk).To(Equal("good\n"))

	outcome = c.outcome(c.run("elsewhere", withOutput("elsewhere", output)))
	g.Expect(outcome.Failure).To(And(HaveField("Reason", v1alpha1.ReasonInvalidResult), HaveField("Message", ContainSubstring("artifact linux/amd64/qcow2 has no file"))))
}

func TestPublishingEndsWithWhatNeedsIt(t *testing.T) {
	agentClock := testingclock.NewFakeClock(time.Now())
	registry := registrytest.New(t, registrytest.Options{})
	store, adapt := withStore(t, t.TempDir(), nil)
	c := newCluster(t, map[string]string{"good": makeDisk + succeed(`"file":"disk"`)}, adapt, func(o *Options) { o.Clock = agentClock })
	started := make(chan struct{}, 1)
	registry.Inject(4, "", "/team/web/", hang(started))
	output := render.Output{Repository: registry.Host() + "/team/web", Tags: map[string]string{"linux/amd64/raw": "v1"}}
	publishing := func(name string, adapt ...func(*batchv1.Job)) *batchv1.Job {
		t.Helper()
		job := c.run("good", append([]func(*batchv1.Job){withOutput(name, output)}, adapt...)...)
		c.Eventually(started).Should(Receive())
		c.Expect(c.pod(job)).To(Satisfy(running), "its end is not stored before it is published")
		return job
	}

	late := publishing("late", func(job *batchv1.Job) {
		job.Spec.Template.Spec.ActiveDeadlineSeconds = new(int64(3600))
		job.Spec.Template.Spec.TerminationGracePeriodSeconds = new(int64(30))
	})
	agentClock.Step(time.Hour)
	c.Expect(c.outcome(late).Failure).To(And(HaveField("Reason", v1alpha1.ReasonRegistryUnavailable), HaveField("Message", "the pod was deleted, or its deadline passed, before its artifacts were published: if the deadline passed, raise timeouts.run")),
		"it does not wait for the grace period")
	c.Expect(require.Value(c.pod(late))(t).Status.Reason).To(Equal("DeadlineExceeded"), "so the build has RunTimeout, and is not tried again for the registry")

	deleted := publishing("deleted")
	c.deletePod(deleted, 1000)
	c.podGone(deleted)

	const unreachable = "127.0.0.1:1" // a port that no other server gets, unlike one that was closed
	lost := c.run("good", withOutput("unreachable", render.Output{Repository: unreachable + "/team/web"}))
	c.podWhen(lost, running)
	stepUntil(c, agentClock, 10*time.Second, func() bool { return c.agent.Running() == 0 })
	c.Expect(c.outcome(lost).Failure).To(And(HaveField("Reason", v1alpha1.ReasonRegistryUnavailable), HaveField("Class", v1alpha1.FailureRegistry),
		HaveField("Message", And(ContainSubstring(unreachable), ContainSubstring("retried for ")))))
	c.Expect(store.Entries()).To(HaveLen(6), "the artifacts are kept")

	stopped := publishing("stopped")
	c.Expect(c.stop()).To(Succeed())
	c.Expect(c.pod(stopped)).To(Satisfy(running))
	c.start()
	c.Expect(c.podWhen(stopped, terminal).Status.Reason).To(Equal("ProcessLost"))
	c.Expect(registry.Tags("team/web")).To(BeEmpty())
}

func TestAnAttemptAfterALostOneSendsNothingTwice(t *testing.T) {
	registry := registrytest.New(t, registrytest.Options{})
	_, adapt := withStore(t, t.TempDir(), nil)
	c := newCluster(t, map[string]string{"good": makeDisk + succeed(`"file":"disk"`)}, adapt)
	var down atomic.Bool
	c.server.PrependReactor("update", "pods", func(action clienttesting.Action) (bool, runtime.Object, error) {
		pod, _ := action.(clienttesting.UpdateAction).GetObject().(*corev1.Pod)
		return down.Load() && terminal(pod), nil, errors.New("the server is down")
	})
	output := render.Output{Repository: registry.Host() + "/team/web", Tags: map[string]string{"linux/amd64/raw": "v1"}}
	down.Store(true)
	lost := c.run("good", withOutput("lost", output))
	c.Eventually(func() []string { return registry.Tags("team/web") }).Should(ConsistOf("v1"))
	c.Expect(c.stop()).To(Succeed())
	c.Expect(c.pod(lost)).To(Satisfy(running), "the agent ended before it has reported the end")
	down.Store(false)
	c.start()
	c.Expect(c.podWhen(lost, terminal).Status.Reason).To(Equal("ProcessLost"))
	registry.Requests()
	outcome := c.outcome(c.run("good", withOutput("again", output)))
	c.Expect(outcome.Failure).To(BeNil())
	c.Expect(outcome.Artifacts[0].Tag).To(Equal("v1"))
	c.Expect(registry.Requests()).To(HaveEach(HavePrefix("HEAD ")), "the registry has everything")
}

// A builder that could read the credentials of the registry could publish what it wants.
func TestCredentialsOfARegistryAreNotOnTheDisk(t *testing.T) {
	registry := registrytest.New(t, registrytest.Options{Auth: "Basic"})
	_, adapt := withStore(t, t.TempDir(), nil)
	c := newCluster(t, map[string]string{"good": makeDisk + succeed(`"file":"disk"`)}, adapt)
	c.createRegistrySecret("registry", map[string][]byte{corev1.DockerConfigJsonKey: registry.DockerConfig(registrytest.Password)})
	names := map[string]bool{}
	registry.Inject(100, http.MethodPut, "/manifests/", func(w http.ResponseWriter, request *http.Request, next http.Handler) {
		require.NoError(t, filepath.WalkDir(c.options.Dir, func(path string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			content, err := os.ReadFile(path)
			names[entry.Name()] = true
			if strings.Contains(string(content), registrytest.Password) || strings.Contains(string(content), "auths") {
				t.Errorf("%s has the credentials", path)
			}
			return err
		}))
		next.ServeHTTP(w, request)
	})
	job := c.run("good", withOutput("web", render.Output{Repository: registry.Host() + "/team/web", Secret: "registry"}))
	c.Expect(c.outcome(job).Failure).To(BeNil())
	c.Expect(maps.Keys(names)).To(ContainElement("input"), "the directory of the pod was read")
}
