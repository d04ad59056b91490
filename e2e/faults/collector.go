// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/cluster"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

// newOrphan creates an object whose owner never existed. The garbage collector deletes it once it has looked for the owner.
func newOrphan(ctx context.Context, w *cluster.Workspace, owner schema.GroupVersionKind) *corev1.ConfigMap {
	GinkgoHelper()
	orphan, err := w.Kube.CoreV1().ConfigMaps(w.Namespace).Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "orphan-",
		OwnerReferences: []metav1.OwnerReference{{
			APIVersion: owner.GroupVersion().String(), Kind: owner.Kind, Name: "nobody", UID: uuid.NewUUID(),
		}},
	}}, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	return orphan
}

// secretKind is a kind of owner that the garbage collector can always read; it can read buildKind only while our API is available.
var (
	secretKind = corev1.SchemeGroupVersion.WithKind("Secret")
	buildKind  = v1alpha1.Kind("ImageBuild")
)

// waitForCollection waits until the garbage collector has deleted a new orphan of this kind of owner.
func waitForCollection(ctx context.Context, w *cluster.Workspace, owner schema.GroupVersionKind) {
	GinkgoHelper()
	orphan := newOrphan(ctx, w, owner)
	w.Eventually(ctx, func() []types.UID { return uidsOfConfigMaps(ctx, w) }).ShouldNot(ContainElement(orphan.UID))
}

// waitForCollectorWatches waits until the garbage collector watches Images and builds. One that does not yet, or not again because
// kube-apiserver was lost in the spec before, asks for each owner by itself, and takes the 404 of an API that is not registered
// for a deleted Image or build: it deletes the Jobs.
//
// It asks for an orphan's owner without watching its kind, too. But of a deletion in the foreground it only hears by watching.
func waitForCollectorWatches(ctx context.Context, w *cluster.Workspace) {
	GinkgoHelper()
	image := cluster.NewImage("collected")
	image.Spec.Suspend = new(true) // so nothing is built
	w.CreateImage(ctx, image)
	build := workspace.NewBuild("collected")
	build.Spec.Inputs.Builder.Name = "nobodys" // so it never has a Job
	w.CreateBuild(ctx, build)

	foreground := metav1.DeletePropagationForeground
	Expect(w.Images().Delete(ctx, image.Name, metav1.DeleteOptions{PropagationPolicy: &foreground})).To(Succeed())
	Expect(w.Builds().Delete(ctx, build.Name, metav1.DeleteOptions{PropagationPolicy: &foreground})).To(Succeed())
	w.Eventually(ctx, func(ctx context.Context) bool {
		_, noImage := w.Images().Get(ctx, image.Name, metav1.GetOptions{})
		_, noBuild := w.Builds().Get(ctx, build.Name, metav1.GetOptions{})
		return apierrors.IsNotFound(noImage) && apierrors.IsNotFound(noBuild)
	}).Should(BeTrue())
}

// collector is the pod of kube-controller-manager, of which the garbage collector is a part.
func collector(ctx context.Context, w *cluster.Workspace) corev1.Pod {
	GinkgoHelper()
	pod, err := w.Kube.CoreV1().Pods(metav1.NamespaceSystem).Get(ctx, "kube-controller-manager-"+w.Environment.Nodes.ControlPlane(), metav1.GetOptions{})
	Expect(err).NotTo(HaveOccurred())
	return *pod
}

// uidsOfJobs are those of all Jobs in the workspace.
func uidsOfJobs(ctx context.Context, w *cluster.Workspace) []types.UID {
	GinkgoHelper()
	jobs, err := w.Kube.BatchV1().Jobs(w.Namespace).List(ctx, metav1.ListOptions{})
	Expect(err).NotTo(HaveOccurred())
	return uids(jobs)
}

// uidsOfConfigMaps are those of all ConfigMaps in the workspace.
func uidsOfConfigMaps(ctx context.Context, w *cluster.Workspace) []types.UID {
	GinkgoHelper()
	configMaps, err := w.Kube.CoreV1().ConfigMaps(w.Namespace).List(ctx, metav1.ListOptions{})
	Expect(err).NotTo(HaveOccurred())
	return uids(configMaps)
}

func uids(list runtime.Object) []types.UID {
	GinkgoHelper()
	var uids []types.UID
	Expect(meta.EachListItem(list, func(item runtime.Object) error {
		object, err := meta.Accessor(item)
		if err == nil {
			uids = append(uids, object.GetUID())
		}
		return err
	})).To(Succeed())
	return uids
}
