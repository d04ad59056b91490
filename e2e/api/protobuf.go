// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	client "goldsmith.dev/goldsmith/apis/generated/clientset/versioned/typed/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// in is a client that reads and writes only this encoding.
func (w *fixture) in(mediaType string) client.ImagesV1alpha1Interface {
	GinkgoHelper()
	config := rest.CopyConfig(w.Config)
	config.ContentType, config.AcceptContentTypes = mediaType, mediaType
	goldsmith, err := versioned.NewForConfig(config)
	Expect(err).NotTo(HaveOccurred())
	return goldsmith.ImagesV1alpha1()
}

// plain is an object as JSON, without what differs from reader to reader.
func plain(object any) string {
	GinkgoHelper()
	data, err := json.Marshal(object)
	Expect(err).NotTo(HaveOccurred())
	return string(data)
}

func describeProtobuf(w *fixture) {
	Describe("protobuf", func() {
		var inProtobuf, inJSON client.ImageInterface
		BeforeEach(func() {
			inProtobuf = w.in(runtime.ContentTypeProtobuf).Images(w.Namespace)
			inJSON = w.in(runtime.ContentTypeJSON).Images(w.Namespace)
		})

		It("says what JSON says", func(ctx SpecContext) {
			created, err := inProtobuf.Create(ctx, full("web"), metav1.CreateOptions{})
			Expect(err).NotTo(HaveOccurred())
			Expect(plain(created.Spec)).To(Equal(plain(w.create(ctx, "other", func(image *v1alpha1.Image) { image.Spec = full("").Spec }).Spec)))

			w.Eventually(ctx, func(g Gomega) { // a status may be written in between
				one, err := inProtobuf.Get(ctx, "web", metav1.GetOptions{})
				g.Expect(err).NotTo(HaveOccurred())
				other, err := inJSON.Get(ctx, "web", metav1.GetOptions{})
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(plain(one)).To(Equal(plain(other)))
				list, err := inProtobuf.List(ctx, metav1.ListOptions{})
				g.Expect(err).NotTo(HaveOccurred())
				same, err := inJSON.List(ctx, metav1.ListOptions{})
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(list.Items).To(HaveLen(2))
				g.Expect(plain(list)).To(Equal(plain(same)))
			}).Should(Succeed())
		})

		It("changes what JSON shows, and the other way round", func(ctx SpecContext) {
			w.create(ctx, "web")
			for _, writer := range []client.ImageInterface{inProtobuf, inJSON} {
				w.Eventually(ctx, func() error {
					read, err := writer.Get(ctx, "web", metav1.GetOptions{})
					if err != nil {
						return err
					}
					read.Spec.Parameters = append(read.Spec.Parameters, v1alpha1.Parameter{Name: "p" + read.ResourceVersion, Value: "ä\x00\"<>"})
					written, err := writer.Update(ctx, read, metav1.UpdateOptions{})
					if err == nil {
						Expect(plain(written.Spec)).To(Equal(plain(read.Spec)))
					}
					return err
				}).Should(Succeed())
			}
			for _, reader := range []client.ImageInterface{inProtobuf, inJSON} {
				read, err := reader.Get(ctx, "web", metav1.GetOptions{})
				Expect(err).NotTo(HaveOccurred())
				Expect(read.Spec.Parameters).To(HaveLen(2))
				Expect(read.Spec.Parameters).To(HaveEach(HaveField("Value", "ä\x00\"<>")))
			}
		})

		It("is watched", func(ctx SpecContext) {
			watching, err := inProtobuf.Watch(ctx, metav1.ListOptions{})
			Expect(err).NotTo(HaveOccurred())
			DeferCleanup(watching.Stop)
			created := w.create(ctx, "web", labelled(step, "1"))
			event := w.receive(ctx, watching)
			Expect(event.Type).To(Equal(watch.Added))
			Expect(plain(event.Object.(*v1alpha1.Image).Spec)).To(Equal(plain(created.Spec)))
			w.remove(ctx, "web")
			for event.Type != watch.Deleted {
				event = w.receive(ctx, watching)
			}
			Expect(event.Object.(*v1alpha1.Image).Labels).To(HaveKeyWithValue(step, "1"))
		})

		It("has builds, and what is asked of subresources", func(ctx SpecContext) {
			goldsmith := w.in(runtime.ContentTypeProtobuf)
			build, err := goldsmith.ImageBuilds(w.Namespace).Create(ctx, &v1alpha1.ImageBuild{
				ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: v1alpha1.ImageBuildSpec{Inputs: unregistered()},
			}, metav1.CreateOptions{})
			Expect(err).NotTo(HaveOccurred())
			Expect(build.Spec.Trigger.Reason).To(Equal(v1alpha1.TriggerManual))
			w.Settled(ctx, "web")
			build, err = goldsmith.ImageBuilds(w.Namespace).Get(ctx, "web", metav1.GetOptions{})
			Expect(err).NotTo(HaveOccurred())
			same, err := w.in(runtime.ContentTypeJSON).ImageBuilds(w.Namespace).Get(ctx, "web", metav1.GetOptions{})
			Expect(err).NotTo(HaveOccurred())
			Expect(plain(build)).To(Equal(plain(same)))
		})

		It("is what a client gets that prefers it", func(ctx SpecContext) {
			w.create(ctx, "web")
			for _, path := range []string{"images", "images/web", "imagebuilds", "images/web/status"} {
				read := w.get(ctx, w.at(path), "Accept: application/vnd.kubernetes.protobuf,application/json")
				Expect(read.mediaType()).To(Equal(runtime.ContentTypeProtobuf), path)
				Expect(string(read.body)).To(HavePrefix("k8s\x00"), path)
			}
			refused := w.get(ctx, w.at("images/none"), "Accept: application/vnd.kubernetes.protobuf")
			Expect(refused.code).To(Equal(http.StatusNotFound))
			Expect(refused.mediaType()).To(Equal(runtime.ContentTypeProtobuf))
		})

		It("that is broken is a 400", func(ctx SpecContext) {
			for _, path := range []string{w.at("images"), w.atBuiltIn("configmaps")} {
				refused := w.ask(ctx, http.MethodPost, path, "k8s\x00\xff\xff\xff", "Content-Type: application/vnd.kubernetes.protobuf")
				Expect(refused.code).To(Equal(http.StatusBadRequest), "%s: %s", path, refused.body)
			}
		})
	})
}

// full is an Image of which nothing is built, with something in most fields.
func full(name string) *v1alpha1.Image {
	return image(name, labelled("colour", "gold"), func(image *v1alpha1.Image) {
		image.Annotations = map[string]string{"note": "<\"ä\">"}
		image.Spec.Source = &v1alpha1.Source{Inline: &v1alpha1.InlineSource{Files: map[string]string{"a": "x\n", "b": ""}}}
		image.Spec.Parameters = []v1alpha1.Parameter{{Name: "duration", Value: "1s"}, {Name: "empty", Value: ""}}
		image.Spec.Targets = append(image.Spec.Targets, v1alpha1.Target{Platform: "linux/arm64", Format: "qcow2"})
	})
}
