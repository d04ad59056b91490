// SPDX-License-Identifier: Apache-2.0

package local

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	clienttesting "k8s.io/client-go/testing"
	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/local/internal/reconcile"
	"goldsmith.dev/goldsmith/jobs/local/jobcontroller"
)

func terminatedOf(pod *corev1.Pod) corev1.ContainerStateTerminated {
	if len(pod.Status.ContainerStatuses) == 0 || pod.Status.ContainerStatuses[0].State.Terminated == nil {
		return corev1.ContainerStateTerminated{}
	}
	return *pod.Status.ContainerStatuses[0].State.Terminated
}

func conditionOf(pod *corev1.Pod, kind corev1.PodConditionType) corev1.PodCondition {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == kind {
			return condition
		}
	}
	return corev1.PodCondition{}
}

func jobConditions(job *batchv1.Job) map[batchv1.JobConditionType]string {
	found := map[batchv1.JobConditionType]string{}
	for _, condition := range job.Status.Conditions {
		found[condition.Type] = condition.Reason + ": " + condition.Message
	}
	return found
}

func TestASuccessfulJob(t *testing.T) {
	c := newCluster(t, map[string]string{"good": `echo out; echo err >&2; cat "$GOLDSMITH_INPUT"; printf '{"ok":true}' >"$GOLDSMITH_RESULT"`})
	job := c.run("good")
	done := c.finishedJob(job)
	c.Expect(jobConditions(done)).To(Equal(map[batchv1.JobConditionType]string{
		batchv1.JobSuccessCriteriaMet: "CompletionsReached: Reached expected number of succeeded pods",
		batchv1.JobComplete:           "CompletionsReached: Reached expected number of succeeded pods",
	}))
	c.Expect(done.Status.Succeeded).To(BeEquivalentTo(1))
	c.Expect(done.Status.Active).To(BeZero())
	c.Expect(done.Status.StartTime).NotTo(BeNil())
	c.Expect(done.Status.CompletionTime).NotTo(BeNil())

	pod := require.Value(c.pod(job))(c.t)
	c.Expect(pod.Name).To(MatchRegexp(`^good-[a-z0-9]{5}$`))
	c.Expect(pod.Labels).To(Equal(map[string]string{
		"app": "x", "job-name": "good", "controller-uid": "job-good",
		"batch.kubernetes.io/job-name": "good", "batch.kubernetes.io/controller-uid": "job-good",
	}))
	c.Expect(metav1.IsControlledBy(pod, job)).To(BeTrue())
	c.Expect(pod.Spec.NodeName).To(Equal("local"))
	c.Expect(pod.Status.Phase).To(Equal(corev1.PodSucceeded))
	c.Expect(pod.Status.StartTime).NotTo(BeNil())
	c.Expect(conditionOf(pod, corev1.PodReady)).To(And(HaveField("Status", corev1.ConditionFalse), HaveField("Reason", "PodCompleted")))
	end := terminatedOf(pod)
	c.Expect(end.StartedAt.IsZero() || end.FinishedAt.IsZero()).To(BeFalse())
	end.StartedAt, end.FinishedAt = metav1.Time{}, metav1.Time{}
	c.Expect(end).To(Equal(corev1.ContainerStateTerminated{Reason: "Completed", Message: `{"ok":true}`, ContainerID: "local://" + string(pod.UID)}))
	c.Expect(c.log(pod, nil)).To(Equal("out\nerr\n" + `{"version":1}`))

	c.Expect(c.server.podCreates.Load()).To(BeEquivalentTo(1))
	c.Expect(c.server.podStatuses.Load()).To(BeNumerically("<=", 2))
	c.Expect(c.server.jobUpdates.Load()).To(BeNumerically("<=", 2))
}

