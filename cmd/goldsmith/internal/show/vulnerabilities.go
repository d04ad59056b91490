// SPDX-License-Identifier: Apache-2.0

package show

import (
	"context"
	"slices"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// readVulnerabilities counts the vulnerabilities of the packages. Without them, for which a server needs advisories, the page has no line.
func (p *page) readVulnerabilities(ctx context.Context, connection *client.Connection) {
	if !slices.ContainsFunc(p.build.Status.Artifacts, func(artifact v1alpha1.Artifact) bool { return artifact.Packages != nil }) {
		return
	}
	found, err := connection.ReadVulnerabilities(ctx, p.build.Name, map[string]string{"uid": string(p.build.UID), "countsOnly": "true"})
	if err == nil {
		p.known = trigger.KnownVulnerabilities(found)
	}
}

// vulnerabilities returns a line about the vulnerabilities, or "".
func (p *page) vulnerabilities() string {
	if p.known == nil {
		return ""
	}
	text := trigger.DescribeVulnerabilities(p.known.Counts)
	if len(p.known.Unmatched) > 0 {
		text += "; " + trigger.DescribeUnmatched(p.known.Unmatched)
	}
	return text
}
