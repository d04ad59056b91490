// SPDX-License-Identifier: Apache-2.0

package api

import (
	. "github.com/onsi/ginkgo/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"goldsmith.dev/goldsmith/e2e/workspace"
)

// appliances are the objects of workspace.Appliances, a kind of the catalog.
func appliances(w *fixture) *subject {
	return &subject{
		fixture: w, resource: schema.GroupVersionResource{Group: "catalog.goldsmith.dev", Version: "v1", Resource: "appliances"}, kind: "Appliance",
		content: `"spec":{"suspend":true,"release":"bookworm"}`, fields: `{"f:spec":{"f:suspend":{},"f:release":{}}}`,
		edited: "spec.release", value: "bookworm", other: "trixie", refused: "sarge",
		columns: []string{"Name", "Release", "Ready", "Latest", "Age"}, kinds: []string{"Appliance", "ApplianceList"},
		discovered: func() ([]metav1.APIResource, error) {
			verbs := metav1.Verbs{"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}
			return []metav1.APIResource{
				{Name: "appliances", SingularName: "appliance", Namespaced: true, Kind: "Appliance", Verbs: verbs, ShortNames: []string{"apl"}, Categories: []string{"catalog"}},
				{Name: "appliances/build", Namespaced: true, Kind: "BuildRequest", Verbs: metav1.Verbs{"create", "get"}},
				{Name: "appliances/log", Namespaced: true, Kind: "Appliance", Verbs: metav1.Verbs{"get"}},
				{Name: "appliances/status", Namespaced: true, Kind: "Appliance", Verbs: metav1.Verbs{"get"}},
			}, nil
		},
	}
}

// establishAppliances ensures before each spec that the kind of appliances is served.
func establishAppliances(w *fixture) {
	BeforeEach(func(ctx SpecContext) {
		w.EstablishKind(ctx, workspace.Appliances)
		w.FindKind(ctx, "Appliance")
	})
}
