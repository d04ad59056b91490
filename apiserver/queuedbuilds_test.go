// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"strconv"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/scheme"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver"
	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/jobs/queue"
)

var _ = Describe("The queue of builds", func() {
	It("is read like what is stored, and shows what waits", func(ctx SpecContext) {
		namespace := newNamespace()
		for _, name := range []string{"one", "two"} {
			build := newBuild(name)
			build.Labels = map[string]string{"name": name}
			_, err := buildsIn(namespace).Create(ctx, build, metav1.CreateOptions{})
			Expect(err).NotTo(HaveOccurred())
		}
		queued := client.ImagesV1alpha1().QueuedBuilds(namespace)
		list, err := queued.List(ctx, metav1.ListOptions{})
		Expect(err).NotTo(HaveOccurred())
		Expect(list.Items).To(HaveLen(2))
		one, err := queued.Get(ctx, "one", metav1.GetOptions{})
		Expect(err).NotTo(HaveOccurred())
		Expect(one.Status.Position).To(BeNumerically(">", 0))
		Expect(one.Status.QueuedTime).NotTo(BeNil())
		Expect(one.Labels).To(HaveKeyWithValue("name", "one"))

		for _, options := range []metav1.ListOptions{{LabelSelector: "name=two"}, {FieldSelector: "metadata.name=two"}} {
			list, err = queued.List(ctx, options)
			Expect(err).NotTo(HaveOccurred())
			Expect(list.Items).To(ConsistOf(HaveField("Name", "two")))
		}
		_, err = queued.List(ctx, metav1.ListOptions{FieldSelector: "status.position=1"})
		Expect(apierrors.IsBadRequest(err)).To(BeTrue(), "%v", err)
		_, err = queued.Get(ctx, "three", metav1.GetOptions{})
		Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%v", err)

		_, err = buildsIn(namespace).Cancel(ctx, "one", &v1alpha1.CancelRequest{}, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		_, err = queued.Get(ctx, "one", metav1.GetOptions{})
		Expect(apierrors.IsNotFound(err)).To(BeTrue(), "it was cancelled: %v", err)
	})

	It("is printed with its own columns, and cannot be written", func(ctx SpecContext) {
		namespace := newNamespace()
		_, err := buildsIn(namespace).Create(ctx, newBuild("one"), metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		requests, ok := client.ImagesV1alpha1().RESTClient().(*rest.RESTClient)
		Expect(ok).To(BeTrue())
		table := &metav1.Table{}
		printed := requests.Get().Namespace(namespace).Resource("queuedbuilds").SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").Do(ctx)
		Expect(printed.Into(table)).To(Succeed())
		Expect(table.ColumnDefinitions).To(ContainElement(HaveField("Name", "Why")))
		Expect(table.Rows).To(HaveLen(1))
		err = requests.Post().Namespace(namespace).Resource("queuedbuilds").VersionedParams(&metav1.CreateOptions{}, scheme.ParameterCodec).
			Body(&v1alpha1.QueuedBuild{ObjectMeta: metav1.ObjectMeta{Name: "two"}}).Do(ctx).Error()
		Expect(apierrors.IsMethodNotSupported(err)).To(BeTrue(), "%v", err)
	})

	It("has places over all namespaces, by the limits that the operator set", func(ctx SpecContext) {
		limited := apiserver.Register(builder.New("limited"), apiserver.Options{Logs: logs, Queue: func() (queue.Limits, error) { return queue.Limits{Builds: 1}, nil }})
		running := start(ctx, limited)
		Expect(running.WaitReady(ctx)).To(Succeed())
		builds, err := versioned.NewForConfig(running.ClientConfig())
		Expect(err).NotTo(HaveOccurred())
		for i, namespace := range []string{"first", "second"} {
			_, err := builds.ImagesV1alpha1().ImageBuilds(namespace).Create(ctx, newBuild("build-"+strconv.Itoa(i)), metav1.CreateOptions{})
			Expect(err).NotTo(HaveOccurred())
		}
		second, err := builds.ImagesV1alpha1().QueuedBuilds("second").List(ctx, metav1.ListOptions{})
		Expect(err).NotTo(HaveOccurred())
		Expect(second.Items).To(ConsistOf(HaveField("Status.Position", int32(2))))
	})
})
