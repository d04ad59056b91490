// SPDX-License-Identifier: Apache-2.0

package kubectl

import (
	"context"
	"os/exec"
	"time"

	. "github.com/onsi/ginkgo/v2"
)

// Environment is a kubectl and the server behind it, where the builder "mock" is registered.
type Environment struct {
	// Kubectl is a command that runs kubectl with these arguments, with the kubeconfig in its environment.
	Kubectl func(ctx context.Context, args ...string) *exec.Cmd
	// Older are the commands of earlier kubectl releases, by minor version, such as "1.35".
	Older map[string]func(ctx context.Context, args ...string) *exec.Cmd
	// Patience is how long a spec waits for one thing to happen.
	Patience time.Duration
	// Disposable is whether the server is discarded after the specs.
	Disposable bool
}

// Specs are the specs. Each makes a namespace of its own.
func Specs(environment func() Environment) {
	Describe("kubectl", func() {
		s := newShell(environment)
		describeForwarded(s)
		describePatch(s)
		describeRefusals(s)
	})
}

// AggregationSpecs are those of Specs that can fail behind kube-apiserver, or where builds are pods, and pass in front of one server.
// kube-apiserver forwards patches and refusals as they are.
func AggregationSpecs(environment func() Environment) {
	Describe("kubectl", func() {
		s := newShell(environment)
		describeForwarded(s)
		Describe("and the catalog", Label("catalog"), func() { describeCatalog(s) })
	})
}

func describeForwarded(s *shell) {
	describeApply(s)
	describeGet(s)
	describeWatch(s)
	describeDescribe(s)
	describeExplain(s)
	describeDelete(s)
	describeLogs(s)
	describeEdit(s)
	describeReleases(s)
}
