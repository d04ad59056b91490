// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/fake"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/publish/registrytest"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

const (
	target   = "linux/amd64/raw"
	diskLock = `{"version":1,"packages":[{"name":"openssl","version":"3.5.6-1","architecture":"amd64"}]}`
)

// pod is what a publisher sees of its pod.
type pod struct {
	t      *testing.T
	root   string
	output render.Output
	input  render.Input // of tests
	// attested is what was uploaded. attest are the errors with which the server answers, and signed what it answers about artifacts.
	attested []*v1alpha1.BuildAttestation
	attest   []error
	signed   []*v1alpha1.BuildAttestation
}

// newPod is a pod whose builder has ended and made the file disk, and which publishes in a registry.
func newPod(t *testing.T, registry *registrytest.Registry) *pod {
	t.Helper()
	p := &pod{t: t, root: t.TempDir(), output: render.Output{Repository: registry.Host() + "/team/web", Secret: "registry", Tags: map[string]string{target: "web-1"}}}
	p.write(render.PublishInput, require.Value(json.Marshal(render.Input{
		Build: render.InputBuild{Namespace: "team", Name: "web-1"}, Targets: []render.InputTarget{{Name: target, Platform: "linux/amd64", Format: "raw"}},
	}))(t))
	p.write(render.PublishOutput, require.Value(json.Marshal(p.output))(t))
	p.write(filepath.Join(render.PublishFiles, "disk"), []byte("content"))
	p.write(render.SecretFile(corev1.DockerConfigJsonKey), registry.DockerConfig(registrytest.Password))
	p.write(render.PublishMessage, nil)
	p.write(render.PublishResult, nil)
	return p
}

func (p *pod) at(path string) string { return filepath.Join(p.root, path) }

func (p *pod) write(path string, content []byte) {
	p.t.Helper()
	require.NoError(p.t, os.MkdirAll(filepath.Dir(p.at(path)), 0o755))
	require.NoError(p.t, os.WriteFile(p.at(path), content, 0o600))
}

// publish gives the publisher the result of the builder once it waits for it, and returns how the controller judges both.
func (p *pod) publish(message string) (outcome result.Outcome, log string) {
	p.t.Helper()
	completed, log := p.complete(message)
	return result.Parse(completed, 0, []v1alpha1.Target{{Platform: "linux/amd64", Format: "raw"}}, result.Policy{Checked: true}), log
}

// complete gives the publisher the result of the builder once it waits for it, and returns the result that the controller judges.
func (p *pod) complete(message string) (completed, log string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	var lines strings.Builder
	builds := fake.NewClientset()
	builds.PrependReactor("create", "imagebuilds", func(action clienttesting.Action) (bool, runtime.Object, error) {
		attested := action.(clienttesting.CreateAction).GetObject().(*v1alpha1.BuildAttestation)
		p.attested = append(p.attested, attested)
		if answer := len(p.attested) - 1; answer < len(p.attest) {
			return true, nil, p.attest[answer]
		}
		if attested.Artifact != nil {
			answer := p.signed[0]
			p.signed = p.signed[1:]
			return true, answer, nil
		}
		return true, attested, nil
	})
	require.NoError(p.t, Publish(ctx, Options{Root: p.root, Clock: registrytest.NewClock(), Builds: builds.ImagesV1alpha1(), Log: func(format string, args ...any) {
		_, _ = fmt.Fprintf(&lines, format+"\n", args...)
		if lines.Len() == len("waiting for the result of the builder\n") {
			p.write(render.PublishResult, []byte(message))
		}
	}}))
	told := require.Value(os.ReadFile(p.at(render.PublishMessage)))(p.t)
	return result.WithFindings(strings.TrimSpace(message), string(told), p.output.Repository, p.output.Tags), lines.String()
}

func succeeded(artifact string) string {
	return `{"version":1,"outcome":"Succeeded","artifacts":[{"target":"` + target + `",` + artifact + `}]}`
}

