// SPDX-License-Identifier: Apache-2.0

// Package behaviour_test runs the specs of behaviour against `goldsmith up`, one server for each way to store objects. The servers
// run in the first of four processes, with the race detector if it is built in; the specs run in all of them. With -short there is
// one server, with objects in memory, and one kubectl.
package behaviour_test

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"

	"goldsmith.dev/goldsmith/apiserver/builder"
	verbs "goldsmith.dev/goldsmith/cmd/goldsmith/internal/kubectl"
	"goldsmith.dev/goldsmith/cmd/goldsmith/up"
	"goldsmith.dev/goldsmith/cmd/internal/advisories"
	"goldsmith.dev/goldsmith/e2e/api"
	"goldsmith.dev/goldsmith/e2e/archive"
	"goldsmith.dev/goldsmith/e2e/brief"
	"goldsmith.dev/goldsmith/e2e/builds"
	"goldsmith.dev/goldsmith/e2e/cluster"
	"goldsmith.dev/goldsmith/e2e/deadline"
	"goldsmith.dev/goldsmith/e2e/kubectl"
	"goldsmith.dev/goldsmith/e2e/records"
	"goldsmith.dev/goldsmith/e2e/require"
)

const (
	polling = 20 * time.Millisecond
	// workers are enough for the builds of the specs that run at the same time: most of these builds only wait.
	workers = 24
	// compaction is so short that watches in specs meet versions that were compacted.
	compaction = 2 * time.Second
	// reportTime is how long before the timeout of go test Ginkgo stops the specs, to report those that did not end.
	reportTime = time.Minute
)

// The servers, by the flags of `goldsmith up`.
const (
	inMemory = "--memory"
	inEtcd   = "(etcd)"
)

// directoryVariable is the environment variable with the directory of this package. Ginkgo starts its processes in the directory of
// the test binary.
const directoryVariable = "BEHAVIOUR_DIRECTORY"

// TestMain lets the test binary stand in for the goldsmith executable with -short: for the children of a server, and for kubectl, which
// keeps state in its packages. So the test cache knows everything that the specs depend on.
func TestMain(m *testing.M) {
	if code, ok := up.RunChild(os.Args); ok {
		os.Exit(code)
	}
	if verb := verbs.NewCommand(); len(os.Args) > 1 && os.Args[1] == verb.Name() {
		verb.SetArgs(os.Args[2:])
		if err := verb.Execute(); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	if directory := os.Getenv(directoryVariable); directory != "" {
		if err := os.Chdir(directory); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// TestBehaviour runs all specs against a server that stores objects in memory, and those that the storage can fail against a server
// with etcd.
func TestBehaviour(t *testing.T) {
	configuration, _ := ginkgo.GinkgoConfiguration()
	if configuration.ParallelTotal == 1 {
		runInProcesses(t)
		return
	}
	gomega.RegisterFailHandler(ginkgo.Fail)
	brief.Register()
	f := &fixture{}
	ginkgo.SynchronizedBeforeSuite(func(ctx ginkgo.SpecContext) []byte {
		builder.QuietLogs(io.Discard) // once: goroutines of a stopped server may still use the log of the process
		if testing.Short() {
			var err error
			f.Executable, err = os.Executable()
			gomega.Expect(err).NotTo(gomega.HaveOccurred())
		} else {
			f.build(ctx)
			f.start(inEtcd, func(string) up.Options { return up.Options{} })
		}
		f.start(inMemory, func(directory string) up.Options {
			path := filepath.Join(directory, "advisories.json")
			gomega.Expect(os.WriteFile(path, []byte(builds.Advisories), 0o600)).To(gomega.Succeed())
			return up.Options{Memory: true, Advisories: advisories.Flags{Sources: []string{path}}}
		})
		f.Factor = deadline.Factor()
		text, err := json.Marshal(f)
		gomega.Expect(err).NotTo(gomega.HaveOccurred())
		return text
	}, func(text []byte) {
		gomega.Expect(json.Unmarshal(text, f)).To(gomega.Succeed())
		deadline.Adopt(f.Factor)
	})

	ginkgo.Describe("goldsmith up --memory", func() {
		buildsOf := func() builds.Environment {
			return builds.Environment{
				Config: f.config(inMemory), Patience: deadline.Local.Deadline(), Polling: polling, Workers: workers,
				BuilderStart: deadline.LocalBuilderStart.Deadline(), Archived: true, Recorded: true,
			}
		}
		clusterOf := func() cluster.Environment {
			return cluster.Environment{
				Config: f.config(inMemory), Kubeconfig: f.Servers[inMemory].Kubeconfig, Kubectl: f.kubectl(inMemory), Patience: deadline.Local.Deadline(),
			}
		}
		builds.Specs(buildsOf)
		builds.LocalSpecs(buildsOf)
		archive.Specs(clusterOf)
		records.Specs(clusterOf)
		kubectl.Specs(func() kubectl.Environment {
			return kubectl.Environment{Kubectl: f.kubectl(inMemory), Older: f.olderKubectls(inMemory), Patience: deadline.Local.Deadline()}
		})
		api.Specs(f.api(inMemory))
	})
	if testing.Short() {
		configuration.LabelFilter = "!" + kubectl.OlderRelease
	} else {
		ginkgo.Describe("goldsmith up", func() { api.StorageSpecs(f.api(inEtcd)) })
	}
	ginkgo.RunSpecs(t, "goldsmith up", configuration)
}

// runInProcesses lets Ginkgo run this test in four processes of this test binary, because most specs wait most of the time. It passes
// on -short, and flags of Ginkgo in the form -ginkgo.focus=text.
func runInProcesses(t *testing.T) {
	t.Helper()
	binary, err := os.Executable()
	require.NoError(t, err)
	directory, err := os.Getwd()
	require.NoError(t, err)
	args := []string{"tool", "ginkgo", "run", "--procs=4", "--keep-going", "--succinct", "--no-color"}
	if end, ok := t.Deadline(); ok {
		args = append(args, "--timeout="+time.Until(end.Add(-reportTime)).String())
	}
	args = append(args, binary, "--", "-test.run=^"+t.Name()+"$")
	for _, arg := range os.Args[1:] {
		if name := strings.TrimLeft(arg, "-"); strings.HasPrefix(name, "test.short") || strings.HasPrefix(name, "ginkgo.") {
			args = append(args, arg)
		}
	}
	command := exec.CommandContext(t.Context(), "go", args...)
	command.Env = append(os.Environ(), directoryVariable+"="+directory)
	output, err := command.CombinedOutput()
	t.Logf("%s", output)
	if err != nil {
		t.Errorf("ginkgo run: %v", err)
	}
}
