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

// Server is a `goldsmith up` that runs until the end of a test.
type Server struct {
	// Program is the path of goldsmith.
	Program string
	// Kubeconfig is the path of the administrator's kubeconfig.
	Kubeconfig string
	// Config connects to the server as the administrator.
	Config *rest.Config
}

// Start compiles goldsmith with go build alone, and runs it with objects in memory and with a worker for each of some builds. A
// client that is refused a feature of a server without a known version is refused it here.
func Start(t *testing.T) Server {
	t.Helper()
	directory := t.TempDir()
	program := filepath.Join(directory, "goldsmith")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/goldsmith")
	build.Dir = filepath.Join("..", "..", "..") // the module of Goldsmith
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build goldsmith: %v: %s", err, output)
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
	server := Server{Program: program, Kubeconfig: filepath.Join(data, "kubeconfig")}
	if server.Config, err = clientcmd.BuildConfigFromFlags("", server.Kubeconfig); err != nil {
		t.Fatalf("read the kubeconfig: %v", err)
	}
	server.Config.QPS = -1 // no limit
	return server
}