func TestARunningJob(t *testing.T) {
	c := newCluster(t, map[string]string{"long": "echo begun; exec sleep 1000"})
	job := c.run("long")
	pod := c.podWhen(job, running)
	for _, kind := range []corev1.PodConditionType{corev1.PodScheduled, corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady} {
		c.Expect(conditionOf(pod, kind).Status).To(Equal(corev1.ConditionTrue), string(kind))
	}
	status := pod.Status.ContainerStatuses[0]
	c.Expect(status.Ready).To(BeTrue())
	c.Expect(status.Started).To(HaveValue(BeTrue()))
	c.Expect(status.State.Running.StartedAt.IsZero()).To(BeFalse())
	c.Eventually(func(g Gomega) {
		job, err := c.server.BatchV1().Jobs("default").Get(t.Context(), "long", metav1.GetOptions{})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(job.Status.Active).To(BeEquivalentTo(1))
		g.Expect(job.Status.Ready).To(HaveValue(BeEquivalentTo(1)))
		g.Expect(job.Status.StartTime).NotTo(BeNil())
	}).Should(Succeed())
}

func TestAFailedBuilderFailsItsPodAndJob(t *testing.T) {
	c := newCluster(t, map[string]string{"seven": "exit 7", "crash": "kill -SEGV $$", "no-result": `rm "$GOLDSMITH_RESULT"; exit 1`})
	for name, code := range map[string]int32{"seven": 7, "crash": 139, "no-result": 1} {
		job := c.run(name)
		done := c.finishedJob(job)
		c.Expect(jobConditions(done)).To(Equal(map[batchv1.JobConditionType]string{
			batchv1.JobFailureTarget: "BackoffLimitExceeded: Job has reached the specified backoff limit",
			batchv1.JobFailed:        "BackoffLimitExceeded: Job has reached the specified backoff limit",
		}))
		c.Expect(done.Status.Failed).To(BeEquivalentTo(1))
		pod := require.Value(c.pod(job))(c.t)
		c.Expect(pod.Status.Phase).To(Equal(corev1.PodFailed))
		c.Expect(pod.Status.Reason).To(BeEmpty())
		c.Expect(terminatedOf(pod)).To(And(HaveField("ExitCode", code), HaveField("Reason", "Error"), HaveField("Message", "")))
	}
}

func TestAfterItsEndAPodHasOnlyItsLogAndTheOutputOfASuccess(t *testing.T) {
	const (
		output    = `mkdir -p "$GOLDSMITH_OUTPUT/d"; echo disk >"$GOLDSMITH_OUTPUT/d/image"; chmod 500 "$GOLDSMITH_OUTPUT/d"; echo made; `
		succeeded = `echo '{"version":1,"outcome":"Succeeded"}' >"$GOLDSMITH_RESULT"; `
	)
	c := newCluster(t, map[string]string{
		"good": output + succeeded, "late": succeeded + output + successScript,
		"exit": output + succeeded + "exit 3", "no-result": output,
		"says-so": output + `echo '{"version":1,"outcome":"Failed"}' >"$GOLDSMITH_RESULT"`,
	})
	late := c.run("late")
	c.ready(late)
	c.updatePod(late, func(pod *corev1.Pod) { pod.Spec.ActiveDeadlineSeconds = new(int64(1)) })
	jobs := map[*batchv1.Job]bool{late: true, c.run("good"): true, c.run("exit"): false, c.run("no-result"): false, c.run("says-so"): false}
	checkOutputs := func() {
		t.Helper()
		for job, stays := range jobs {
			pod := require.Value(c.pod(job))(c.t)
			c.Eventually(func() error { return c.agent.syncPod(t.Context(), reconcile.RefOf(pod)) }).Should(Succeed())
			dir := podDir(filepath.Join(c.options.Dir, string(pod.UID)))
			if stays {
				c.Expect(filepath.Join(dir.output(), "d", "image")).To(BeAnExistingFile(), job.Name)
			} else {
				c.Expect(dir.output()).NotTo(BeAnExistingFile(), job.Name)
			}
			left := require.Value(filepath.Glob(string(dir) + "/*"))(c.t)
			c.Expect(left).To(HaveLen(map[bool]int{true: 3, false: 2}[stays]), "%s has its log, its marker, and its output: %v", job.Name, left)
			c.Expect(c.log(pod, nil)).To(HavePrefix("made\n"), job.Name)
		}
	}
	for job := range jobs {
		c.finishedJob(job) // so the agent's cache has the end of the pod
	}
	checkOutputs()
	c.Expect(c.stop()).To(Succeed())
	for job, stays := range jobs { // as after a crash between the end of the attempt and the removal
		pod := require.Value(c.pod(job))(c.t)
		dir := podDir(filepath.Join(c.options.Dir, string(pod.UID)))
		c.Expect(stays || os.MkdirAll(filepath.Join(dir.output(), "d"), 0o700) == nil).To(BeTrue())
		for _, path := range []string{dir.input(), dir.result(), dir.reportToken(), dir.reportCA()} {
			c.Expect(os.WriteFile(path, []byte("left"), 0o600)).To(Succeed())
		}
	}
	c.start()
	after := c.run("good", func(job *batchv1.Job) { job.Name, job.UID = "after", "job-after" })
	c.finishedJob(after) // the cache is synced
	checkOutputs()
	jobs[after] = true
	for job, stays := range jobs { // the test's directory is removed, also by a user who is not root
		pod := require.Value(c.pod(job))(c.t)
		c.Expect(!stays || os.Chmod(filepath.Join(c.options.Dir, string(pod.UID), "output", "d"), 0o700) == nil).To(BeTrue())
	}
}

