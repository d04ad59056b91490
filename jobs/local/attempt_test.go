// SPDX-License-Identifier: Apache-2.0

package local

import (
	"encoding/json"
	"testing"

	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/render"
)

// Users who can create Jobs and pods choose everything in them. Only the status of the build tells which ones are its own.
func TestAJobByHandStoresNothingForABuild(t *testing.T) {
	store, adapt := withStore(t, t.TempDir(), nil)
	c := newCluster(t, map[string]string{"real": "true" + succeed(`"file":"good"`), "forged": `echo forged >"$GOLDSMITH_OUTPUT/evil"` + succeed(`"file":"evil"`, `"file":"evil"`)}, adapt)
	c.Expect(c.outcome(c.run("real", withTwoTargets)).Failure).To(BeNil())
	before := store.Entries()
	c.Expect(before).To(HaveLen(2))
	builds := c.builds.ImagesV1alpha1().ImageBuilds("default")
	build := require.Value(builds.Get(t.Context(), "real", metav1.GetOptions{}))(t)
	input := func(job *batchv1.Job, change func(*render.Input)) {
		read := &render.Input{}
		require.NoError(t, json.Unmarshal([]byte(job.Spec.Template.Annotations[v1alpha1.AnnotationInput]), read))
		change(read)
		job.Spec.Template.Annotations[v1alpha1.AnnotationInput] = string(require.Value(json.Marshal(read))(t))
	}
	ofBuild := func(read *render.Input) {
		read.Build, read.Attempt = render.BuildOf(build), 1
	}
	owned := func(job *batchv1.Job) {
		job.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(build, v1alpha1.Kind("ImageBuild"))}
		job.Labels = map[string]string{v1alpha1.LabelAttempt: "1"}
	}
	for name, forge := range map[string]func(*batchv1.Job){
		"the-input":       func(job *batchv1.Job) { input(job, ofBuild); job.OwnerReferences = []metav1.OwnerReference{} },
		"the-owner":       func(job *batchv1.Job) { input(job, ofBuild); owned(job) },
		"another-version": func(job *batchv1.Job) { input(job, ofBuild); owned(job); job.OwnerReferences[0].APIVersion = "x/v1" },
		"another-uid":     func(job *batchv1.Job) { input(job, ofBuild); owned(job); job.OwnerReferences[0].UID = "x" },
		"the-next-attempt": func(job *batchv1.Job) {
			input(job, ofBuild)
			owned(job)
			job.Labels[v1alpha1.LabelAttempt] = "2"
		},
		"a-build-of-its-own": func(job *batchv1.Job) {
			c.beginAttempt(job, "a-build-of-its-own", 1)
			input(job, ofBuild)
		},
		"a-pod-that-is-recorded": func(job *batchv1.Job) {
			own := c.beginAttempt(job, "a-pod-that-is-recorded", 1)
			own.Status.Attempts[0].PodUID = "another"
			require.Value(builds.Update(t.Context(), own, metav1.UpdateOptions{}))(t)
		},
		"a-job-that-is-recorded": func(job *batchv1.Job) {
			own := c.beginAttempt(job, "a-job-that-is-recorded", 1)
			own.Status.Attempts[0].JobUID = "another"
			require.Value(builds.Update(t.Context(), own, metav1.UpdateOptions{}))(t)
		},
		"a-finished-build": func(job *batchv1.Job) {
			own := c.beginAttempt(job, "a-finished-build", 1)
			own.Status.Finished = true
			require.Value(builds.Update(t.Context(), own, metav1.UpdateOptions{}))(t)
		},
	} {
		t.Run(name, func(t *testing.T) {
			job := c.run("forged", withTwoTargets, func(job *batchv1.Job) {
				job.Name, job.UID = name, ""
				forge(job)
				if len(job.OwnerReferences) == 0 { // and run gives it none
					job.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "x", UID: "x", Controller: new(true)}}
				}
			})
			NewWithT(t).Expect(c.outcome(job).Failure).To(And(HaveField("Reason", v1alpha1.ReasonArtifactNotStored), HaveField("Message", HavePrefix("the artifacts of pod default/"))))
			NewWithT(t).Expect(store.Entries()).To(Equal(before))
			NewWithT(t).Expect(store.Has(digestOf("forged\n"))).To(BeFalse(), "it is not even taken: others could be removed to make room")
		})
	}
}

// A pod by hand can name the Job of a build as its owner.
func TestAPodByHandStoresNothingForABuild(t *testing.T) {
	store, adapt := withStore(t, t.TempDir(), nil)
	c := newCluster(t, map[string]string{"real": `until [ -e "$GOLDSMITH_OUTPUT/end" ]; do sleep 0.01; done`, "forged": "true" + succeed(`"file":"good"`)}, adapt)
	job := c.run("real", withTwoTargets)
	own := c.podWhen(job, running)
	forged := &corev1.Pod{ObjectMeta: *own.ObjectMeta.DeepCopy(), Spec: *own.Spec.DeepCopy()}
	forged.Name, forged.UID, forged.ResourceVersion = "forged", "", ""
	forged.Spec.Containers[0].Image = Image("forged")
	_, err := c.server.CoreV1().Pods("default").Create(t.Context(), forged, metav1.CreateOptions{})
	require.NoError(t, err)
	c.Eventually(func(g Gomega) {
		pod, err := c.server.CoreV1().Pods("default").Get(t.Context(), "forged", metav1.GetOptions{})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(terminal(pod)).To(BeTrue())
		g.Expect(terminatedOf(pod).Message).To(ContainSubstring("no Job has made the pod"))
	}).Should(Succeed())
	c.Expect(store.Entries()).To(BeEmpty())
}
