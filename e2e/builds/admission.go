// SPDX-License-Identifier: Apache-2.0

package builds

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

func describeAdmission(w *fixture) {
	limitRange := func(ctx context.Context, item corev1.LimitRangeItem) {
		GinkgoHelper()
		item.Type = corev1.LimitTypeContainer
		_, err := w.Kube.CoreV1().LimitRanges(w.Namespace).Create(ctx, &corev1.LimitRange{
			ObjectMeta: metav1.ObjectMeta{Name: "limits"}, Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{item}},
		}, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
	}
	memory := func(quantity string) corev1.ResourceList {
		return corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(quantity)}
	}

	Describe("A build in a namespace", func() {
		It("whose quota is used up waits, whatever an event of a user says, and goes on when there is more", func(ctx SpecContext) {
			quota, err := w.Kube.CoreV1().ResourceQuotas(w.Namespace).Create(ctx, &corev1.ResourceQuota{
				ObjectMeta: metav1.ObjectMeta{Name: "builds"},
				Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("0")}},
			}, metav1.CreateOptions{})
			Expect(err).NotTo(HaveOccurred())
			w.CreateBuild(ctx, workspace.NewBuild("once"))
			w.WaitForBuild(ctx, "once", And(inPhase(v1alpha1.BuildStarting), conditions("PodReady=False/QuotaExceeded"),
				haveConditionMessage(v1alpha1.BuildPodReady, ContainSubstring("exceeded quota: builds"))))
			w.forgeRefusal(ctx, "once", "forged")
			w.WaitForBuild(ctx, "once", And(inPhase(v1alpha1.BuildStarting), haveConditionMessage(v1alpha1.BuildPodReady, ContainSubstring("forged"))))

			_, err = w.Kube.CoreV1().ResourceQuotas(w.Namespace).Patch(ctx, quota.Name, types.MergePatchType,
				[]byte(`{"spec":{"hard":{"pods":"1"}}}`), metav1.PatchOptions{})
			Expect(err).NotTo(HaveOccurred())
			Expect(outcomes(w.Succeeded(ctx, "once"))).To(Equal([]string{"Succeeded"}))
		})

		It("with a LimitRange gets its defaults", func(ctx SpecContext) {
			limitRange(ctx, corev1.LimitRangeItem{Default: memory("96Mi"), DefaultRequest: memory("16Mi")})
			w.CreateBuild(ctx, workspace.NewBuild("once"))
			resources := w.pod(ctx, w.Succeeded(ctx, "once")).Spec.Containers[0].Resources
			Expect(resources.Limits).To(HaveKeyWithValue(corev1.ResourceMemory, resource.MustParse("96Mi")))
			Expect(resources.Requests).To(HaveKeyWithValue(corev1.ResourceMemory, resource.MustParse("16Mi")))
		})

		It("with a LimitRange that its template is over fails with what that says", func(ctx SpecContext) {
			limitRange(ctx, corev1.LimitRangeItem{Max: memory("64Mi")})
			build := workspace.NewBuild("once")
			build.Spec.Inputs.Template = &v1alpha1.BuildTemplate{Resources: &v1alpha1.ResourceRequirements{Limits: map[string]v1alpha1.Quantity{"memory": {Text: "1Gi"}}}}
			w.CreateBuild(ctx, build)
			failed := w.WaitForBuild(ctx, "once", failedWith("Config/PodForbidden"))
			Expect(failed.Status.Failure.Message).To(ContainSubstring("maximum memory usage per Container is 64Mi"))
			Expect(outcomes(failed)).To(Equal([]string{"Failed Config/PodForbidden"}))
		})

		It("that is restricted succeeds", func(ctx SpecContext) {
			_, err := w.Kube.CoreV1().Namespaces().Patch(ctx, w.Namespace, types.MergePatchType,
				[]byte(`{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"restricted","pod-security.kubernetes.io/enforce-version":"latest"}}}`),
				metav1.PatchOptions{})
			Expect(err).NotTo(HaveOccurred())
			w.CreateBuild(ctx, workspace.NewBuild("once"))
			w.Succeeded(ctx, "once")
		})
	})
}

// forgeRefusal creates an event which says that the pod of a build's Job is forbidden. It is newer than every event of the Job controller.
func (w *fixture) forgeRefusal(ctx context.Context, build, why string) {
	GinkgoHelper()
	jobs, err := w.Kube.BatchV1().Jobs(w.Namespace).List(ctx, metav1.ListOptions{LabelSelector: v1alpha1.LabelBuild + "=" + build})
	Expect(err).NotTo(HaveOccurred())
	Expect(jobs.Items).To(HaveLen(1))
	job := jobs.Items[0]
	_, err = w.Kube.CoreV1().Events(w.Namespace).Create(ctx, &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{GenerateName: job.Name + "."},
		InvolvedObject: corev1.ObjectReference{APIVersion: "batch/v1", Kind: "Job", Namespace: job.Namespace, Name: job.Name, UID: job.UID},
		Type:           corev1.EventTypeWarning, Reason: "FailedCreate", LastTimestamp: metav1.NewTime(time.Now().Add(time.Hour)),
		Message: fmt.Sprintf("Error creating: pods %q is forbidden: %s", job.Name, why),
	}, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
}

// pod is that of a build's last attempt.
func (w *fixture) pod(ctx context.Context, build *v1alpha1.ImageBuild) *corev1.Pod {
	GinkgoHelper()
	attempts := build.Status.Attempts
	Expect(attempts).NotTo(BeEmpty())
	pod, err := w.Kube.CoreV1().Pods(w.Namespace).Get(ctx, attempts[len(attempts)-1].PodName, metav1.GetOptions{})
	Expect(err).NotTo(HaveOccurred())
	return pod
}
