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
	// Config is a connection as a user who may do everything.
	Config *rest.Config
	// Kubectl is a command that runs kubectl with these arguments, with the kubeconfig in its environment.
	Kubectl func(ctx context.Context, args ...string) *exec.Cmd
	// OlderKubectls are the same for releases before that one, by their minor version, such as "1.35".
	OlderKubectls map[string]func(ctx context.Context, args ...string) *exec.Cmd
	// Compaction is how often the server's storage forgets old versions. It must be a few seconds.
	Compaction time.Duration
	// Archived is whether there is an archive of logs, which has something to say of a build once it has finished.
	Archived bool
	// Recorded is whether there is a database of records, which has something to say of such a build as well.
	Recorded bool
	// Patience is how long a spec waits for one thing to happen, Polling how often it looks.
	Patience, Polling time.Duration
}

// Specs are the specs. Each makes a namespace of its own, and no build is made in it unless the spec asks for one.
func Specs(environment func() Environment) {
	Describe("the API", func() {
		w := newWorld(environment)
		describeWriting(w)
		describeReading(w)
	})
}

// ClusterSpecs are those that hold only where a whole Kubernetes is around.
func ClusterSpecs(environment func() Environment) {
	Describe("the API in a cluster", func() {
		describeQuota(newWorld(environment))
	})
}
