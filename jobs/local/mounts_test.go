// SPDX-License-Identifier: Apache-2.0

package local

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

// mounting mounts a Secret at /etc/registry.
func mounting(source corev1.SecretVolumeSource, adapt ...func(*corev1.VolumeMount)) func(*batchv1.Job) {
	return func(job *batchv1.Job) {
		spec := &job.Spec.Template.Spec
		spec.Volumes = []corev1.Volume{{Name: "credentials", VolumeSource: corev1.VolumeSource{Secret: &source}}}
		mounted := corev1.VolumeMount{Name: "credentials", MountPath: "/etc/registry"}
		for _, change := range adapt {
			change(&mounted)
		}
		spec.Containers[0].VolumeMounts = []corev1.VolumeMount{mounted}
	}
}

// showMounts is a builder that prints the mode, path and content of each mounted file.
const showMounts = `cd "$GOLDSMITH_MOUNTS" && find . -type f | sort | while read -r file; do stat -c "%a %n" "$file"; cat "$file"; echo; done`

func (c *cluster) createSecret(name string) {
	c.t.Helper()
	_, err := c.server.CoreV1().Secrets("default").Create(c.t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string][]byte{"user": []byte("ann"), "password": []byte("c0nfidential")},
	}, metav1.CreateOptions{})
	c.Expect(err).NotTo(HaveOccurred())
}

func TestAPodWaitsForItsSecretWithoutAWorkerAndMountsIt(t *testing.T) {
	c := newCluster(t, map[string]string{"show": showMounts, "other": "exit 0"}, func(options *Options) { options.Workers = 1 })
	job := c.run("show", mounting(corev1.SecretVolumeSource{SecretName: "registry"}))
	const message = `MountVolume.SetUp failed for volume "credentials" : secret "registry" not found`
	pod := c.podWhen(job, func(pod *corev1.Pod) bool { return len(pod.Status.ContainerStatuses) == 1 })
	c.Expect(pod.Status.Phase).To(Equal(corev1.PodPending))
	c.Expect(pod.Status.ContainerStatuses[0].State.Waiting).To(HaveValue(Equal(corev1.ContainerStateWaiting{Reason: "ContainerCreating", Message: message})))
	c.Eventually(func(g Gomega) {
		events, err := c.server.CoreV1().Events("default").List(t.Context(), metav1.ListOptions{})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(events.Items).To(ContainElement(And(HaveField("Reason", "FailedMount"), HaveField("Message", message))))
	}).Should(Succeed())
	c.finishedJob(c.run("other"))
	waiting := c.server.podStatuses.Load()

	c.createSecret("registry")
	c.finishedJob(job)
	pod = require.Value(c.pod(job))(c.t)
	c.Expect(pod.Status.Phase).To(Equal(corev1.PodSucceeded))
	c.Expect(terminatedOf(pod).ContainerID).NotTo(BeEmpty())
	c.Expect(c.log(pod, nil)).To(Equal("600 ./etc/registry/password\nc0nfidential\n600 ./etc/registry/user\nann\n"))
	c.Expect(filepath.Join(c.options.Dir, string(pod.UID), "mounts")).NotTo(BeAnExistingFile())
	for _, action := range c.server.Actions() {
		if action.GetResource().Resource == "secrets" {
			c.Expect(action.GetVerb()).To(BeElementOf("get", "create"), "a cache would hold every Secret")
		}
	}
	c.Expect(c.server.podStatuses.Load()-waiting).To(BeNumerically("<=", 2), "the status was written again and again")
}

// As with a kubelet, the deadline counts from when the pod is on its node.
func TestTheDeadlineCountsWhileAPodWaitsForItsSecret(t *testing.T) {
	agentClock := testingclock.NewFakeClock(time.Now())
	c := newCluster(t, map[string]string{"sleep": "echo ready; sleep 1000"}, func(o *Options) { o.Clock = agentClock })
	waiting := func(name, secret string) *batchv1.Job {
		t.Helper()
		job := c.run("sleep", mounting(corev1.SecretVolumeSource{SecretName: secret}), func(job *batchv1.Job) {
			job.Name, job.UID = name, ""
			job.Spec.Template.Spec.ActiveDeadlineSeconds = new(int64(3600))
			job.Spec.Template.Spec.TerminationGracePeriodSeconds = new(int64(1))
		})
		pod := c.podWhen(job, func(pod *corev1.Pod) bool { return len(pod.Status.ContainerStatuses) == 1 })
		c.Expect(pod.Status.StartTime).To(HaveValue(HaveField("Time", BeTemporally("~", agentClock.Now(), time.Second))))
		return job
	}
	never, late := waiting("never", "none"), waiting("late", "registry")
	agentClock.Step(40 * time.Minute)
	c.createSecret("registry")
	stepUntil(c, agentClock, 100*time.Millisecond, func() bool { return running(require.Value(c.pod(late))(t)) })
	agentClock.Step(20 * time.Minute)
	for _, job := range []*batchv1.Job{never, late} {
		// A timer that was made while the clock stepped is late by that step.
		stepUntil(c, agentClock, time.Minute, func() bool { return terminal(require.Value(c.pod(job))(t)) })
		pod := require.Value(c.pod(job))(t)
		c.Expect(pod.Status).To(And(HaveField("Phase", corev1.PodFailed), HaveField("Reason", "DeadlineExceeded")))
		c.finishedJob(job)
	}
	c.Expect(require.Value(c.pod(never))(t).Status.ContainerStatuses[0].State.Waiting).NotTo(BeNil(), "it was never started")
}

