// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// checkEnd returns the violations of these invariants after all builds have ended:
//
//   - No build waits, and no pod or Job is left that belongs to no build.
//   - The latest successful build of an Image exists, has succeeded, and has the digests that the Image reports.
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
	builds, uids := map[string]*v1alpha1.ImageBuild{}, map[string]bool{}
	for i := range list.Items {
		builds[list.Items[i].Name] = &list.Items[i]
		uids[string(list.Items[i].UID)] = true
	}
	jobs, err := s.kube.BatchV1().Jobs(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list Jobs: %w", err)
	}
	for i := range jobs.Items {
		if owner := metav1.GetControllerOf(&jobs.Items[i]); owner == nil || !uids[string(owner.UID)] {
			violated("Job %s belongs to no build", jobs.Items[i].Name)
		}
		uids[string(jobs.Items[i].UID)] = true
	}
	images, err := api.Images(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list images: %w", err)
	}
	for i := range images.Items {
		image := &images.Items[i]
		if latest := image.Status.LatestSuccessful; latest != nil {
			build := builds[latest.Name]
			switch {
			case build == nil: // a user deleted it
			case build.Status.Phase != v1alpha1.BuildSucceeded:
				violated("the latest successful build of image %s, %s, is %s", image.Name, build.Name, build.Status.Phase)
			case len(build.Status.Artifacts) != len(latest.Artifacts) || build.Status.Artifacts[0].Digest != latest.Artifacts[0].Digest:
				violated("image %s has %v, and build %s made %v", image.Name, latest.Artifacts, build.Name, build.Status.Artifacts)
			}
		}
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
