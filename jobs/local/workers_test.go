// SPDX-License-Identifier: Apache-2.0

package local

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/local/internal/reconcile"
	"goldsmith.dev/goldsmith/jobs/render"
)

// archiveCheck makes a Job a part of the check of an archive.
func (c *cluster) archiveCheck(name string, part int) func(*batchv1.Job) {
	return func(job *batchv1.Job) {
		archive := &v1alpha1.Archive{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("archive-" + name)}}
		archive.Status.Checks = 1
		_ = c.builds.Tracker().Add(archive) // it may be there
		job.Name, job.Namespace, job.UID = render.ProbeJobName(archive, part), v1alpha1.ArchiveNamespace, ""
		job.Spec.Template.Annotations[v1alpha1.AnnotationInput] = fmt.Sprintf(`{"version":1,"probe":{"archive":{"uri":"https://%s.example"}}}`, name)
		job.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(archive, v1alpha1.Kind("Archive"))}
	}
}

// waitsFor waits until a Job waits for a worker.
func (c *cluster) waitsFor(job *batchv1.Job, busy string) {
	c.t.Helper()
	c.podWhen(job, func(pod *corev1.Pod) bool { return conditionOf(pod, corev1.PodScheduled).Message == busy })
}

// TestBuildsTestsAndChecksHaveWorkersOfTheirOwn lets each of them hold all of its workers.
func TestBuildsTestsAndChecksHaveWorkersOfTheirOwn(t *testing.T) {
	_, adapt := withStore(t, t.TempDir(), nil)
	c := newCluster(t, map[string]string{"busy": politeScript}, adapt, func(o *Options) { o.Workers, o.TestWorkers, o.CheckWorkers = 1, 1, 2 })
	named := func(name string) func(*batchv1.Job) {
		return func(job *batchv1.Job) { job.Name, job.UID = name, types.UID("job-"+name) }
	}
	test := c.testAttempt(render.InputArtifact{Target: "linux/amd64/raw", Digest: digestOf("x"), Location: "oci://r/x"}, nil)
	c.ready(c.run("busy", c.archiveCheck("slow", 0)))
	c.waitsFor(c.run("busy", c.archiveCheck("slow", 1)), "1 of 2 workers for checks are busy with the same")
	c.ready(c.run("busy", c.archiveCheck("other", 0)))
	c.waitsFor(c.run("busy", c.archiveCheck("third", 0)), "2 of 2 workers for checks are busy")
	c.ready(c.run("busy", named("test"), test))
	c.waitsFor(c.run("busy", named("second-test"), test), "1 of 1 workers for tests are busy")
	c.ready(c.run("busy", named("build")))
	c.waitsFor(c.run("busy", named("second-build")), "1 of 1 workers are busy")
}

// TestJobsByHandWaitForEachOther lets a user hold the workers that Jobs of users get.
func TestJobsByHandWaitForEachOther(t *testing.T) {
	_, adapt := withStore(t, t.TempDir(), nil)
	c := newCluster(t, map[string]string{"busy": politeScript}, adapt, func(o *Options) { o.Workers = 2 })
	c.ready(c.run("busy", byHand))
	c.waitsFor(c.run("busy", byHand, func(job *batchv1.Job) { job.Name, job.UID = "second", "" }), "1 of 2 workers are busy with Jobs of users")
	c.ready(c.run("busy", func(job *batchv1.Job) { job.Name, job.UID = "build", "job-build" }))
}

