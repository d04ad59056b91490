// SPDX-License-Identifier: Apache-2.0

package builds

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

func describeTemplates(w *fixture) {
	Describe("The template of a build", func() {
		It("is what its pod is like", func(ctx SpecContext) {
			_, err := w.Kube.CoreV1().ServiceAccounts(w.Namespace).Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "builder"}}, metav1.CreateOptions{})
			Expect(err).NotTo(HaveOccurred())
			_, err = w.Kube.CoreV1().Secrets(w.Namespace).Create(ctx, &corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{Name: "mirror"}, StringData: map[string]string{"token": "s3cret"},
			}, metav1.CreateOptions{})
			Expect(err).NotTo(HaveOccurred())

			template := &v1alpha1.BuildTemplate{
				ServiceAccountName: "builder",
				NodeSelector:       map[string]string{corev1.LabelOSStable: "linux"},
				Resources: &v1alpha1.ResourceRequirements{
					Requests: map[string]v1alpha1.Quantity{"cpu": {Text: "0.01"}},
					Limits:   map[string]v1alpha1.Quantity{"memory": {Text: "128Mi"}},
				},
				Tolerations: []corev1.Toleration{{Key: "example.com/builds", Operator: corev1.TolerationOpExists}},
				Affinity: &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
					NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{
						{Key: corev1.LabelOSStable, Operator: corev1.NodeSelectorOpIn, Values: []string{"linux"}},
					}}},
				}}},
				PriorityClassName: "system-node-critical",
				Env: []corev1.EnvVar{
					{Name: "MIRROR", Value: "https://deb.example.com"},
					{Name: "MIRROR_TOKEN", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
						LocalObjectReference: corev1.LocalObjectReference{Name: "mirror"}, Key: "token",
					}}},
				},
			}
			image := workspace.NewImage("web")
			image.Spec.Template = template
			w.CreateImage(ctx, image)
			w.waitForImage(ctx, "web", built(1))
			build := w.Succeeded(ctx, "web-1")
			Expect(build.Spec.Inputs.Template).To(Equal(image.Spec.Template))

			pod := w.pod(ctx, build).Spec
			Expect(pod.ServiceAccountName).To(Equal("builder"))
			Expect(pod.AutomountServiceAccountToken).To(HaveValue(BeFalse()))
			Expect(pod.NodeSelector).To(Equal(template.NodeSelector))
			Expect(pod.Tolerations).To(ContainElements(template.Tolerations))
			Expect(pod.Affinity).To(Equal(template.Affinity))
			Expect(pod.PriorityClassName).To(Equal(template.PriorityClassName))
			Expect(pod.Containers[0].Env).To(ContainElements(template.Env))
			Expect(pod.Containers[0].Resources.Limits).To(HaveKeyWithValue(corev1.ResourceMemory, resource.MustParse("128Mi")))
			Expect(pod.Containers[0].Resources.Requests).To(HaveKeyWithValue(corev1.ResourceCPU, resource.MustParse("10m")))
		})

		DescribeTable("that the cluster forbids fails the build with what the cluster says",
			func(ctx SpecContext, template *v1alpha1.BuildTemplate, message string) {
				build := workspace.NewBuild("once")
				build.Spec.Inputs.Template = template
				w.CreateBuild(ctx, build)
				failed := w.WaitForBuild(ctx, "once", failedWith("Config/PodForbidden"))
				Expect(failed.Status.Failure.Message).To(ContainSubstring(message))
				Expect(outcomes(failed)).To(Equal([]string{"Failed Config/PodForbidden"}))
				w.Eventually(ctx, w.buildsWithPods).Should(BeEmpty())
				w.hasNoLog(ctx, "once", "no log")
			},
			Entry("a service account that there is not", &v1alpha1.BuildTemplate{ServiceAccountName: "nobody"}, `serviceaccount "nobody" not found`),
			Entry("a priority class that there is not", &v1alpha1.BuildTemplate{PriorityClassName: "none"}, "no PriorityClass with name none was found"),
			Entry("a runtime class that there is not", &v1alpha1.BuildTemplate{RuntimeClassName: "none"}, `RuntimeClass "none" not found`),
		)

		It("limits its memory: a builder that wants more has failed", func(ctx SpecContext) {
			build := workspace.NewBuild("once", "crash=oom")
			build.Spec.Inputs.Template = &v1alpha1.BuildTemplate{Resources: &v1alpha1.ResourceRequirements{
				Limits: map[string]v1alpha1.Quantity{"memory": {Text: "64Mi"}},
			}}
			w.CreateBuild(ctx, build)
			// BuilderFailed is the reason if containerd did not report why the builder's container ended.
			failed := w.WaitForBuild(ctx, "once", Or(failedWith("User/OOMKilled"), failedWith("User/BuilderFailed")))
			Expect(failed.Status.Failure.ExitCode).To(HaveValue(BeEquivalentTo(137)))
			Expect(failed.Status.Failure.Message).To(Or(ContainSubstring("ran out of memory"), ContainSubstring("memory limit of 64Mi")))
			Expect(w.Log(ctx, "once", nil)).To(ContainSubstring("step 1/1"))
		})

		It("is one of its inputs: an image is built again when it changes", func(ctx SpecContext) {
			w.CreateImage(ctx, workspace.NewImage("web"))
			w.waitForImage(ctx, "web", built(1))
			w.ChangeImage(ctx, "web", func(image *v1alpha1.Image) {
				image.Spec.Template = &v1alpha1.BuildTemplate{NodeSelector: map[string]string{corev1.LabelOSStable: "linux"}}
			})
			w.waitForImage(ctx, "web", built(2))
		})
	})
}
