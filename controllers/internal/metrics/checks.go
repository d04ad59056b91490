// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"goldsmith.dev/goldsmith/apis/metrics"
)

// Checks counts checks of what is outside of the cluster.
type Checks struct{ checks *prometheus.CounterVec }

// NewArchiveChecks registers the metric of checks of archives.
func NewArchiveChecks(registerer prometheus.Registerer) (*Checks, error) {
	return newChecks(registerer, "goldsmith_archive_checks_total")
}

// NewSourceChecks registers the metric of checks of sources.
func NewSourceChecks(registerer prometheus.Registerer) (*Checks, error) {
	return newChecks(registerer, "goldsmith_source_checks_total")
}

func newChecks(registerer prometheus.Registerer, name string) (*Checks, error) {
	c := &Checks{checks: metrics.NewCounterVec(name)}
	for _, outcome := range []string{"changed", "unchanged", "failed"} {
		c.checks.WithLabelValues(outcome) // so that the first of them is an increase
	}
	if err := register(registerer, c.checks); err != nil {
		return nil, err
	}
	return c, nil
}

// Checked counts a check with an outcome.
func (c *Checks) Checked(outcome string) { c.checks.WithLabelValues(outcome).Inc() }
