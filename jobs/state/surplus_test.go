// SPDX-License-Identifier: Apache-2.0

package state

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// A Job's controller that made a pod without learning of it makes another, and then deletes one of the two.
func TestFindPodTakesTheOneThatItsJobWillKeep(t *testing.T) {
	pod := func(name string, created time.Duration, change func(*corev1.Pod)) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Name: name, UID: types.UID(name), CreationTimestamp: metav1.NewTime(time.Unix(0, 0).Add(created)),
			OwnerReferences: []metav1.OwnerReference{{Kind: "Job", UID: "job", Controller: new(true)}},
		}}
		change(p)
		return p
	}
	asIs := func(*corev1.Pod) {}
	going := func(p *corev1.Pod) { p.DeletionTimestamp = new(metav1.Now()) }
	for name, pods := range map[string]struct{ kept, surplus *corev1.Pod }{
		"the older":                 {pod("kept", 0, asIs), pod("surplus", time.Minute, asIs)},
		"the one that has started":  {pod("kept", time.Minute, running()), pod("surplus", 0, asIs)},
		"the one that is not going": {pod("kept", time.Minute, asIs), pod("surplus", 0, func(p *corev1.Pod) { going(p); running()(p) })},
	} {
		t.Run(name, func(t *testing.T) {
			for _, listed := range [][]*corev1.Pod{{pods.kept, pods.surplus}, {pods.surplus, pods.kept}} {
				if got := FindPod(&v1alpha1.BuildAttempt{}, "job", listed); got != pods.kept {
					t.Errorf("got %s", got.Name)
				}
			}
		})
	}
}

func TestTheNodeIsThatOfTheRecordedPod(t *testing.T) {
	w := given(v1alpha1.BuildStarting).job().pod(corev1.PodRunning, running())
	w.Build.Status.Attempts[0].NodeName = "that of another pod"
	attempt := Next(w.Observed).Status.Attempts[0]
	if attempt.PodUID != w.Pod.UID || attempt.NodeName != w.Pod.Spec.NodeName {
		t.Errorf("recorded pod %s on node %s, want %s on %s", attempt.PodUID, attempt.NodeName, w.Pod.UID, w.Pod.Spec.NodeName)
	}
}

func TestFindLivingTakesFirstThePodThatNobodyHasDeleted(t *testing.T) {
	pod := func(change ...func(*corev1.Pod)) *corev1.Pod {
		return given(v1alpha1.BuildRunning).pod(corev1.PodRunning, change...).Pod
	}
	stays, ends := pod(running()), pod(running(), deleted(t0))
	another := pod(running(), func(p *corev1.Pod) { p.OwnerReferences[0].UID = "foreign" })
	lost, over := pod(running(), disrupted("DeletionByTaintManager"), deleted(t0)), pod(exited(1, ""))
	for name, test := range map[string]struct {
		pods []*corev1.Pod
		want *corev1.Pod
	}{
		"the pod that nobody has deleted": {[]*corev1.Pod{another, lost, ends, stays, over}, stays},
		"the pod that ends":               {[]*corev1.Pod{over, lost, ends}, ends},
		"the pod on a lost node":          {[]*corev1.Pod{lost, over}, lost},
		"no pod":                          {[]*corev1.Pod{over, another}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := FindLiving(test.pods, "foreign"); got != test.want {
				t.Errorf("found %v", got)
			}
		})
	}
}