func TestThePublisherPublishesWhatTheBuilderMade(t *testing.T) {
	registry := registrytest.New(t, registrytest.Options{Auth: "Basic", Referrers: true})
	p := newPod(t, registry)
	p.write(filepath.Join(render.PublishFiles, "sbom.json"), []byte("{}"))
	registry.Inject(1, "", "", registrytest.Status(http.StatusServiceUnavailable))
	p.write(filepath.Join(render.PublishFiles, "lock.json"), []byte(diskLock))
	outcome, log := p.publish(succeeded(`"file":"disk","sizeBytes":7,"sbom":{"file":"sbom.json","mediaType":"application/vnd.cyclonedx+json"},"lock":{"file":"lock.json"}`))
	if outcome.Failure != nil {
		t.Fatalf("%+v", outcome.Failure)
	}
	artifact := outcome.Artifacts[0]
	manifest, ok := strings.CutPrefix(artifact.Location, p.output.Repository+"@")
	if status, _ := registry.Get("/team/web/manifests/" + manifest); !ok || status != http.StatusOK || artifact.SizeBytes != 7 || artifact.Tag != "web-1" ||
		artifact.Verified != v1alpha1.ArtifactVerifiedContent || !strings.HasPrefix(artifact.Document(v1alpha1.DocumentSBOM).Location, p.output.Repository+"@sha256:") {
		t.Errorf("%d, %+v", status, artifact)
	}
	var described []string
	for i := range artifact.Documents {
		document := &artifact.Documents[i]
		_, digest, _ := strings.Cut(document.Location, "@")
		if status, _ := registry.Get("/team/web/manifests/" + digest); status != http.StatusOK {
			t.Errorf("%d, %+v", status, document)
		}
		described = append(described, strings.TrimSpace(document.Name()+" "+string(document.MadeBy)))
	}
	if want := []string{"lock", "cyclonedx", "spdx Goldsmith"}; !slices.Equal(described, want) || *artifact.Packages != 1 {
		t.Errorf("the documents are %q, and %d packages", described, *artifact.Packages)
	}
	if tags := registry.Tags("team/web"); len(tags) != 1 || tags[0] != "web-1" {
		t.Errorf("the tags are %v", tags)
	}
	if len(p.attested) != 1 || len(p.attested[0].Locks) != 1 {
		t.Fatalf("uploaded: %+v", p.attested)
	}
	handed := require.Value(io.ReadAll(require.Value(gzip.NewReader(bytes.NewReader(p.attested[0].Locks[0])))(t)))(t)
	if string(handed) != diskLock {
		t.Errorf("uploaded: %s", handed)
	}
	steps := regexp.MustCompile(`\npushing linux/amd64/raw: 7 B, sha256:[0-9a-f]{12}\n(?s:.*)\npushed linux/amd64/raw in [0-9.]+m?s\n(?s:.*)published linux/amd64/raw: (?s:.*)\nrecorded the packages\n\z`)
	if !steps.MatchString(log) || !strings.Contains(log, target+": "+artifact.Location) || !strings.Contains(log, "retrying: push to "+p.output.Repository+": HTTP 503") {
		t.Errorf("the log is %q", log)
	}
}

func TestThePublisherPublishesAContainerDisk(t *testing.T) {
	registry := registrytest.New(t, registrytest.Options{Referrers: true})
	p := newPod(t, registry)
	p.wantContainerDisk(registry)
	outcome, _ := p.publish(succeeded(`"file":"disk"`))
	if outcome.Failure != nil {
		t.Fatalf("%+v", outcome.Failure)
	}
	if names, disk := registry.ContainerDisk("/team/web", "web-1"); !slices.Equal(names, []string{"disk/", "disk/disk.qcow2"}) || disk != "content" ||
		outcome.Artifacts[0].Digest != digest.FromString("content").String() {
		t.Errorf("the layer has %q and %q, and the artifact is %+v", names, disk, outcome.Artifacts[0])
	}
}

func TestABuildSucceedsWithoutTheServerThatListsItsPackages(t *testing.T) {
	p := newPod(t, registrytest.New(t, registrytest.Options{Auth: "Basic", Referrers: true}))
	p.write(filepath.Join(render.PublishFiles, "lock.json"), []byte(diskLock))
	refusal := apierrors.NewForbidden(v1alpha1.Resource("imagebuilds/attest"), "web-1", errors.New("no"))
	p.attest = []error{errors.New("connection refused"), apierrors.NewServiceUnavailable("later"), refusal}
	outcome, log := p.publish(succeeded(`"file":"disk","lock":{"file":"lock.json"}`))
	if outcome.Failure != nil || len(p.attested) != 3 || !strings.HasSuffix(log, "\nthe packages are not recorded: "+refusal.Error()+"; goldsmith artifacts get web-1 --document lock has them\n") {
		t.Errorf("%+v, log %q", outcome.Failure, log)
	}
}

