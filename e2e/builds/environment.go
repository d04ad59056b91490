// SPDX-License-Identifier: Apache-2.0

package builds

import (
	"context"
	"os/exec"
	"time"

	. "github.com/onsi/ginkgo/v2"
	"k8s.io/client-go/rest"
)

// Environment is a server to run the specs against.
type Environment struct {
	// Config reaches it, as a user who may do everything. The builder "mock" is registered there.
	Config *rest.Config
	// Patience is how long a spec waits for one thing to happen.
	Patience time.Duration
	// Polling is how often a spec looks whether what it waits for has happened.
	Polling time.Duration
	// BuilderStart is how long a builder may take to start, once it may run.
	BuilderStart time.Duration
	// Archived is whether there is an archive of logs, which has something to say of a build once it has finished.
	Archived bool
	// Recorded is whether there is a database of records, which has something to say of such a build as well.
	Recorded bool
	// Disposable is whether the server is discarded after the specs.
	Disposable bool
	// Workers is how many builds run at a time. Only LocalSpecs look at it.
	Workers int
	// Kubectl is a command that runs kubectl with these arguments. Only ClusterSpecs use it.
	Kubectl func(ctx context.Context, args ...string) *exec.Cmd
	// Kueue puts Kueue into the cluster, and takes it away. Only ClusterSpecs use it.
	Kueue Kueue
}

// Kueue is how Kueue comes into a cluster, and goes. Both return when that is done, and may be called again.
type Kueue interface {
	InstallKueue(ctx context.Context) error
	RemoveKueue(ctx context.Context) error
}

// Specs are the specs that hold everywhere. Each makes a namespace of its own and nothing outside of it.
func Specs(environment func() Environment) {
	Describe("Builds", func() {
		w := newFixture(environment)
		describePods(w)
		describeDecisions(w)
	})
}

// PodSpecs are those of Specs that can fail where builds are pods of a cluster and pass where they are processes of one machine:
// a Job, a kubelet or the garbage collector of Kubernetes takes part, or the rights of the controller's account, or several API servers.
// Each way to start a build is among them. The other specs are about what the controllers decide, which are the same ones everywhere.
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
// LocalBuilders are registered there.
func LocalSpecs(environment func() Environment) {
	Describe("Builds as local processes", Serial, func() {
		w := newFixture(environment)
		describeProcesses(w)
		describeForeignJobs(w)
		describeBusyWorkers(w)
	})
}

// ClusterSpecs are those that hold only where builds run as pods of a real cluster, with at least two nodes for them.
// Besides mock, ClusterBuilders are registered there.
func ClusterSpecs(environment func() Environment) {
	Describe("Builds in a cluster", func() {
		w := newFixture(environment)
		describeFollowing(w)
		describePlacement(w)
		describeDraining(w)
		describePulling(w)
		describeAdmission(w)
		describeTemplates(w)
		describeKueue(w)
	})
}
