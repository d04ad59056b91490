// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/publish"
	"goldsmith.dev/goldsmith/jobs/publish/registrytest"
	"goldsmith.dev/goldsmith/jobs/publish/transport"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

// stored is a content that can be pushed.
type stored struct{ *strings.Reader }

func (stored) Close() error { return nil }

// based is a pod whose base is published in a registry, and the artifact that its input names.
func based(t *testing.T, registry *registrytest.Registry) (*pod, *render.InputArtifact) {
	t.Helper()
	p := newPod(t, registry)
	const content = "the disk of the base"
	artifact := &render.InputArtifact{
		Target: target, Digest: fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(content))), SizeBytes: int64(len(content)), Path: "linux-amd64.raw", MediaType: "a/b",
	}
	pushed, err := publish.Push(t.Context(), registry.Host()+"/team/base", []publish.Artifact{{
		Target: target, Platform: "linux/amd64", MediaType: artifact.MediaType, Content: transport.Content{
			Digest: artifact.Digest, SizeBytes: artifact.SizeBytes, Open: func() (transport.File, error) { return stored{strings.NewReader(content)}, nil },
		},
	}}, transport.Options{DockerConfig: registry.DockerConfig(registrytest.Password)})
	require.NoError(t, err)
	artifact.Location = pushed[0].Location
	require.NoError(t, os.MkdirAll(p.at(render.FetchFiles), 0o755))
	return p, artifact
}

// fetch runs the fetcher of a pod with artifacts of its base.
func (p *pod) fetch(artifacts ...render.InputArtifact) (message, log string, err error) {
	p.t.Helper()
	p.write(render.PublishInput, require.Value(json.Marshal(render.Input{
		Build: render.InputBuild{Namespace: "team", Name: "web-1"}, Base: render.InputBase{Image: "base", Build: "base-1", Artifacts: artifacts},
	}))(p.t))
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	var lines strings.Builder
	err = Fetch(ctx, Options{Root: p.root, Log: func(format string, args ...any) { _, _ = fmt.Fprintf(&lines, format+"\n", args...) }})
	return string(require.Value(os.ReadFile(p.at(render.FetchMessage)))(p.t)), lines.String(), err
}

func TestTheFetcherFetchesTheArtifactsThatHaveAPath(t *testing.T) {
	registry := registrytest.New(t, registrytest.Options{Auth: "Basic"})
	p, artifact := based(t, registry)
	registry.Inject(1, "GET", "/blobs/", registrytest.Truncate(50))
	message, log, err := p.fetch(*artifact, render.InputArtifact{Target: "linux/arm64/oci", Location: "elsewhere"})
	if err != nil || message != "" {
		t.Fatalf("%v, message %q", err, message)
	}
	path := filepath.Join(p.at(render.FetchFiles), artifact.Path)
	content, info := require.Value(os.ReadFile(path))(t), require.Value(os.Stat(path))(t)
	if string(content) != "the disk of the base" || info.Mode() != 0o444 {
		t.Errorf("%q with mode %v", content, info.Mode())
	}
	want := regexp.MustCompile("^fetching " + target + " of build base-1 of base base: " + artifact.Location + `
(retrying: .*
)?fetched 20 B, sha256:[0-9a-f]{12} in [0-9.]+m?s
$`)
	if !want.MatchString(log) {
		t.Errorf("log %q, want %q", log, want)
	}
}

func TestTheFetcherTellsWhyAnArtifactIsNotFetched(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*pod, *registrytest.Registry, *render.InputArtifact)
		want   v1alpha1.FailureReason // empty: a fault of the pod
		saying string
	}{
		"no such manifest": {func(_ *pod, _ *registrytest.Registry, a *render.InputArtifact) {
			a.Location = a.Location[:len(a.Location)-4] + "0000"
		}, v1alpha1.ReasonBaseNotFound, "artifact linux/amd64/raw of build base-1 of base base: "},
		"no such content": {func(_ *pod, _ *registrytest.Registry, a *render.InputArtifact) {
			a.Digest = a.Digest[:len(a.Digest)-4] + "0000"
		}, v1alpha1.ReasonBaseNotFound, "has no content"},
		"another size": {func(_ *pod, _ *registrytest.Registry, a *render.InputArtifact) { a.SizeBytes++ }, v1alpha1.ReasonBaseNotFound, "20 bytes"},
		"a password that is wrong": {func(p *pod, r *registrytest.Registry, _ *render.InputArtifact) {
			p.write(render.SecretFile(corev1.DockerConfigJsonKey), r.DockerConfig("wrong"))
		}, v1alpha1.ReasonRegistryDenied, "401"},
		"no Secret": {func(p *pod, _ *registrytest.Registry, _ *render.InputArtifact) {
			require.NoError(p.t, os.Remove(p.at(render.SecretFile(corev1.DockerConfigJsonKey))))
		}, v1alpha1.ReasonRegistryDenied, "Secret team/registry"},
		"no output": {func(p *pod, _ *registrytest.Registry, _ *render.InputArtifact) {
			require.NoError(p.t, os.Remove(p.at(render.PublishOutput)))
		}, v1alpha1.ReasonRegistryDenied, "401"},
		"no registry": {func(_ *pod, r *registrytest.Registry, _ *render.InputArtifact) {
			r.Inject(100, "", "", registrytest.Status(http.StatusForbidden))
		}, v1alpha1.ReasonRegistryDenied, "403"},
		"a path that leads out": {func(_ *pod, _ *registrytest.Registry, a *render.InputArtifact) { a.Path = "../registry/x" }, "", "escapes"},
		"a file that is there": {func(p *pod, _ *registrytest.Registry, a *render.InputArtifact) {
			p.write(filepath.Join(render.FetchFiles, a.Path), nil)
		}, "", "file exists"},
	} {
		t.Run(name, func(t *testing.T) {
			registry := registrytest.New(t, registrytest.Options{Auth: "Basic"})
			p, artifact := based(t, registry)
			test.change(p, registry, artifact)
			message, log, err := p.fetch(*artifact)
			if err == nil || !strings.Contains(err.Error(), test.saying) || !strings.HasSuffix(log, err.Error()+"\n") {
				t.Errorf("%v, log %q", err, log)
			}
			failure := result.ParseNotFetched(message)
			if test.want == "" && message != "" || test.want != "" && (failure == nil || failure.Reason != test.want || !strings.Contains(failure.Message, test.saying)) {
				t.Errorf("message %q, want %s: …%s…", message, test.want, test.saying)
			}
		})
	}
}
