// SPDX-License-Identifier: Apache-2.0

package local

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/utils/clock"

	fakeimages "goldsmith.dev/goldsmith/apis/generated/clientset/versioned/fake"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/local/jobcontroller"
	"goldsmith.dev/goldsmith/jobs/local/process"
	"goldsmith.dev/goldsmith/jobs/render"
)

// limit is how long anything may take that happens at once on an idle machine.
const limit = 20 * time.Second

const roleVariable = "LOCAL_TEST_ROLE"

func TestMain(m *testing.M) {
	if os.Getenv(roleVariable) == "supervisor" {
		if err := process.Supervise(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// server is a fake API server with the features that the agent relies on: UIDs, resource versions, optimistic locking, and deletion
// of pods in two steps. It counts writes.
type server struct {
	*fake.Clientset
	version                             atomic.Int64
	podCreates, podStatuses, jobUpdates atomic.Int32
}

func newServer() *server {
	s := &server{Clientset: fake.NewClientset()}
	s.PrependReactor("create", "*", s.onCreate)
	s.PrependReactor("update", "*", s.onUpdate)
	s.PrependReactor("delete", "pods", s.onDeletePod)
	return s
}

func (s *server) onCreate(action clienttesting.Action) (bool, runtime.Object, error) {
	object := action.(clienttesting.CreateAction).GetObject()
	accessor, err := meta.Accessor(object)
	if err != nil {
		return true, nil, err
	}
	if accessor.GetUID() == "" {
		accessor.SetUID(types.UID(fmt.Sprintf("uid-%d", s.version.Load()+1)))
	}
	accessor.SetResourceVersion(s.nextVersion())
	if action.GetResource().Resource == "pods" {
		s.podCreates.Add(1)
	}
	return false, nil, nil
}

func (s *server) nextVersion() string {
	return strconv.FormatInt(s.version.Add(1), 10)
}

func (s *server) onUpdate(action clienttesting.Action) (bool, runtime.Object, error) {
	accessor, err := meta.Accessor(action.(clienttesting.UpdateAction).GetObject())
	if err != nil {
		return true, nil, err
	}
	stored, err := s.Tracker().Get(action.GetResource(), accessor.GetNamespace(), accessor.GetName())
	if err != nil {
		return true, nil, err
	}
	current, err := meta.Accessor(stored)
	if err != nil {
		return true, nil, err
	}
	if accessor.GetResourceVersion() != current.GetResourceVersion() {
		return true, nil, apierrors.NewConflict(action.GetResource().GroupResource(), accessor.GetName(), nil)
	}
	accessor.SetResourceVersion(s.nextVersion())
	switch resource := action.GetResource().Resource; {
	case resource == "pods" && action.GetSubresource() == "status":
		s.podStatuses.Add(1)
	case resource == "jobs" && action.GetSubresource() == "status":
		s.jobUpdates.Add(1)
	}
	return false, nil, nil
}

func (s *server) onDeletePod(action clienttesting.Action) (bool, runtime.Object, error) {
	options := action.(clienttesting.DeleteActionImpl).DeleteOptions
	stored, err := s.Tracker().Get(action.GetResource(), action.GetNamespace(), action.(clienttesting.DeleteAction).GetName())
	if err != nil {
		return true, nil, err
	}
	pod := stored.(*corev1.Pod).DeepCopy()
	if options.Preconditions != nil && options.Preconditions.UID != nil && *options.Preconditions.UID != pod.UID {
		return true, nil, apierrors.NewConflict(action.GetResource().GroupResource(), pod.Name, nil)
	}
	seconds := int64(30)
	if options.GracePeriodSeconds != nil {
		seconds = *options.GracePeriodSeconds
	}
	if seconds == 0 || terminal(pod) {
		return false, nil, nil
	}
	pod.DeletionTimestamp = &metav1.Time{Time: time.Now().Add(time.Duration(seconds) * time.Second)}
	pod.DeletionGracePeriodSeconds = &seconds
	pod.ResourceVersion = s.nextVersion()
	return true, pod, s.Tracker().Update(action.GetResource(), pod, pod.Namespace)
}

// cluster is a server with an agent.
type cluster struct {
	*WithT
	t       *testing.T
	server  *server
	builds  *fakeimages.Clientset
	options Options
	agent   *Agent
	stop    func() error // ends the agent
}

// newCluster starts an agent whose builders are bash scripts, by name.
func newCluster(t *testing.T, scripts map[string]string, adapt ...func(*Options)) *cluster {
	t.Helper()
	dir := t.TempDir()
	builders := map[string]Builder{}
	for name, script := range scripts {
		builders[name] = Builder{Path: "/bin/bash", Args: []string{"-c", "PATH=/usr/bin:/bin; " + script}}
	}
	c := &cluster{WithT: NewWithT(t), t: t, server: newServer(), builds: fakeimages.NewSimpleClientset()}
	c.SetDefaultEventuallyTimeout(limit)
	c.options = Options{
		Client:     c.server,
		Images:     c.builds.ImagesV1alpha1(),
		Builders:   builders,
		Dir:        filepath.Join(dir, "pods"),
		Workers:    4,
		Supervisor: []string{"/usr/bin/env", roleVariable + "=supervisor", "/proc/" + strconv.Itoa(os.Getpid()) + "/exe"},
		Clock:      clock.RealClock{},
	}
	for _, change := range adapt {
		change(&c.options)
	}
	c.start()
	return c
}

// start starts an agent, as after a restart of the server's process.
func (c *cluster) start() {
	c.t.Helper()
	agent := require.Value(New(c.options))(c.t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- agent.Run(ctx) }()
	var result error
	ended := false
	c.agent = agent
	c.stop = func() error {
		cancel()
		if !ended {
			result, ended = <-done, true
		}
		return result
	}
	stop := c.stop
	c.t.Cleanup(func() { _ = stop() }) // a test that expects an error has checked it before
}

func newJob(name, image string) *batchv1.Job {
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID("job-" + name)},
		Spec: batchv1.JobSpec{
			BackoffLimit: new(int32),
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{
					Labels:      map[string]string{"app": "x"},
					Annotations: map[string]string{v1alpha1.AnnotationInput: `{"version":1}`},
				},
				Spec: corev1.PodSpec{
					RestartPolicy: corev1.RestartPolicyNever,
					Containers:    []corev1.Container{{Name: "builder", Image: image}},
				},
			},
		},
	}
}

