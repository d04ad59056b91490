// SPDX-License-Identifier: Apache-2.0

package local

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/local/jobcontroller"
	"goldsmith.dev/goldsmith/jobs/publish"
	"goldsmith.dev/goldsmith/jobs/publish/registrytest"
	"goldsmith.dev/goldsmith/jobs/publish/transport"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

// pushedSource pushes an artifact with the file motd, and returns it as an input names it.
func pushedSource(t *testing.T, registry *registrytest.Registry) render.InputSource {
	t.Helper()
	var packed bytes.Buffer
	writer := tar.NewWriter(&packed)
	require.NoError(t, writer.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "motd", Mode: 0o644, Size: 6}))
	require.Value(writer.Write([]byte("hello\n")))(t)
	require.NoError(t, writer.Close())
	file := filepath.Join(t.TempDir(), "layer")
	require.NoError(t, os.WriteFile(file, packed.Bytes(), 0o600))
	repository := registry.Host() + "/team/files"
	pushed := require.Value(publish.Push(t.Context(), repository, []publish.Artifact{{
		Target: "linux/amd64/raw", Platform: "linux/amd64", MediaType: "application/vnd.oci.image.layer.v1.tar", Content: transport.Content{
			Digest: digestOf(packed.String()), SizeBytes: int64(packed.Len()), Open: func() (transport.File, error) { return os.Open(file) },
		},
	}}, transport.Options{DockerConfig: registry.DockerConfig(registrytest.Password)}))(t)
	_, digest, _ := strings.Cut(pushed[0].Location, "@")
	return render.InputSource{OCI: true, URL: repository, Ref: digest, Revision: digest}
}

// The agent fetches the files of a source with the Secret of the source, which the builder does not get, and before the builder runs.
func TestASourceIsFetchedWithItsSecret(t *testing.T) {
	registry := registrytest.New(t, registrytest.Options{Auth: "Basic"})
	authority := registrytest.New(t, registrytest.Options{TLS: true}).CA() // with which the registry needs TLS, unless the operator names it
	ran := filepath.Join(t.TempDir(), "ran")
	_, adapt := withStore(t, t.TempDir(), nil)
	c := newCluster(t, map[string]string{
		"good": "echo x >>" + ran + `; cat "$GOLDSMITH_SOURCE/motd"; ! grep -rs auths "$GOLDSMITH_SOURCE/.." || exit 3` +
			succeed(`"location":"oci://r/x","digest":"`+digestOf("x")+`","sizeBytes":1`, `"location":"oci://r/y","digest":"`+digestOf("y")+`","sizeBytes":1`),
	}, adapt, func(o *Options) {
		o.AllowedNetworks, o.PlainHTTPRegistries = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, []string{registry.Host()}
	})
	c.createRegistrySecret("pull", map[string][]byte{corev1.DockerConfigJsonKey: registry.DockerConfig(registrytest.Password), "ca.crt": authority})
	c.createRegistrySecret("wrong", map[string][]byte{corev1.DockerConfigJsonKey: registry.DockerConfig("wrong")})
	source := pushedSource(t, registry)
	build := func(name, secret string, change func(*render.InputSource)) *batchv1.Job {
		of := source
		of.Secret = secret
		change(&of)
		return c.run("good", func(job *batchv1.Job) {
			job.Name, job.UID = name, ""
			job.Spec.Template.Annotations[v1alpha1.AnnotationInput] = `{"source":` + string(require.Value(json.Marshal(of))(t)) + `,` + twoTargets[1:]
		})
	}
	for name, test := range map[string]struct {
		secret string
		change func(*render.InputSource)
		reason v1alpha1.FailureReason
		saying string
	}{
		"no-credentials":   {"", func(*render.InputSource) {}, v1alpha1.ReasonSourceDenied, "HTTP 401"},
		"a-wrong-password": {"wrong", func(*render.InputSource) {}, v1alpha1.ReasonSourceDenied, "HTTP 401"},
		"no-secret":        {"missing", func(*render.InputSource) {}, v1alpha1.ReasonSourceDenied, `Secret "missing" of the source does not exist`},
		"no-such-digest":   {"pull", func(of *render.InputSource) { of.Revision = digestOf("other") }, v1alpha1.ReasonSourceNotFound, "HTTP 404"},
	} {
		job := c.finishedJob(build(name, test.secret, test.change))
		end := fetcherEnd(require.Value(c.pod(job))(t))
		c.Expect(end).NotTo(BeNil(), name)
		c.Expect(result.ParseNotFetched(end.Message)).To(And(HaveField("Reason", test.reason), HaveField("Message", ContainSubstring(test.saying))), name)
	}
	c.Expect(ran).NotTo(BeAnExistingFile())
	job := build("good", "pull", func(*render.InputSource) {})
	c.Expect(c.outcome(job).Failure).To(BeNil())
	pod := require.Value(c.pod(job))(t)
	c.Expect(c.log(pod, nil)).To(HaveSuffix("hello\n"))
	c.Expect(fetcherEnd(pod)).To(HaveField("ExitCode", int32(0)))
}

