// SPDX-License-Identifier: Apache-2.0

package show

import (
	"context"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/artifacts"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/revoke"
)

// findRevoked finds out on which revoked build the build is based or, if the build is revoked itself, which builds are based on it. An error becomes
// a line of the page.
func (p *page) findRevoked(ctx context.Context, connection *client.Connection) {
	now := p.asked.clock.Now()
	if p.build.Status.Revoked != nil {
		based, err := revoke.BasedOn(ctx, connection, p.build, now)
		if p.based = based; err != nil {
			p.based = []string{"unknown: " + err.Error()}
		}
	}
	if base := artifacts.RevokedBase(ctx, connection, p.build, now); base != nil {
		p.base = base.Name + ", " + base.Status.Revoked.Explain()
	}
}

// revoked returns whether the build is revoked, or will be.
func (p *page) revoked() string {
	revoked := p.build.Status.Revoked
	if revoked == nil {
		return ""
	}
	when := p.ago(metav1.NewTime(revoked.Since())) + " ago"
	if !revoked.InEffect(p.asked.clock.Now()) {
		when = "from " + revoked.Since().UTC().Format(time.RFC3339) + " on"
	}
	return when + strings.TrimPrefix(revoked.Explain(), "revoked")
}
