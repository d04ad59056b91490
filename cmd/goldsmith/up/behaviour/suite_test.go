// SPDX-License-Identifier: Apache-2.0

// Package behaviour_test runs the specs of behaviour against `goldsmith up`, one server for each way to store objects. The servers
// run in Ginkgo's first process, with the race detector if it is built in; the specs run in all processes. With -short there is one
// server, with objects in memory, and one kubectl.
package behaviour_test

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"

	"goldsmith.dev/goldsmith/apiserver/builder"
	verbs "goldsmith.dev/goldsmith/cmd/goldsmith/internal/kubectl"
	"goldsmith.dev/goldsmith/cmd/goldsmith/up"
	"goldsmith.dev/goldsmith/e2e/api"
	"goldsmith.dev/goldsmith/e2e/archive"
	"goldsmith.dev/goldsmith/e2e/brief"
	"goldsmith.dev/goldsmith/e2e/builds"
	"goldsmith.dev/goldsmith/e2e/cluster"
	"goldsmith.dev/goldsmith/e2e/deadline"
	"goldsmith.dev/goldsmith/e2e/kubectl"
	"goldsmith.dev/goldsmith/e2e/records"
)

const (
	polling = 20 * time.Millisecond
	// workers are enough for the builds of the specs that run at the same time: most of these builds only wait.
	workers = 24
	// compaction is so short that specs meet the end of what can be watched from.
	compaction = 2 * time.Second
)

// The servers, by the flags of `goldsmith up`.
const (
	inMemory = "--memory"
	inEtcd   = "(etcd)"
	inFiles  = "--files"
)

// TestMain lets the test binary stand in for the goldsmith executable: for the children of a server, and for kubectl, which keeps state
// in its packages. So the test cache knows everything that the specs depend on.
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
	os.Exit(m.Run())
}

// TestBehaviour runs all specs against a server that stores objects in memory, and those that the storage can fail against a server
// with etcd and against a server with files.
func TestBehaviour(t *testing.T) {
	gomega.RegisterFailHandler(ginkgo.Fail)
	brief.Register()
	f := &fixture{}
	ginkgo.SynchronizedBeforeSuite(func(ctx ginkgo.SpecContext) []byte {
		var err error
		f.Executable, err = os.Executable()
		gomega.Expect(err).NotTo(gomega.HaveOccurred())
		builder.QuietLogs(io.Discard) // once: the log is the process's, and what a stopped server leaves behind may still use it
		f.start(inMemory, func(string) up.Options { return up.Options{Memory: true} })
		if !testing.Short() {
			f.buildOlderKubectls(ctx)
			f.start(inEtcd, func(string) up.Options { return up.Options{} })
			f.start(inFiles, func(directory string) up.Options { return up.Options{Files: filepath.Join(directory, "objects")} })
		}
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
			return kubectl.Environment{Kubectl: f.kubectl(inMemory), Patience: deadline.Local.Deadline()}
		})
		api.Specs(f.api(inMemory))
	})
	configuration, _ := ginkgo.GinkgoConfiguration()
	if testing.Short() {
		configuration.LabelFilter = "!" + api.OlderKubectl
	} else {
		ginkgo.Describe("goldsmith up", func() { api.StorageSpecs(f.api(inEtcd)) })
		ginkgo.Describe("goldsmith up --files", func() { api.StorageSpecs(f.api(inFiles)) })
	}
	ginkgo.RunSpecs(t, "goldsmith up", configuration)
}
