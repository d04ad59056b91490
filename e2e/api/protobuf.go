// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	client "goldsmith.dev/goldsmith/apis/generated/clientset/versioned/typed/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func describeProtobuf(w *fixture) {
	It("protobuf says what JSON says", func(ctx SpecContext) {
		in := func(mediaType string) client.ImageInterface {
			config := rest.CopyConfig(w.Config)
			config.ContentType, config.AcceptContentTypes = mediaType, mediaType
			goldsmith, err := versioned.NewForConfig(config)
			Expect(err).NotTo(HaveOccurred())
			return goldsmith.ImagesV1alpha1().Images(w.Namespace)
		}
		plain := func(object any) string {
			data, err := json.Marshal(object)
			Expect(err).NotTo(HaveOccurred())
			return string(data)
		}
		created, err := in(runtime.ContentTypeProtobuf).Create(ctx, full("web"), metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		same, err := in(runtime.ContentTypeJSON).Create(ctx, full("other"), metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		Expect(plain(created.Spec)).To(Equal(plain(same.Spec)))
		w.Eventually(ctx, func(g Gomega) { // a status may be written in between
			list, err := in(runtime.ContentTypeProtobuf).List(ctx, metav1.ListOptions{})
			g.Expect(err).NotTo(HaveOccurred())
			same, err := in(runtime.ContentTypeJSON).List(ctx, metav1.ListOptions{})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(list.Items).To(HaveLen(2))
			g.Expect(plain(list)).To(Equal(plain(same)))
		}).Should(Succeed())
	})
}

// full is an Image of which nothing is built, with something in most fields.
func full(name string) *v1alpha1.Image {
	return image(name, func(image *v1alpha1.Image) {
		image.Labels = map[string]string{"colour": "gold"}
		image.Annotations = map[string]string{"note": "<\"ä\">"}
		image.Spec.Source = &v1alpha1.Source{Inline: &v1alpha1.InlineSource{Files: map[string]string{"a": "x\n", "b": ""}}}
		image.Spec.Parameters = []v1alpha1.Parameter{{Name: "duration", Value: "1s"}, {Name: "empty", Value: ""}}
		image.Spec.Targets = append(image.Spec.Targets, v1alpha1.Target{Platform: "linux/arm64", Format: "qcow2"})
	})
}
