// SPDX-License-Identifier: Apache-2.0

package troubleshooting

import (
	"slices"
	"testing"

	"github.com/onsi/ginkgo/v2"

	"goldsmith.dev/goldsmith/e2e/archive"
	"goldsmith.dev/goldsmith/e2e/builds"
	"goldsmith.dev/goldsmith/e2e/cluster"
	"goldsmith.dev/goldsmith/e2e/faults"
	"goldsmith.dev/goldsmith/e2e/records"
	"goldsmith.dev/goldsmith/e2e/require"
)

// elsewhere are the lines of the page that specs of other suites provoke.
var elsewhere = map[string]string{
	"namespaces-do-not-end":   "Faults An API that is unavailable for five minutes is waited for, although a worker and the garbage collector are lost meanwhile",
	"builder-not-found":       "Builds An image whose builder cannot be used is stalled until that is changed nobody registered it",
	"builder-not-allowed":     "Builds An image whose builder cannot be used is stalled until that is changed it is an image of its own",
	"waiting-for-slot":        "Builds An image that is changed while it is built lets that build go on with what it was given, and the next one wait",
	"unschedulable":           "Builds in a cluster A build that no node takes says so, and is cancelled at once",
	"image-pull":              "Builds in a cluster A build whose builder's image cannot be pulled waits for it until it should have started",
	"quota":                   "Builds in a cluster A build in a namespace whose quota is used up waits, whatever an event of a user says, and goes on when there is more",
	"pod-forbidden":           "Builds in a cluster A build in a namespace with a LimitRange that its template is over fails with what that says",
	"waiting-for-signer":      "Builds in a cluster An image with an output is published with the credentials of its Secret, and not without them, and others start from it",
	"log-archive-unavailable": "Archive of logs that does not answer holds no build up, and has every log once it answers",
	"records-unavailable":     "Records database that does not answer holds no build up, and has every one once it answers",
}

// TestEveryLineOfThePageIsProvoked compares the page with the specs, without running any.
func TestEveryLineOfThePageIsProvoked(t *testing.T) {
	lines, err := symptoms()
	require.NoError(t, err)
	if len(lines) == 0 {
		t.Fatalf("%s has no lines", page)
	}
	nothing := func() cluster.Environment { return cluster.Environment{} }
	Specs(nothing)
	faults.Specs(nothing)
	builds.Specs(func() builds.Environment { return builds.Environment{} })
	builds.ClusterSpecs(func() builds.Environment { return builds.Environment{} })
	archive.ClusterSpecs(nothing)
	records.ClusterSpecs(nothing)
	specs := ginkgo.PreviewSpecs("all").SpecReports
	known := map[string]bool{}
	for _, line := range lines {
		if known[line.id] {
			t.Errorf("%s: two lines", line.id)
		}
		known[line.id] = true
		labelled := slices.ContainsFunc(specs, func(spec ginkgo.SpecReport) bool { return slices.Contains(spec.Labels(), line.id) })
		named := slices.ContainsFunc(specs, func(spec ginkgo.SpecReport) bool { return spec.FullText() == elsewhere[line.id] })
		if labelled == named {
			t.Errorf("%s: labelled %t, named %t: want exactly one", line.id, labelled, named)
		}
		if labelled && (len(line.commands) == 0 || len(line.shown) == 0) {
			t.Errorf("%s: says no command, or not what it shows", line.id)
		}
	}
	for _, spec := range specs {
		if spec.ContainerHierarchyTexts[0] == "Troubleshooting" && !slices.ContainsFunc(spec.Labels(), func(label string) bool { return known[label] }) {
			t.Errorf("%q is on no line of the page", spec.FullText())
		}
	}
	for id := range elsewhere {
		if !known[id] {
			t.Errorf("%s is not on the page", id)
		}
	}
}
