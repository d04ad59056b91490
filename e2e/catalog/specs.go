// SPDX-License-Identifier: Apache-2.0

// Package catalog has the specs of the kinds that an installation configures. Those of kinds as objects are in the suites of their
// subjects, labelled catalog.
package catalog

import (
	"context"
	"fmt"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"goldsmith.dev/goldsmith/e2e/cluster"
)

var cabinets = schema.GroupVersionResource{Group: "catalog.goldsmith.dev", Version: "v1", Resource: "cabinets"}

// Specs are the specs. The cluster has the configured kinds of workspace.Cabinets.
func Specs(environment func() cluster.Environment) {
	Describe("Configured kinds", Label("catalog"), func() {
		w := cluster.NewWorkspace(environment)

		It("are read again from their ConfigMap while the servers run, and stay as they were after a mistake", func(ctx SpecContext) {
			before, stored := w.PodsOf(ctx, cluster.APIServer), readDocuments(ctx, w)
			DeferCleanup(func(ctx SpecContext) {
				writeDocuments(ctx, w, stored)
				w.Eventually(ctx, creating(w, "plan9")).Should(HaveEach(MatchError(ContainSubstring("Unsupported value"))))
			})
			Expect(creating(w, "trixie")(ctx)).To(HaveEach(Succeed()))
			Expect(creating(w, "plan9")(ctx)).To(HaveEach(MatchError(ContainSubstring("Unsupported value"))))
			writeDocuments(ctx, w, strings.Replace(stored, "trixie]", "trixie, plan9]", 1))
			w.Eventually(ctx, creating(w, "plan9")).Should(HaveEach(Succeed()))

			writeDocuments(ctx, w, strings.Replace(stored, "bindings:", "bndings:", 1))
			for _, pod := range before {
				w.Eventually(ctx, func(ctx context.Context) (string, error) {
					log, err := w.Kube.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{}).DoRaw(ctx)
					return string(log), err
				}).Should(ContainSubstring(`cabinets: unknown field \"spec.versions[0].bndings\": the registered kinds stay as they were`))
			}
			Expect(creating(w, "plan9")(ctx)).To(HaveEach(Succeed()))
			var running []string
			for _, pod := range w.PodsOf(ctx, cluster.APIServer) {
				running = append(running, fmt.Sprint(pod.Name, pod.Status.ContainerStatuses[0].RestartCount))
			}
			for _, pod := range before {
				Expect(running).To(ContainElement(fmt.Sprint(pod.Name, pod.Status.ContainerStatuses[0].RestartCount)))
			}
		})
	})
}

// readDocuments returns the documents of the installation.
func readDocuments(ctx context.Context, w *cluster.Workspace) string {
	GinkgoHelper()
	stored, err := w.Kube.CoreV1().ConfigMaps(cluster.Namespace).Get(ctx, cluster.KindsConfigMap, metav1.GetOptions{})
	Expect(err).NotTo(HaveOccurred())
	return stored.Data[cluster.KindsFile]
}

// writeDocuments changes the documents. A kubelet writes a changed ConfigMap into the volume of a pod when the pod changes, or in time.
func writeDocuments(ctx context.Context, w *cluster.Workspace, documents string) {
	GinkgoHelper()
	stored, err := w.Kube.CoreV1().ConfigMaps(cluster.Namespace).Get(ctx, cluster.KindsConfigMap, metav1.GetOptions{})
	Expect(err).NotTo(HaveOccurred())
	stored.Data[cluster.KindsFile] = documents
	stored, err = w.Kube.CoreV1().ConfigMaps(cluster.Namespace).Update(ctx, stored, metav1.UpdateOptions{})
	Expect(err).NotTo(HaveOccurred())
	for _, pod := range w.PodsOf(ctx, cluster.APIServer) {
		_, err := w.Kube.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, types.MergePatchType,
			fmt.Appendf(nil, `{"metadata":{"annotations":{"e2e.goldsmith.dev/kinds":%q}}}`, stored.ResourceVersion), metav1.PatchOptions{})
		Expect(err).NotTo(HaveOccurred())
	}
}

// creating returns a function that creates objects of a release, in dry runs. That many at once meet all replicas.
func creating(w *cluster.Workspace, release string) func(ctx context.Context) []error {
	const atOnce = 20
	client := dynamic.NewForConfigOrDie(w.Config).Resource(cabinets).Namespace(metav1.NamespaceDefault)
	return func(ctx context.Context) []error {
		answers := make([]error, atOnce)
		var asking sync.WaitGroup
		for i := range answers {
			asking.Go(func() {
				_, answers[i] = client.Create(ctx, &unstructured.Unstructured{Object: map[string]any{
					"apiVersion": "catalog.goldsmith.dev/v1", "kind": "Cabinet",
					"metadata": map[string]any{"name": "e2e-cabinet"}, "spec": map[string]any{"release": release, "suspend": true},
				}}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			})
		}
		asking.Wait()
		return answers
	}
}