func TestABuilderGetsTheContractsVariablesAndNothingElse(t *testing.T) {
	t.Setenv("LD_LIBRARY_PATH", "/nowhere")
	c := newCluster(t, nil, func(o *Options) {
		o.Builders = map[string]Builder{"env": {Path: "/bin/bash", Args: []string{"-c", `
			while IFS= read -r -d '' entry; do echo "$entry"; done </proc/self/environ; echo "$0 $@"; pwd
			for f in {0..200}; do [ -e /proc/$$/fd/$f ] && echo "fd $f"; done
			shopt -s nullglob dotglob; echo "output" "$GOLDSMITH_OUTPUT"/*
			cd "$GOLDSMITH_OUTPUT/.."; stat -c "%n %a" . *
			echo '{"version":1,"outcome":"Succeeded"}' >"$GOLDSMITH_RESULT"`, "zero", "one"}}}
	})
	job := c.run("env", func(job *batchv1.Job) {
		container := &job.Spec.Template.Spec.Containers[0]
		container.Env = []corev1.EnvVar{{Name: "GOLDSMITH_RESULT", Value: "/etc/passwd"}}
		container.WorkingDir = "/etc"
		container.TerminationMessagePath = "/etc/passwd"
	})
	c.finishedJob(job)
	pod := require.Value(c.pod(job))(c.t)
	dir := filepath.Join(c.options.Dir, string(pod.UID))
	c.Expect(strings.Split(strings.TrimSpace(c.log(pod, nil)), "\n")).To(Equal([]string{
		"GOLDSMITH_INPUT=" + dir + "/input", "GOLDSMITH_OUTPUT=" + dir + "/output", "GOLDSMITH_RESULT=" + dir + "/result",
		"TMPDIR=" + dir + "/tmp", "GOLDSMITH_NAMESPACE=default",
		"zero one", dir + "/output", "fd 0", "fd 1", "fd 2", "output",
		". 700", "input 600", "log 600", "output 700", "result 600", "started 600", "tmp 700",
	}))
}

