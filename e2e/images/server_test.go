// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package images

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/debian/mirror"
	"goldsmith.dev/goldsmith/e2e/require"
)

// programGoldsmith is the program of make.
const programGoldsmith = "../../bin/goldsmith"

// startMirror serves the kept packages until the test ends, and returns the URL for http_proxy.
func startMirror(t testing.TB) string {
	t.Helper()
	var log bytes.Buffer
	url, stop, err := mirror.Start("../../examples/debian/apt-cacher-ng", "127.0.0.1", &log)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of the mirror:\n%s", &log)
		}
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("end the mirror: %v", err)
		}
	})
	return url
}

// server is a `goldsmith up` in a directory of its own.
type server struct {
	data, temporary string
	command         *exec.Cmd
	complaints      bytes.Buffer
	stopped         bool
}

// startServer runs `goldsmith up` until the test ends. Its builders fetch through a proxy.
func startServer(t testing.TB, proxy string, arguments ...string) *server {
	t.Helper()
	directory := t.TempDir()
	s := &server{data: filepath.Join(directory, "data"), temporary: filepath.Join(directory, "tmp")}
	require.NoError(t, os.Mkdir(s.temporary, 0o700))
	s.command = exec.Command(programGoldsmith, append([]string{"up", "--data-dir", s.data}, arguments...)...)
	s.command.Env = append(os.Environ(), "TMPDIR="+s.temporary, "http_proxy="+proxy)
	s.command.Stderr = &s.complaints
	out, err := s.command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, s.command.Start())
	t.Cleanup(func() { s.stop(t) })
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "ready" {
		t.Log(lines.Text())
	}
	if lines.Text() != "ready" {
		t.Fatal("goldsmith up ended before it was ready")
	}
	return s
}

// stop ends the server, unless it was stopped before.
func (s *server) stop(t testing.TB) {
	t.Helper()
	if s.stopped {
		return
	}
	s.stopped = true
	_ = s.command.Process.Signal(syscall.SIGTERM) // it may have ended
	if err := s.command.Wait(); err != nil {
		t.Errorf("goldsmith up ended: %v: %s", err, &s.complaints)
	}
}

// client returns a command of the client.
func (s *server) client(ctx context.Context, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, programGoldsmith, arguments...)
	command.Env = append(os.Environ(), "KUBECONFIG="+filepath.Join(s.data, "kubeconfig"))
	return command
}

// apply creates Images.
func (s *server) apply(t testing.TB, manifest string) {
	t.Helper()
	command := s.client(t.Context(), "kubectl", "apply", "-f", "-")
	command.Stdin = strings.NewReader(manifest)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("apply: %v: %s", err, out)
	}
}

// follow returns the log of the first build of an Image, once the build has succeeded.
func (s *server) follow(ctx context.Context, image string) (log string, err error) {
	out, err := s.client(ctx, "logs", image, "--follow").CombinedOutput()
	return string(out), err
}

// build returns a build.
func (s *server) build(t testing.TB, name string) *v1alpha1.ImageBuild {
	t.Helper()
	out, err := s.client(t.Context(), "kubectl", "get", "imagebuild", name, "--output", "json").Output()
	require.NoError(t, err)
	build := &v1alpha1.ImageBuild{}
	require.NoError(t, json.Unmarshal(out, build))
	return build
}
