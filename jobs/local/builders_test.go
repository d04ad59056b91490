// SPDX-License-Identifier: Apache-2.0

package local

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/e2e/require"
)

// another gives a Job a name of its own.
func another(name string) func(*batchv1.Job) {
	return func(job *batchv1.Job) { job.Name, job.UID = name, types.UID("job-"+name) }
}

func TestTheVariablesOfABuilderAreReadAtEachStart(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	builder := Builder{Path: "/bin/bash", Args: []string{"-c", `echo "$PLAIN/$TOKEN/$GOLDSMITH_RESULT"`}, Env: []EnvVar{
		{Name: "PLAIN", Value: "a b"}, {Name: "TOKEN", File: token},
	}}
	c := newCluster(t, nil, func(o *Options) { o.Builders = map[string]Builder{"env": builder} })
	for name, content := range map[string]string{"first": "one\n", "second": "two\r\n", "third": "line\nline\n\n", "lone": "one\r"} {
		c.Expect(os.WriteFile(token, []byte(content), 0o600)).To(Succeed())
		job := c.run("env", another(name))
		c.finishedJob(job)
		want := map[string]string{"first": "one", "second": "two", "third": "line\nline\n", "lone": "one\r"}[name]
		pod := require.Value(c.pod(job))(c.t)
		c.Expect(c.log(pod, nil)).To(Equal("a b/" + want + "/" + filepath.Join(c.options.Dir, string(pod.UID), "result") + "\n"))
	}
	c.Expect(os.Remove(token)).To(Succeed())
	pod := c.podWhen(c.run("env", another("fourth")), terminal)
	c.Expect(terminatedOf(pod)).To(And(HaveField("Reason", "StartError"),
		HaveField("Message", "start the builder: read variable TOKEN from "+token+": no such file or directory")))
}

func TestABuilderOccupiesNoMoreThanItsWorkers(t *testing.T) {
	c := newCluster(t, map[string]string{"narrow": successScript, "wide": "exit 0"}, func(o *Options) {
		narrow := o.Builders["narrow"]
		narrow.Workers = 1
		o.Builders["narrow"] = narrow
	})
	first := c.run("narrow", another("first"))
	c.ready(first)
	waits := func(job *batchv1.Job) {
		t.Helper()
		pod := c.podWhen(job, func(pod *corev1.Pod) bool {
			return conditionOf(pod, corev1.PodScheduled).Status == corev1.ConditionFalse
		})
		c.Expect(conditionOf(pod, corev1.PodScheduled)).To(And(
			HaveField("Reason", "WaitingForWorker"), HaveField("Message", "1 of 1 workers of builder narrow are busy")))
	}
	second, third := c.run("narrow", another("second")), c.run("narrow", another("third"))
	waits(second)
	waits(third)
	c.Expect(c.finishedJob(c.run("wide")).Status.Succeeded).To(BeEquivalentTo(1), "other builders have their workers")
	c.deletePod(first, 0)
	var running *batchv1.Job
	c.Eventually(func() error { // either, because they were created in the same second
		for _, job := range []*batchv1.Job{second, third} {
			if pod, err := c.pod(job); err == nil && conditionOf(pod, corev1.PodReady).Status == corev1.ConditionTrue {
				running = job
				return nil
			}
		}
		return errors.New("neither runs")
	}).Should(Succeed())
	rest := map[*batchv1.Job]*batchv1.Job{second: third, third: second}[running]
	waits(rest)

	builders := map[string]Builder{"narrow": c.options.Builders["narrow"]}
	wider := builders["narrow"]
	wider.Workers = 2
	builders["narrow"] = wider
	c.Expect(c.agent.SetBuilders(builders)).To(Succeed())
	c.ready(rest)
	last := c.run("narrow", another("last"))
	c.podWhen(last, func(pod *corev1.Pod) bool {
		return conditionOf(pod, corev1.PodScheduled).Status == corev1.ConditionFalse
	})
	c.Expect(c.agent.SetBuilders(map[string]Builder{})).To(Succeed())
	c.Expect(c.podWhen(last, terminal).Status.Message).To(ContainSubstring("is not the image of a registered builder"))
	c.Expect(terminal(require.Value(c.pod(rest))(c.t))).To(BeFalse(), "a builder that runs goes on")

	for _, wrong := range []Builder{{Path: "relative"}, {Path: "/bin/true", Env: []EnvVar{{Name: "GOLDSMITH_X"}}}, {Path: "/bin/true", Env: []EnvVar{{Name: "TMPDIR"}}}} {
		c.Expect(c.agent.SetBuilders(map[string]Builder{"wrong": wrong})).NotTo(Succeed())
	}
}
