// SPDX-License-Identifier: Apache-2.0

package builds

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

const succeed = `printf '{"version":1,"outcome":"Succeeded","artifacts":[{"target":"linux/amd64/raw","location":"https://images.example/disk","digest":"sha256:%064d","sizeBytes":1}]}' 0 > "$GOLDSMITH_RESULT"
`

// LocalBuilders are the builders that LocalSpecs need, as shell scripts by name.
func LocalBuilders() map[string]string {
	return map[string]string{
		// family starts a process of its own, and waits.
		"family": "#!/bin/sh\n/bin/sleep 1000 &\necho pid $$\necho pid $!\nwait\n",
		// leaver starts a process, and leaves it behind.
		"leaver": "#!/bin/sh\n/bin/sleep 1000 &\necho pid $!\n" + succeed,
		// curious shows what it was given.
		"curious": "#!/bin/sh\n/usr/bin/env\n/bin/cat \"$GOLDSMITH_INPUT\"\n" + succeed,
		// generous makes more than it was asked for.
		"generous": "#!/bin/sh\n" + `echo '{"version":1,"outcome":"Succeeded","artifacts":[{"target":"linux/arm64/raw","digest":"sha256:00","sizeBytes":1}]}' > "$GOLDSMITH_RESULT"` + "\n",
	}
}

func describeProcesses(w *fixture) {
	buildWith := func(name string) *v1alpha1.ImageBuild {
		build := workspace.NewBuild("once")
		build.Spec.Inputs.Builder.Name = name
		return build
	}
	// loggedPIDs waits until a builder has logged as many process IDs.
	loggedPIDs := func(ctx context.Context, count int) []int {
		GinkgoHelper()
		var pids []int
		w.Eventually(ctx, func(ctx context.Context) ([]int, error) {
			log, err := w.ReadLog(ctx, "once", nil)
			pids = nil
			for _, line := range regexp.MustCompile(`(?m)^pid (\d+)$`).FindAllStringSubmatch(log, -1) {
				pid, err := strconv.Atoi(line[1])
				Expect(err).NotTo(HaveOccurred())
				pids = append(pids, pid)
			}
			return pids, err
		}).Should(HaveLen(count))
		return pids
	}
	allEnd := func(ctx context.Context, pids []int) {
		GinkgoHelper()
		for _, pid := range pids {
			w.Eventually(ctx, func() error { return syscall.Kill(pid, 0) }).Should(MatchError(syscall.ESRCH))
		}
	}

	Describe("The processes of a builder", func() {
		DescribeTable("end when", func(ctx SpecContext, end func(context.Context) error) {
			w.CreateBuild(ctx, buildWith("family"))
			w.WaitForBuild(ctx, "once", inPhase(v1alpha1.BuildRunning))
			pids := loggedPIDs(ctx, 2)
			for _, pid := range pids {
				Expect(syscall.Kill(pid, 0)).To(Succeed())
			}
			Expect(end(ctx)).To(Succeed())
			allEnd(ctx, pids)
		},
			Entry("the build is cancelled", func(ctx context.Context) error {
				_, err := w.Builds().Cancel(ctx, "once", &v1alpha1.CancelRequest{}, metav1.CreateOptions{})
				return err
			}),
			Entry("the build is deleted", func(ctx context.Context) error {
				return w.Builds().Delete(ctx, "once", metav1.DeleteOptions{})
			}),
			Entry("the namespace is deleted", func(ctx context.Context) error {
				return w.Kube.CoreV1().Namespaces().Delete(ctx, w.Namespace, metav1.DeleteOptions{})
			}),
		)

		It("end with it, also those that it leaves behind", func(ctx SpecContext) {
			w.CreateBuild(ctx, buildWith("leaver"))
			w.Succeeded(ctx, "once")
			allEnd(ctx, loggedPIDs(ctx, 1))
		})

		It("get no environment but what the contract promises", func(ctx SpecContext) {
			build := buildWith("curious")
			workspace.SetParameters(&build.Spec.Inputs, "LD_PRELOAD=/tmp/evil.so", "PATH=/tmp")
			w.CreateBuild(ctx, build)
			w.Succeeded(ctx, "once")
			log := w.Log(ctx, "once", nil)
			for _, name := range []string{"GOLDSMITH_INPUT", "GOLDSMITH_OUTPUT", "GOLDSMITH_RESULT"} {
				Expect(log).To(MatchRegexp("(?m)^" + name + "=/"))
			}
			variables, _, found := strings.Cut(log, "{")
			Expect(found).To(BeTrue(), "the log shows the input after the environment")
			Expect(variables).NotTo(MatchRegexp("(?m)^(LD_PRELOAD|PATH|HOME|KUBECONFIG)="))
			Expect(log).To(ContainSubstring(`"LD_PRELOAD":"/tmp/evil.so"`), "parameters are in the input")
		})
	})

	It("A builder that makes what it was not asked for has left an invalid result", func(ctx SpecContext) {
		w.CreateBuild(ctx, buildWith("generous"))
		failed := w.WaitForBuild(ctx, "once", failedWith("Config/InvalidResult"))
		Expect(failed.Status.Failure.Message).To(ContainSubstring("linux/arm64/raw"))
	})
}

func describeForeignJobs(w *fixture) {
	DescribeTable("A Job that somebody makes by hand runs nothing, and fails saying so", func(ctx SpecContext, image string, labels map[string]string) {
		proof := filepath.Join(GinkgoT().TempDir(), "ran")
		job := &batchv1.Job{
			ObjectMeta: metav1.ObjectMeta{Name: "by-hand", Labels: labels},
			Spec: batchv1.JobSpec{BackoffLimit: new(int32(0)), Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{
					Name: "builder", Image: image, Command: []string{"sh", "-c", "touch " + proof},
				}}},
			}},
		}
		_, err := w.Kube.BatchV1().Jobs(w.Namespace).Create(ctx, job, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		w.Eventually(ctx, func(ctx context.Context) ([]batchv1.JobCondition, error) {
			job, err := w.Kube.BatchV1().Jobs(w.Namespace).Get(ctx, "by-hand", metav1.GetOptions{})
			return job.Status.Conditions, err
		}).Should(ContainElement(And(HaveField("Type", batchv1.JobFailed), HaveField("Status", corev1.ConditionTrue))))
		w.Eventually(ctx, func(ctx context.Context) ([]string, error) {
			pods, err := w.Kube.CoreV1().Pods(w.Namespace).List(ctx, metav1.ListOptions{})
			var messages []string
			for _, pod := range pods.Items {
				messages = append(messages, pod.Status.Message)
			}
			return messages, err
		}).Should(ConsistOf(ContainSubstring("builder")))
		_, err = os.Stat(proof)
		Expect(errors.Is(err, os.ErrNotExist)).To(BeTrue(), "%v", err)

		By("does no harm to builds")
		w.CreateBuild(ctx, workspace.NewBuild("once"))
		w.Succeeded(ctx, "once")
	},
		Entry("with any image", "busybox", nil),
		Entry("with a path for an image", "/bin/sh", nil),
		Entry("with the labels of a build's", "mock", map[string]string{
			v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, v1alpha1.LabelBuild: "once", v1alpha1.LabelAttempt: "1",
		}),
	)
}
