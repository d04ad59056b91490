// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package bench

import (
	"fmt"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

const (
	// atOnce is how many builds, and as many bare Jobs, are created at the same time.
	atOnce = 60
	// singles is how many are created one after the other.
	singles = 10
)

// BenchmarkBuilds compares builds with bare Jobs that run the very same pods: 60 at once, Jobs, builds, builds, Jobs; and
// 10 one after the other, of each.
func BenchmarkBuilds(b *testing.B) {
	c := connect(b)
	c.allowMetrics(b)
	s := c.watch(b)
	template := c.templateOf(b, s)

	jobs := func(round string, i int) string { return c.createJob(b, fmt.Sprintf("%s-job-%d", round, i), template) }
	builds := func(round string, i int) string { return c.createBuild(b, fmt.Sprintf("%s-build-%d", round, i)) }
	for b.Loop() {
		var jobWall, buildWall time.Duration
		var jobCost, buildCost counters
		for _, round := range []struct {
			name   string
			create func(string, int) string
			wall   *time.Duration
			cost   *counters
		}{{"a1", jobs, &jobWall, &jobCost}, {"b1", builds, &buildWall, &buildCost}, {"b2", builds, &buildWall, nil}, {"a2", jobs, &jobWall, nil}} {
			before := c.count(b)
			start, keys := time.Now(), make([]string, atOnce)
			for i := range keys {
				keys[i] = round.create(round.name, i)
			}
			s.await(b, keys)
			*round.wall += time.Since(start)
			if round.cost != nil {
				s.settle(b, keys)
				*round.cost = c.count(b).since(before, atOnce)
			}
			c.deleteAll(b, s)
		}
		b.ReportMetric(jobWall.Seconds()/2, "s/60jobs")
		b.ReportMetric(buildWall.Seconds()/2, "s/60builds")
		b.ReportMetric(buildWall.Seconds()/jobWall.Seconds(), "wall-ratio")
		b.ReportMetric(sum(jobCost.writes), "writes/job")
		b.ReportMetric(sum(buildCost.writes), "writes/build")
		b.ReportMetric(jobCost.reviews, "reviews/job")
		b.ReportMetric(buildCost.reviews, "reviews/build")
		b.ReportMetric(sum(jobCost.cpu), "cpu-s/job")
		b.ReportMetric(sum(buildCost.cpu), "cpu-s/build")
		logTable(b, "writes per bare Job", jobCost.writes)
		logTable(b, "writes per build", buildCost.writes)
		logTable(b, "CPU seconds of the servers per bare Job", jobCost.cpu)
		logTable(b, "CPU seconds of the servers per build", buildCost.cpu)

		for i := range singles {
			s.await(b, []string{jobs("single", i)})
			s.await(b, []string{builds("single", i)})
		}
		jobTimes, buildTimes := s.times("single-job"), s.times("single-build")
		for unit, durations := range map[string][]time.Duration{"create-pod-p50-ms/job": jobTimes.pod, "create-pod-p50-ms/build": buildTimes.pod,
			"end-done-p50-ms/job": jobTimes.done, "end-done-p50-ms/build": buildTimes.done} {
			b.ReportMetric(quantile(durations, 0.5), unit)
		}
		b.ReportMetric(quantile(buildTimes.done, 0.99), "end-done-p99-ms/build")
		c.deleteAll(b, s)
	}
}

// createBuild creates a build and returns the key under which it is seen.
func (c *measured) createBuild(b *testing.B, name string) string {
	b.Helper()
	if _, err := c.goldsmith.ImagesV1alpha1().ImageBuilds(c.namespace).Create(b.Context(), workspace.NewBuild(name, "steps=5"), metav1.CreateOptions{}); err != nil {
		b.Fatalf("create build %s: %v", name, err)
	}
	return name
}

// createJob creates a bare Job and returns the key under which it is seen.
func (c *measured) createJob(b *testing.B, name string, template corev1.PodTemplateSpec) string {
	b.Helper()
	job := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       batchv1.JobSpec{BackoffLimit: new(int32(0)), Template: *template.DeepCopy()},
	}
	job.Spec.Template.Labels = map[string]string{benchLabel: name}
	if _, err := c.kube.BatchV1().Jobs(c.namespace).Create(b.Context(), job, metav1.CreateOptions{}); err != nil {
		b.Fatalf("create Job %s: %v", name, err)
	}
	return name
}

// templateOf runs one build, and returns what its Job runs.
func (c *measured) templateOf(b *testing.B, s *observations) corev1.PodTemplateSpec {
	b.Helper()
	s.await(b, []string{c.createBuild(b, "first")})
	jobs, err := c.kube.BatchV1().Jobs(c.namespace).List(b.Context(), metav1.ListOptions{LabelSelector: v1alpha1.LabelBuild + "=first"})
	if err != nil || len(jobs.Items) != 1 {
		b.Fatalf("find the Job of a build: %d, %v", len(jobs.Items), err)
	}
	template := jobs.Items[0].Spec.Template
	c.deleteAll(b, s)
	return template
}

// deleteAll deletes every build and Job and returns once nothing of them is left.
func (c *measured) deleteAll(b *testing.B, s *observations) {
	b.Helper()
	background := metav1.DeletePropagationBackground
	options, all := metav1.DeleteOptions{PropagationPolicy: &background}, metav1.ListOptions{}
	if err := c.goldsmith.ImagesV1alpha1().ImageBuilds(c.namespace).DeleteCollection(b.Context(), options, all); err != nil {
		b.Fatalf("delete the builds: %v", err)
	}
	if err := c.kube.BatchV1().Jobs(c.namespace).DeleteCollection(b.Context(), options, all); err != nil {
		b.Fatalf("delete the Jobs: %v", err)
	}
	s.awaitNoPods(b)
}
