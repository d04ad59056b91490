// SPDX-License-Identifier: Apache-2.0

package behaviour_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"goldsmith.dev/goldsmith/cmd/goldsmith/up"
	"goldsmith.dev/goldsmith/e2e/api"
	"goldsmith.dev/goldsmith/e2e/builds"
	"goldsmith.dev/goldsmith/e2e/deadline"
	"goldsmith.dev/goldsmith/e2e/kubectl"
)

// fixture is what all processes of a run know: the programs, and the servers of the first process. Its fields travel as JSON.
type fixture struct {
	// Executable is the goldsmith program, or with -short this test binary: see TestMain. The children of a server, and kubectl, are
	// processes of it. A kubectl with the race detector writes a line to stderr, where specs expect none: so the program has none.
	Executable string
	// OlderKubectls are the paths of kubectl of the releases before the one that the program has in it, by minor version. There are
	// none with -short.
	OlderKubectls map[string]string
	// Factor is how many times longer work takes than on an idle machine: see deadline.Factor.
	Factor float64
	// Servers are the `goldsmith up` of the first process, by their flags.
	Servers map[string]server
}

// server is a `goldsmith up` that runs.
type server struct {
	// Kubeconfig is the path of its kubeconfig, Home that of an empty home directory for kubectl.
	Kubeconfig, Home string
}

// olderReleases are the minor releases whose kubectl the specs need.
const olderReleases = 2

func (f *fixture) build(ctx ginkgo.SpecContext) {
	ginkgo.GinkgoHelper()
	f.Executable = filepath.Join(ginkgo.GinkgoT().TempDir(), "goldsmith")
	// With the flags of `make build`, whose compiled packages are used again.
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", f.Executable, "../..")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	output, err := build.CombinedOutput()
	gomega.Expect(err).NotTo(gomega.HaveOccurred(), "%s", output)
	f.OlderKubectls, err = kubectl.BuildOlder(ctx, "../../../../e2e/kubectl/kubectls", ginkgo.GinkgoWriter)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	gomega.Expect(f.OlderKubectls).To(gomega.HaveLen(olderReleases))
}

// start runs a server until the end of the suite. Its options may name files in a directory of its own.
func (f *fixture) start(name string, optionsIn func(directory string) up.Options) {
	ginkgo.GinkgoHelper()
	directory := ginkgo.GinkgoT().TempDir()
	options := optionsIn(directory)
	options.DataDirectory = filepath.Join(directory, "data")
	options.Workers = workers
	options.Builders = writeBuilders(directory)
	options.Executable = f.Executable
	options.Out = ginkgo.GinkgoWriter
	options.CompactionInterval = compaction
	options.Sources.Allowed = []string{"127.0.0.0/8"} // where specs serve repositories
	ready, ended := make(chan string, 1), make(chan error, 1)
	options.OnReady = func(_ *rest.Config, kubeconfig string) { ready <- kubeconfig }
	running, stop := context.WithCancel(context.Background())
	go func() { ended <- up.Run(running, options) }()
	ginkgo.DeferCleanup(func(ctx ginkgo.SpecContext) {
		stop()
		gomega.Eventually(ctx, ended).WithTimeout(deadline.Local.Deadline()).Should(gomega.Receive(gomega.Succeed()))
	})
	if f.Servers == nil {
		f.Servers = map[string]server{}
	}
	select {
	case kubeconfig := <-ready:
		f.Servers[name] = server{Kubeconfig: kubeconfig, Home: filepath.Join(directory, "home")}
	case err := <-ended:
		ended <- nil
		ginkgo.Fail(fmt.Sprintf("goldsmith up %s ended: %v", name, err))
	case <-time.After(deadline.Local.Deadline()):
		ginkgo.Fail(fmt.Sprintf("goldsmith up %s is not ready", name))
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

// config connects to a server as its administrator, without a limit on the rate of requests.
func (f *fixture) config(name string) *rest.Config {
	ginkgo.GinkgoHelper()
	config, err := clientcmd.BuildConfigFromFlags("", f.Servers[name].Kubeconfig)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	config.QPS = -1
	return config
}

// kubectl runs the kubectl in the program against a server.
func (f *fixture) kubectl(name string) func(ctx context.Context, args ...string) *exec.Cmd {
	return f.commands(name, f.Executable, "kubectl")
}

// commands run a program with the kubeconfig of a server, and without anything that the user of this machine has.
func (f *fixture) commands(name, program string, first ...string) func(ctx context.Context, args ...string) *exec.Cmd {
	s := f.Servers[name]
	return func(ctx context.Context, args ...string) *exec.Cmd {
		command := exec.CommandContext(ctx, program, slices.Concat(first, args)...)
		command.Env = append(os.Environ(), "KUBECONFIG="+s.Kubeconfig, "HOME="+s.Home, "TMPDIR="+filepath.Dir(s.Home)) // kubectl edit leaves files
		return command
	}
}

// olderKubectls run the older kubectls against a server.
func (f *fixture) olderKubectls(name string) map[string]func(ctx context.Context, args ...string) *exec.Cmd {
	older := map[string]func(ctx context.Context, args ...string) *exec.Cmd{}
	for minor, path := range f.OlderKubectls {
		older[minor] = f.commands(name, path)
	}
	return older
}

// api is a server for the specs of the API.
func (f *fixture) api(name string) func() api.Environment {
	return func() api.Environment {
		return api.Environment{Config: f.config(name), Patience: deadline.Local.Deadline(), Polling: polling, Archived: true, Recorded: true}
	}
}
