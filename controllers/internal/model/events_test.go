// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"fmt"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// lookAtSomething lets a controller reconcile one of the due objects, perhaps with a fault.
func (w *environment) lookAtSomething(kind kind, a, b int) {
	p := w.either(b)
	c := p.controllers()[kind-lookAtImage]
	name, ok := types.NamespacedName{}, false
	if c != p.ofBuilds || p.open { // the queue is a source of the build controller, which waits for its sources
		name, ok = c.work.pick(a)
	}
	if !ok {
		p.deliver(a%5, 8)
		p.deliver(1, 8)
		return
	}
	if which := fault(b % 16); which > none && which < kindsOfFaults {
		w.faults.kind, w.faults.in = which, b/16%3
	}
	if which := fault(b / 1024 % 8); which < serverCrash {
		w.faults.rare = which
	}
	if b/4096%4 == 0 {
		w.faults.read = 1 + a%4
	}
	w.faults.overtake = a/16%8 == 0
	if b/48%4 == 0 || len(w.late) > 0 {
		w.faults.interject = 1 + b/192%3
	}
	w.look(p, func() { p.reconcile(c, name) }, a)
}

// either is the process that leads or, if there is one, a process that led before and does not know of the new one yet.
func (w *environment) either(which int) *process {
	former := w.former
	switch {
	case former == nil || which/1024%2 == 0:
		return w.process
	case former.left == 0:
		w.former = nil
		return w.process
	}
	former.left--
	return former
}

func (w *environment) pass(a int) {
	steps := [...]time.Duration{
		time.Second, 2 * time.Second, 3 * time.Second, 5 * time.Second, 12 * time.Second, 15 * time.Second, 25 * time.Second, 62 * time.Second,
		62 * time.Second, 3 * time.Minute, 11 * time.Minute, 11 * time.Minute, time.Hour, 25 * time.Hour, -time.Second, -longestTurnBack,
	}
	step := steps[a%len(steps)]
	w.now = w.now.Add(step)
	w.truth.turnedBack += max(0, -step)
}

func (w *environment) changeOperator(a int) {
	if a%3 == 0 {
		w.builderGone = !w.builderGone
		w.othersMove("")
		w.start(0) // it is a flag
		return
	}
	if a%3 == 1 {
		w.queueGone = true
		return
	}
	w.rejecting = !w.rejecting
}

// pick is one of the objects of a table, if there are any.
func pick[T stored](t *table[T], which int) (object T, ok bool) {
	if len(t.all) == 0 {
		return object, false
	}
	return t.all[which%len(t.all)], true
}

// happen plays an action of a user or of the cluster.
func (w *environment) happen(kind kind, a, b int) {
	switch kind {
	case workOnJob, deleteJob, strangersPod:
		if job, ok := pick(&w.jobs, a); ok {
			w.happenToJob(kind, job, b)
		}
	case kueue:
		w.decideKueue(a, b)
	case workOnPod, disruptPod:
		if pod, ok := pick(&w.pods, a); ok && kind == workOnPod {
			w.workOnPod(pod, b)
		} else if ok {
			w.disrupt(pod, b)
		}
	case editImage, askForBuild, createDirectly, recreateImage, hintSource, editSource:
		if image, ok := pick(&w.images, a); ok {
			w.happenToImage(kind, image, b)
		}
	case newPackage:
		w.updatePackage(a)
	case archiveCheck:
		w.checkMirror(a, b%5 == 0)
	case pushCommit:
		w.push(a, b)
	case gitServer:
		w.disturbServer(a, b)
	case workOnAll:
		w.workOnEverything(a, b)
	case holdSomething:
		w.holdSomething(a, b)
	case promoteBuild:
		w.promoteSome(a)
	case askAgain:
		if n := len(w.truth.asked); n > 0 {
			w.askAgain(a % n)
		}
	default:
		if build, ok := pick(&w.builds, a); ok {
			w.happenToBuild(kind, build, b)
		}
	}
}

// promoteSome promotes one of the builds that have succeeded.
func (w *environment) promoteSome(a int) {
	if build := w.someSuccess(a); build != nil {
		w.promote(build, []string{"stable", "auto"}[a%2], a/2%2 == 0)
	}
}