// A Job by hand can name a source. It would be fetched in the memory of the server, as often as somebody creates Jobs.
func TestAJobByHandGetsNoSource(t *testing.T) {
	registry := registrytest.New(t, registrytest.Options{})
	ran := filepath.Join(t.TempDir(), "ran")
	_, adapt := withStore(t, t.TempDir(), nil)
	c := newCluster(t, map[string]string{"good": "touch " + ran}, adapt, func(o *Options) {
		o.AllowedNetworks, o.PlainHTTPRegistries = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, []string{registry.Host()}
	})
	source := require.Value(json.Marshal(pushedSource(t, registry)))(t)
	registry.Requests()
	job := c.run("good", byHand, func(job *batchv1.Job) {
		job.Spec.Template.Annotations[v1alpha1.AnnotationInput] = `{"source":` + string(source) + `,` + twoTargets[1:]
	})
	c.finishedJob(job)
	c.Expect(require.Value(c.pod(job))(t).Status.Message).To(HavePrefix("pod default/" + jobcontroller.PodName(job) +
		" gets no base and no source, because it is not a pod of Goldsmith's controllers: "))
	c.Expect(ran).NotTo(BeAnExistingFile())
	c.Expect(registry.Requests()).To(BeEmpty())
}

// byHand is a Job that a user creates. Without a controller, run would give it that of a build.
func byHand(job *batchv1.Job) {
	job.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "x", UID: "x", Controller: new(true)}}
}

// sourceCheck makes a Job the check of the source of an Image, which it creates.
func (c *cluster) sourceCheck(change ...func(*v1alpha1.Image)) func(*batchv1.Job) {
	return func(job *batchv1.Job) {
		image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web", UID: "image-web"}}
		image.Spec.Source = &v1alpha1.Source{Git: &v1alpha1.GitSource{URL: "https://git.example/web"}}
		image.Status.Source = &v1alpha1.ImageSource{Question: inputs.Question(image.Spec.Source), Checks: 1}
		for _, change := range change {
			change(image)
		}
		require.Value(c.builds.ImagesV1alpha1().Images("default").Create(c.t.Context(), image, metav1.CreateOptions{}))(c.t)
		job.Name, job.UID, job.Labels = render.SourceJobName(image), "", map[string]string{v1alpha1.LabelSource: image.Name}
		job.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(image, v1alpha1.Kind("Image"))}
	}
}

// withChecker has the program check, which checks sources, and one worker.
func withChecker(o *Options) {
	o.Workers = 1
	check := o.Builders["check"]
	check.ChecksSources = true
	o.Builders["check"] = check
}

// The check of a source that a controller wants runs although all workers are busy: the build that has the worker can wait for it.
func TestACheckOfASourceNeedsNoWorker(t *testing.T) {
	_, adapt := withStore(t, t.TempDir(), nil)
	c := newCluster(t, map[string]string{"busy": politeScript, "check": "exit 0"}, adapt, withChecker)
	busy := c.run("busy")
	c.ready(busy)
	c.Expect(c.finishedJob(c.run("check", c.sourceCheck())).Status.Succeeded).To(BeEquivalentTo(1))
	c.Expect(c.podWhen(busy, running)).NotTo(BeNil())
	waiting := c.run("second", func(job *batchv1.Job) { job.Spec.Template.Spec.Containers[0].Image = Image("busy") })
	c.podWhen(waiting, func(pod *corev1.Pod) bool {
		return conditionOf(pod, corev1.PodScheduled).Status == corev1.ConditionFalse
	})
	c.deletePod(busy, 30) // the end of the check has released no worker twice
	c.ready(waiting)
}

func TestNobodyElseRunsTheProgramThatChecksSources(t *testing.T) {
	for name, forge := range map[string]func(*cluster) func(*batchv1.Job){
		"a Job by hand": func(*cluster) func(*batchv1.Job) { return byHand },
		"an attempt":    func(*cluster) func(*batchv1.Job) { return func(*batchv1.Job) {} },
		"a check that ended": func(c *cluster) func(*batchv1.Job) {
			return c.sourceCheck(func(i *v1alpha1.Image) { i.Status.Source.Ended = 1 })
		},
		"a check not of this": func(c *cluster) func(*batchv1.Job) {
			return c.sourceCheck(func(i *v1alpha1.Image) { i.Status.Source.Question = "x" })
		},
	} {
		t.Run(name, func(t *testing.T) {
			ran := filepath.Join(t.TempDir(), "ran")
			_, adapt := withStore(t, t.TempDir(), nil)
			c := newCluster(t, map[string]string{"check": "touch " + ran, "other": "exit 0"}, adapt, withChecker)
			job := c.run("check", forge(c))
			c.finishedJob(job)
			c.Expect(terminatedOf(require.Value(c.pod(job))(t))).To(And(HaveField("ExitCode", int32(128)),
				HaveField("Message", ContainSubstring("this server runs only registered builders (other); only a controller runs check: "))))
			c.Expect(ran).NotTo(BeAnExistingFile())
		})
	}
}