func TestWhatIsNotARegisteredBuilderIsNotRun(t *testing.T) {
	ran := filepath.Join(t.TempDir(), "ran")
	c := newCluster(t, map[string]string{"mock": "touch " + ran, "debos": "touch " + ran})
	for name, adapt := range map[string]func(*corev1.PodSpec){
		"the container must not set command": func(s *corev1.PodSpec) { s.Containers[0].Command = []string{"sh", "-c", "touch " + ran} },
		"the container must not set args":    func(s *corev1.PodSpec) { s.Containers[0].Args = []string{"x"} },
		"the container must not set the variable LD_PRELOAD, which could make a builder run other programs": func(s *corev1.PodSpec) {
			s.Containers[0].Env = []corev1.EnvVar{{Name: "GOLDSMITH_RESULT", Value: "x"}, {Name: "LD_PRELOAD", Value: "/evil.so"}}
		},
		`the image "busybox" is not the image of a registered builder`:   func(s *corev1.PodSpec) { s.Containers[0].Image = "busybox" },
		`builders/other" is not the image of a registered builder`:       func(s *corev1.PodSpec) { s.Containers[0].Image = Image("other") },
		`builders/mock:latest" is not the image of a registered builder`: func(s *corev1.PodSpec) { s.Containers[0].Image += ":latest" },
		`"mock" is not the image of a registered builder`:                func(s *corev1.PodSpec) { s.Containers[0].Image = "mock" },
		"a pod must have exactly one container": func(s *corev1.PodSpec) {
			s.Containers = append(s.Containers, corev1.Container{Name: "b", Image: Image("mock")})
		},
		"a pod must have exactly one  container": func(s *corev1.PodSpec) { s.InitContainers = []corev1.Container{{Name: "b", Image: Image("mock")}} },
	} {
		name = strings.ReplaceAll(name, "  ", " ")
		job := c.run("mock", func(job *batchv1.Job) {
			job.Name = "refused-" + strconv.Itoa(int(c.server.version.Load()))
			job.UID = ""
			adapt(&job.Spec.Template.Spec)
		})
		done := c.finishedJob(job)
		message := "Job default/" + job.Name + ": this server runs only registered builders (debos, mock); "
		c.Expect(jobConditions(done)[batchv1.JobFailed]).To(And(HavePrefix("BackoffLimitExceeded: "+message), HaveSuffix(name)))
		pod := require.Value(c.pod(job))(c.t)
		c.Expect(pod.Status.Phase).To(Equal(corev1.PodFailed))
		c.Expect(pod.Status.Message).To(And(HavePrefix(message), HaveSuffix(name)))
		end := terminatedOf(pod)
		reason := "StartError"
		if strings.HasPrefix(name, "builders/") { // it may be registered later
			reason = "BuilderNotFound"
		}
		c.Expect(end.Reason).To(Equal(reason))
		c.Expect(end.StartedAt.IsZero()).To(BeTrue())
		c.Expect(c.log(pod, nil)).To(BeEmpty())
	}
	c.Expect(ran).NotTo(BeAnExistingFile())
	c.Expect(c.options.Dir).To(BeADirectory())
	entries := require.Value(os.ReadDir(c.options.Dir))(c.t)
	c.Expect(entries).To(BeEmpty())
}

func TestAJobOfAnotherKindFailsSayingSo(t *testing.T) {
	c := newCluster(t, map[string]string{"good": "exit 0"})
	for what, adapt := range map[string]func(*batchv1.JobSpec){
		"spec.parallelism 3":         func(s *batchv1.JobSpec) { s.Parallelism = new(int32(3)) },
		"spec.completions 2":         func(s *batchv1.JobSpec) { s.Completions = new(int32(2)) },
		"spec.activeDeadlineSeconds": func(s *batchv1.JobSpec) { s.ActiveDeadlineSeconds = new(int64(3)) },
		"restartPolicy OnFailure":    func(s *batchv1.JobSpec) { s.Template.Spec.RestartPolicy = corev1.RestartPolicyOnFailure },
	} {
		job := c.run("good", func(job *batchv1.Job) {
			job.Name, job.UID = "other-"+strconv.Itoa(int(c.server.version.Load())), ""
			adapt(&job.Spec)
		})
		c.Expect(jobConditions(c.finishedJob(job))[batchv1.JobFailed]).To(And(HavePrefix("NotSupported"), ContainSubstring(what)))
	}
	c.Expect(c.server.podCreates.Load()).To(BeZero())
}

