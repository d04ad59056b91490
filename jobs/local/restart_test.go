// SPDX-License-Identifier: Apache-2.0

package local

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestAfterARestartAProcessIsLostAndNeverStartedAgain(t *testing.T) {
	runs := filepath.Join(t.TempDir(), "runs")
	c := newCluster(t, map[string]string{"long": "echo x >>" + runs + "; " + rudeScript, "good": "echo kept"})
	good := c.run("good")
	c.finishedJob(good)
	long := c.run("long")
	c.ready(long)
	before := time.Now()
	c.Expect(c.stop()).To(Succeed())
	c.Expect(time.Since(before)).To(BeNumerically("<", limit))
	pod := require.Value(c.pod(long))(c.t)
	c.Expect(pod.Status.Phase).To(Equal(corev1.PodRunning), "a stop of the agent is no failure of the builder")
	stray := filepath.Join(c.options.Dir, "e3b1f1b0-93a4-4c53-b4d6-6c1d8f0d2a11")
	log := require.Value(podDir(stray).prepare(""))(c.t)
	c.Expect(log.Close()).To(Succeed())
	c.Expect(os.MkdirAll(filepath.Join(stray, "output", "readonly"), 0o500)).To(Succeed())

	c.start()
	pod = c.podWhen(long, terminal)
	c.Expect(pod.Status).To(And(HaveField("Phase", corev1.PodFailed), HaveField("Reason", "ProcessLost")))
	c.Expect(conditionOf(pod, corev1.DisruptionTarget)).To(And(HaveField("Status", corev1.ConditionTrue), HaveField("Reason", "ProcessLost")))
	c.Expect(terminatedOf(pod)).To(And(HaveField("ExitCode", int32(137)), HaveField("Reason", "ContainerStatusUnknown")))
	c.Expect(c.log(pod, nil)).To(HavePrefix("ready\n"))
	c.Expect(c.finishedJob(long).Status.Failed).To(BeEquivalentTo(1))
	c.Expect(stray).NotTo(BeADirectory())
	goodPod := require.Value(c.pod(good))(c.t)
	c.Expect(c.log(goodPod, nil)).To(Equal("kept\n"))
	count := require.Value(os.ReadFile(runs))(c.t)
	c.Expect(string(count)).To(Equal("x\n"))
}

func TestAfterARestartWhatWasNotStartedIs(t *testing.T) {
	c := newCluster(t, map[string]string{"first": politeScript, "second": "exit 0"}, func(o *Options) { o.Workers = 1 })
	first := c.run("first")
	c.ready(first)
	second := c.run("second")
	c.podWhen(second, func(*corev1.Pod) bool { return true })
	c.Expect(c.stop()).To(Succeed())
	third := c.run("second", func(job *batchv1.Job) { job.Name, job.UID = "third", "job-third" })
	c.start()
	c.Expect(c.finishedJob(second).Status.Succeeded).To(BeEquivalentTo(1))
	c.Expect(c.finishedJob(third).Status.Succeeded).To(BeEquivalentTo(1))
	c.Expect(c.finishedJob(first).Status.Failed).To(BeEquivalentTo(1))
}

func TestAProcessThatMayHaveBeenStartedIsNotStartedAgain(t *testing.T) {
	ran := filepath.Join(t.TempDir(), "ran")
	c := newCluster(t, map[string]string{"first": politeScript, "second": "touch " + ran}, func(o *Options) { o.Workers = 1 })
	c.ready(c.run("first"))
	second := c.run("second")
	pod := c.podWhen(second, func(*corev1.Pod) bool { return true })
	c.Expect(c.stop()).To(Succeed())
	// As after a crash between the marker and the first status.
	log := require.Value(podDir(filepath.Join(c.options.Dir, string(pod.UID))).prepare(""))(c.t)
	c.Expect(log.Close()).To(Succeed())
	c.start()
	c.Expect(c.podWhen(second, terminal).Status.Reason).To(Equal("ProcessLost"))
	c.finishedJob(second)
	c.Expect(ran).NotTo(BeAnExistingFile())
}

func TestABuilderThatKillsOrStopsTheSupervisorEndsWithWhatItDetachedAndTheAgentGoesOn(t *testing.T) {
	written := filepath.Join(t.TempDir(), "pid") // a supervisor that is killed may not have copied the log
	detach := "setsid setsid bash -c 'trap \"\" TERM HUP; echo $$; while :; do sleep 1000; done' | { read pid; echo $pid >" + written + "; "
	c := newCluster(t, map[string]string{
		"killer":  detach + "kill -KILL $PPID; sleep 1000; }",
		"stopper": detach + "kill -STOP $PPID; sleep 1000; }",
		"good":    "exit 0",
	}, func(o *Options) { o.Workers = 1 })
	for _, name := range []string{"killer", "stopper"} {
		pod := c.podWhen(c.run(name), terminal)
		c.Expect(pod.Status).To(And(HaveField("Phase", corev1.PodFailed), HaveField("Reason", "ProcessLost"), HaveField("Message", messageSupervisorLost)))
		c.Expect(conditionOf(pod, corev1.DisruptionTarget)).To(HaveField("Status", corev1.ConditionTrue))
		detached := strings.TrimSpace(string(require.Value(os.ReadFile(written))(t)))
		c.Expect(detached).NotTo(BeEmpty())
		c.Expect(filepath.Join("/proc", detached)).NotTo(BeADirectory())
	}
	c.Expect(c.finishedJob(c.run("good")).Status.Succeeded).To(BeEquivalentTo(1))
	c.Expect(c.stop()).To(Succeed())
}
