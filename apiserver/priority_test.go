// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"context"
	"errors"
	"io"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver"
	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/corekinds"
)

var _ = Describe("The priority of a build", func() {
	It("is the server's", func(ctx SpecContext) {
		build := newBuild("pretender")
		build.Spec.Priority = new(int32(1000))
		Expect(errorOf(buildsIn(newNamespace()).Create(ctx, build, metav1.CreateOptions{}))).To(beInvalid("spec.priority"))
	})

	It("is not set where no class is named, and 0 where it does not exist", func(ctx SpecContext) {
		builds := buildsIn(newNamespace())
		Expect(must(builds.Create(ctx, newBuild("once"), metav1.CreateOptions{})).Spec.Priority).To(BeNil())
		urgent := newBuild("urgent")
		urgent.Spec.Inputs.Template = &v1alpha1.BuildTemplate{PriorityClassName: "nowhere"}
		build := must(builds.Create(ctx, urgent, metav1.CreateOptions{}))
		Expect(build.Spec.Priority).To(HaveValue(BeZero()))
		Expect(must(builds.Update(ctx, urgent, metav1.UpdateOptions{})).Spec).To(Equal(build.Spec), "its manifest can be applied again")
	})

	It("is that of no class whose name is none", func(ctx SpecContext) {
		_, err := buildsIn(newNamespace()).Create(ctx, newBuildWith("once", &v1alpha1.BuildTemplate{PriorityClassName: "a/b"}), metav1.CreateOptions{})
		Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
		Expect(fieldsOf(err)).To(ConsistOf("spec.inputs.template.priorityClassName"))
	})

	It("is the value of the class, for every user who creates it", func(ctx SpecContext) {
		running := start(ctx, corekinds.Register(apiserver.Register(builder.New("priorities"), apiserver.Options{Logs: logs}), noPodLogs{}))
		core := must(kubernetes.NewForConfig(running.ClientConfig()))
		must(core.SchedulingV1().PriorityClasses().Create(ctx, &schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: "urgent"}, Value: 1000}, metav1.CreateOptions{}))
		client := must(versioned.NewForConfig(running.ClientConfig()))
		images, builds := client.ImagesV1alpha1().Images("default"), client.ImagesV1alpha1().ImageBuilds("default")

		urgent := &v1alpha1.BuildTemplate{PriorityClassName: "urgent"}
		image, direct := newImage("debian"), newBuild("once")
		image.Spec.Template, direct.Spec.Inputs.Template = urgent, urgent
		must(images.Create(ctx, image, metav1.CreateOptions{}))
		created := must(builds.Create(ctx, direct, metav1.CreateOptions{}))
		instantiated := must(images.Instantiate(ctx, "debian", request("first"), metav1.CreateOptions{}))
		Expect(core.SchedulingV1().PriorityClasses().Delete(ctx, "urgent", metav1.DeleteOptions{})).To(Succeed())
		rerun := must(builds.Rerun(ctx, "debian-1", &v1alpha1.RerunRequest{}, metav1.CreateOptions{}))
		applied := must(builds.Patch(ctx, "applied", types.ApplyPatchType, manifest(newBuildWith("applied", urgent)), metav1.PatchOptions{FieldManager: "test"}))
		Expect(created.Spec.Priority).To(HaveValue(BeEquivalentTo(1000)))
		Expect(instantiated.Spec.Priority).To(HaveValue(BeEquivalentTo(1000)))
		Expect(rerun.Spec.Priority).To(HaveValue(BeZero()), "it is looked up anew")
		Expect(applied.Spec.Priority).To(HaveValue(BeZero()))
	})
})

func newBuildWith(name string, template *v1alpha1.BuildTemplate) *v1alpha1.ImageBuild {
	build := newBuild(name)
	build.Spec.Inputs.Template = template
	return build
}

// noPodLogs are the logs of a server without pods.
type noPodLogs struct{}

func (noPodLogs) OpenLog(context.Context, *corev1.Pod, *corev1.PodLogOptions) (io.ReadCloser, error) {
	return nil, errors.New("there are no pods")
}
