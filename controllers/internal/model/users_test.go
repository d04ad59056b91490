// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/render"
)

// createImage creates an Image of the settings that a number stands for. Image b is based on Image a, and Image d on Image b.
func (w *environment) createImage(name, namespace string, settings uint32) {
	bit := func(n int) bool { return settings>>n&1 == 1 }
	two := func(n int) int32 { return int32(settings >> n & 3) }
	image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, UID: w.uid(), Generation: 1, CreationTimestamp: w.time()}}
	spec := &image.Spec
	spec.Builder.Name = "mock"
	spec.Base.Reference = "debian"
	spec.Parameters = []v1alpha1.Parameter{{Name: "v", Value: "0"}}
	spec.Targets = []v1alpha1.Target{{Platform: "linux/amd64", Format: v1alpha1.ArtifactFormatRaw}}
	if base := map[string]string{"b": "a", "d": "b"}[name]; base != "" {
		spec.Base = v1alpha1.Base{ImageRef: &v1alpha1.BaseImageReference{Name: base}}
	}
	if two(0) == 0 || bit(22) && bit(23) {
		spec.Template = &v1alpha1.BuildTemplate{QueueName: "q"}
	}
	if w.cluster && bit(24) {
		spec.Output = &v1alpha1.Output{Repository: repository, Attest: [...]v1alpha1.AttestPolicy{"", "", v1alpha1.AttestRequired, v1alpha1.AttestNever}[two(25)]}
	}
	spec.RunPolicy = []v1alpha1.RunPolicy{v1alpha1.RunPolicySerial, v1alpha1.RunPolicySerialLatestOnly, v1alpha1.RunPolicyParallel, v1alpha1.RunPolicySerialLatestOnly}[two(2)]
	spec.Triggers = &v1alpha1.Triggers{DisableAfterFailures: new([]int32{0, 1, 2, 5}[two(4)])}
	if bit(6) && bit(7) {
		spec.Triggers.Schedule = &v1alpha1.Schedule{Cron: "0 * * * *", Mode: v1alpha1.ScheduleAlways}
		if bit(8) {
			spec.Triggers.Schedule.Mode, spec.Triggers.Schedule.Jitter = v1alpha1.ScheduleIfChanged, &v1alpha1.Duration{Duration: time.Minute}
		}
		if bit(9) {
			spec.Triggers.Schedule.StartingDeadline = &v1alpha1.Duration{Duration: time.Minute}
		}
		w.truth.scheduledAt[name] = w.now
	} else {
		delete(w.truth.scheduledAt, name)
	}
	if len(w.mirrors) > 0 {
		spec.Triggers.OnPackageChange = packageTrigger(settings >> 9)
		if two(13) == 0 {
			w.truth.held[image.UID] = w.installs[name][settings>>15&1]
		}
	}
	if len(w.repositories) > 0 {
		spec.Source = w.gitSource(int(settings >> 17))
		if two(24) == 0 {
			spec.Triggers.OnSourceChange = new(false)
		}
	}
	spec.Triggers.OnSpecChange = new(!bit(10) || !bit(11) || !bit(6))
	spec.Timeouts = &v1alpha1.BuildTimeouts{Start: &v1alpha1.Duration{Duration: time.Minute}, Queue: &v1alpha1.Duration{Duration: 10 * time.Minute}}
	if bit(12) {
		spec.Timeouts.Queue.Duration = 24 * time.Hour
	}
	spec.Retry = &v1alpha1.RetryPolicy{Limit: new(two(13)), Backoff: &v1alpha1.Backoff{Initial: &v1alpha1.Duration{Duration: 10 * time.Second}, Max: &v1alpha1.Duration{Duration: 20 * time.Second}}}
	if bit(15) {
		spec.Retry.Classes = []v1alpha1.FailureClass{v1alpha1.FailureUser, v1alpha1.FailureInfrastructure, v1alpha1.FailureTimeout}
	}
	if bit(16) {
		spec.Retry.Backoff.Initial.Duration = 0
	}
	spec.History = &v1alpha1.HistoryLimits{Succeeded: new(1 + two(17)), Failed: new(two(19))}
	if bit(21) {
		spec.History.TTL = &v1alpha1.HistoryTTL{Succeeded: &v1alpha1.Duration{Duration: time.Hour}, Failed: &v1alpha1.Duration{Duration: time.Minute}}
	}
	spec.Tests = testsOf(settings >> 27)
	spec.Channels = channelsOf(spec.Tests, settings>>30)
	v1alpha1.SetObjectDefaults_Image(image)
	put(w, &w.images, image)
}

// edit changes an Image's spec.
func (w *environment) edit(image *v1alpha1.Image, change func(*v1alpha1.ImageSpec)) {
	next := *image
	next.Generation++
	change(&next.Spec)
	w.truth.moved[next.Name]++
	put(w, &w.images, &next)
}