func TestABuilderThatCannotBeStartedFailsItsPod(t *testing.T) {
	c := newCluster(t, nil, func(o *Options) { o.Builders = map[string]Builder{"gone": {Path: "/no/such/builder"}} })
	job := c.run("gone")
	c.Expect(jobConditions(c.finishedJob(job))[batchv1.JobFailed]).To(ContainSubstring("/no/such/builder: no such file"))
	pod := require.Value(c.pod(job))(c.t)
	c.Expect(terminatedOf(pod)).To(And(HaveField("Reason", "StartError"), HaveField("ExitCode", int32(128))))
}

func TestAJobWhosePodIsInvalidFailsSayingSo(t *testing.T) {
	c := newCluster(t, map[string]string{"good": "exit 0"})
	c.server.PrependReactor("create", "pods", func(action clienttesting.Action) (bool, runtime.Object, error) {
		pod := action.(clienttesting.CreateAction).GetObject().(*corev1.Pod)
		kind := corev1.SchemeGroupVersion.WithKind("Pod").GroupKind()
		return true, nil, apierrors.NewInvalid(kind, pod.Name, field.ErrorList{field.TooLong(field.NewPath("metadata", "labels"), "", 63)})
	})
	done := c.finishedJob(c.run("good"))
	c.Expect(jobConditions(done)[batchv1.JobFailed]).To(And(
		HavePrefix("PodInvalid: create the pod of Job default/good: Pod "), ContainSubstring("metadata.labels: Too long")))
}

func TestAMachineWithoutRoomIsNoFailureOfTheBuilder(t *testing.T) {
	c := newCluster(t, map[string]string{"parent": "echo $PPID", "good": "exit 0"})
	parent := c.run("parent")
	c.finishedJob(parent)
	pod := require.Value(c.pod(parent))(c.t)
	supervisor := require.Value(strconv.Atoi(strings.TrimSpace(c.log(pod, nil))))(c.t)
	var usual unix.Rlimit
	c.Expect(unix.Prlimit(supervisor, unix.RLIMIT_NOFILE, nil, &usual)).To(Succeed())
	c.Expect(unix.Prlimit(supervisor, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: usual.Max}, nil)).To(Succeed())

	turnedAway := c.run("good")
	c.Expect(jobConditions(c.finishedJob(turnedAway))[batchv1.JobFailed]).To(ContainSubstring("too many open files"))
	pod = require.Value(c.pod(turnedAway))(c.t)
	c.Expect(pod.Status).To(And(HaveField("Phase", corev1.PodFailed), HaveField("Reason", "ProcessNotStarted"),
		HaveField("Message", "start /bin/bash: too many open files"), HaveField("ContainerStatuses", BeEmpty())))

	c.Expect(unix.Prlimit(supervisor, unix.RLIMIT_NOFILE, &usual, nil)).To(Succeed())
	again := c.run("good", func(job *batchv1.Job) { job.Name, job.UID = "again", "" })
	c.Expect(c.finishedJob(again).Status.Succeeded).To(BeEquivalentTo(1))
}

func TestASuspendedJobIsStartedWhenItIsResumed(t *testing.T) {
	c := newCluster(t, map[string]string{"good": "exit 0", "other": "exit 0"})
	job := c.run("good", func(job *batchv1.Job) { job.Spec.Suspend = new(true) })
	c.finishedJob(c.run("other"))
	c.suspended(job)
	_, err := c.pod(job)
	c.Expect(err).To(MatchError(ContainSubstring("not found")))
	c.suspend(job, false)
	c.Expect(c.finishedJob(job).Status.Succeeded).To(BeEquivalentTo(1))
}

