// SPDX-License-Identifier: Apache-2.0

package render

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// quantities returns quantities of resources by their names.
func quantities(pairs ...string) map[string]v1alpha1.Quantity {
	list := map[string]v1alpha1.Quantity{}
	for i := 0; i < len(pairs); i += 2 {
		list[pairs[i]] = v1alpha1.Quantity{Text: pairs[i+1]}
	}
	return list
}

const kvmDevice = "devices.kubevirt.io/kvm"

func TestPodsAreWhereTheOperatorPlacesTheirBuilder(t *testing.T) {
	placed := mockBuilder
	placed.Placement = inputs.Placement{
		NodeSelector: map[string]string{"kvm": "here", "disk": "any"},
		Tolerations:  []corev1.Toleration{{Key: "kvm", Operator: corev1.TolerationOpExists}, *templateBuild().Spec.Inputs.Template.Tolerations[0].DeepCopy()},
		Resources:    &v1alpha1.ResourceRequirements{Limits: quantities(kvmDevice, "1", "memory", "8Gi", "ephemeral-storage", "9Gi"), Requests: quantities("cpu", "4", "memory", "8Gi")},
	}
	one := resource.MustParse("1")
	for name, test := range map[string]struct {
		build    *v1alpha1.ImageBuild
		selector map[string]string
		limits   []string
		requests []string
	}{
		"a build that asks for nothing": {bareBuild(), map[string]string{"kvm": "here", "disk": "any"}, []string{"memory", "8Gi", "ephemeral-storage", "9Gi"}, []string{"cpu", "4", "memory", "8Gi"}},
		"a build with a template":       {templateBuild(), map[string]string{"kvm": "here", "disk": "any"}, []string{"cpu", "2", "memory", "1Gi", "ephemeral-storage", "9Gi"}, []string{"cpu", "500m"}},
	} {
		job := mustRender(t, test.build, 1, placed)
		pod, plain := job.Spec.Template.Spec, mustRender(t, test.build, 1, mockBuilder)
		if diff := cmp.Diff(test.selector, pod.NodeSelector); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		want := (&v1alpha1.ResourceRequirements{Limits: quantities(test.limits...), Requests: quantities(test.requests...)}).Kubernetes()
		want.Limits[kvmDevice] = one
		if diff := cmp.Diff(want, pod.Containers[0].Resources); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		tolerated := map[string]int{}
		for _, toleration := range pod.Tolerations {
			tolerated[toleration.Key]++
		}
		if tolerated["kvm"] != 1 || tolerated["builds"] != 1 || tolerated[corev1.TaintNodeUnreachable] != 1 {
			t.Errorf("%s: tolerations %+v", name, pod.Tolerations)
		}
		running := &corev1.Pod{ObjectMeta: plain.Spec.Template.ObjectMeta, Spec: plain.Spec.Template.Spec}
		if deviation := Deviation(job, running); deviation != "" {
			t.Errorf("%s: a pod of before the change is refused: %s", name, deviation)
		}
	}
	if len(placed.Placement.NodeSelector) != 2 || len(placed.Placement.Resources.Limits) != 3 {
		t.Errorf("the registered builder changed: %+v", placed.Placement)
	}
}

func TestTheLargestGuestFitsInTheMemoryOfThePod(t *testing.T) {
	memory := func(text string) *v1alpha1.TestBoot {
		return &v1alpha1.TestBoot{Memory: &v1alpha1.Quantity{Text: text}}
	}
	tests := []v1alpha1.ImageTest{
		{Name: "small", Boot: memory("512Mi")}, {Name: "default", Boot: &v1alpha1.TestBoot{}}, {Name: "large", Boot: memory("2Gi")},
		{Name: "ours", Runner: &v1alpha1.TestRunner{Name: "ours"}},
	}
	for _, test := range []struct {
		limit, want string
		tests       []v1alpha1.ImageTest
	}{
		{"", "", tests},
		{"256Mi", "256Mi", nil},
		{"4Gi", "4Gi", tests},
		{"1Gi", "2304Mi", tests},
		{"1Gi", "1280Mi", tests[:2]},
		{"1Gi", "1Gi", tests[3:]},
	} {
		given := corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("128Mi")}}
		want := given.DeepCopy()
		if test.limit != "" {
			given.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(test.limit)}
			want.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(test.want)}
		}
		before := given.DeepCopy()
		if diff := cmp.Diff(*want, testResources(given, test.tests)); diff != "" {
			t.Errorf("limit %q, %d tests: %s", test.limit, len(test.tests), diff)
		}
		if diff := cmp.Diff(*before, given); diff != "" {
			t.Errorf("limit %q: the resources of the build changed: %s", test.limit, diff)
		}
	}
}
