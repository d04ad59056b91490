// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package bench

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/e2e/cluster"
	"goldsmith.dev/goldsmith/e2e/require"
)

// counters count the work of every server of the cluster since its start.
type counters struct {
	writes  map[string]float64 // requests that write, as "component verb resource/subresource"
	reviews float64            // token and access reviews
	cpu     map[string]float64 // seconds, by component
}

// count reads the metrics of kube-apiserver, the controller manager and our own components.
func (c *measured) count(b *testing.B) counters {
	b.Helper()
	counted := counters{writes: map[string]float64{}, cpu: map[string]float64{}}
	body, err := c.kube.Discovery().RESTClient().Get().AbsPath("/metrics").DoRaw(b.Context())
	if err != nil {
		b.Fatalf("get the metrics of kube-apiserver: %v", err)
	}
	core, err := cluster.ParseMetrics(body)
	if err != nil {
		b.Fatalf("metrics of kube-apiserver: %v", err)
	}
	counted.add("kube-apiserver", core)
	for _, part := range []string{cluster.APIServer, cluster.Controller, cluster.Etcd} {
		pods, err := c.environment.Scrape(b.Context(), part, c.token)
		require.NoError(b, err)
		for _, pod := range pods {
			counted.add(part, pod)
		}
	}
	return counted
}

func (counted *counters) add(component string, families cluster.Metrics) {
	for _, metric := range families["process_cpu_seconds_total"].GetMetric() {
		counted.cpu[component] += metric.GetCounter().GetValue()
	}
	for _, metric := range families["apiserver_request_total"].GetMetric() {
		labels := map[string]string{}
		for _, pair := range metric.GetLabel() {
			labels[pair.GetName()] = pair.GetValue()
		}
		resource, value := labels["resource"], metric.GetCounter().GetValue()
		switch {
		case resource == "subjectaccessreviews" || resource == "tokenreviews":
			counted.reviews += value
		case resource == "leases" || resource == "namespaces" || resource == "nodes":
			// of the cluster itself, regardless of its workloads
		case strings.HasPrefix(labels["code"], "2") && isWrite(labels["verb"]):
			if labels["subresource"] != "" {
				resource += "/" + labels["subresource"]
			}
			counted.writes[fmt.Sprintf("%s %s %s", component, labels["verb"], resource)] += value
		}
	}
}

func isWrite(verb string) bool {
	switch verb {
	case "POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION":
		return true
	}
	return false
}

// since is the difference per object.
func (counted counters) since(before counters, objects int) counters {
	per := counters{writes: map[string]float64{}, cpu: map[string]float64{}, reviews: (counted.reviews - before.reviews) / float64(objects)}
	for name, value := range counted.writes {
		if grown := value - before.writes[name]; grown > 0 {
			per.writes[name] = grown / float64(objects)
		}
	}
	for name, value := range counted.cpu {
		per.cpu[name] = (value - before.cpu[name]) / float64(objects)
	}
	return per
}

// allowMetrics has the metrics of our components be readable until the benchmark has ended.
func (c *measured) allowMetrics(b *testing.B) {
	b.Helper()
	var err error
	if c.token, err = c.environment.AddScraper(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := c.environment.RemoveScraper(context.Background()); err != nil {
			b.Error(err)
		}
	})
}

func sum(figures map[string]float64) (total float64) {
	for _, value := range figures {
		total += value
	}
	return total
}
