// SPDX-License-Identifier: Apache-2.0

// Package server starts `goldsmith up` for clients. It never changes what a client sees there.
package server

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Server is a server of Goldsmith that runs until the end of a test.
type Server struct {
	// Program is the path of goldsmith.
	Program string
	// Kubeconfig is the path of the administrator's kubeconfig.
	Kubeconfig string
	// Config connects to the server as the administrator.
	Config *rest.Config
}

// Start compiles goldsmith with go build, so clients see the version of Kubernetes that goldsmith has without the Makefile. It runs
// `goldsmith up --memory` with eight workers until the end of the test. If E2E_KUBECONFIG names the kubeconfig of a cluster with
// Goldsmith, Start connects to that instead.
func Start(t testing.TB) Server {
	t.Helper()
	directory := t.TempDir()
	program := filepath.Join(directory, "goldsmith")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/goldsmith")
	build.Dir = filepath.Join("..", "..", "..") // the module of Goldsmith
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build goldsmith: %v: %s", err, output)
	}
	if kubeconfig := os.Getenv("E2E_KUBECONFIG"); kubeconfig != "" {
		return connect(t, program, kubeconfig)
	}

	data := filepath.Join(directory, "data")
	command := exec.Command(program, "up", "--memory", "--data-dir", data, "--workers", "8")
	var complaints bytes.Buffer
	command.Stderr = &complaints
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatalf("start goldsmith up: %v", err)
	}
	if err := command.Start(); err != nil {
		t.Fatalf("start goldsmith up: %v", err)
	}
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		if err := command.Wait(); err != nil {
			t.Errorf("goldsmith up ended: %v: %s", err, &complaints)
		}
	})
	lines := bufio.NewScanner(output)
	for lines.Scan() && lines.Text() != "ready" {
		t.Log(lines.Text())
	}
	if lines.Text() != "ready" {
		t.Fatal("goldsmith up ended before it was ready")
	}
	return connect(t, program, filepath.Join(data, "kubeconfig"))
}

func connect(t testing.TB, program, kubeconfig string) Server {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatalf("read the kubeconfig: %v", err)
	}
	config.QPS = -1 // no limit
	return Server{Program: program, Kubeconfig: kubeconfig, Config: config}
}