// run creates a Job that runs the builder of that name.
func (c *cluster) run(name string, adapt ...func(*batchv1.Job)) *batchv1.Job {
	c.t.Helper()
	job := newJob(name, Image(name))
	for _, change := range adapt {
		change(job)
	}
	if c.options.Artifacts != nil && metav1.GetControllerOf(job) == nil {
		c.beginAttempt(job, job.Name, 1)
	}
	job = require.Value(c.server.BatchV1().Jobs(job.Namespace).Create(context.Background(), job, metav1.CreateOptions{}))(c.t)
	return job
}

// beginAttempt makes a Job the current attempt of a build, which it creates or changes.
func (c *cluster) beginAttempt(job *batchv1.Job, name string, number int32) *v1alpha1.ImageBuild {
	c.t.Helper()
	build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID("build-" + name)}}
	build.Spec.ImageRef = &v1alpha1.ImageReference{Name: "debian"}
	build.Status.Attempts = []v1alpha1.BuildAttempt{{Number: number, JobName: job.Name}}
	input := &render.Input{}
	require.NoError(c.t, json.Unmarshal([]byte(job.Spec.Template.Annotations[v1alpha1.AnnotationInput]), input))
	if input.Build.Reproduces {
		build.Spec.Reproduces = &v1alpha1.Reproduction{Name: "debian-7"}
	}
	builds := c.builds.ImagesV1alpha1().ImageBuilds("default")
	if _, err := builds.Update(context.Background(), build, metav1.UpdateOptions{}); err != nil {
		require.Value(builds.Create(context.Background(), build, metav1.CreateOptions{}))(c.t)
	}
	job.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(build, v1alpha1.Kind("ImageBuild"))}
	job.Labels = map[string]string{v1alpha1.LabelAttempt: strconv.Itoa(int(number))}
	input.Build, input.Attempt = render.BuildOf(build), number
	job.Spec.Template.Annotations[v1alpha1.AnnotationInput] = string(require.Value(json.Marshal(input))(c.t))
	return build
}

func (c *cluster) pod(job *batchv1.Job) (*corev1.Pod, error) {
	return c.server.CoreV1().Pods(job.Namespace).Get(context.Background(), jobcontroller.PodName(job), metav1.GetOptions{})
}

// podWhen waits until the Job's pod meets the condition.
func (c *cluster) podWhen(job *batchv1.Job, condition func(*corev1.Pod) bool) *corev1.Pod {
	c.t.Helper()
	var pod *corev1.Pod
	c.Eventually(func(g Gomega) {
		var err error
		pod, err = c.pod(job)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(condition(pod)).To(BeTrue(), "%+v", pod.Status)
	}).Should(Succeed())
	return pod
}

func running(pod *corev1.Pod) bool { return pod.Status.Phase == corev1.PodRunning }

func (c *cluster) podGone(job *batchv1.Job) {
	c.t.Helper()
	c.Eventually(func() bool {
		_, err := c.pod(job)
		return apierrors.IsNotFound(err)
	}).Should(BeTrue())
}

// finishedJob waits for the Job to end.
func (c *cluster) finishedJob(job *batchv1.Job) *batchv1.Job {
	c.t.Helper()
	c.Eventually(func(g Gomega) {
		latest, err := c.server.BatchV1().Jobs(job.Namespace).Get(context.Background(), job.Name, metav1.GetOptions{})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(jobcontroller.Finished(latest)).To(BeTrue(), "%+v", latest.Status)
		job = latest
	}).Should(Succeed())
	return job
}

func (c *cluster) updatePod(job *batchv1.Job, change func(*corev1.Pod)) {
	c.t.Helper()
	c.Eventually(func() error {
		pod, err := c.pod(job)
		if err != nil {
			return err
		}
		change(pod)
		_, err = c.server.CoreV1().Pods("default").Update(context.Background(), pod, metav1.UpdateOptions{})
		return err
	}).Should(Succeed())
}

func (c *cluster) deletePod(job *batchv1.Job, graceSeconds int64) {
	c.t.Helper()
	c.Expect(c.server.CoreV1().Pods(job.Namespace).Delete(context.Background(), jobcontroller.PodName(job),
		metav1.DeleteOptions{GracePeriodSeconds: &graceSeconds})).To(Succeed())
}