// someSuccess returns one of the builds of Images that have succeeded, or nil.
func (w *environment) someSuccess(a int) *v1alpha1.ImageBuild {
	for i := range w.builds.all {
		build := w.builds.all[(a+i)%len(w.builds.all)]
		if build.Spec.ImageRef != nil && build.Status.Phase == v1alpha1.BuildSucceeded {
			return build
		}
	}
	return nil
}

// decideKueue lets Kueue suspend a Job, preferably a running Job, or resume a Job.
func (w *environment) decideKueue(a, b int) {
	for _, running := range [...]bool{true, false} {
		for i := range w.jobs.all {
			job := w.jobs.all[(a+i)%len(w.jobs.all)]
			if job.Labels[v1alpha1.LabelKueueQueue] == "" || jobOver(job) {
				continue
			}
			if pod := w.podOf(job); !running || pod != nil && pod.Status.Phase == corev1.PodRunning {
				w.happenToJob(kueue, job, b)
				return
			}
		}
	}
}

// workOnEverything has the whole cluster do something, of which the news may arrive.
func (w *environment) workOnEverything(a, b int) {
	for i, job := range slices.Clone(w.jobs.all) {
		w.workOnJob(job, b+11*i)
		if a%3 > 0 {
			w.resumeJob(job)
		}
	}
	for i, pod := range slices.Clone(w.pods.all) {
		w.workOnPod(pod, b+7*i)
	}
	if a%4 > 0 {
		w.process.deliver(2, 1+a%16)
		w.process.deliver(3, 1+a%16)
	}
}

func (w *environment) happenToJob(kind kind, job *batchv1.Job, b int) {
	switch kind {
	case workOnJob:
		w.workOnJob(job, b)
	case deleteJob:
		if b%2 == 0 {
			w.orphan(job)
			return
		}
		remove(w, &w.jobs, job)
	case strangersPod:
		if b%2 == 1 { // besides a pod that the Job does not control, or alone
			w.refusals[job.UID] = forbidden
		}
		if b%4 == 1 {
			return
		}
		w.createStrangersPod(job, b)
	case kueue:
		if suspended(job) {
			w.resumeJob(job)
		} else {
			w.suspendJob(job)
		}
	}
}

func (w *environment) happenToImage(kind kind, image *v1alpha1.Image, b int) {
	switch kind {
	case editImage:
		w.editSomething(image, b)
	case askForBuild:
		w.truth.anew++
		wanted := request{image: image.Name, id: fmt.Sprintf("person-%d", w.truth.anew), reason: v1alpha1.TriggerManual, crash: b%8 == 0}
		switch {
		case b%7 == 3:
			wanted.id = w.idToCome(image, b/7)
		case b%5 == 0:
			wanted.parameters = []v1alpha1.Parameter{{Name: "w", Value: "1"}}
		}
		w.askFor(wanted)
		if b%4 == 1 { // and at once for another one
			w.truth.anew++
			wanted.id = fmt.Sprintf("person-%d", w.truth.anew)
			w.askFor(wanted)
		}
	case createDirectly:
		w.createDirectly(image, b%2 == 0)
	case hintSource:
		w.hint(image)
	case editSource:
		w.editSource(image, b)
	case recreateImage:
		w.recreate(image, uint32(b)<<8)
	}
}

func (w *environment) happenToBuild(kind kind, build *v1alpha1.ImageBuild, b int) {
	switch kind {
	case cancelBuild:
		_ = w.cancel(build.Name, "") // it is there
	case revokeBuild:
		if succeeded := w.someSuccess(b); b%3 > 0 && succeeded != nil {
			build = succeeded
		}
		w.revokeOrRestore(build, b)
	case deleteBuild:
		w.deleteByHand(build, b%3 > 0)
	case strangersJob:
		if !w.forgeCheck(build.Spec.ImageRef) {
			w.createStrangersJob(build, b)
		}
	case rerunBuild:
		reproduce := b/8%2 > 0
		if succeeded := w.someSuccess(b); reproduce && succeeded != nil {
			build = succeeded
		}
		if ref := build.Spec.ImageRef; ref != nil {
			w.truth.anew++
			w.askFor(request{
				image: ref.Name, uid: ref.UID, id: fmt.Sprintf("rerun-%d", w.truth.anew), reason: v1alpha1.TriggerRerun, rerunOf: build, reproduce: reproduce, crash: b%8 == 0,
			})
		}
	}
}