func TestAJobThatIsSuspendedLosesItsPodAndGetsANewPodWhenItIsResumed(t *testing.T) {
	c := newCluster(t, map[string]string{"polite": politeScript, "success": successScript}, func(o *Options) { o.Workers = 1 })
	job := c.run("polite")
	first := c.ready(job)
	c.suspend(job, true)
	c.podGone(job) // the builder was told to end
	c.Expect(c.suspended(job).Status.Failed).To(BeZero())
	c.Expect(c.agent.Running()).To(BeZero())

	c.suspend(job, false)
	second := c.ready(job)
	c.Expect(second.UID).NotTo(Equal(first.UID))
	var resumed *batchv1.Job
	c.Eventually(func() bool { resumed = c.storedJob(job); return isSuspended(resumed) }).Should(BeFalse())
	c.Expect(jobConditions(resumed)).To(Equal(map[batchv1.JobConditionType]string{batchv1.JobSuspended: "JobResumed: Job resumed"}))
	c.Expect(resumed.Status.StartTime).NotTo(BeNil())

	c.suspend(job, true)
	c.suspended(job)
	c.suspend(job, false) // while the pod may still be there
	c.Expect(c.podWhen(job, func(pod *corev1.Pod) bool { return pod.UID != second.UID && running(pod) }).DeletionTimestamp).To(BeNil())
	c.Expect(jobcontroller.Finished(c.storedJob(job))).To(BeFalse())
}

func isSuspended(job *batchv1.Job) bool {
	return slices.ContainsFunc(job.Status.Conditions, func(c batchv1.JobCondition) bool {
		return c.Type == batchv1.JobSuspended && c.Status == corev1.ConditionTrue
	})
}

func (c *cluster) suspend(job *batchv1.Job, suspend bool) {
	c.t.Helper()
	c.Eventually(func() error {
		changed := c.storedJob(job)
		changed.Spec.Suspend = &suspend
		_, err := c.server.BatchV1().Jobs(job.Namespace).Update(c.t.Context(), changed, metav1.UpdateOptions{})
		return err
	}).Should(Succeed())
}

func (c *cluster) storedJob(job *batchv1.Job) *batchv1.Job {
	c.t.Helper()
	stored := require.Value(c.server.BatchV1().Jobs(job.Namespace).Get(c.t.Context(), job.Name, metav1.GetOptions{}))(c.t)
	return stored
}

// suspended waits until the status of a Job says that it is suspended.
func (c *cluster) suspended(job *batchv1.Job) *batchv1.Job {
	c.t.Helper()
	c.Eventually(func() bool { return isSuspended(c.storedJob(job)) }).Should(BeTrue())
	stored := c.storedJob(job)
	c.Expect(stored.Status.StartTime).To(BeNil())
	return stored
}

// ready waits until the builder has printed "ready", so that its signal handler is in place.
func (c *cluster) ready(job *batchv1.Job) *corev1.Pod {
	c.t.Helper()
	pod := c.podWhen(job, running)
	c.Eventually(func() string { return c.log(pod, nil) }).Should(ContainSubstring("ready\n"))
	return pod
}

const (
	politeScript  = `trap 'echo bye; exit 3' TERM; echo ready; sleep 1000 & wait`
	rudeScript    = `trap 'echo no' TERM; echo ready; while :; do sleep 0.01; done 2>/dev/null`
	successScript = `trap 'exit 0' TERM; echo ready; sleep 1000 & wait`
)

