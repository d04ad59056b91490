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
	resolution "goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/queue"
)

var _ = Describe("The queue of builds", func() {
	It("is read like what is stored, and shows what waits", func(ctx SpecContext) {
		namespace := newNamespace()
		for _, name := range []string{"one", "two"} {
			build := newBuild(name)
			build.Labels = map[string]string{"name": name}
			must(buildsIn(namespace).Create(ctx, build, metav1.CreateOptions{}))
		}
		queued := client.ImagesV1alpha1().QueuedBuilds(namespace)
		list := must(queued.List(ctx, metav1.ListOptions{}))
		Expect(list.Items).To(HaveLen(2))
		one := must(queued.Get(ctx, "one", metav1.GetOptions{}))
		Expect(one.Status.Position).To(BeNumerically(">", 0))
		Expect(one.Status.QueuedTime).NotTo(BeNil())
		Expect(one.Labels).To(HaveKeyWithValue("name", "one"))

		for _, options := range []metav1.ListOptions{{LabelSelector: "name=two"}, {FieldSelector: "metadata.name=two"}} {
			list = must(queued.List(ctx, options))
			Expect(list.Items).To(ConsistOf(HaveField("Name", "two")))
		}
		Expect(errorOf(queued.List(ctx, metav1.ListOptions{FieldSelector: "status.position=1"}))).To(Satisfy(apierrors.IsBadRequest))
		Expect(errorOf(queued.Get(ctx, "three", metav1.GetOptions{}))).To(Satisfy(apierrors.IsNotFound))

		must(buildsIn(namespace).Cancel(ctx, "one", &v1alpha1.CancelRequest{}, metav1.CreateOptions{}))
		Expect(errorOf(queued.Get(ctx, "one", metav1.GetOptions{}))).To(Satisfy(apierrors.IsNotFound), "it was cancelled")
	})

	It("is printed with its own columns, and cannot be written", func(ctx SpecContext) {
		namespace := newNamespace()
		must(buildsIn(namespace).Create(ctx, newBuild("one"), metav1.CreateOptions{}))
		requests, ok := client.ImagesV1alpha1().RESTClient().(*rest.RESTClient)
		Expect(ok).To(BeTrue())
		table := &metav1.Table{}
		printed := requests.Get().Namespace(namespace).Resource("queuedbuilds").SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").Do(ctx)
		Expect(printed.Into(table)).To(Succeed())
		Expect(table.ColumnDefinitions).To(ContainElement(HaveField("Name", "Why")))
		Expect(table.Rows).To(HaveLen(1))
		Expect(requests.Post().Namespace(namespace).Resource("queuedbuilds").VersionedParams(&metav1.CreateOptions{}, scheme.ParameterCodec).
			Body(&v1alpha1.QueuedBuild{ObjectMeta: metav1.ObjectMeta{Name: "two"}}).Do(ctx).Error()).To(Satisfy(apierrors.IsMethodNotSupported))
	})

	It("has places over all namespaces, by the limits that the operator set", func(ctx SpecContext) {
		limited := apiserver.Register(builder.New("limited"), apiserver.Options{
			Logs: logs, Queue: func() (queue.Limits, error) { return queue.Limits{Builds: 1}, nil },
			Builders: func() (resolution.Builders, error) {
				return resolution.Builders{Registered: map[string]resolution.Builder{"mock": {Image: "mock"}}}, nil
			},
		})
		running := start(ctx, limited)
		builds := must(versioned.NewForConfig(running.ClientConfig()))
		for i, namespace := range []string{"first", "second"} {
			must(builds.ImagesV1alpha1().ImageBuilds(namespace).Create(ctx, newBuild("build-"+strconv.Itoa(i)), metav1.CreateOptions{}))
		}
		second := must(builds.ImagesV1alpha1().QueuedBuilds("second").List(ctx, metav1.ListOptions{}))
		Expect(second.Items).To(ConsistOf(HaveField("Status.Position", int32(2))))

		writeTo(ctx, builds.ImagesV1alpha1().ImageBuilds("first"), "build-0", startAttempt(1))
		plan := must(builds.ImagesV1alpha1().ImagePlans("second").Create(ctx, &v1alpha1.ImagePlan{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: newImage("web").Spec}, metav1.CreateOptions{}))
		Expect(plan.Status.Message).To(HaveSuffix("; the build would wait in the queue: Goldsmith has reached its limit of active builds (1)"))
	})
})
