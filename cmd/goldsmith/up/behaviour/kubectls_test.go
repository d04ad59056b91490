// SPDX-License-Identifier: Apache-2.0

package behaviour_test

import (
	"context"
	"os/exec"
	"sync"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"

	"goldsmith.dev/goldsmith/e2e/api"
)

// olderKubectls are kubectl of the releases before the one that the program has in it. They are built where they were
// never used before.
type olderKubectls struct {
	lock  sync.Mutex
	paths map[string]string // by minor version
}

const (
	buildKubectls  = "../../../../e2e/api/kubectls"
	before         = "1.36"
	beforeThat     = "1.35"
	releasesBefore = 2
)

// path is where kubectl of a minor release is.
func (k *olderKubectls) path(minor string) string {
	ginkgo.GinkgoHelper()
	k.lock.Lock()
	defer k.lock.Unlock()
	if k.paths == nil {
		var err error
		k.paths, err = api.BuildOlderKubectls(context.Background(), buildKubectls, ginkgo.GinkgoWriter)
		gomega.Expect(err).NotTo(gomega.HaveOccurred())
	}
	gomega.Expect(k.paths).To(gomega.And(gomega.HaveLen(releasesBefore), gomega.HaveKey(minor)))
	return k.paths[minor]
}

// kubectls are these releases, for a server.
func (k *olderKubectls) kubectls(s *server) map[string]func(ctx context.Context, args ...string) *exec.Cmd {
	commands := map[string]func(ctx context.Context, args ...string) *exec.Cmd{}
	for _, minor := range []string{before, beforeThat} {
		commands[minor] = func(ctx context.Context, args ...string) *exec.Cmd {
			return s.command(ctx, k.path(minor), args...)
		}
	}
	return commands
}
