// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/up"
	"goldsmith.dev/goldsmith/e2e/require"
)

const patience = time.Minute

// outage makes the API of images unavailable to the controllers: every request fails as if the APIService did not exist.
type outage struct {
	on      atomic.Bool
	refused chan struct{} // receives a value when a request for an ImageBuild is refused
}

func (o *outage) around(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		if !o.on.Load() || !strings.HasPrefix(request.URL.Path, "/apis/images.goldsmith.dev/") {
			return next.RoundTrip(request)
		}
		if strings.Contains(request.URL.Path, "/imagebuilds/") {
			select {
			case o.refused <- struct{}{}:
			default:
			}
		}
		answer := httptest.NewRecorder()
		http.NotFound(answer, request)
		return answer.Result(), nil
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

// TestABuildThatEndsWhileTheAPIIsUnavailableIsNotForgotten ends a build while its status cannot be written. A 404 during an
// outage does not mean that the build was deleted.
func TestABuildThatEndsWhileTheAPIIsUnavailableIsNotForgotten(t *testing.T) {
	interruption := &outage{refused: make(chan struct{}, 1)}
	release := filepath.Join(t.TempDir(), "release")
	images := serve(t, interruption, release)
	build := &v1alpha1.ImageBuild{Spec: v1alpha1.ImageBuildSpec{Inputs: v1alpha1.BuildInputs{
		Base:    v1alpha1.Base{Reference: "debian:13"},
		Builder: v1alpha1.BuilderReference{Name: "patient"},
		Targets: []v1alpha1.Target{{Platform: "linux/amd64", Format: v1alpha1.ArtifactFormatRaw}},
	}}}
	build.GenerateName = "unavailable-"
	builds := images.ImagesV1alpha1().ImageBuilds(metav1.NamespaceDefault)
	build, err := builds.Create(t.Context(), build, metav1.CreateOptions{})
	require.NoError(t, err)
	waitForPhase(t, images, build.Name, v1alpha1.BuildRunning)

	interruption.on.Store(true)
	require.NoError(t, os.WriteFile(release, nil, 0o600))
	select {
	case <-interruption.refused:
	case <-time.After(patience):
		t.Fatal("nothing was asked or written when the build ended")
	}
	interruption.on.Store(false)
	waitForPhase(t, images, build.Name, v1alpha1.BuildFailed) // its builder writes no result
}

// serve runs a server with its controllers behind the outage, and a builder that ends once the file release exists.
func serve(t *testing.T, interruption *outage, release string) versioned.Interface {
	t.Helper()
	executable, err := os.Executable()
	require.NoError(t, err)
	patient := filepath.Join(t.TempDir(), "patient")
	if err := os.WriteFile(patient, []byte("#!/bin/sh\nwhile [ ! -e "+release+" ]; do sleep 0.05; done\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithCancel(context.Background())
	ready, ended := make(chan *rest.Config, 1), make(chan error, 1)
	go func() {
		ended <- up.Run(running, up.Options{
			DataDirectory: filepath.Join(t.TempDir(), "data"),
			Memory:        true,
			Workers:       1,
			Builders:      []string{"patient=" + patient},
			Executable:    executable,
			Out:           io.Discard,
			WrapTransport: interruption.around,
			OnReady:       func(config *rest.Config, _ string) { ready <- config },
		})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	select {
	case config := <-ready:
		client, err := versioned.NewForConfig(config)
		require.NoError(t, err)
		return client
	case err := <-ended:
		ended <- nil
		t.Fatalf("the server ended with %v", err)
	case <-time.After(patience):
		t.Fatal("the server is not ready")
	}
	return nil
}

func waitForPhase(t *testing.T, images versioned.Interface, name string, phase v1alpha1.BuildPhase) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	watch, err := images.ImagesV1alpha1().ImageBuilds(metav1.NamespaceDefault).Watch(ctx, metav1.ListOptions{
		FieldSelector: "metadata.name=" + name, SendInitialEvents: new(true), AllowWatchBookmarks: true,
		ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan,
	})
	require.NoError(t, err)
	defer watch.Stop()
	last := v1alpha1.BuildPhase("")
	for event := range watch.ResultChan() {
		if build, ok := event.Object.(*v1alpha1.ImageBuild); ok && build.Name == name {
			if last = build.Status.Phase; last == phase {
				return
			}
		}
	}
	t.Fatalf("the build is %s, not %s", last, phase)
}
