// SPDX-License-Identifier: Apache-2.0

// Package monitoring has the spec of the component monitoring: Goldsmith exports every metric that its alerts and its dashboard use.
package monitoring

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"goldsmith.dev/goldsmith/e2e/cluster"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

var (
	// expression is one of an alert or of a panel.
	expression = regexp.MustCompile(`"?expr"?: *(.+)`)
	// noMetric matches the parts of an expression that name no metric: matchers, ranges, grouping and functions.
	noMetric = regexp.MustCompile(`\{[^}]*\}|\[[^\]]*\]|\b(by|on|without) *\([^)]*\)|[a-z_]+ *\(`)
	name     = regexp.MustCompile(`\b(goldsmith|controller_runtime|workqueue|apiserver|etcd)_[a-z_]+`)
)

// Specs are the specs. Each makes a namespace of its own.
func Specs(environment func() cluster.Environment) {
	Describe("Monitoring", Label("builds"), func() {
		w := cluster.NewWorkspace(environment)

		It("measures everything that the alerts and the dashboard name, after a build and a failure", func(ctx SpecContext) {
			wanted := expressionMetrics(w.Environment)
			Expect(len(wanted)).To(BeNumerically(">", 10), "%v", wanted)
			for build, parameter := range map[string]string{"good": "steps=1", "bad": "failAt=1"} {
				w.CreateBuild(ctx, workspace.NewBuild(build, parameter))
			}
			w.Succeeded(ctx, "good")
			Expect(w.Finished(ctx, "bad").Status.Failure).NotTo(BeNil())

			token, err := w.Environment.AddScraper(ctx)
			Expect(err).NotTo(HaveOccurred())
			DeferCleanup(w.Environment.RemoveScraper)
			w.Eventually(ctx, func(ctx context.Context) ([]string, error) { return missing(ctx, w.Environment, token, wanted) }).Should(BeEmpty())

			_, err = w.Environment.Scrape(ctx, cluster.Controller, "of nobody")
			Expect(err).To(MatchError(ContainSubstring("Authentication failed")))
		})
	})
}

// expressionMetrics are the metrics that the component's expressions name.
func expressionMetrics(environment cluster.Environment) (metrics []string) {
	component := filepath.Join(environment.Overlay, "..", "..", "components", "monitoring")
	for _, file := range []string{"alerts.yaml", "dashboard.json"} {
		text, err := os.ReadFile(filepath.Join(component, file))
		Expect(err).NotTo(HaveOccurred())
		for _, found := range expression.FindAllStringSubmatch(string(text), -1) {
			metrics = append(metrics, name.FindAllString(noMetric.ReplaceAllString(found[1], " "), -1)...)
		}
	}
	slices.Sort(metrics)
	return slices.Compact(metrics)
}

// missing are those of the metrics that no process measures.
func missing(ctx context.Context, environment cluster.Environment, token string, wanted []string) ([]string, error) {
	var measured []cluster.Metrics
	for _, part := range []string{cluster.APIServer, cluster.Controller, cluster.Etcd} {
		of, err := environment.Scrape(ctx, part, token)
		if err != nil {
			return nil, err
		}
		measured = append(measured, of...)
	}
	return slices.DeleteFunc(slices.Clone(wanted), func(metric string) bool {
		family := metric
		for _, suffix := range []string{"_bucket", "_sum", "_count"} { // of a histogram
			family = strings.TrimSuffix(family, suffix)
		}
		return slices.ContainsFunc(measured, func(m cluster.Metrics) bool { return m[metric] != nil || m[family] != nil })
	}), nil
}