// editSomething changes what an Image is made from, or how.
func (w *environment) editSomething(image *v1alpha1.Image, how int) {
	switch {
	case how%16 == 8:
		w.edit(image, func(spec *v1alpha1.ImageSpec) {
			if spec.Source == nil {
				spec.Source = &v1alpha1.Source{ConfigMapRef: &v1alpha1.ConfigMapReference{Name: "missing"}}
			} else {
				spec.Source = nil
			}
		})
	case how%16 == 9:
		w.edit(image, func(spec *v1alpha1.ImageSpec) {
			if spec.Builder.Image == "" {
				spec.Builder = v1alpha1.BuilderReference{Image: "mine"}
			} else {
				spec.Builder = v1alpha1.BuilderReference{Name: "mock"}
			}
		})
	case how%16 == 10 && image.Spec.Base.ImageRef != nil:
		w.edit(image, func(spec *v1alpha1.ImageSpec) {
			ref := *spec.Base.ImageRef
			ref.Channel = map[string]string{"": "stable", "stable": ""}[ref.Channel]
			spec.Base.ImageRef = &ref
		})
	case how%16 == 11:
		w.edit(image, func(spec *v1alpha1.ImageSpec) {
			spec.RunPolicy = []v1alpha1.RunPolicy{v1alpha1.RunPolicySerial, v1alpha1.RunPolicySerialLatestOnly, v1alpha1.RunPolicyParallel}[how/16%3]
		})
	case how%16 == 12 && w.cluster:
		w.edit(image, func(spec *v1alpha1.ImageSpec) {
			if spec.Output == nil {
				spec.Output = &v1alpha1.Output{Repository: repository}
			} else {
				spec.Output = nil
			}
		})
	case how%16 == 6 || how%16 == 7:
		w.setTests(image, 4+how/16%5)
	case how%16 == 5 && len(w.mirrors) > 0:
		w.setPackageTrigger(image, how/16)
	case how%16 == 13:
		w.setRule(image, len(image.Spec.Channels) == 0)
	case how%16 > 13:
		w.edit(image, func(spec *v1alpha1.ImageSpec) { spec.Suspend = new(!*spec.Suspend) })
	default:
		w.edit(image, func(spec *v1alpha1.ImageSpec) {
			spec.Parameters = []v1alpha1.Parameter{{Name: "v", Value: strconv.Itoa(how / 16 % 3)}}
		})
	}
}

// askFor has a person ask for a build, once or for the rest of the schedule.
func (w *environment) askFor(wanted request) {
	w.truth.asked = append(w.truth.asked, asked{request: wanted})
	w.askAgain(len(w.truth.asked) - 1)
}

// idToCome is the request ID of a build that is likely to be due later.
func (w *environment) idToCome(image *v1alpha1.Image, b int) string {
	if b%2 == 0 {
		return "schedule:" + w.now.UTC().Truncate(time.Hour).Add(time.Hour).Format(time.RFC3339)
	}
	given := image.Spec.BuildInputs
	given.Parameters = []v1alpha1.Parameter{{Name: "v", Value: strconv.Itoa(b / 2 % 3)}}
	digest := ""
	if resolved := w.resolve(&given, image.Status.Source, w.images.get).resolved; resolved != nil {
		digest = resolved.InputsDigest
	}
	return fmt.Sprintf("%s:%d", digest, image.Status.BuildCounter+int64(b/6%2))
}

// askAgain repeats a request. It has to be answered with the same build.
func (w *environment) askAgain(which int) {
	asked := &w.truth.asked[which]
	w.truth.moved[asked.image]++
	build, err := w.instantiate(asked.request)
	asked.crash = false
	if w.tracing {
		w.note("person asked for a build of %s, request %s: %v", asked.image, asked.id, err)
	}
	switch {
	case errors.Is(err, errServer):
	case err != nil:
		if asked.answer == "" {
			asked.answer = "none"
		}
	case asked.answer == "" || asked.answer == "none":
		asked.answer = build.UID
	case asked.answer != build.UID:
		w.broken("request %s was answered with two builds, the second of them %s", asked.id, build.Name)
	}
}

// othersMove records that the possible base of other Images has changed.
func (w *environment) othersMove(image string) {
	for _, other := range [...]string{"a", "b", "c", "d"} {
		if other != image {
			w.truth.moved[other]++
		}
	}
}

// createStrangersJob takes the name that the next attempt's Job will have. Most such Jobs say to be that Job.
func (w *environment) createStrangersJob(build *v1alpha1.ImageBuild, how int) {
	name := render.JobName(build, int32(len(build.Status.Attempts))+1)
	if _, ok := w.jobs.get(name); ok || build.Status.Finished {
		return
	}
	w.truth.strangers[name] = true
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: build.Namespace, UID: w.uid()}}
	builder, _ := w.registered(false).Lookup(v1alpha1.BuilderReference{Name: "mock"}) // it is registered
	if forged, err := render.Job(build, int32(len(build.Status.Attempts))+1, builder); how%4 > 0 && err == nil {
		job = forged.DeepCopy()
		job.UID = w.uid()
		job.Annotations = nil
		job.Spec.Template.Spec.Containers[0].Image = "mine:1"
		render.KeepFingerprint(job)
		w.cover.point("a stranger's Job says to be a build's")
	}
	put(w, &w.jobs, job)
}

