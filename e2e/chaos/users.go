// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

const (
	namespace = "default"
	finalizer = "chaos.goldsmith.dev/hold"
	// names is how many images there are at most.
	names = 12
	// quietPolls is the number of consecutive polls, one each second, in which all builds have to have ended.
	quietPolls = 5
)

// users are all who do something with the API, one after the other.
type users struct {
	*api
	actions map[string]action
	counts  outcomes
}

func newUsers(reached *api) *users {
	u := &users{api: reached, counts: outcomes{}}
	u.actions = map[string]action{
		createImage: u.createImage, changeImage: u.changeImage, requestBuild: u.requestBuild, promoteBuild: u.promote, holdBuild: u.hold,
		removeHolds: func(ctx context.Context, _ uint64) error { return u.removeFinalizers(ctx) },
		deleteImage: func(ctx context.Context, pick uint64) error {
			return u.deleteImage(ctx, pick, metav1.DeletePropagationBackground)
		},
		orphanBuilds: func(ctx context.Context, pick uint64) error {
			return u.deleteImage(ctx, pick, metav1.DeletePropagationOrphan)
		},
		deleteJob: func(ctx context.Context, pick uint64) error {
			return u.deleteJob(ctx, pick, metav1.DeletePropagationBackground)
		},
		orphanPod: func(ctx context.Context, pick uint64) error {
			return u.deleteJob(ctx, pick, metav1.DeletePropagationOrphan)
		},
		deletePod: u.deletePod,
		rerunBuild: u.withBuild(func(ctx context.Context, b *v1alpha1.ImageBuild) error {
			_, err := u.images.ImagesV1alpha1().ImageBuilds(namespace).Rerun(ctx, b.Name, &v1alpha1.RerunRequest{}, metav1.CreateOptions{})
			return err
		}),
		cancelBuild: u.withBuild(func(ctx context.Context, b *v1alpha1.ImageBuild) error {
			_, err := u.images.ImagesV1alpha1().ImageBuilds(namespace).Cancel(ctx, b.Name, &v1alpha1.CancelRequest{}, metav1.CreateOptions{})
			return err
		}),
		deleteBuild: u.withBuild(func(ctx context.Context, b *v1alpha1.ImageBuild) error {
			return u.images.ImagesV1alpha1().ImageBuilds(namespace).Delete(ctx, b.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &b.UID}})
		}),
		addFinalizer: u.withBuild(func(ctx context.Context, b *v1alpha1.ImageBuild) error {
			return u.patchFinalizers(ctx, b.Name, `["`+finalizer+`"]`)
		}),
	}
	return u
}

// follow takes the steps. Steps that are delayed follow each other at once.
func follow(ctx context.Context, start time.Time, steps []step, actions map[string]action, done func(step, error)) {
	for _, step := range steps {
		select {
		case <-time.After(time.Until(start.Add(step.at))):
		case <-ctx.Done():
			return
		}
		done(step, actions[step.action](ctx, step.pick))
	}
}

// errNothing is for a step that found no object to choose.
var errNothing = errors.New("nothing to choose")

// outcomes are the numbers of outcomes of each action.
type outcomes map[string]map[string]int

func (o outcomes) count(action string, err error) {
	outcome := "done"
	switch {
	case errors.Is(err, errNothing):
		outcome = "nothing"
	case apierrors.ReasonForError(err) != metav1.StatusReasonUnknown:
		outcome = string(apierrors.ReasonForError(err))
	case err != nil:
		outcome = "failed"
	}
	if o[action] == nil {
		o[action] = map[string]int{}
	}
	o[action][outcome]++
}

func (o outcomes) print() {
	for _, action := range slices.Sorted(maps.Keys(o)) {
		var parts []string
		for _, outcome := range slices.Sorted(maps.Keys(o[action])) {
			parts = append(parts, fmt.Sprintf("%s %d", outcome, o[action][outcome]))
		}
		fmt.Printf("%-45s %s\n", action, strings.Join(parts, ", "))
	}
}

func imageName(pick uint64) string { return fmt.Sprintf("image-%d", pick%names) }

// parameters of builds that take up to two seconds. Some fail, some of those may be tried again.
func parameters(pick uint64) []v1alpha1.Parameter {
	all := []v1alpha1.Parameter{{Name: "duration", Value: fmt.Sprintf("%dms", pick%2000)}, {Name: "edition", Value: fmt.Sprint(pick % 7)}}
	switch pick % 5 {
	case 0:
		all = append(all, v1alpha1.Parameter{Name: "failAttempts", Value: "1"}, v1alpha1.Parameter{Name: "retryable", Value: "true"})
	case 1:
		all = append(all, v1alpha1.Parameter{Name: "failAttempts", Value: "9"})
	}
	return all
}

