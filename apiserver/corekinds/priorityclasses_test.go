// SPDX-License-Identifier: Apache-2.0

package corekinds_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

var _ = Describe("priority classes", func() {
	var class *schedulingv1.PriorityClass
	BeforeEach(func(ctx SpecContext) {
		class = must(client.SchedulingV1().PriorityClasses().Create(ctx, &schedulingv1.PriorityClass{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "urgent-"}, Value: 1000, Description: "before others",
		}, metav1.CreateOptions{}))
	})

	It("are in no namespace, and keep what they are given", func(ctx SpecContext) {
		read := must(client.SchedulingV1().PriorityClasses().Get(ctx, class.Name, metav1.GetOptions{}))
		Expect(read.Namespace).To(BeEmpty())
		Expect(read.Value).To(BeEquivalentTo(1000))
		Expect(read.Description).To(Equal("before others"))
		Expect(read.PreemptionPolicy).To(HaveValue(Equal(corev1.PreemptLowerPriority)))
		list := must(client.SchedulingV1().PriorityClasses().List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + class.Name}))
		Expect(list.Items).To(HaveLen(1))
	})

	It("keep their value and their policy", func(ctx SpecContext) {
		for patch, path := range map[string]string{`{"value":1}`: "value", `{"preemptionPolicy":"Never"}`: "preemptionPolicy"} {
			_, err := client.SchedulingV1().PriorityClasses().Patch(ctx, class.Name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
			Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
			Expect(err).To(MatchError(ContainSubstring(path + ": ")))
		}
		changed := must(client.SchedulingV1().PriorityClasses().Patch(ctx, class.Name, types.StrategicMergePatchType, []byte(`{"globalDefault":true}`), metav1.PatchOptions{}))
		Expect(changed.GlobalDefault).To(BeTrue())
	})

	It("give a pod its priority, and have to exist", func(ctx SpecContext) {
		named := pod("p")
		named.Spec.PriorityClassName = class.Name
		created := must(client.CoreV1().Pods(namespace).Create(ctx, named, metav1.CreateOptions{}))
		Expect(created.Spec.Priority).To(HaveValue(BeEquivalentTo(1000)))
		Expect(created.Spec.PreemptionPolicy).To(HaveValue(Equal(corev1.PreemptLowerPriority)))

		named.Name, named.Spec.PriorityClassName = "q", "missing"
		Expect(errorOf(client.CoreV1().Pods(namespace).Create(ctx, named, metav1.CreateOptions{}))).To(
			And(Satisfy(apierrors.IsForbidden), MatchError(ContainSubstring(`pods "q" is forbidden: no PriorityClass with name missing was found`))))
	})

	It("are refused where a cluster refuses them", func(ctx SpecContext) {
		_, err := client.SchedulingV1().PriorityClasses().Create(ctx, &schedulingv1.PriorityClass{
			ObjectMeta: metav1.ObjectMeta{Name: "A"}, Value: 1_000_000_001, PreemptionPolicy: new(corev1.PreemptionPolicy("Perhaps")),
		}, metav1.CreateOptions{})
		Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
		Expect(err).To(MatchError(And(ContainSubstring("metadata.name: "), ContainSubstring("value: "), ContainSubstring("preemptionPolicy: "))))
	})

	It("are applied and printed as in a cluster", func(SpecContext) {
		Expect(mustKubectl("get", "pc", class.Name)).To(MatchRegexp(`NAME +VALUE +GLOBAL-DEFAULT +AGE\n` + class.Name + ` +1000 +false +`))
	})
})