func TestAPodMountsWhatItsVolumeNames(t *testing.T) {
	c := newCluster(t, map[string]string{"show": showMounts})
	c.createSecret("registry")
	jobs := 0
	for name, test := range map[string]struct {
		source corev1.SecretVolumeSource
		adapt  func(*corev1.VolumeMount)
		log    string
		fails  string
	}{
		"items": {
			source: corev1.SecretVolumeSource{SecretName: "registry", DefaultMode: new(int32(0o440)), Items: []corev1.KeyToPath{
				{Key: "user", Path: "auth/name"}, {Key: "password", Path: "p", Mode: new(int32(0o777))},
			}},
			log: "400 ./etc/registry/auth/name\nann\n700 ./etc/registry/p\nc0nfidential\n",
		},
		"an optional key": {
			source: corev1.SecretVolumeSource{SecretName: "registry", Optional: new(true), Items: []corev1.KeyToPath{{Key: "user", Path: "u"}, {Key: "none", Path: "n"}}},
			log:    "600 ./etc/registry/u\nann\n",
		},
		"an optional Secret": {source: corev1.SecretVolumeSource{SecretName: "none", Optional: new(true)}},
		"a path with dots":   {source: corev1.SecretVolumeSource{SecretName: "registry"}, adapt: func(m *corev1.VolumeMount) { m.MountPath = "/../a/../b" }, log: "600 ./b/password\nc0nfidential\n600 ./b/user\nann\n"},
		"a part of a volume": {source: corev1.SecretVolumeSource{SecretName: "registry"}, adapt: func(m *corev1.VolumeMount) { m.SubPath = "user" }, fails: "must not set subPath"},
		"no Secret":          {source: corev1.SecretVolumeSource{}, fails: `the secretName "" of volume`},
		"an impossible name": {source: corev1.SecretVolumeSource{SecretName: "../configmaps/x"}, fails: "of volume"},
		"the root":           {source: corev1.SecretVolumeSource{SecretName: "registry"}, adapt: func(m *corev1.VolumeMount) { m.MountPath = "/" }, fails: "must be absolute, and not /"},
		"a relative path":    {source: corev1.SecretVolumeSource{SecretName: "registry"}, adapt: func(m *corev1.VolumeMount) { m.MountPath = "etc" }, fails: "must be absolute, and not /"},
		"a file elsewhere": {
			source: corev1.SecretVolumeSource{SecretName: "registry", Items: []corev1.KeyToPath{{Key: "user", Path: "../../../output/u"}}}, fails: "leaves its volume",
		},
		"one file twice": {
			source: corev1.SecretVolumeSource{SecretName: "registry", Items: []corev1.KeyToPath{{Key: "user", Path: "u"}, {Key: "password", Path: "u"}}}, fails: "file exists",
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			jobs++
			job := newJob(fmt.Sprintf("show-%d", jobs), Image("show"))
			mounting(test.source, func(m *corev1.VolumeMount) {
				if test.adapt != nil {
					test.adapt(m)
				}
			})(job)
			job, err := c.server.BatchV1().Jobs("default").Create(t.Context(), job, metav1.CreateOptions{})
			g.Expect(err).NotTo(HaveOccurred())
			c.finishedJob(job)
			pod, err := c.pod(job)
			g.Expect(err).NotTo(HaveOccurred())
			if test.fails != "" {
				g.Expect(pod.Status.Phase).To(Equal(corev1.PodFailed))
				g.Expect(pod.Status.Message).To(And(ContainSubstring(test.fails), Not(ContainSubstring("c0nfidential"))))
			} else {
				g.Expect(pod.Status.Phase).To(Equal(corev1.PodSucceeded), pod.Status.Message)
				g.Expect(c.log(pod, nil)).To(Equal(test.log))
			}
			left, err := filepath.Glob(filepath.Join(c.options.Dir, string(pod.UID), "*", "*"))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(left).To(BeEmpty())
			_, err = os.Lstat(filepath.Join(c.options.Dir, string(pod.UID), "mounts"))
			g.Expect(os.IsNotExist(err)).To(BeTrue())
		})
	}
}
