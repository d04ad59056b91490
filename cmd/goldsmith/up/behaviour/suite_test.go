// SPDX-License-Identifier: Apache-2.0

package behaviour_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/cmd/goldsmith/up"
	"goldsmith.dev/goldsmith/e2e/builds"
	"goldsmith.dev/goldsmith/e2e/kubectl"
)

const (
	patience = 30 * time.Second
	polling  = 20 * time.Millisecond
	workers  = 4
)

// TestBehaviour runs the specs of builds and of kubectl against one server, which keeps everything in memory.
func TestBehaviour(t *testing.T) {
	gomega.RegisterFailHandler(ginkgo.Fail)
	server := &server{}
	ginkgo.BeforeSuite(server.start)
	buildsEnvironment := func() builds.Environment {
		return builds.Environment{Config: server.config, Patience: patience, Polling: polling, Workers: workers}
	}
	builds.Specs(buildsEnvironment)
	builds.LocalSpecs(buildsEnvironment)
	kubectl.Specs(func() kubectl.Environment {
		return kubectl.Environment{Kubectl: server.kubectl, Patience: patience}
	})
	ginkgo.RunSpecs(t, "goldsmith up")
}

// server is a `goldsmith up` in this process. Its children, and kubectl, are the real executable: kubectl keeps state in
// its packages.
type server struct {
	executable string
	home       string
	config     *rest.Config
	kubeconfig string
}

func (s *server) start(ctx ginkgo.SpecContext) {
	directory := ginkgo.GinkgoT().TempDir()
	s.home = filepath.Join(directory, "home")
	s.executable = filepath.Join(directory, "goldsmith")
	// With the flags of `make build`, whose compiled packages are used again.
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", s.executable, "goldsmith.dev/goldsmith/cmd/goldsmith")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	output, err := build.CombinedOutput()
	gomega.Expect(err).NotTo(gomega.HaveOccurred(), "%s", output)

	registrations := writeBuilders(directory)
	running, stop := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- up.Run(running, up.Options{
			DataDirectory:  filepath.Join(directory, "data"),
			Memory:         true,
			Workers:        workers,
			Builders:       registrations,
			Executable:     s.executable,
			Out:            ginkgo.GinkgoWriter,
			LogToDirectory: true, // which is nowhere, with Memory
			OnReady: func(config *rest.Config, kubeconfig string) {
				s.config, s.kubeconfig = config, kubeconfig
				close(ready)
			},
		})
	}()
	ginkgo.DeferCleanup(func(ctx ginkgo.SpecContext) {
		stop()
		gomega.Eventually(ctx, ended).WithTimeout(patience).Should(gomega.Receive(gomega.Succeed()))
	})
	select {
	case <-ready:
	case err := <-ended:
		ended <- nil
		ginkgo.Fail(fmt.Sprintf("goldsmith up ended: %v", err))
	case <-time.After(patience):
		ginkgo.Fail("goldsmith up is not ready")
	}
}

// writeBuilders writes the builders of the local specs to files, and returns how they are registered.
func writeBuilders(directory string) []string {
	var registrations []string
	for name, script := range builds.LocalBuilders() {
		path := filepath.Join(directory, "builder-"+name)
		gomega.Expect(os.WriteFile(path, []byte(script), 0o700)).To(gomega.Succeed())
		registrations = append(registrations, name+"="+path)
	}
	return registrations
}

func (s *server) kubectl(ctx context.Context, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, s.executable, append([]string{"kubectl"}, args...)...)
	command.Env = append(os.Environ(), "KUBECONFIG="+s.kubeconfig, "HOME="+s.home)
	return command
}