// TestJobsByHandTakeTheWorkersOfBuilds creates Jobs that look like tests and checks.
func TestJobsByHandTakeTheWorkersOfBuilds(t *testing.T) {
	dir := t.TempDir()
	_, adapt := withStore(t, t.TempDir(), nil)
	c := newCluster(t, map[string]string{"alone": "mkdir " + dir + "/alone || touch " + dir + "/overlap; echo x >>" + dir + "/ran; rmdir " + dir + "/alone", "busy": politeScript},
		adapt, func(o *Options) { o.Workers, o.TestWorkers, o.CheckWorkers = 1, 4, 4 })
	busy := c.run("busy")
	c.ready(busy)
	var jobs []*batchv1.Job
	for i, input := range []string{
		`{"version":1,"tests":[{"name":"web","target":"linux/amd64/raw"}]}`, `{"version":1,"probe":{"archive":{"uri":"https://a.example"}}}`, `{"version":1,"resolve":true}`,
	} {
		for of, forge := range []func(*batchv1.Job){byHand, c.archiveCheck("real", 40+i), func(job *batchv1.Job) { c.archiveCheck("real", i)(job); job.Namespace = "default" }} {
			jobs = append(jobs, c.run("alone", func(job *batchv1.Job) {
				forge(job)
				if of == 0 {
					job.Name, job.UID = fmt.Sprintf("by-hand-%d", i), ""
				}
				job.Spec.Template.Annotations[v1alpha1.AnnotationInput] = input
			}))
		}
	}
	for _, job := range jobs {
		c.waitsFor(job, "1 of 1 workers are busy")
	}
	c.deletePod(busy, 30)
	for _, job := range jobs {
		c.finishedJob(job)
	}
	c.Expect(filepath.Join(dir, "overlap")).NotTo(BeAnExistingFile())
	c.Expect(filepath.Join(dir, "ran")).To(WithTransform(func(path string) int {
		return strings.Count(readText(t, path), "x")
	}, Equal(len(jobs))))
}

func readText(t *testing.T, path string) string {
	t.Helper()
	return string(require.Value(os.ReadFile(path))(t))
}

// TestJobsByHandLeaveWorkers also makes more checks of sources than any controller begins.
func TestJobsByHandLeaveWorkers(t *testing.T) {
	w := newWorkers([classes]int{builds: 3, sources: 8}, func(reconcile.Ref) {})
	g := NewWithT(t)
	acquire := func(name string, wanted demand) string {
		_, busy := w.acquire(reconcile.Ref{Name: name, UID: types.UID(name)}, time.Time{}, wanted)
		return busy
	}
	user, build := demand{class: builds, group: "a", byHand: true}, demand{class: builds, group: "a"}
	g.Expect(acquire("by-hand", user)).To(BeEmpty())
	g.Expect(acquire("by-hand-2", user)).To(Equal("1 of 3 workers are busy with Jobs of users"))
	g.Expect(acquire("build", build)).To(BeEmpty())
	g.Expect(acquire("build-2", build)).To(BeEmpty())
	g.Expect(acquire("build-3", build)).To(Equal("3 of 3 workers are busy"))
	check := demand{class: sources, group: "a"}
	g.Expect(acquire("1", check)).To(BeEmpty())
	g.Expect(acquire("2", check)).To(BeEmpty())
	g.Expect(acquire("3", check)).To(Equal("2 of 8 workers for checks of sources are busy with the same"))
	g.Expect(acquire("4", demand{class: sources, group: "b"})).To(BeEmpty())
}

func TestAFreeWorkerGoesToTheGroupWithTheFewest(t *testing.T) {
	var woken []string
	w := newWorkers([classes]int{builds: 2, tests: 1, checks: 1}, func(ref reconcile.Ref) { woken = append(woken, ref.Name) })
	begin := time.Unix(0, 0)
	acquire := func(name, group string, of class) bool {
		begin = begin.Add(time.Second)
		acquired, _ := w.acquire(reconcile.Ref{Name: name, UID: types.UID(name)}, begin, demand{builder: "b", class: of, group: group})
		return acquired
	}
	g := NewWithT(t)
	g.Expect(acquire("a1", "a", builds) && acquire("a2", "a", builds) && acquire("check", "x", checks)).To(BeTrue())
	for _, waiting := range []string{"a3", "a4", "b1"} {
		g.Expect(acquire(waiting, waiting[:1], builds)).To(BeFalse())
	}
	w.release("check")
	g.Expect(woken).To(BeEmpty(), "a worker for checks is none for builds")
	w.release("a1")
	g.Expect(woken).To(Equal([]string{"b1"}))
	w.release("a2")
	g.Expect(woken).To(Equal([]string{"b1", "a3"}))
	w.limit(map[string]int{"b": 2})
	g.Expect(acquire("test", "a", tests)).To(BeFalse(), "the limit of a builder counts all of its processes")
}
