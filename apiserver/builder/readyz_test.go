// SPDX-License-Identifier: Apache-2.0

package builder_test

import (
	"errors"
	"net/http"
	"sync/atomic"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apiserver/pkg/server/healthz"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/builder/buildertest"
)

func TestReadyzAsksTheChecksOfTheServer(t *testing.T) {
	g := buildertest.Parallel(t)
	var empty atomic.Bool
	shelves := healthz.NamedCheck("shelves", func(*http.Request) error {
		if empty.Load() {
			return errors.New("somebody has taken all the books")
		}
		return nil
	})
	running, _ := buildertest.Start(t, buildertest.Library(builder.Memory()).WithReadyzCheck(shelves))
	g.Expect(withToken.asking(t, running, "/readyz?verbose")()).To(And(HavePrefix("200 "), ContainSubstring("[+]shelves ok")))
	g.Expect((caller{}).asking(t, running, "/readyz")()).To(Equal("200 ok"), "a load balancer has no token")
	g.Expect((caller{}).asking(t, running, "/readyz/shelves")()).To(HavePrefix("401 "))
	empty.Store(true)
	g.Expect(withToken.asking(t, running, "/readyz")()).To(And(HavePrefix("500 "), ContainSubstring("[-]shelves failed: reason withheld")))
	g.Expect(withToken.asking(t, running, "/readyz/shelves")()).To(And(HavePrefix("500 "), ContainSubstring("somebody has taken all the books")))
	g.Expect(withToken.asking(t, running, "/livez")()).To(Equal("200 ok"), "a restart would not bring them back")
}
