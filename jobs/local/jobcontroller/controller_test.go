// SPDX-License-Identifier: Apache-2.0

package jobcontroller

import (
	"strings"

	"testing"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/e2e/require"
)

// The tests of the agent, in package local, hold how Jobs and their pods go together.
func TestTheNameOfAPodIsTheJobsAndAlwaysTheSame(t *testing.T) {
	job := func(name string, uid types.UID) *batchv1.Job {
		return &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: name, UID: uid}}
	}
	for _, name := range []string{"a", strings.Repeat("a", 63), strings.Repeat("a", 56) + ".b", strings.Repeat("a", 250)} {
		got := PodName(job(name, "1"))
		if len(got) > 63 || len(validation.IsDNS1123Subdomain(got)) > 0 {
			t.Errorf("%q is no name for a pod", got)
		}
		if got != PodName(job(name, "1")) || got == PodName(job(name, "2")) {
			t.Errorf("%q does not depend on the UID alone", got)
		}
	}
}

func TestAJobFollowsItsPodAndLeavesNothing(t *testing.T) {
	client := fake.NewClientset()
	factory := informers.NewSharedInformerFactory(client, 0)
	c := require.Value(New(factory.Batch().V1().Jobs().Informer(), factory.Core().V1().Pods().Informer(), Options{
		Client: client, Recorder: record.NewFakeRecorder(10), NodeName: "node", Clock: clock.RealClock{}, Logger: logr.Discard(),
	}))(t)
	factory.StartWithContext(t.Context())
	go c.Run(t.Context())
	template := corev1.PodTemplateSpec{Spec: corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "builder"}}}}
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web", UID: "1"}, Spec: batchv1.JobSpec{Template: template}}
	require.Value(client.BatchV1().Jobs("default").Create(t.Context(), job, metav1.CreateOptions{}))(t)
	g := NewWithT(t)
	var pod *corev1.Pod
	g.Eventually(func() (err error) {
		pod, err = client.CoreV1().Pods("default").Get(t.Context(), PodName(job), metav1.GetOptions{})
		return err
	}).Should(Succeed())
	owner, ok := JobOf(pod)
	if !ok || owner.Name != "web" || pod.Spec.NodeName != "node" {
		t.Errorf("the pod is %+v", pod)
	}
	pod.Status.Phase = corev1.PodSucceeded
	require.Value(client.CoreV1().Pods("default").UpdateStatus(t.Context(), pod, metav1.UpdateOptions{}))(t)
	g.Eventually(func() bool {
		return Finished(require.Value(client.BatchV1().Jobs("default").Get(t.Context(), "web", metav1.GetOptions{}))(t))
	}).Should(BeTrue())
	g.Eventually(func() int {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.records)
	}).Should(BeZero())
}
