// SPDX-License-Identifier: Apache-2.0

package behaviour_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/cmd/goldsmith/up"
	"goldsmith.dev/goldsmith/e2e/api"
	"goldsmith.dev/goldsmith/e2e/builds"
)

// server is a `goldsmith up` in this process.
type server struct {
	program    *program
	home       string
	config     *rest.Config
	kubeconfig string
}

// describeServer runs specs against a server with these options, which may name files in a directory of its own. It
// starts before the first of them that is to be run, and stops after the last one.
func describeServer(title string, program *program, options func(directory string) up.Options, specs func(*server)) {
	ginkgo.Describe(title, ginkgo.Ordered, ginkgo.Serial, ginkgo.ContinueOnFailure, func() {
		s := &server{program: program}
		ginkgo.BeforeAll(func() {
			directory := ginkgo.GinkgoT().TempDir()
			s.start(directory, options(directory))
		})
		specs(s)
	})
}

func (s *server) start(directory string, options up.Options) {
	s.home = filepath.Join(directory, "home")
	options.DataDirectory = filepath.Join(directory, "data")
	options.Workers = workers
	options.Builders = writeBuilders(directory)
	options.Executable = s.program.executable
	options.Out = ginkgo.GinkgoWriter
	options.CompactionInterval = compaction
	ready, ended := make(chan struct{}), make(chan error, 1)
	options.OnReady = func(config *rest.Config, kubeconfig string) {
		s.config, s.kubeconfig = config, kubeconfig
		close(ready)
	}
	running, stop := context.WithCancel(context.Background())
	go func() { ended <- up.Run(running, options) }()
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
	return s.command(ctx, s.program.executable, append([]string{"kubectl"}, args...)...)
}

// command is a program with the kubeconfig in its environment, and without anything that the user of this machine has.
func (s *server) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, program, args...)
	command.Env = append(os.Environ(), "KUBECONFIG="+s.kubeconfig, "HOME="+s.home)
	return command
}

func (s *server) apiEnvironment() api.Environment {
	return api.Environment{
		Config: s.config, Kubectl: s.kubectl, OlderKubectls: s.program.older.kubectls(s),
		Compaction: compaction, Patience: patience, Polling: polling, Archived: true, Recorded: true,
	}
}