func TestThePublisherReportsWhatIsWrong(t *testing.T) {
	for name, test := range map[string]struct {
		artifact string
		change   func(*pod, *registrytest.Registry)
		reason   v1alpha1.FailureReason
		says     string
	}{
		"no result":      {reason: v1alpha1.ReasonNoResult, says: "no result"},
		"no file":        {artifact: `"file":"other"`, reason: v1alpha1.ReasonInvalidResult, says: `file "other" does not exist`},
		"a file outside": {artifact: `"file":"../input/input.json"`, reason: v1alpha1.ReasonInvalidResult, says: "must be a path in the output directory"},
		"a link outside": {
			artifact: `"file":"link"`, reason: v1alpha1.ReasonInvalidResult, says: "leads outside the output directory",
			change: func(p *pod, _ *registrytest.Registry) {
				require.NoError(p.t, os.Symlink("../registry/.dockerconfigjson", p.at(filepath.Join(render.PublishFiles, "link"))))
			},
		},
		"a bad lock":     {artifact: `"file":"disk","lock":{"file":"disk"}`, reason: v1alpha1.ReasonInvalidResult, says: `lock of artifact "linux/amd64/raw": is not a JSON object`},
		"another size":   {artifact: `"file":"disk","sizeBytes":8`, reason: v1alpha1.ReasonInvalidResult, says: "has 7 bytes"},
		"another digest": {artifact: `"file":"disk","digest":"sha256:` + strings.Repeat("0", 64) + `"`, reason: v1alpha1.ReasonInvalidResult, says: "digest of artifact"},
		"a containerDisk without a file": {
			artifact: `"location":"oci://r/x","digest":"sha256:` + strings.Repeat("0", 64) + `","sizeBytes":1`, change: (*pod).wantContainerDisk,
			reason: v1alpha1.ReasonInvalidResult, says: "artifact linux/amd64/raw has no file, and containerDisk needs one",
		},
		"a missing Secret": {artifact: `"file":"disk"`, reason: v1alpha1.ReasonRegistryDenied, says: "the Secret team/registry of output.secretRef does not exist", change: (*pod).loseSecret},
		"a wrong password": {artifact: `"file":"disk"`, reason: v1alpha1.ReasonRegistryDenied, says: "401", change: (*pod).mistakePassword},
		"a registry that does not know the repository": {artifact: `"file":"disk"`, reason: v1alpha1.ReasonRegistryRefused, says: "404", change: func(_ *pod, r *registrytest.Registry) {
			r.Inject(1, http.MethodPost, "/uploads/", func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { w.WriteHeader(http.StatusNotFound) })
		}},
	} {
		t.Run(name, func(t *testing.T) {
			registry := registrytest.New(t, registrytest.Options{Auth: "Basic"})
			p := newPod(t, registry)
			if test.change != nil {
				test.change(p, registry)
			}
			message := "\n"
			if test.artifact != "" {
				message = succeeded(test.artifact)
			}
			outcome, log := p.publish(message)
			if outcome.Failure == nil || outcome.Failure.Reason != test.reason || !strings.Contains(outcome.Failure.Message, test.says) {
				t.Errorf("the failure is %+v, want %s: …%s…", outcome.Failure, test.reason, test.says)
			}
			if strings.Contains(log, registrytest.Password) {
				t.Errorf("the log has the password: %s", log)
			}
			if tags := registry.Tags("team/web"); len(tags) != 0 {
				t.Errorf("the tags are %v", tags)
			}
		})
	}
}

// wantContainerDisk lets the pod publish its artifact as a containerDisk.
func (p *pod) wantContainerDisk(*registrytest.Registry) {
	p.output.ContainerDisks = []string{target}
	p.write(render.PublishOutput, require.Value(json.Marshal(p.output))(p.t))
}

func (p *pod) loseSecret(*registrytest.Registry) {
	require.NoError(p.t, os.Remove(p.at(render.SecretFile(corev1.DockerConfigJsonKey))))
}

func (p *pod) mistakePassword(r *registrytest.Registry) {
	p.write(render.SecretFile(corev1.DockerConfigJsonKey), r.DockerConfig("wrong"))
}

func TestThePublisherEndsWithItsPod(t *testing.T) {
	p := newPod(t, registrytest.New(t, registrytest.Options{}))
	ctx, cancel := context.WithCancel(t.Context())
	err := Publish(ctx, Options{Root: p.root, Log: func(string, ...any) { cancel() }})
	if err == nil || !strings.Contains(err.Error(), "wait for "+render.PublishResult) {
		t.Errorf("%v", err)
	}
}

func TestAPublisherThatDoesNotKnowWhereToIsAFaultOfThePod(t *testing.T) {
	p := newPod(t, registrytest.New(t, registrytest.Options{}))
	require.NoError(t, os.Remove(p.at(render.PublishOutput)))
	p.write(render.PublishResult, []byte(succeeded(`"file":"disk"`)))
	if err := Publish(t.Context(), Options{Root: p.root}); err == nil || !strings.HasPrefix(err.Error(), "read "+render.PublishOutput+": ") {
		t.Errorf("got %v", err)
	}
}
