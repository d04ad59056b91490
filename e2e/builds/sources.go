// SPDX-License-Identifier: Apache-2.0

package builds

import (
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

// fromConfigMap is an image that is made from the ConfigMap that w.createSource makes.
func fromConfigMap() *v1alpha1.Image {
	image := workspace.NewImage("site")
	image.Spec.Source = &v1alpha1.Source{ConfigMapRef: &v1alpha1.ConfigMapReference{Name: "site-files"}}
	return image
}

func (w *fixture) createSource(ctx context.Context, configMap *corev1.ConfigMap) {
	GinkgoHelper()
	configMap.Name = "site-files"
	_, err := w.Kube.CoreV1().ConfigMaps(w.Namespace).Create(ctx, configMap, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
}

func (w *fixture) changeSource(ctx context.Context, change func(*corev1.ConfigMap)) {
	GinkgoHelper()
	configMap, err := w.Kube.CoreV1().ConfigMaps(w.Namespace).Get(ctx, "site-files", metav1.GetOptions{})
	Expect(err).NotTo(HaveOccurred())
	change(configMap)
	_, err = w.Kube.CoreV1().ConfigMaps(w.Namespace).Update(ctx, configMap, metav1.UpdateOptions{})
	Expect(err).NotTo(HaveOccurred())
}

func describeSources(w *fixture) {
	Describe("An image made from a ConfigMap", func() {
		It("is built again when its content changes, and keeps what each build was made from", Label("gate"), func(ctx SpecContext) {
			w.createSource(ctx, &corev1.ConfigMap{Data: map[string]string{"motd": "hello"}})
			w.CreateImage(ctx, fromConfigMap())
			first := w.waitForImage(ctx, "site", built(1))

			w.changeSource(ctx, func(configMap *corev1.ConfigMap) { configMap.Labels = map[string]string{"team": "platform"} })
			w.changeSource(ctx, func(configMap *corev1.ConfigMap) { configMap.Data["motd"] = "good morning" })
			second := w.waitForImage(ctx, "site", built(2))

			Expect(second.Status.LatestSuccessful.Artifacts[0].Digest).NotTo(Equal(first.Status.LatestSuccessful.Artifacts[0].Digest))
			Expect(w.Succeeded(ctx, "site-1").Status.Resolved.Files).To(Equal(map[string]string{"motd": "hello"}))
			build := w.Succeeded(ctx, "site-2")
			Expect(build.Status.Resolved.Files).To(Equal(map[string]string{"motd": "good morning"}))
			Expect(build.Spec.Trigger.Changes).To(ConsistOf(And(
				HaveField("Path", "files[motd]"), HaveField("From", ContainSubstring("5 bytes")), HaveField("To", ContainSubstring("12 bytes")))))
		})
	})

	Describe("An image with files of its own", func() {
		It("is built again when one of them changes", func(ctx SpecContext) {
			image := workspace.NewImage("site")
			image.Spec.Source = &v1alpha1.Source{Inline: &v1alpha1.InlineSource{Files: map[string]string{"etc/motd": "hello"}}}
			w.CreateImage(ctx, image)
			w.waitForImage(ctx, "site", built(1))
			Expect(w.Log(ctx, "site-1", nil)).To(ContainSubstring("1 files"))

			w.ChangeImage(ctx, "site", func(image *v1alpha1.Image) { image.Spec.Source.Inline.Files["etc/motd"] = "good morning" })
			w.waitForImage(ctx, "site", built(2))
			Expect(w.Succeeded(ctx, "site-2").Spec.Trigger.Changes).To(ConsistOf(HaveField("Path", "files[etc/motd]")))
		})
	})

	Describe("A build without an image, made from a ConfigMap", func() {
		It("gets its content", func(ctx SpecContext) {
			w.createSource(ctx, &corev1.ConfigMap{Data: map[string]string{"motd": "hello"}})
			build := workspace.NewBuild("once")
			build.Spec.Inputs.Source = &v1alpha1.Source{ConfigMapRef: &v1alpha1.ConfigMapReference{Name: "site-files"}}
			w.CreateBuild(ctx, build)
			Expect(w.Succeeded(ctx, "once").Status.Resolved.Files).To(Equal(map[string]string{"motd": "hello"}))
		})
	})
}

func describeMissingSources(w *fixture) {
	Describe("An image made from a ConfigMap", func() {
		It("waits for it, and is built once it is there", func(ctx SpecContext) {
			w.CreateImage(ctx, fromConfigMap())
			w.waitForImage(ctx, "site",
				conditions("InputsResolved=False/SourceNotFound", "Stalled=False/Progressing", "UpToDate=Unknown/InputsNotResolved", "Building=False/Idle"),
				haveConditionMessage(v1alpha1.ImageInputsResolved, ContainSubstring(`"site-files"`)))

			w.createSource(ctx, &corev1.ConfigMap{Data: map[string]string{"motd": "hello"}})
			w.waitForImage(ctx, "site", built(1), conditions("InputsResolved=True/Resolved"))
			Expect(w.Succeeded(ctx, "site-1").Status.Resolved.Files).To(Equal(map[string]string{"motd": "hello"}))
			Expect(w.buildNames(ctx)).To(ConsistOf("site-1"))
		})

		It("keeps what it has when the ConfigMap goes, and says so", func(ctx SpecContext) {
			w.createSource(ctx, &corev1.ConfigMap{Data: map[string]string{"motd": "hello"}})
			w.CreateImage(ctx, fromConfigMap())
			w.waitForImage(ctx, "site", built(1))

			Expect(w.Kube.CoreV1().ConfigMaps(w.Namespace).Delete(ctx, "site-files", metav1.DeleteOptions{})).To(Succeed())
			w.waitForImage(ctx, "site", conditions("InputsResolved=False/SourceNotFound", "Ready=True/BuildSucceeded", "UpToDate=Unknown/InputsNotResolved", "Stalled=False/Progressing"))

			w.createSource(ctx, &corev1.ConfigMap{Data: map[string]string{"motd": "hello"}})
			w.waitForImage(ctx, "site", built(1))
		})

		DescribeTable("that cannot be used is stalled until somebody changes it", func(ctx SpecContext, reason, message string, configMap *corev1.ConfigMap) {
			w.createSource(ctx, configMap.DeepCopy())
			w.CreateImage(ctx, fromConfigMap())
			w.waitForImage(ctx, "site",
				conditions("InputsResolved=False/"+reason, "Stalled=True/"+reason),
				haveConditionMessage(v1alpha1.ImageInputsResolved, And(ContainSubstring("site-files"), ContainSubstring(message))))

			w.changeSource(ctx, func(configMap *corev1.ConfigMap) {
				configMap.BinaryData, configMap.Data = nil, map[string]string{"motd": "hello"}
			})
			w.waitForImage(ctx, "site", built(1))
		},
			Entry("because it is too large", "SourceTooLarge", "65536", &corev1.ConfigMap{Data: map[string]string{"motd": strings.Repeat("x", 70<<10)}}),
			Entry("because it is not text", "SourceNotFound", "binaryData", &corev1.ConfigMap{BinaryData: map[string][]byte{"motd": {0xff}}}),
		)
	})

	Describe("A build without an image, made from a ConfigMap", func() {
		It("fails where there is none", func(ctx SpecContext) {
			build := workspace.NewBuild("once")
			build.Spec.Inputs.Source = &v1alpha1.Source{ConfigMapRef: &v1alpha1.ConfigMapReference{Name: "site-files"}}
			w.CreateBuild(ctx, build)
			failed := w.WaitForBuild(ctx, "once", failedWith("Config/SourceNotFound"))
			Expect(failed.Status.Failure.Message).To(ContainSubstring(`"site-files"`))
			Expect(failed.Status.Attempts).To(BeEmpty())
		})
	})
}
