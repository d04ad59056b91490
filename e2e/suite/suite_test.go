// SPDX-License-Identifier: Apache-2.0

//go:build e2e

// Package suite_test runs the end-to-end suites on a real cluster. `make e2e` runs it twice at the same time, on two clusters: see run.
// Environment variables configure it:
//
//	E2E_VERSION     the tag of the container images
//	E2E_CLUSTER     the name of the kind cluster (goldsmith-e2e; goldsmith-gate, of one node, if only specs of gate or smoke are run)
//	E2E_KUBECONFIG  that cluster, which exists and has the images, as its administrator. Without it the cluster is made, and
//	                removed at the end
//	E2E_OVERLAY     the overlay to install (kustomize/overlays/kind)
//	E2E_KUBECTL     the command of kubectl (kubectl)
//	E2E_GOLDSMITH   the command-line client (bin/goldsmith), which specs of debian run
//	E2E_DEBIAN      true if the images include debian-builder and goldsmith-tester. Else there are no specs of debian
//	E2E_ARTIFACTS   the folder for the logs and objects of failed specs (bin/e2e)
//
// Specs are labelled with the name of their suite: smoke, builds, archive, records, api, faults, security, upgrade, debian. Specs of all suites
// that are about kinds of images are also labelled catalog: small clusters suffice for them. At most 35 specs of all suites are labelled
// gate: they show each promise of a cluster once, unless the same spec shows it on `goldsmith up` in make test, and a cluster adds
// nothing. Specs labelled installation install or remove Goldsmith. The filter "smoke && !installation" needs an existing installation,
// on any cluster that E2E_KUBECONFIG names, and does not change the installation.
//
// Goldsmith is installed with an archive of logs, in an S3 server of the cluster, and with the database of the component
// records-postgres. If only specs of gate or smoke run, it has no archive, and uses records-sqlite.
package suite_test

import (
	"encoding/json"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"goldsmith.dev/goldsmith/e2e/api"
	"goldsmith.dev/goldsmith/e2e/archive"
	"goldsmith.dev/goldsmith/e2e/brief"
	"goldsmith.dev/goldsmith/e2e/builds"
	"goldsmith.dev/goldsmith/e2e/catalog"
	"goldsmith.dev/goldsmith/e2e/cluster"
	"goldsmith.dev/goldsmith/e2e/deadline"
	"goldsmith.dev/goldsmith/e2e/debian"
	"goldsmith.dev/goldsmith/e2e/faults"
	"goldsmith.dev/goldsmith/e2e/kubectl"
	"goldsmith.dev/goldsmith/e2e/monitoring"
	"goldsmith.dev/goldsmith/e2e/records"
	"goldsmith.dev/goldsmith/e2e/security"
	"goldsmith.dev/goldsmith/e2e/smoke"
	"goldsmith.dev/goldsmith/e2e/troubleshooting"
	"goldsmith.dev/goldsmith/e2e/upgrade"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

// compaction is how often etcd forgets, so that clients meet it.
const compaction = 5 * time.Second

// apart labels the Serial specs that take longest, and mostly wait. The script run has them on a cluster of their own, beside all
// others, so that both take about as long.
var apart = Label("apart")

func TestEndToEnd(t *testing.T) {
	RegisterFailHandler(Fail)
	brief.Register()
	environment := &cluster.Environment{}
	given := func() cluster.Environment { return *environment }

	SynchronizedBeforeSuite(func(ctx SpecContext) []byte {
		kubeconfig := startCluster(ctx)
		started := common{Kubeconfig: kubeconfig, LogArchive: startArchive(ctx), Records: loadDatabase(ctx), Factor: deadline.Factor()}
		fillIn(ctx, environment, started)
		started.Empty = listEmpty(ctx, *environment)
		installOnce(ctx, *environment)
		if wantsOlderKubectls() {
			olderKubectls(ctx, kubeconfig) // before several processes want them at once
		}
		if wantsCatalog() {
			DeferCleanup(func(ctx SpecContext) {
				Expect(workspace.RemoveKind(ctx, environment.Config, workspace.Appliances)).To(Succeed())
			})
		}
		text, err := json.Marshal(started)
		Expect(err).NotTo(HaveOccurred())
		return text
	}, func(ctx SpecContext, text []byte) {
		var started common
		Expect(json.Unmarshal(text, &started)).To(Succeed())
		fillIn(ctx, environment, started)
	})

	// One container: specs are then run in their order, those that need the cluster for themselves at the end, and the
	// removal of the installation last.
	Describe("Goldsmith on a cluster", func() {
		cluster.DumpOnFailure(given)
		Describe("builds", Label("builds"), func() {
			environment := func() builds.Environment {
				return builds.Environment{
					Config: environment.Config, Patience: deadline.Step.Deadline(), Polling: 200 * time.Millisecond,
					BuilderStart: deadline.BuilderStart.Deadline(), Archived: environment.LogArchive != nil, Recorded: environment.Records != nil,
					Kubectl: environment.Kubectl, Kueue: newKind(), Disposable: environment.Disposable,
				}
			}
			builds.ClusterSpecs(environment)
			builds.PodSpecs(environment)
		})
		Describe("logs", Label("archive"), func() { archive.Specs(given) })
		Describe("history", Label("records"), func() { records.Specs(given) })
		Describe("kubectl", Label("builds"), func() {
			var shell kubectl.Environment
			BeforeEach(func(ctx SpecContext) {
				shell.Kubectl, shell.Patience, shell.Disposable = environment.Kubectl, deadline.Step.Deadline(), environment.Disposable
				if shell.Older == nil && wantsOlderKubectls() {
					shell.Older = olderKubectls(ctx, environment.Kubeconfig)
				}
			})
			kubectl.AggregationSpecs(func() kubectl.Environment { return shell })
		})
		Describe("semantics", Label("api"), func() {
			semantics := api.Environment{Polling: 200 * time.Millisecond}
			BeforeEach(func() {
				semantics.Config = environment.Config
				semantics.Patience, semantics.Disposable = deadline.Step.Deadline(), environment.Disposable
				semantics.Archived, semantics.Recorded = environment.LogArchive != nil, environment.Records != nil
			})
			given := func() api.Environment { return semantics }
			api.AggregationSpecs(given)
			api.ClusterSpecs(given)
		})
		// Each suite is in a container of this file, because Ginkgo orders by file and line. The audit log of the first container
		// and the removal in the last container cover all containers in between.
		Describe("monitoring", func() { monitoring.Specs(given) })
		Describe("certificates", func() { upgrade.Specs(given) })
		Describe("security", func() { security.Specs(given) })
		Describe("catalog", func() { catalog.Specs(given) })
		if hasDebian() {
			Describe("debian", Label("debian"), func() {
				debian.Specs(given, debian.Programs{Goldsmith: inRepository(setting("E2E_GOLDSMITH", "bin/goldsmith")), Mirror: inRepository("examples/debian/apt-cacher-ng")})
			})
		}
		Describe("faults", Serial, apart, func() { faults.Specs(given) })
		Describe("archive", Serial, Label("archive"), func() { archive.ClusterSpecs(given) })
		Describe("records", Serial, Label("records"), func() { records.ClusterSpecs(given) })
		Describe("troubleshooting", Serial, func() { troubleshooting.Specs(given) })
		Describe("upgrade", Serial, apart, func() { upgrade.ClusterSpecs(given) })
		Describe("smoke", Serial, func() { smoke.Specs(given) })
	})
	RunSpecs(t, "Goldsmith on a cluster")
}