func (u *users) createImage(ctx context.Context, pick uint64) error {
	policies := []v1alpha1.RunPolicy{v1alpha1.RunPolicySerial, v1alpha1.RunPolicyParallel, v1alpha1.RunPolicySerialLatestOnly}
	image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Name: imageName(pick)}, Spec: v1alpha1.ImageSpec{
		BuildInputs: v1alpha1.BuildInputs{
			Builder:    v1alpha1.BuilderReference{Name: "mock"},
			Base:       v1alpha1.Base{Reference: "debian:bookworm"},
			Targets:    []v1alpha1.Target{{Platform: "linux/amd64", Format: v1alpha1.ArtifactFormatRaw}},
			Parameters: parameters(pick >> 8),
		},
		RunPolicy: policies[pick>>16%3],
		Retry:     &v1alpha1.RetryPolicy{Backoff: &v1alpha1.Backoff{Initial: &v1alpha1.Duration{Duration: time.Second}}},
	}}
	if base := imageName(pick >> 24); pick>>32%3 == 0 && base != image.Name {
		image.Spec.Base = v1alpha1.Base{ImageRef: &v1alpha1.BaseImageReference{Name: base}}
	}
	_, err := u.images.ImagesV1alpha1().Images(namespace).Create(ctx, image, metav1.CreateOptions{})
	return err
}

func (u *users) changeImage(ctx context.Context, pick uint64) error {
	image, err := u.images.ImagesV1alpha1().Images(namespace).Get(ctx, imageName(pick), metav1.GetOptions{})
	if err != nil {
		return err
	}
	image.Spec.Parameters = parameters(pick >> 8)
	_, err = u.images.ImagesV1alpha1().Images(namespace).Update(ctx, image, metav1.UpdateOptions{})
	return err
}

func (u *users) deleteImage(ctx context.Context, pick uint64, propagation metav1.DeletionPropagation) error {
	return u.images.ImagesV1alpha1().Images(namespace).Delete(ctx, imageName(pick), metav1.DeleteOptions{PropagationPolicy: &propagation})
}

// requestBuild requests a build of the image's own inputs, or one with a parameter of its own.
func (u *users) requestBuild(ctx context.Context, pick uint64) error {
	request := &v1alpha1.BuildRequest{}
	if pick>>8%2 == 0 {
		request.Parameters = []v1alpha1.Parameter{{Name: "edition", Value: "special"}}
	}
	_, err := u.images.ImagesV1alpha1().Images(namespace).Instantiate(ctx, imageName(pick), request, metav1.CreateOptions{})
	return err
}

func (u *users) promote(ctx context.Context, pick uint64) error {
	images := u.images.ImagesV1alpha1().Images(namespace)
	image, err := images.Get(ctx, imageName(pick), metav1.GetOptions{})
	if err != nil {
		return err
	}
	latest := image.Status.LatestSuccessful
	if latest == nil {
		return errNothing
	}
	_, err = images.UpdateChannels(ctx, image.Name, &v1alpha1.ImageChannels{ObjectMeta: metav1.ObjectMeta{Name: image.Name}, Channels: []v1alpha1.ImageChannel{{Name: "stable", Build: latest.Name}}}, metav1.UpdateOptions{})
	return err
}

