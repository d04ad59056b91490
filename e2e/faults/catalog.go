// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"

	"goldsmith.dev/goldsmith/e2e/cluster"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

// describeKinds: a server that starts does not know its kinds at first.
func describeKinds(w *cluster.Workspace) {
	It("No kind of the catalog is missing while the API servers restart", Label("catalog"), func(ctx SpecContext) {
		w.EstablishKind(ctx, workspace.Appliances)
		client := dynamic.NewForConfigOrDie(w.Config).
			Resource(schema.GroupVersionResource{Group: "catalog.goldsmith.dev", Version: "v1", Resource: "appliances"}).Namespace(w.Namespace)
		created, err := client.Create(ctx, &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "catalog.goldsmith.dev/v1", "kind": "Appliance",
			"metadata": map[string]any{"name": "web"}, "spec": map[string]any{"release": "bookworm", "suspend": true},
		}}, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		_, err = w.Kube.CoreV1().ConfigMaps(w.Namespace).Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
			Name: "owned", OwnerReferences: []metav1.OwnerReference{{APIVersion: created.GetAPIVersion(), Kind: created.GetKind(), Name: "web", UID: created.GetUID()}},
		}}, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())

		reading, stop := context.WithCancel(ctx)
		defer stop()
		answers := make(chan []error, 1)
		go func() {
			var all []error
			_ = wait.PollUntilContextCancel(reading, 20*time.Millisecond, true, func(ctx context.Context) (bool, error) {
				_, err := client.Get(ctx, "web", metav1.GetOptions{})
				if reading.Err() == nil {
					all = append(all, err)
				}
				return false, nil
			})
			answers <- all
		}()
		killBothAPIServers(ctx, w)
		Expect(w.Environment.WaitReady(ctx)).To(Succeed())
		waitForCollection(ctx, w, schema.FromAPIVersionAndKind(created.GetAPIVersion(), created.GetKind()))
		stop()
		all := <-answers
		unavailable := 0
		for _, err := range all {
			if err != nil {
				unavailable++
				Expect(apierrors.IsServiceUnavailable(err) || apierrors.IsServerTimeout(err) || apierrors.IsInternalError(err) || apierrors.IsTooManyRequests(err)).To(BeTrue(), "%v", err)
			}
		}
		Expect(unavailable).NotTo(BeZero(), "both servers were killed")
		_, err = client.Get(ctx, "web", metav1.GetOptions{})
		Expect(err).NotTo(HaveOccurred())
		_, err = w.Kube.CoreV1().ConfigMaps(w.Namespace).Get(ctx, "owned", metav1.GetOptions{})
		Expect(err).NotTo(HaveOccurred(), "the garbage collector found the owner")
	})
}
