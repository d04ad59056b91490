// SPDX-License-Identifier: Apache-2.0

package workspace

import (
	"context"
	"errors"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Appliances declares a kind of the catalog, which the mock builder makes at once.
const Appliances = `
apiVersion: images.goldsmith.dev/v1alpha1
kind: ImageKind
metadata: {name: appliances}
spec:
  onDelete: Release
  names: {kind: Appliance, shortNames: [apl], categories: [catalog]}
  template:
    builder: {name: mock}
    parameters: [{name: duration, value: 0s}, {name: steps, value: "1"}]
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

// Cabinets declares a kind like Appliances, for the configuration of a server.
func Cabinets() string {
	return strings.NewReplacer("appliances", "cabinets", "Appliance", "Cabinet", "[apl]", "[cab]").Replace(Appliances)
}

// EstablishKind creates an ImageKind of this manifest, if it does not exist, and waits until it is served. Specs that run at the same time use
// the same kind.
func (w *Workspace) EstablishKind(ctx context.Context, manifest string) {
	GinkgoHelper()
	declared := &v1alpha1.ImageKind{}
	Expect(yaml.UnmarshalStrict([]byte(manifest), declared)).To(Succeed())
	kinds := w.Goldsmith.ImagesV1alpha1().ImageKinds()
	_, err := kinds.Create(ctx, declared, metav1.CreateOptions{})
	Expect(err).To(Or(Not(HaveOccurred()), Satisfy(apierrors.IsAlreadyExists)))
	w.Eventually(ctx, func(ctx context.Context) ([]metav1.Condition, error) {
		stored, err := kinds.Get(ctx, declared.Name, metav1.GetOptions{})
		return stored.Status.Conditions, err
	}).Should(ContainElement(And(HaveField("Type", v1alpha1.ImageKindEstablished), HaveField("Status", metav1.ConditionTrue))))
}

// FindKind waits until clients find an established kind: kube-apiserver asks for the resources of a server about once in a minute.
func (w *Workspace) FindKind(ctx context.Context, kind string) {
	GinkgoHelper()
	w.Eventually(ctx, func() (bool, error) {
		_, lists, err := w.Goldsmith.Discovery().ServerGroupsAndResources()
		return slices.ContainsFunc(lists, func(list *metav1.APIResourceList) bool {
			return slices.ContainsFunc(list.APIResources, func(resource metav1.APIResource) bool { return resource.Kind == kind })
		}), err
	}).Should(BeTrue(), kind)
}

// RemoveKind deletes the ImageKind of this manifest, if there is one.
func RemoveKind(ctx context.Context, config *rest.Config, manifest string) error {
	declared := &v1alpha1.ImageKind{}
	client, err := versioned.NewForConfig(config)
	if err = errors.Join(err, yaml.UnmarshalStrict([]byte(manifest), declared)); err != nil {
		return err
	}
	err = client.ImagesV1alpha1().ImageKinds().Delete(ctx, declared.Name, metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) { // or Goldsmith is not installed
		return nil
	}
	return err
}