func TestThePodsDeadlineEndsIt(t *testing.T) {
	clock := testingclock.NewFakeClock(time.Now())
	c := newCluster(t, map[string]string{"polite": politeScript, "rude": rudeScript, "success": successScript}, func(o *Options) { o.Clock = clock })
	withDeadline := func(job *batchv1.Job) {
		job.Spec.Template.Spec.ActiveDeadlineSeconds = new(int64(3600))
		job.Spec.Template.Spec.TerminationGracePeriodSeconds = new(int64(7))
	}
	polite, rude, success := c.run("polite", withDeadline), c.run("rude", withDeadline), c.run("success")
	c.ready(polite)
	c.ready(success)
	rudePod := c.ready(rude)

	c.updatePod(success, func(pod *corev1.Pod) { pod.Spec.ActiveDeadlineSeconds = new(int64(1000)) }) // set on a running pod
	clock.Step(999 * time.Second)
	c.Expect(c.pod(success)).To(Satisfy(running))
	clock.Step(time.Second)
	stepUntil(c, clock, time.Millisecond, func() bool {
		pod, err := c.pod(success)
		return err == nil && terminal(pod)
	})
	c.Expect(c.pod(polite)).To(Satisfy(running))
	c.updatePod(polite, func(pod *corev1.Pod) { pod.Spec.ActiveDeadlineSeconds = new(int64(1)) }) // lowered

	for job, code := range map[*batchv1.Job]int32{polite: 3, success: 0} {
		pod := c.podWhen(job, terminal)
		c.Expect(pod.Status.Phase).To(Equal(corev1.PodFailed))
		c.Expect(pod.Status.Reason).To(Equal("DeadlineExceeded"))
		c.Expect(pod.Status.Message).To(Equal("Pod was active on the node longer than the specified deadline"))
		c.Expect(terminatedOf(pod).ExitCode).To(Equal(code))
		c.Expect(c.log(pod, nil)).To(HavePrefix("ready\n"))
		c.Expect(c.finishedJob(job).Status.Failed).To(BeEquivalentTo(1))
	}

	clock.Step(time.Hour)
	stepUntil(c, clock, time.Millisecond, func() bool { return strings.Contains(c.log(rudePod, nil), "no\n") })
	stepUntil(c, clock, time.Second, func() bool {
		pod, err := c.pod(rude)
		return err == nil && terminal(pod)
	})
	pod := c.podWhen(rude, terminal)
	c.Expect(pod.Status.Reason).To(Equal("DeadlineExceeded"))
	c.Expect(terminatedOf(pod).ExitCode).To(BeEquivalentTo(137))
}

// stepUntil lets the clock go on, step by step, until the condition holds. With short steps a grace period does not end
// before a program has had its time.
func stepUntil(c *cluster, clock *testingclock.FakeClock, step time.Duration, condition func() bool) {
	c.t.Helper()
	c.Eventually(func() bool {
		clock.Step(step)
		return condition()
	}).Should(BeTrue())
}

func TestADeletedPodIsEndedAndThenRemoved(t *testing.T) {
	c := newCluster(t, map[string]string{"polite": politeScript, "rude": rudeScript})
	polite, rude := c.run("polite"), c.run("rude")
	politePod, rudePod := c.ready(polite), c.ready(rude)
	log := require.Value(c.agent.OpenLog(t.Context(), politePod, &corev1.PodLogOptions{Follow: true}))(c.t)
	defer func() { _ = log.Close() }() // only read from
	c.deletePod(polite, 1000)
	c.deletePod(rude, 1)
	for _, job := range []*batchv1.Job{polite, rude} {
		c.podGone(job)
		c.Expect(jobConditions(c.finishedJob(job))).To(And(HaveKey(batchv1.JobFailureTarget), HaveKey(batchv1.JobFailed)))
	}
	text := require.Value(io.ReadAll(log))(c.t)
	c.Expect(string(text)).To(Equal("ready\nbye\n"))
	for _, pod := range []*corev1.Pod{politePod, rudePod} {
		directory := filepath.Join(c.options.Dir, string(pod.UID))
		c.Eventually(directory).ShouldNot(BeADirectory())
	}
}

