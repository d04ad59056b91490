// SPDX-License-Identifier: Apache-2.0

package builds

import (
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

const (
	// queueName is the LocalQueue of the spec's namespace.
	queueName = "builds"
	// share is the CPU request of a build in that queue.
	share = "100m"
)

func describeKueue(w *fixture) {
	waiting := And(inPhase(v1alpha1.BuildQueued), conditions("Admitted=False/WaitingForKueue"), haveConditionMessage(v1alpha1.BuildAdmitted, ContainSubstring(queueName)))

	// Other specs run in the same cluster meanwhile, and Kueue must not disturb these specs.
	Describe("A build in a queue of Kueue", Ordered, ContinueOnFailure, func() {
		BeforeAll(func(ctx SpecContext) {
			Expect(w.environment.Kueue.InstallKueue(ctx)).To(Succeed())
			DeferCleanup(func(ctx SpecContext) { Expect(w.environment.Kueue.RemoveKueue(ctx)).To(Succeed()) })
		})

		It("starts when Kueue admits it, and goes on as the same attempt after Kueue has taken that back", func(ctx SpecContext) {
			w.queueFor(ctx, share)
			w.CreateImage(ctx, inQueue(workspace.NewImage("web", w.lasting(15*time.Second))))
			w.WaitForBuild(ctx, "web-1", And(conditions("Admitted=True/Admitted"), HaveField("Status.Attempts", ConsistOf(HaveField("JobUID", Not(BeEmpty())))))) // by Kueue, which had suspended its Job
			w.CreateImage(ctx, inQueue(workspace.NewImage("other")))
			Expect(w.WaitForBuild(ctx, "other-1", waiting)).To(conditions("PodReady=False/WaitingForPod"))
			workload := w.workload(ctx, "web-1")
			before := w.running(ctx, "web-1")
			Expect(before).To(conditions("Admitted=True/Admitted"))

			By("the other one instead")
			w.kueue(ctx, "", "patch", workload, "--type=merge", `--patch={"spec":{"active":false}}`)
			held := w.WaitForBuild(ctx, "web-1", waiting).Status
			Expect(held.Attempts).To(HaveLen(1))
			Expect(held.Attempts[0]).To(And(HaveField("JobUID", before.Status.Attempts[0].JobUID), HaveField("Outcome", BeEmpty()),
				HaveField("PodName", BeEmpty()), HaveField("PodUID", BeEmpty()), HaveField("NodeName", BeEmpty())))
			w.waitForImage(ctx, "other", built(1))
			w.WaitForBuild(ctx, "web-1", waiting)

			By("again")
			w.kueue(ctx, "", "patch", workload, "--type=merge", `--patch={"spec":{"active":true}}`)
			after := w.running(ctx, "web-1")
			Expect(after).To(conditions("Admitted=True/Admitted"))
			Expect(after.Status.Attempts[0].PodUID).NotTo(Equal(before.Status.Attempts[0].PodUID))
			w.waitForImage(ctx, "web", built(1))
			for _, name := range []string{"web-1", "other-1"} {
				Expect(outcomes(w.Succeeded(ctx, name))).To(Equal([]string{"Succeeded"}), name)
			}
			Expect(w.Succeeded(ctx, "web-1").Status.Attempts[0].JobUID).To(Equal(before.Status.Attempts[0].JobUID))
		})

		It("that Kueue holds is cancelled at once, and gone from the queue", func(ctx SpecContext) {
			w.queueFor(ctx, "0")
			w.CreateImage(ctx, inQueue(workspace.NewImage("web")))
			w.WaitForBuild(ctx, "web-1", waiting)

			w.Cancel(ctx, "web-1", "")
			Expect(outcomes(w.WaitForBuild(ctx, "web-1", inPhase(v1alpha1.BuildCancelled)))).To(Equal([]string{"Cancelled"}))
			w.leavesTheQueue(ctx)
		})

		It("that Kueue holds too long fails, and is gone from the queue", func(ctx SpecContext) {
			w.queueFor(ctx, "0")
			build := workspace.NewBuild("once")
			build.Spec.Inputs.Template = inQueue(workspace.NewImage("once")).Spec.Template
			build.Spec.Timeouts = &v1alpha1.BuildTimeouts{Queue: duration(5 * time.Second)}
			w.CreateBuild(ctx, build)
			w.WaitForBuild(ctx, "once", waiting)

			failed := w.WaitForBuild(ctx, "once", failedWith("Timeout/QueueTimeout"))
			Expect(failed.Status.Failure.Message).To(And(ContainSubstring("5s"), ContainSubstring("Kueue")))
			Expect(outcomes(failed)).To(Equal([]string{"Failed Timeout/QueueTimeout"}))
			w.leavesTheQueue(ctx)
		})
	})
}

// inQueue puts an Image's builds into the queue.
func inQueue(image *v1alpha1.Image) *v1alpha1.Image {
	image.Spec.Template = &v1alpha1.BuildTemplate{
		QueueName: queueName,
		Resources: &v1alpha1.ResourceRequirements{Requests: map[string]v1alpha1.Quantity{"cpu": {Text: share}}},
	}
	return image
}

// queueFor makes the queue of the namespace, with so much CPU for all its builds. Removing Kueue deletes the queue.
func (w *fixture) queueFor(ctx context.Context, cpu string) {
	GinkgoHelper()
	w.kueue(ctx, fmt.Sprintf(`
apiVersion: kueue.x-k8s.io/v1beta1
kind: ResourceFlavor
metadata: {name: %[1]s}
---
apiVersion: kueue.x-k8s.io/v1beta1
kind: ClusterQueue
metadata: {name: %[1]s}
spec:
  namespaceSelector: {}
  resourceGroups:
  - coveredResources: [cpu]
    flavors: [{name: %[1]s, resources: [{name: cpu, nominalQuota: %[3]q}]}]
---
apiVersion: kueue.x-k8s.io/v1beta1
kind: LocalQueue
metadata: {name: %[2]s}
spec: {clusterQueue: %[1]s}
`, w.Namespace, queueName, cpu), "apply", "--filename=-")
}

// workload returns the Workload that Kueue has made for the Job of a build's attempt, as kubectl names it.
func (w *fixture) workload(ctx context.Context, build string) string {
	GinkgoHelper()
	job, err := w.Kube.BatchV1().Jobs(w.Namespace).List(ctx, metav1.ListOptions{LabelSelector: v1alpha1.LabelBuild + "=" + build})
	Expect(err).NotTo(HaveOccurred())
	Expect(job.Items).To(HaveLen(1))
	return strings.TrimSpace(w.kueue(ctx, "", "get", "workloads.kueue.x-k8s.io", "--output=name", "--selector=kueue.x-k8s.io/job-uid="+string(job.Items[0].UID)))
}

// leavesTheQueue waits until Kueue has nothing of the namespace in its queue any more.
func (w *fixture) leavesTheQueue(ctx context.Context) {
	GinkgoHelper()
	w.Eventually(ctx, func(ctx context.Context) string {
		return w.kueue(ctx, "", "get", "workloads.kueue.x-k8s.io", "--output=name")
	}).Should(BeEmpty())
}

// kueue runs kubectl in the namespace: there is no other client of Kueue here.
func (w *fixture) kueue(ctx context.Context, input string, args ...string) string {
	GinkgoHelper()
	command := w.environment.Kubectl(ctx, append([]string{"--namespace=" + w.Namespace}, args...)...)
	command.Stdin = strings.NewReader(input)
	said := &strings.Builder{}
	command.Stderr = said
	output, err := command.Output()
	Expect(err).NotTo(HaveOccurred(), "kubectl %s: %s", strings.Join(args, " "), said)
	return string(output)
}
