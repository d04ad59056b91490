// SPDX-License-Identifier: Apache-2.0

package behaviour_test

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/cmd/goldsmith/up"
	"goldsmith.dev/goldsmith/e2e/api"
	"goldsmith.dev/goldsmith/e2e/archive"
	"goldsmith.dev/goldsmith/e2e/builds"
	"goldsmith.dev/goldsmith/e2e/cluster"
	"goldsmith.dev/goldsmith/e2e/kubectl"
	"goldsmith.dev/goldsmith/e2e/records"
)

const (
	patience = 2 * time.Minute
	polling  = 20 * time.Millisecond
	workers  = 4
	// compaction is so short that specs meet the end of what can be watched from.
	compaction = 2 * time.Second
)

// TestBehaviour runs the specs, those of the API once for each way to store objects.
func TestBehaviour(t *testing.T) {
	gomega.RegisterFailHandler(ginkgo.Fail)
	program := &program{}
	ginkgo.BeforeSuite(program.build)
	inMemory := func(string) up.Options { return up.Options{Memory: true} }
	describeServer("goldsmith up --memory", program, inMemory, func(s *server) {
		environment := func() builds.Environment {
			return builds.Environment{Config: s.config, Patience: patience, Polling: polling, Workers: workers, Archived: true, Recorded: true}
		}
		builds.Specs(environment)
		builds.LocalSpecs(environment)
		archive.Specs(func() cluster.Environment {
			return cluster.Environment{Config: s.config, Kubeconfig: s.kubeconfig, Kubectl: s.kubectl, Patience: patience}
		})
		records.Specs(func() cluster.Environment {
			return cluster.Environment{Config: s.config, Kubeconfig: s.kubeconfig, Kubectl: s.kubectl, Patience: patience}
		})
		kubectl.Specs(func() kubectl.Environment {
			return kubectl.Environment{Kubectl: s.kubectl, Patience: patience}
		})
		api.Specs(s.apiEnvironment)
	})
	inEtcd := func(string) up.Options { return up.Options{} }
	describeServer("goldsmith up", program, inEtcd, func(s *server) { api.Specs(s.apiEnvironment) })
	inFiles := func(directory string) up.Options { return up.Options{Files: filepath.Join(directory, "objects")} }
	describeServer("goldsmith up --files", program, inFiles, func(s *server) { api.Specs(s.apiEnvironment) })
	ginkgo.RunSpecs(t, "goldsmith up")
}

// program is the real executable. The children of a server, and kubectl, are that: kubectl keeps state in its packages.
type program struct {
	executable string
	older      olderKubectls
}

func (p *program) build(ctx ginkgo.SpecContext) {
	builder.QuietLogs(io.Discard) // once: the log is the process's, and what a stopped server leaves behind may still use it
	p.executable = filepath.Join(ginkgo.GinkgoT().TempDir(), "goldsmith")
	// With the flags of `make build`, whose compiled packages are used again.
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", p.executable, "goldsmith.dev/goldsmith/cmd/goldsmith")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	output, err := build.CombinedOutput()
	gomega.Expect(err).NotTo(gomega.HaveOccurred(), "%s", output)
}