func TestAPodThatIsRemovedOutrightIsKilled(t *testing.T) {
	c := newCluster(t, map[string]string{"rude": "trap '' TERM; echo $$ ready; while :; do :; done"})
	job := c.run("rude")
	pod := c.podWhen(job, running)
	var pid int
	c.Eventually(func() error {
		var err error
		pid, err = strconv.Atoi(strings.TrimSuffix(c.log(pod, nil), " ready\n"))
		return err
	}).Should(Succeed())
	c.deletePod(job, 0)
	c.Eventually(func() error { return syscall.Kill(pid, 0) }).Should(MatchError(syscall.ESRCH))
	directory := filepath.Join(c.options.Dir, string(pod.UID))
	c.Eventually(directory).ShouldNot(BeADirectory())
	c.Expect(c.finishedJob(job).Status.Failed).To(BeEquivalentTo(1))
	c.Expect(c.server.podCreates.Load()).To(BeEquivalentTo(1))
}

func TestPodsWaitForAWorker(t *testing.T) {
	c := newCluster(t, map[string]string{"first": politeScript, "second": "exit 0", "third": "exit 0"}, func(o *Options) { o.Workers = 1 })
	first := c.run("first")
	c.ready(first)
	second, third := c.run("second"), c.run("third")
	pod := c.podWhen(second, func(pod *corev1.Pod) bool {
		return conditionOf(pod, corev1.PodScheduled).Status == corev1.ConditionFalse
	})
	c.Expect(conditionOf(pod, corev1.PodScheduled)).To(And(HaveField("Reason", "WaitingForWorker"), HaveField("Message", "1 of 1 workers are busy")))
	c.Expect(pod.Status.Phase).To(Equal(corev1.PodPending))
	c.Expect(c.agent.Running()).To(Equal(1), "those that wait do not run")
	_, err := c.agent.OpenLog(t.Context(), pod, nil)
	c.Expect(err).To(MatchError(ContainSubstring("is waiting to start")))
	c.podWhen(third, func(*corev1.Pod) bool { return true })
	c.deletePod(third, 30) // the pod never ran, so it is deleted at once
	c.podGone(third)
	c.deletePod(first, 30)
	c.Expect(c.finishedJob(second).Status.Succeeded).To(BeEquivalentTo(1))
}

func TestADetachedProcessDoesNotHoldUpTheEndOfItsPod(t *testing.T) {
	c := newCluster(t, map[string]string{"daemon": "setsid setsid bash -c 'trap \"\" HUP TERM; sleep 1000' & echo done"})
	job := c.run("daemon")
	c.Expect(c.finishedJob(job).Status.Succeeded).To(BeEquivalentTo(1))
}

func TestManyJobsLeaveNothingOpen(t *testing.T) {
	const jobs = 60
	c := newCluster(t, map[string]string{"good": "echo x"})
	open := func() int {
		entries := require.Value(os.ReadDir("/proc/self/fd"))(c.t)
		return len(entries)
	}
	c.finishedJob(c.run("good"))
	before := open()
	for i := range jobs {
		name := "good-" + strconv.Itoa(i)
		c.run("good", func(job *batchv1.Job) { job.Name, job.UID = name, "" })
	}
	c.Eventually(func() int {
		list := require.Value(c.server.BatchV1().Jobs("default").List(t.Context(), metav1.ListOptions{}))(c.t)
		done := 0
		for _, job := range list.Items {
			done += int(job.Status.Succeeded)
		}
		return done
	}).Should(Equal(jobs + 1))
	c.Eventually(open).Should(BeNumerically("<=", before+1))
	c.Eventually(func() int {
		c.agent.mu.Lock()
		defer c.agent.mu.Unlock()
		return len(c.agent.runs)
	}).Should(BeZero(), "the agent forgets ended runs and Jobs")
}
