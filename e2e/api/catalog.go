// SPDX-License-Identifier: Apache-2.0

package api

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// applianceKind declares the kind of appliances.
const applianceKind = `
apiVersion: images.goldsmith.dev/v1alpha1
kind: ImageKind
metadata: {name: appliances}
spec:
  names: {kind: Appliance, shortNames: [apl], categories: [catalog]}
  template:
    builder: {name: mock}
    targets: [{platform: linux/amd64, format: raw}]
  versions:
  - name: v1
    schema:
      type: object
      description: Appliance is a small server.
      required: [release]
      properties:
        release: {type: string, enum: [bookworm, trixie], description: Release of Debian.}
        suspend: {type: boolean, default: false, description: Whether nothing is built.}
        retry:
          type: object
          default: {}
          description: How failed builds are retried.
          properties:
            limit: {type: integer, format: int32, default: 2, minimum: 0, maximum: 10, description: Number of retries.}
    bindings:
    - {field: spec.release, to: spec.base.reference, prefix: "debian:"}
    - {field: spec.suspend, to: spec.suspend}
    - {field: spec.retry.limit, to: spec.retry.limit}
    columns:
    - {name: Release, type: string, jsonPath: .spec.release, description: Release of Debian.}
`

// appliances are the objects of a kind of the catalogue.
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
				{Name: "appliances/build", Namespaced: true, Kind: "BuildRequest", Verbs: metav1.Verbs{"create"}},
				{Name: "appliances/log", Namespaced: true, Kind: "Appliance", Verbs: metav1.Verbs{"get"}},
				{Name: "appliances/status", Namespaced: true, Kind: "Appliance", Verbs: metav1.Verbs{"get"}},
			}, nil
		},
	}
}

// establishAppliances creates the kind of appliances before each spec, if it does not exist, and waits until the kind is served. Specs
// that run at the same time use the same kind.
func establishAppliances(w *fixture) {
	BeforeEach(func(ctx SpecContext) {
		declared := &unstructured.Unstructured{}
		Expect(yaml.Unmarshal([]byte(applianceKind), &declared.Object)).To(Succeed())
		client, err := dynamic.NewForConfig(w.Config)
		Expect(err).NotTo(HaveOccurred())
		kinds := client.Resource(v1alpha1.SchemeGroupVersion.WithResource("imagekinds"))
		_, err = kinds.Create(ctx, declared, metav1.CreateOptions{})
		Expect(err).To(Or(Not(HaveOccurred()), Satisfy(apierrors.IsAlreadyExists)))
		w.Eventually(ctx, func() (any, error) {
			stored, err := kinds.Get(ctx, declared.GetName(), metav1.GetOptions{})
			if err != nil {
				return nil, err
			}
			return field(stored, "status.conditions"), nil
		}).Should(ContainElement(And(HaveKeyWithValue("type", v1alpha1.ImageKindEstablished), HaveKeyWithValue("status", "True"))))
	})
}