// withBuild chooses a build, preferably an unfinished build.
func (u *users) withBuild(do func(ctx context.Context, build *v1alpha1.ImageBuild) error) func(context.Context, uint64) error {
	return func(ctx context.Context, pick uint64) error {
		list, err := u.images.ImagesV1alpha1().ImageBuilds(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		unfinished := slices.Clone(list.Items)
		unfinished = slices.DeleteFunc(unfinished, func(build v1alpha1.ImageBuild) bool { return build.Status.Finished })
		if len(unfinished) > 0 && pick%4 != 0 {
			list.Items = unfinished
		}
		if len(list.Items) == 0 {
			return errNothing
		}
		return do(ctx, &list.Items[pick>>8%uint64(len(list.Items))])
	}
}

func (u *users) hold(ctx context.Context, pick uint64) error {
	value := `"` + v1alpha1.LegalHold + `"`
	if pick%2 == 0 {
		value = "null"
	}
	return u.withBuild(func(ctx context.Context, b *v1alpha1.ImageBuild) error {
		_, err := u.images.ImagesV1alpha1().ImageBuilds(namespace).Patch(ctx, b.Name, types.MergePatchType,
			[]byte(`{"metadata":{"labels":{"`+v1alpha1.LabelLegalHold+`":`+value+`}}}`), metav1.PatchOptions{})
		return err
	})(ctx, pick)
}

func (u *users) patchFinalizers(ctx context.Context, build, finalizers string) error {
	_, err := u.images.ImagesV1alpha1().ImageBuilds(namespace).Patch(ctx, build, types.MergePatchType, []byte(`{"metadata":{"finalizers":`+finalizers+`}}`), metav1.PatchOptions{})
	return err
}

func (u *users) removeFinalizers(ctx context.Context) error {
	list, err := u.images.ImagesV1alpha1().ImageBuilds(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, build := range list.Items {
		if slices.Contains(build.Finalizers, finalizer) {
			if err := u.patchFinalizers(ctx, build.Name, "[]"); err != nil && !apierrors.IsNotFound(err) {
				return err
			}
		}
	}
	return nil
}

func (u *users) deletePod(ctx context.Context, pick uint64) error {
	list, err := u.kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	if len(list.Items) == 0 {
		return errNothing
	}
	slices.SortFunc(list.Items, func(a, b corev1.Pod) int { return b.CreationTimestamp.Compare(a.CreationTimestamp.Time) })
	pod := list.Items[pick%uint64(min(len(list.Items), builders))]
	grace := int64(pick >> 8 % 2)
	return u.kube.CoreV1().Pods(namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &grace})
}

func (u *users) deleteJob(ctx context.Context, pick uint64, propagation metav1.DeletionPropagation) error {
	list, err := u.kube.BatchV1().Jobs(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	unfinished := slices.DeleteFunc(list.Items, func(job batchv1.Job) bool { return job.Status.Succeeded+job.Status.Failed > 0 })
	if len(unfinished) == 0 {
		return errNothing
	}
	return u.kube.BatchV1().Jobs(namespace).Delete(ctx, unfinished[pick%uint64(len(unfinished))].Name, metav1.DeleteOptions{PropagationPolicy: &propagation})
}

// settle removes what holds builds, and waits until every build has finished and every Job and pod with it.
func (u *users) settle(ctx context.Context, patience time.Duration) error {
	var waitsFor string
	quiet := 0 // polls in a row: the end of one build may start another
	err := wait.PollUntilContextTimeout(ctx, time.Second, patience, true, func(ctx context.Context) (bool, error) {
		left, err := u.unfinished(ctx)
		if waitsFor = left; err != nil {
			waitsFor = err.Error()
		}
		if quiet++; waitsFor != "" {
			quiet = 0
		}
		return quiet == quietPolls, nil
	})
	if err != nil {
		return fmt.Errorf("not everything has ended after %s: %s: %w", patience, waitsFor, err)
	}
	return nil
}

// unfinished names an object that has not ended, or returns "".
func (u *users) unfinished(ctx context.Context) (string, error) {
	if err := u.removeFinalizers(ctx); err != nil {
		return "", err
	}
	images, err := u.images.ImagesV1alpha1().Images(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return "", err
	}
	builds, err := u.images.ImagesV1alpha1().ImageBuilds(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return "", err
	}
	jobs, err := u.kube.BatchV1().Jobs(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return "", err
	}
	pods, err := u.kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return "", err
	}
	exist := map[types.UID]bool{}
	for _, build := range builds.Items {
		exist[build.UID] = true
		if !build.Status.Finished || build.DeletionTimestamp != nil || u.recorded && !recorded(&build) {
			return fmt.Sprintf("build %s: %s %+v", build.Name, build.Status.Phase, build.Status.Conditions), nil
		}
	}
	for _, job := range jobs.Items {
		if owner := metav1.GetControllerOf(&job); owner != nil && !exist[owner.UID] {
			return fmt.Sprintf("Job %s of build %s, which does not exist", job.Name, owner.Name), nil // the garbage collector deletes it
		}
	}
	for _, pod := range pods.Items {
		if !podEnded(&pod) {
			return fmt.Sprintf("pod %s: %s", pod.Name, pod.Status.Phase), nil
		}
	}
	for _, image := range images.Items {
		if image.Status.ActiveBuilds+image.Status.QueuedBuilds > 0 || image.Status.ObservedGeneration != image.Generation {
			return fmt.Sprintf("image %s: %+v", image.Name, image.Status), nil
		}
	}
	return "", nil
}
