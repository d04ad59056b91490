// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"goldsmith.dev/goldsmith/apis/metrics"
)

// Archives counts checks of archives.
type Archives struct{ checks *prometheus.CounterVec }

// NewArchives registers the metrics of archives.
func NewArchives(registerer prometheus.Registerer) (*Archives, error) {
	a := &Archives{checks: metrics.NewCounterVec("goldsmith_archive_checks_total")}
	for _, outcome := range []string{"changed", "unchanged", "failed"} {
		a.checks.WithLabelValues(outcome) // so that the first of them is an increase
	}
	if err := register(registerer, a.checks); err != nil {
		return nil, err
	}
	return a, nil
}

// Checked counts a check with an outcome.
func (a *Archives) Checked(outcome string) { a.checks.WithLabelValues(outcome).Inc() }
