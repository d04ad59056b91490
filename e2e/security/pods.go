// SPDX-License-Identifier: Apache-2.0

package security

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/e2e/cluster"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

func describePods(w *cluster.Workspace) {
	It("The pod of a build has no token but the one that it reports with, and no more than restricted pods may have", Label("gate"), func(ctx SpecContext) {
		w.CreateBuild(ctx, workspace.NewBuild("once"))
		build := w.Succeeded(ctx, "once") // the namespace enforces the standard
		pod, err := w.Kube.CoreV1().Pods(w.Namespace).Get(ctx, build.Status.Attempts[0].PodName, metav1.GetOptions{})
		Expect(err).NotTo(HaveOccurred())

		Expect(pod.Spec.AutomountServiceAccountToken).To(HaveValue(BeFalse()))
		for _, volume := range pod.Spec.Volumes {
			if volume.Name == "report" { // the builder mock is registered as a reporting builder
				Expect(volume.Projected.Sources).To(ConsistOf(
					HaveField("ServiceAccountToken", HaveField("Path", "token")), HaveField("ConfigMap", HaveField("Name", "kube-root-ca.crt"))))
				continue
			}
			Expect(volume.Projected).To(BeNil(), "volume %s", volume.Name)
			Expect(volume.Secret).To(BeNil(), "volume %s", volume.Name)
			Expect(volume.HostPath).To(BeNil(), "volume %s", volume.Name)
		}
		Expect(pod.Spec.HostNetwork || pod.Spec.HostPID || pod.Spec.HostIPC).To(BeFalse())
		Expect(pod.Spec.EnableServiceLinks).To(HaveValue(BeFalse()))
		container := pod.Spec.Containers[0].SecurityContext
		Expect(container.AllowPrivilegeEscalation).To(HaveValue(BeFalse()))
		Expect(container.ReadOnlyRootFilesystem).To(HaveValue(BeTrue()))
		Expect(container.Capabilities.Drop).To(Equal([]corev1.Capability{"ALL"}))
		Expect(pod.Spec.SecurityContext.RunAsNonRoot).To(HaveValue(BeTrue()))
		Expect(pod.Spec.SecurityContext.SeccompProfile).To(HaveField("Type", corev1.SeccompProfileTypeRuntimeDefault))
	})
}
