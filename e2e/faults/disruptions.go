// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"goldsmith.dev/goldsmith/e2e/cluster"
	"goldsmith.dev/goldsmith/e2e/deadline"
)

func deleteLeader(ctx context.Context, w *cluster.Workspace) {
	deletePods(ctx, w, leader(ctx, w))
}

func killLeader(ctx context.Context, w *cluster.Workspace) {
	kill(ctx, w, leader(ctx, w))
}

func killAnAPIServer(ctx context.Context, w *cluster.Workspace) {
	kill(ctx, w, w.PodsOf(ctx, cluster.APIServer)[0])
}

func killBothAPIServers(ctx context.Context, w *cluster.Workspace) {
	GinkgoHelper()
	servers := w.PodsOf(ctx, cluster.APIServer)
	Expect(servers).To(HaveLen(2))
	kill(ctx, w, servers...)
}

// killEtcd kills etcd, and then takes its pod away: what it had written is still there for the next.
func killEtcd(ctx context.Context, w *cluster.Workspace) {
	GinkgoHelper()
	kill(ctx, w, w.PodsOf(ctx, cluster.Etcd)...)
	for _, pod := range w.PodsOf(ctx, cluster.Etcd) {
		Expect(w.Kube.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{})).To(Succeed())
	}
}

func killKubeAPIServer(ctx context.Context, w *cluster.Workspace) {
	GinkgoHelper()
	pod, err := w.Kube.CoreV1().Pods(metav1.NamespaceSystem).Get(ctx, "kube-apiserver-"+w.Environment.Nodes.ControlPlane(), metav1.GetOptions{})
	Expect(err).NotTo(HaveOccurred())
	kill(ctx, w, *pod)
}

// unregister deletes the APIService, so that requests for an owner are answered with 404, until even the garbage collector has
// noticed that there is no such API. Then it applies the installation again.
func unregister(ctx context.Context, w *cluster.Workspace) {
	GinkgoHelper()
	DeferCleanup(func(ctx SpecContext) { Expect(w.Environment.Install(ctx)).To(Succeed()) }) // for the specs after a failed spec
	Expect(apiServices(w).Delete(ctx, cluster.APIService, metav1.DeleteOptions{})).To(Succeed())
	w.Eventually(ctx, func(ctx context.Context) bool {
		_, err := w.Images().List(ctx, metav1.ListOptions{})
		return apierrors.IsNotFound(err)
	}).Should(BeTrue())
	jobs := uidsOfJobs(ctx, w)
	Consistently(ctx, func() []types.UID { return uidsOfJobs(ctx, w) }).
		WithTimeout(deadline.CollectorNotices.Deadline()).WithPolling(time.Second).Should(ContainElements(jobs))
	Expect(w.Environment.Install(ctx)).To(Succeed())
}

func apiServices(w *cluster.Workspace) dynamic.ResourceInterface {
	return dynamic.NewForConfigOrDie(w.Environment.Config).
		Resource(schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"})
}
