// SPDX-License-Identifier: Apache-2.0

package corekinds_test

import (
	"bufio"
	"context"
	"io"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
)

func pod(name string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PodSpec{
			NodeName:   "here",
			Containers: []corev1.Container{{Name: "main", Image: "image"}},
		},
	}
}

var _ = Describe("pods", func() {
	var pods corev1client.PodInterface

	BeforeEach(func() { pods = client.CoreV1().Pods(namespace) })

	create := func(ctx context.Context, pod *corev1.Pod) *corev1.Pod {
		GinkgoHelper()
		return must(pods.Create(ctx, pod, metav1.CreateOptions{}))
	}

	It("start pending, with defaults, whatever status the client sends", func(ctx SpecContext) {
		sent := pod("p")
		sent.Status.Phase = corev1.PodRunning
		created := create(ctx, sent)
		Expect(created.Status.Phase).To(Equal(corev1.PodPending))
		Expect(created.Spec.TerminationGracePeriodSeconds).To(HaveValue(BeEquivalentTo(30)))
		Expect(created.Generation).To(BeEquivalentTo(1))
	})

	It("have no managed fields if a controller owns them and nobody applied them", func(ctx SpecContext) {
		owned := pod("p")
		owned.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(&batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "j", UID: "u"}},
			batchv1.SchemeGroupVersion.WithKind("Job"))}
		stored := create(ctx, owned)
		stored.Status.Phase = corev1.PodRunning
		Expect(must(pods.UpdateStatus(ctx, stored, metav1.UpdateOptions{})).ManagedFields).To(BeEmpty())

		applied := must(pods.Apply(ctx, corev1ac.Pod("p", namespace).WithLabels(map[string]string{"new": "yes"}), metav1.ApplyOptions{FieldManager: "somebody"}))
		Expect(applied.Labels).To(HaveKey("new"))
		Expect(applied.ManagedFields).To(ContainElement(HaveField("Manager", "somebody")))
		Expect(create(ctx, pod("unowned")).ManagedFields).NotTo(BeEmpty())
	})

	It("keep spec and status apart", func(ctx SpecContext) {
		created := create(ctx, pod("p"))
		created.Status.Phase = corev1.PodRunning
		created.Labels = map[string]string{"new": "yes"}
		updated := must(pods.Update(ctx, created, metav1.UpdateOptions{}))
		Expect(updated.Status.Phase).To(Equal(corev1.PodPending))
		Expect(updated.Labels).To(HaveKey("new"))

		updated.Status.Phase = corev1.PodRunning
		updated.Spec.NodeName = "elsewhere"
		updated.Labels = nil
		updated = must(pods.UpdateStatus(ctx, updated, metav1.UpdateOptions{}))
		Expect(updated.Status.Phase).To(Equal(corev1.PodRunning))
		Expect(updated.Spec.NodeName).To(Equal("here"))
		Expect(updated.Labels).To(HaveKey("new"))
		Expect(updated.Generation).To(BeEquivalentTo(1))
	})

	It("let their deadline be set and lowered, and nothing else of the spec be changed", func(ctx SpecContext) {
		stored := create(ctx, pod("p"))
		setDeadline := func(seconds *int64) error {
			changed := stored.DeepCopy()
			changed.Spec.ActiveDeadlineSeconds = seconds
			updated, err := pods.Update(ctx, changed, metav1.UpdateOptions{})
			if err == nil {
				stored = updated
			}
			return err
		}
		Expect(setDeadline(new(int64(60)))).To(Succeed())
		Expect(setDeadline(new(int64(1)))).To(Succeed())
		Expect(stored.Generation).To(BeEquivalentTo(3))
		for _, refused := range []*int64{new(int64(2)), new(int64(0)), nil} {
			Expect(apierrors.IsInvalid(setDeadline(refused))).To(BeTrue())
		}
		stored.Spec.Containers[0].Image = "another"
		Expect(errorOf(pods.Update(ctx, stored, metav1.UpdateOptions{}))).To(Satisfy(apierrors.IsInvalid))
	})

	It("without containers are refused", func(ctx SpecContext) {
		_, err := pods.Create(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}}, metav1.CreateOptions{})
		Expect(err).To(MatchError(ContainSubstring("spec.containers")))
	})

	Describe("being deleted", func() {
		It("stay, marked as deleted, until their agent confirms the deletion", func(ctx SpecContext) {
			create(ctx, pod("p"))
			Expect(pods.Delete(ctx, "p", metav1.DeleteOptions{})).To(Succeed())
			found := must(pods.Get(ctx, "p", metav1.GetOptions{}))
			Expect(found.DeletionTimestamp).NotTo(BeNil())
			Expect(found.DeletionGracePeriodSeconds).To(HaveValue(BeEquivalentTo(30)))

			found.Status.Phase = corev1.PodFailed
			must(pods.UpdateStatus(ctx, found, metav1.UpdateOptions{}))
			Expect(pods.Delete(ctx, "p", *metav1.NewDeleteOptions(0))).To(Succeed())
			Expect(errorOf(pods.Get(ctx, "p", metav1.GetOptions{}))).To(Satisfy(apierrors.IsNotFound))
		})

		DescribeTable("go at once", func(ctx SpecContext, nodeName string, phase corev1.PodPhase) {
			described := pod("p")
			described.Spec.NodeName = nodeName
			created := create(ctx, described)
			created.Status.Phase = phase
			must(pods.UpdateStatus(ctx, created, metav1.UpdateOptions{}))
			Expect(pods.Delete(ctx, "p", metav1.DeleteOptions{})).To(Succeed())
			Expect(errorOf(pods.Get(ctx, "p", metav1.GetOptions{}))).To(Satisfy(apierrors.IsNotFound))
		},
			Entry("when they are on no node", "", corev1.PodPending),
			Entry("when they have failed", "here", corev1.PodFailed),
			Entry("when they have succeeded", "here", corev1.PodSucceeded),
		)
	})

	It("are found by node and phase", func(ctx SpecContext) {
		create(ctx, pod("p"))
		elsewhere := pod("q")
		elsewhere.Spec.NodeName = "elsewhere"
		create(ctx, elsewhere)
		Expect(must(pods.List(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=here,status.phase=Pending"})).Items).To(HaveLen(1))
	})

	Describe("logs", func() {
		It("come from the opener, with the options of the request", func(ctx SpecContext) {
			create(ctx, pod("p"))
			text := must(pods.GetLogs("p", &corev1.PodLogOptions{Container: "main", Timestamps: true, TailLines: new(int64(3))}).DoRaw(ctx))
			Expect(string(text)).To(Equal("p \"main\" timestamps=true tail=true\n"))
		})

		It("are streamed while they are followed, until the client disconnects", func(ctx SpecContext) {
			created := pod("")
			created.GenerateName = "followed-"
			name := create(ctx, created).Name
			following, stop := context.WithCancel(ctx)
			defer stop()
			stream := must(pods.GetLogs(name, &corev1.PodLogOptions{Follow: true}).Stream(following))
			defer func() { Expect(stream.Close()).To(Succeed()) }()
			Expect(bufio.NewReader(stream).ReadString('\n')).To(HavePrefix(name))
			stop()
			Eventually(ctx, podLogs.followersEnded).Should(ContainElement(name))
		})

		It("do not look whole if they cannot be read to their end", func(ctx SpecContext) {
			create(ctx, pod("broken"))
			stream := must(pods.GetLogs("broken", &corev1.PodLogOptions{}).Stream(ctx))
			defer func() { Expect(stream.Close()).To(Succeed()) }()
			_, err := io.ReadAll(stream)
			Expect(err).To(HaveOccurred())
		})

		It("of no pod are not found", func(ctx SpecContext) {
			Expect(errorOf(pods.GetLogs("missing", &corev1.PodLogOptions{}).Stream(ctx))).To(Satisfy(apierrors.IsNotFound))
		})

		DescribeTable("with options that make no sense are refused", func(ctx SpecContext, field string, options corev1.PodLogOptions) {
			create(ctx, pod("p"))
			Expect(errorOf(pods.GetLogs("p", &options).Stream(ctx))).To(And(Satisfy(apierrors.IsInvalid), MatchError(ContainSubstring(field))))
		},
			Entry("tailLines", "tailLines", corev1.PodLogOptions{TailLines: new(int64(-1))}),
			Entry("limitBytes", "limitBytes", corev1.PodLogOptions{LimitBytes: new(int64(0))}),
			Entry("sinceSeconds", "sinceSeconds", corev1.PodLogOptions{SinceSeconds: new(int64(-1))}),
			Entry("sinceTime", "sinceTime", corev1.PodLogOptions{SinceSeconds: new(int64(1)), SinceTime: new(metav1.Now())}),
		)

		It("with options that cannot be read are a bad request", func(ctx SpecContext) {
			create(ctx, pod("p"))
			Expect(client.CoreV1().RESTClient().Get().Namespace(namespace).Resource("pods").Name("p").SubResource("log").
				Param("tailLines", "many").Do(ctx).Error()).To(Satisfy(apierrors.IsBadRequest))
		})
	})
})

var _ = Describe("jobs", func() {
	job := func() *batchv1.Job {
		template := corev1.PodTemplateSpec{Spec: pod("").Spec}
		template.Spec.RestartPolicy = corev1.RestartPolicyNever
		return &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "j"}, Spec: batchv1.JobSpec{Template: template}}
	}

	It("label and select their own pods", func(ctx SpecContext) {
		created := must(client.BatchV1().Jobs(namespace).Create(ctx, job(), metav1.CreateOptions{}))
		Expect(created.Spec.Template.Labels).To(HaveKeyWithValue(batchv1.JobNameLabel, "j"))
		Expect(created.Spec.Selector.MatchLabels).To(HaveKeyWithValue(batchv1.ControllerUidLabel, string(created.UID)))
		Expect(created.Spec.Completions).To(HaveValue(BeEquivalentTo(1)))
		Expect(created.Generation).To(BeEquivalentTo(1))
	})

	It("count their generation up when the spec changes, and not with the status", func(ctx SpecContext) {
		jobs := client.BatchV1().Jobs(namespace)
		stored := must(jobs.Create(ctx, job(), metav1.CreateOptions{}))
		stored.Status.Active = 1
		stored = must(jobs.UpdateStatus(ctx, stored, metav1.UpdateOptions{}))
		Expect(stored.Status.Active).To(BeEquivalentTo(1))
		Expect(stored.Generation).To(BeEquivalentTo(1))

		stored.Spec.Suspend = new(true)
		stored = must(jobs.Update(ctx, stored, metav1.UpdateOptions{}))
		Expect(stored.Generation).To(BeEquivalentTo(2))

		stored.Spec.Template.Spec.Containers[0].Image = "another"
		Expect(errorOf(jobs.Update(ctx, stored, metav1.UpdateOptions{}))).To(Satisfy(apierrors.IsInvalid))
	})

	DescribeTable("are deleted as the client asks", func(ctx SpecContext, policy *metav1.DeletionPropagation, finalizer string) {
		jobs := client.BatchV1().Jobs(namespace)
		must(jobs.Create(ctx, job(), metav1.CreateOptions{}))
		Expect(jobs.Delete(ctx, "j", metav1.DeleteOptions{PropagationPolicy: policy})).To(Succeed())
		left, err := jobs.Get(ctx, "j", metav1.GetOptions{})
		if finalizer == "" {
			Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%v", err)
			return
		}
		Expect(err).NotTo(HaveOccurred())
		Expect(left.Finalizers).To(ConsistOf(finalizer))
	},
		Entry("orphaning their pods by default", nil, metav1.FinalizerOrphanDependents),
		Entry("after their pods", new(metav1.DeletePropagationForeground), metav1.FinalizerDeleteDependents),
		Entry("at once", new(metav1.DeletePropagationBackground), ""),
	)

	It("that would restart for ever are refused", func(ctx SpecContext) {
		refused := job()
		refused.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyAlways
		_, err := client.BatchV1().Jobs(namespace).Create(ctx, refused, metav1.CreateOptions{})
		Expect(err).To(MatchError(ContainSubstring("spec.template.spec.restartPolicy")))
	})
})
