// SPDX-License-Identifier: Apache-2.0

package render

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// place adds what the operator has registered with the builder to its pod, whose first container is that of the builder. The labels of nodes
// are the operator's, and the amounts of resources are those of the build.
func place(pod *corev1.PodSpec, placement inputs.Placement) {
	if len(placement.NodeSelector) > 0 && pod.NodeSelector == nil {
		pod.NodeSelector = map[string]string{}
	}
	maps.Copy(pod.NodeSelector, placement.NodeSelector)
	for i := range placement.Tolerations {
		added := placement.Tolerations[i]
		if !slices.ContainsFunc(pod.Tolerations, func(other corev1.Toleration) bool { return equality.Semantic.DeepEqual(other, added) }) {
			pod.Tolerations = append(pod.Tolerations, *added.DeepCopy())
		}
	}
	of, added := &pod.Containers[0].Resources, placement.Resources.Kubernetes()
	for _, names := range []corev1.ResourceList{of.Limits, of.Requests} {
		for name := range names { // a request of one and a limit of the other might not fit
			delete(added.Limits, name)
			delete(added.Requests, name)
		}
	}
	of.Limits, of.Requests = with(of.Limits, added.Limits), with(of.Requests, added.Requests)
}

// with returns a list with further resources.
func with(list, added corev1.ResourceList) corev1.ResourceList {
	if len(list) == 0 {
		return added
	}
	maps.Copy(list, added)
	return list
}

// emulatorMemory is what QEMU needs besides the memory of its guest, with the program that starts it.
const emulatorMemory = 256 << 20

// testResources returns the resources of a container that runs tests, or none. A limit of memory that is smaller than their largest guest needs
// is raised, because the kernel would otherwise kill QEMU, which would look like a failed machine. The tester runs as many guests at once as fit.
func testResources(resources corev1.ResourceRequirements, tests []v1alpha1.ImageTest) corev1.ResourceRequirements {
	limit, limited := resources.Limits[corev1.ResourceMemory]
	var needed int64
	for i := range tests {
		if boot := tests[i].Boot; boot != nil {
			needed = max(needed, guestMemory(boot)+emulatorMemory)
		}
	}
	if !limited || limit.Value() >= needed {
		return resources
	}
	resources.Limits = maps.Clone(resources.Limits)
	resources.Limits[corev1.ResourceMemory] = *resource.NewQuantity(needed, resource.BinarySI)
	return resources
}

// guestMemory returns the memory of a guest in bytes.
func guestMemory(boot *v1alpha1.TestBoot) int64 {
	if boot.Memory == nil {
		return v1alpha1.DefaultTestMemory
	}
	amount := boot.Memory.Amount()
	return amount.Value()
}
