// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
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
	"goldsmith.dev/goldsmith/jobs/source"
)

// pushSource pushes an artifact with one file, and returns it as an input names it.
func pushSource(t *testing.T, registry *registrytest.Registry) *render.InputSource {
	t.Helper()
	var packed bytes.Buffer
	writer := tar.NewWriter(&packed)
	require.NoError(t, writer.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "motd", Mode: 0o644, Size: 6}))
	require.Value(writer.Write([]byte("hello\n")))(t)
	require.NoError(t, writer.Close())
	repository := registry.Host() + "/team/files"
	pushed := require.Value(publish.Push(t.Context(), repository, []publish.Artifact{{
		Target: target, Platform: "linux/amd64", MediaType: "application/vnd.oci.image.layer.v1.tar", Content: transport.Content{
			Digest: fmt.Sprintf("sha256:%x", sha256.Sum256(packed.Bytes())), SizeBytes: int64(packed.Len()),
			Open: func() (transport.File, error) { return stored{strings.NewReader(packed.String())}, nil },
		},
	}}, transport.Options{DockerConfig: registry.DockerConfig(registrytest.Password)}))(t)
	_, digest, _ := strings.Cut(pushed[0].Location, "@")
	return &render.InputSource{OCI: true, URL: repository, Ref: digest, Secret: "pull"}
}

// With certificate authorities in the Secret, a registry on a loopback address needs TLS, unless the operator names it.
func TestASourceObeysTheRegistriesWithoutTLS(t *testing.T) {
	registry := registrytest.New(t, registrytest.Options{Auth: "Basic"})
	pushed := pushSource(t, registry)
	for name, test := range map[string]struct {
		plainHTTP []string
		allowed   []netip.Prefix
		secret    string
		refused   string
	}{
		"that the operator names": {plainHTTP: []string{registry.Host()}, allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, secret: render.SourceSecret},
		"that nobody names":       {allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, secret: render.SourceSecret, refused: "SourceDenied"},
		"on a loopback address":   {plainHTTP: []string{registry.Host()}, secret: render.SourceSecret, refused: "SourceDenied"},
		"without its Secret":      {secret: render.PublishSecret, refused: "SourceDenied"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			p := newPod(t, registry)
			p.write(filepath.Join(test.secret, corev1.DockerConfigJsonKey), registry.DockerConfig(registrytest.Password))
			p.write(filepath.Join(test.secret, "ca.crt"), someAuthority(t))
			p.write(filepath.Join(test.secret, "..data"), []byte("of the kubelet"))
			require.NoError(t, os.MkdirAll(p.at(render.SourceFiles), 0o755))

			// the check
			p.write(render.PublishInput, require.Value(json.Marshal(render.Input{Version: render.InputVersion, Source: pushed}))(t))
			variables := map[string]string{render.EnvInput: p.at(render.PublishInput), render.EnvResult: p.at(render.PublishMessage)}
			err := RunCheck(ctx, func(name string) string { return variables[name] }, p.root, source.Options{PlainHTTP: test.plainHTTP, Allowed: test.allowed})
			if (err != nil) != (test.refused != "") {
				t.Fatalf("the check: %v", err)
			}
			found, failure := result.ParseSource(string(require.Value(os.ReadFile(p.at(render.PublishMessage)))(t)), 0)
			expectRefusal(t, failure, test.refused)
			if failure == nil && found.Revision != pushed.Ref {
				t.Errorf("the check found %+v", found)
			}

			// the fetcher of a build
			p.write(render.PublishMessage, nil)
			resolved := *pushed
			resolved.Revision = pushed.Ref
			p.write(render.PublishInput, require.Value(json.Marshal(render.Input{Source: &resolved}))(t))
			err = Fetch(ctx, Options{Root: p.root, PlainHTTP: test.plainHTTP, AllowedNetworks: test.allowed})
			if (err != nil) != (test.refused != "") {
				t.Fatalf("the fetcher: %v", err)
			}
			expectRefusal(t, result.ParseNotFetched(string(require.Value(os.ReadFile(p.at(render.PublishMessage)))(t))), test.refused)
			content, _ := os.ReadFile(filepath.Join(p.at(render.SourceFiles), "motd"))
			if (string(content) == "hello\n") != (test.refused == "") {
				t.Errorf("the file is %q", content)
			}
		})
	}
}

func someAuthority(t *testing.T) []byte {
	t.Helper()
	return registrytest.New(t, registrytest.Options{TLS: true}).CA()
}

func expectRefusal(t *testing.T, failure *v1alpha1.BuildFailure, reason string) {
	t.Helper()
	if failure == nil && reason != "" || failure != nil && string(failure.Reason) != reason {
		t.Errorf("the failure is %+v, want %q", failure, reason)
	}
}
