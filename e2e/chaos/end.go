// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/invariants"
)

// checkEnd returns the violations of these invariants after all builds have ended:
//
//   - No build waits. Those of invariants.Owner, Distinct, End and Latest hold.
//   - What is recorded of a build is how it ended, and nothing is recorded as existing that does not exist.
func checkEnd(ctx context.Context, s *api) (violations []string, err error) {
	violated := func(format string, arguments ...any) {
		violations = append(violations, fmt.Sprintf(format, arguments...))
	}
	api := s.images.ImagesV1alpha1()
	queued, err := api.QueuedBuilds(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list the queue: %w", err)
	}
	if len(queued.Items) > 0 {
		violated("%d builds wait: %+v", len(queued.Items), queued.Items[0])
	}
	list, err := api.ImageBuilds(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list builds: %w", err)
	}
	pods, err := s.kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list pods: %w", err)
	}
	podOf := func(uid types.UID) *corev1.Pod { // users delete builds, with their pods
		if i := slices.IndexFunc(pods.Items, func(pod corev1.Pod) bool { return pod.UID == uid }); i >= 0 {
			return &pods.Items[i]
		}
		return nil
	}
	builds, byUID := map[string]*v1alpha1.ImageBuild{}, map[types.UID]*v1alpha1.ImageBuild{}
	for i := range list.Items {
		build := &list.Items[i]
		builds[build.Name], byUID[build.UID] = build, build
		violations = append(violations, invariants.End(build, podOf)...)
		violations = append(violations, invariants.Distinct(build, slices.Collect(maps.Values(byUID)))...)
	}
	jobs, err := s.kube.BatchV1().Jobs(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list Jobs: %w", err)
	}
	for i := range jobs.Items {
		_, orphaned := invariants.Owner(&jobs.Items[i], byUID)
		violations = append(violations, orphaned...)
	}
	images, err := api.Images(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list images: %w", err)
	}
	for i := range images.Items {
		image := &images.Items[i]
		violations = append(violations, invariants.Latest(image, builds)...)
		if !s.recorded {
			continue
		}
		if err := checkRecords(ctx, s, image, builds, violated); err != nil {
			return nil, err
		}
	}
	return violations, nil
}

func checkRecords(ctx context.Context, s *api, image *v1alpha1.Image, builds map[string]*v1alpha1.ImageBuild, violated func(string, ...any)) error {
	var history v1alpha1.ImageHistory
	err := s.images.ImagesV1alpha1().RESTClient().Get().Namespace(namespace).Resource("images").Name(image.Name).SubResource("history").
		Param("limit", "500").Do(ctx).Into(&history)
	if err != nil {
		return fmt.Errorf("read the history of image %s: %w", image.Name, err)
	}
	recorded := map[string]v1alpha1.BuildRecord{}
	for _, record := range history.Items {
		recorded[string(record.UID)] = record
		if build := builds[record.Name]; record.DeletionTime == nil && (build == nil || build.UID != record.UID) {
			violated("build %s of UID %s is recorded as existing, and does not exist", record.Name, record.UID)
		}
	}
	for _, build := range builds {
		if build.Spec.ImageRef == nil || build.Spec.ImageRef.UID != image.UID {
			continue
		}
		if record, found := recorded[string(build.UID)]; !found || record.Phase != build.Status.Phase || record.DeletionTime != nil {
			violated("build %s is %s, and recorded as %+v", build.Name, build.Status.Phase, record)
		}
	}
	return nil
}
