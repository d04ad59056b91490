// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"os/exec"
	"time"

	. "github.com/onsi/ginkgo/v2"
	"k8s.io/client-go/rest"
)

// Environment is a server, and ways to it.
type Environment struct {
	// Config connects as a user with all permissions.
	Config *rest.Config
	// Kubectl is a command that runs kubectl with these arguments, with the kubeconfig in its environment.
	Kubectl func(ctx context.Context, args ...string) *exec.Cmd
	// OlderKubectls are the commands of earlier kubectl releases, by minor version, such as "1.35".
	OlderKubectls map[string]func(ctx context.Context, args ...string) *exec.Cmd
	// Compaction is the interval at which the server's storage compacts old versions. It must be a few seconds.
	Compaction time.Duration
	// Archived is whether there is an archive of logs, which reports a condition on finished builds.
	Archived bool
	// Recorded is whether there is a database of records, which reports a condition on finished builds.
	Recorded bool
	// Disposable is whether the server is discarded after the specs.
	Disposable bool
	// Patience is how long a spec waits for one thing to happen, Polling how often it looks.
	Patience, Polling time.Duration
}

// Specs are all specs that hold everywhere. Each creates a namespace of its own, and no build runs in it unless the spec requests
// one.
func Specs(environment func() Environment) {
	Describe("the API", func() {
		w := newFixture(environment)
		describeWriting(w)
		describeReading(w)
	})
}

// StorageSpecs are those of Specs that can fail for one way to store objects and pass for another: how versions, watches, pages
// and selections behave, and what a write leaves behind. The other specs stop at a layer above the storage.
func StorageSpecs(environment func() Environment) {
	Describe("the API", func() {
		w := newFixture(environment)
		describeStoredWrites(w)
		describeStoredReads(w)
	})
}

// AggregationSpecs are those of Specs that can fail behind kube-apiserver and pass in front of one server: kube-apiserver
// forwards the request, merges discovery and OpenAPI, or spreads the requests of a client over several replicas, and the garbage
// collector is that of Kubernetes.
func AggregationSpecs(environment func() Environment) {
	Describe("the API", func() {
		w := newFixture(environment)
		describeForwardedWrites(w)
		describeForwardedReads(w)
	})
}

// ClusterSpecs are those that hold only where a whole Kubernetes is around.
func ClusterSpecs(environment func() Environment) {
	Describe("the API in a cluster", func() {
		describeQuota(newFixture(environment))
	})
}
