// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/metadata"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// The controllers of Kubernetes itself ask for protobuf: that which ends namespaces must get an answer.
var _ = It("A client that would rather have protobuf gets it", func(ctx SpecContext) {
	namespace := newNamespace()
	must(imagesIn(namespace).Create(ctx, newImage("web"), metav1.CreateOptions{}))

	preferring := metadata.ConfigFor(config)
	Expect(preferring.AcceptContentTypes).To(HavePrefix(runtime.ContentTypeProtobuf))
	var contentType string
	client.ImagesV1alpha1().RESTClient().Get().Namespace(namespace).Resource("images").
		SetHeader("Accept", preferring.AcceptContentTypes).Do(ctx).ContentType(&contentType)
	Expect(contentType).To(Equal(runtime.ContentTypeProtobuf))
	images := metadata.NewForConfigOrDie(preferring).Resource(v1alpha1.SchemeGroupVersion.WithResource("images")).Namespace(namespace)
	Expect(must(images.List(ctx, metav1.ListOptions{})).Items).To(ConsistOf(HaveField("Name", "web")))
	Expect(images.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{})).To(Succeed())
	Expect(imagesIn(namespace).List(ctx, metav1.ListOptions{})).To(HaveField("Items", BeEmpty()))
})
