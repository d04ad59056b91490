// SPDX-License-Identifier: Apache-2.0

package chart

import "slices"

// component is a folder of kustomize/components, and the value of the chart that includes it.
type component struct {
	name string
	// condition is the expression of a template that is true if the values include the component.
	condition string
	// values include the component. The tests set them.
	values map[string]any
	// excludes are the components that cannot be combined with it.
	excludes []string
}

// components are in the order in which a kustomization lists them. external-etcd is the last, because it removes the resources that
// other components add for our etcd.
var components = []component{
	{name: "single-node", condition: ".Values.singleNode", values: values("singleNode", true)},
	{name: "etcd-ha", condition: "eq (int .Values.etcd.replicas) 3", values: values("etcd", values("replicas", 3)), excludes: []string{"external-etcd"}},
	{name: "etcd-backup", condition: ".Values.etcd.backup.enabled", values: values("etcd", values("backup", enabled())), excludes: []string{"external-etcd"}},
	{name: "cert-manager", condition: ".Values.certManager.enabled", values: values("certManager", enabled())},
	{name: "monitoring", condition: ".Values.monitoring.enabled", values: values("monitoring", enabled())},
	{name: "kueue", condition: ".Values.kueue.enabled", values: values("kueue", enabled())},
	{name: "namespaced", condition: ".Values.rbac.namespaced", values: values("rbac", values("namespaced", true))},
	{name: "catalog-only", condition: ".Values.rbac.catalogOnly", values: values("rbac", values("catalogOnly", true))},
	{name: "catalog-kinds", condition: ".Values.kinds", values: values("kinds", values("servers.yaml", exampleKinds))},
	{name: "debian-builder", condition: ".Values.debianBuilder.enabled", values: values("debianBuilder", enabled())},
	{name: "tester", condition: ".Values.tester.enabled", values: values("tester", enabled())},
	{name: "tester-kvm", condition: ".Values.tester.kvm", values: values("tester", values("kvm", true))},
	{name: "source-webhooks", condition: ".Values.sourceWebhooks.enabled", values: values("sourceWebhooks", enabled())},
	{name: "console", condition: ".Values.console.host", values: values("console", values("host", exampleHost))},
	{name: "archive-s3", condition: ".Values.logArchive.url", values: values("logArchive", values("url", exampleURL))},
	{name: "archive-s3-ca", condition: ".Values.logArchive.ca", values: values("logArchive", values("url", exampleURL, "ca", exampleAuthority))},
	{name: "records-external", condition: `eq .Values.records "external"`, values: values("records", "external"), excludes: []string{"records-postgres", "records-sqlite"}},
	{name: "records-postgres", condition: `eq .Values.records "postgres"`, values: values("records", "postgres"), excludes: []string{"records-sqlite"}},
	{name: "records-sqlite", condition: `eq .Values.records "sqlite"`, values: values("records", "sqlite")},
	{name: "external-etcd", condition: ".Values.etcd.external.servers", values: values("etcd", values("external", values("servers", exampleServers)))},
}

// The values of examples are those that the ConfigMaps have in an overlay of the tests.
const (
	exampleKinds     = "# no kind yet\n"
	exampleURL       = "s3://logs?region=test"
	exampleAuthority = "of the authority\n"
	exampleServers   = "https://etcd.example.com:2379"
	exampleHost      = "console.example.com"
)

func enabled() map[string]any { return values("enabled", true) }

func values(pairs ...any) map[string]any {
	made := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		made[pairs[i].(string)] = pairs[i+1]
	}
	return made
}

// combination is a set of indices of components.
type combination uint64

func (c combination) has(index int) bool { return c&(1<<index) != 0 }

// names returns the names of the components of a combination, in order.
func (c combination) names() []string {
	var names []string
	for i := range components {
		if c.has(i) {
			names = append(names, components[i].name)
		}
	}
	return names
}

// possible reports whether no component of a combination excludes another component of it.
func (c combination) possible() bool {
	names := c.names()
	for i := range components {
		if c.has(i) && slices.ContainsFunc(components[i].excludes, func(name string) bool { return slices.Contains(names, name) }) {
			return false
		}
	}
	return true
}

// combinations returns no component, each component, and all pairs that are possible.
func combinations() []combination {
	all := []combination{0}
	for i := range components {
		all = append(all, 1<<i)
	}
	for i := range components {
		for j := range i {
			if pair := combination(1<<i | 1<<j); pair.possible() {
				all = append(all, pair)
			}
		}
	}
	return all
}