// createStrangersPod creates a pod that has ended well, and says to be a Job's: by its owner, or only by its labels.
func (w *environment) createStrangersPod(job *batchv1.Job, how int) {
	uid := w.uid()
	labels := maps.Clone(job.Labels)
	if labels == nil {
		return
	}
	labels[batchv1.JobNameLabel], labels[batchv1.ControllerUidLabel] = job.Name, string(job.UID)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name: job.Name + "-" + string(uid), Namespace: job.Namespace, UID: uid, Generation: 1, CreationTimestamp: w.time(), Labels: labels,
	}, Spec: job.Spec.Template.Spec}
	pod.Spec.InitContainers, pod.Spec.Containers = nil, []corev1.Container{{Name: render.ContainerName, Image: "mine:1"}}
	if how%2 == 0 {
		pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: job.Name, UID: job.UID, Controller: new(true)}}
	}
	render.KeepFingerprint(pod)
	pod.Status.Phase = corev1.PodSucceeded
	w.truth.strangers[job.Name] = true
	w.truth.pods[uid] = &podTruth{node: nodeUp}
	if checksSource(job) {
		w.truth.pods[uid].answer = forgedAnswer()
	}
	put(w, &w.pods, pod)
	w.terminate(pod, end{code: 0, started: true}, true)
	w.cover.point("a stranger's pod says to be a Job's")
}

// createDirectly creates a build of no Image. With a number it takes a name that an Image's next build would have.
func (w *environment) createDirectly(image *v1alpha1.Image, taken bool) {
	w.truth.anew++
	name := fmt.Sprintf("direct-%d", w.truth.anew)
	if taken {
		name = fmt.Sprintf("%s-%d", image.Name, image.Status.BuildCounter+1)
	}
	if _, ok := w.builds.get(name); ok {
		return
	}
	build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: image.Namespace, UID: w.uid(), Generation: 1, CreationTimestamp: w.time()}}
	build.Spec = v1alpha1.ImageBuildSpec{
		Trigger: &v1alpha1.BuildTrigger{Reason: v1alpha1.TriggerManual}, Inputs: image.Spec.BuildInputs,
		Timeouts: image.Spec.Timeouts, Retry: image.Spec.Retry, Tests: image.Spec.Tests,
	}
	if inputs.Checked(image.Spec.Source) { // the server refuses one that follows a branch
		build.Spec.Inputs.Source = image.Spec.Source.DeepCopy()
		inputs.PinSource(build.Spec.Inputs.Source, w.repositoryAt(image.Spec.Source.Git.URL).now())
	}
	build.Status.Phase = v1alpha1.BuildPending
	put(w, &w.builds, build)
}

// deleteByHand deletes a build. A finalizer may keep it until somebody deletes it again.
func (w *environment) deleteByHand(build *v1alpha1.ImageBuild, finalizer bool) {
	w.truth.byHand[build.UID] = true
	w.remember(build)
	if ref := build.Spec.ImageRef; ref != nil {
		w.truth.moved[ref.Name]++
	}
	if finalizer && build.DeletionTimestamp == nil {
		next := *build
		next.Generation++
		next.Finalizers, next.DeletionTimestamp = []string{"example.com/keep"}, new(w.time())
		put(w, &w.builds, &next)
		w.cover.point("a finalizer keeps a deleted build")
		return
	}
	remove(w, &w.builds, build)
}

// holdSomething sets or removes a legal hold on a build or on an Image.
func (w *environment) holdSomething(a, b int) {
	toggled := func(held bool) map[string]string {
		if held {
			return nil
		}
		return map[string]string{v1alpha1.LabelLegalHold: v1alpha1.LegalHold}
	}
	if build, ok := pick(&w.builds, a); ok && b%3 > 0 {
		next := *build
		next.Labels = toggled(v1alpha1.UnderLegalHold(build))
		put(w, &w.builds, &next)
	} else if image, ok := pick(&w.images, a); ok {
		put(w, &w.images, withLabels(image, toggled(v1alpha1.UnderLegalHold(image))))
	}
}

func withLabels(image *v1alpha1.Image, labels map[string]string) *v1alpha1.Image {
	next := *image
	next.Labels = labels
	return &next
}

// recreate deletes an Image and its dependents, and creates a new Image with the same name.
func (w *environment) recreate(image *v1alpha1.Image, settings uint32) {
	for _, build := range slices.Clone(w.builds.all) {
		if build.Spec.ImageRef != nil && build.Spec.ImageRef.UID == image.UID {
			w.deleteByHand(build, false)
		}
	}
	w.truth.given = slices.DeleteFunc(w.truth.given, func(g given) bool { return g.image == image.UID })
	w.truth.asked = slices.DeleteFunc(w.truth.asked, func(a asked) bool { return a.image == image.Name })
	remove(w, &w.images, image)
	w.othersMove(image.Name)
	w.createImage(image.Name, image.Namespace, settings)
}
