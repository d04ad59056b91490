// SPDX-License-Identifier: Apache-2.0

package builds

import (
	"context"
	"os/exec"
	"time"

	. "github.com/onsi/ginkgo/v2"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/host"
)

// Environment is a server to run the specs against.
type Environment struct {
	// Config connects to the server as a user with all permissions. The server has the builder "mock".
	Config *rest.Config
	// Patience is how long a spec waits for one thing to happen.
	Patience time.Duration
	// Polling is the interval at which a spec checks for the state that it waits for.
	Polling time.Duration
	// BuilderStart is how long a builder may take to start, once it may run.
	BuilderStart time.Duration
	// Archived is whether there is an archive of logs, which reports a condition on finished builds.
	Archived bool
	// Recorded is whether there is a database of records, which reports a condition on finished builds.
	Recorded bool
	// Disposable is whether the server is discarded after the specs.
	Disposable bool
	// Workers is the number of builds that run at a time. Only LocalSpecs use it.
	Workers int
	// Kubectl is a command that runs kubectl with these arguments. Only ClusterSpecs use it.
	Kubectl func(ctx context.Context, args ...string) *exec.Cmd
	// Kueue installs Kueue into the cluster, and removes it. Only ClusterSpecs use it.
	Kueue Kueue
}

// Kueue installs Kueue into a cluster, and removes it. Both methods return when that is done, and may be called again.
type Kueue interface {
	InstallKueue(ctx context.Context) error
	RemoveKueue(ctx context.Context) error
}

// Specs are the specs for any installation. Each spec creates a namespace, and no objects outside of this namespace.
func Specs(environment func() Environment) {
	Describe("Builds", func() {
		w := newFixture(environment)
		describePods(w)
		describeDecisions(w)
	})
}

// PodSpecs are the specs of Specs that can fail if builds are pods of a cluster but pass if they are processes of a single machine.
// They depend on Jobs, kubelets, the garbage collector of Kubernetes, the permissions of the controller's account, or several API
// servers. They include each way to start a build. The other specs test decisions of the controllers, which are the same everywhere.
func PodSpecs(environment func() Environment) {
	Describe("Builds", func() { describePods(newFixture(environment)) })
}

func describePods(w *fixture) {
	describeImages(w)
	describeTriggers(w)
	describeRequests(w)
	describeSources(w)
	describeResults(w)
	describeRetries(w)
	describeDisruptions(w)
	describeCancelling(w)
	describeTimeouts(w)
	describeQueueing(w)
	describeBases(w)
	describeChannels(w)
	describeReruns(w)
	describeProgress(w)
	describeHistory(w)
	describeDeletion(w)
	describeInvalidObjects(w)
	describeLogs(w)
}

func describeDecisions(w *fixture) {
	describeFailedImages(w)
	describeTriggerDecisions(w)
	describeRepeatedRequests(w)
	describeMissingSources(w)
	describeBuilders(w)
	describeRetryPolicies(w)
	describeConcurrency(w)
	describeQueueDecisions(w)
	describeBaseDecisions(w)
	describeRefusedPromotions(w)
	describeRerunRequests(w)
	describeSchedules(w)
	describePlans(w)
	describeRetention(w)
	describeInvalidFields(w)
}

// LocalSpecs are those that hold only where builds run as processes of the machine that runs the specs. Besides mock,
// LocalBuilders are registered there, and the server has Advisories.
func LocalSpecs(environment func() Environment) {
	Describe("Builds as local processes", Serial, func() {
		w := newFixture(environment)
		describeProcesses(w)
		describeForeignJobs(w)
		describeBusyWorkers(w)
		describeGitSources(w, onThisMachine)
		local := func(context.Context) func(*v1alpha1.Image) { return func(*v1alpha1.Image) {} }
		describePackages(w, onThisMachine, local)
		describeVulnerabilities(w, local)
	})
}

// ClusterSpecs are those that hold only where builds run as pods of a real cluster, with at least two nodes for them.
// Besides mock, ClusterBuilders are registered there, and the server has Advisories.
func ClusterSpecs(environment func() Environment) {
	Describe("Builds in a cluster", func() {
		w := newFixture(environment)
		describeFollowing(w)
		describePlacement(w)
		describeDraining(w)
		describePulling(w)
		describeAdmission(w)
		describeTemplates(w)
		describePublishing(w)
		describeGitSources(w, func(ctx context.Context) string { return host.Address(ctx, w.Kube) })
		describePackages(w, func(ctx context.Context) string { return host.Address(ctx, w.Kube) }, w.withRegistry)
		describeVulnerabilities(w, w.withRegistry)
		describeKueue(w)
	})
}
