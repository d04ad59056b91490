// SPDX-License-Identifier: Apache-2.0

// Package caches configures the caches of the controllers: which objects, which of their fields, and the indexes. It sends no
// requests.
package caches

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/render"
)

const (
	// BuildsByImage finds the builds of an Image by its UID.
	BuildsByImage = "spec.imageRef.uid"
	// ImagesByConfigMap finds the Images whose source is a ConfigMap by its name.
	ImagesByConfigMap = "spec.source.configMapRef.name"
	// ImagesByBase finds the Images that are based on an Image by its name.
	ImagesByBase = "spec.base.imageRef.name"
	// ImagesByKind finds the Images of a kind of the catalog by the name of its ImageKind.
	ImagesByKind = "metadata.labels.kind"
	// BuildsByUpdate finds the builds that were started for a new version of a package, by UpdateKey.
	BuildsByUpdate = "spec.trigger.packages.updates"
	// JobsBySource finds the Jobs that check the source of an Image by its name.
	JobsBySource = "metadata.labels.source"
	// PodsByJob finds the pods of a Job by its name, including pods whose Job was deleted.
	PodsByJob = "metadata.labels.job-name"
)

// Scheme has the kinds that the controllers read. Controllers read them all as protobuf, which controller-runtime does not do by
// itself for kinds other than its own.
func Scheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, corev1.AddToScheme, batchv1.AddToScheme, metav1.AddMetaToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("register the controllers' kinds: %w", err)
		}
	}
	if err := apiutil.AddToProtobufScheme(v1alpha1.AddToScheme); err != nil {
		return nil, fmt.Errorf("register the kinds that have protobuf: %w", err)
	}
	return scheme, nil
}

// Options cache Images and ImageBuilds, and only the Jobs and pods of builds.
func Options() cache.Options {
	ours := labels.SelectorFromSet(labels.Set{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy})
	return cache.Options{
		NewInformer:              newInformer,
		DefaultTransform:         strip,
		DefaultWatchErrorHandler: watchEnded,
		ByObject: map[client.Object]cache.ByObject{
			&batchv1.Job{}: {Label: ours},
			&corev1.Pod{}:  {Label: ours},
		},
	}
}

// SignerOptions cache SigningKeys, unfinished builds, and the labels of namespaces.
func SignerOptions() cache.Options {
	return cache.Options{
		NewInformer: newInformer,
		DefaultTransform: func(object any) (any, error) {
			if accessor, ok := object.(metav1.Object); ok {
				accessor.SetManagedFields(nil)
			}
			return object, nil
		},
		DefaultWatchErrorHandler: watchEnded,
		ByObject:                 map[client.Object]cache.ByObject{&v1alpha1.ImageBuild{}: {Field: fields.OneTermEqualSelector("status.finished", "false")}},
	}
}

// AddIndexes adds the indexes to a cache. It must be called before the cache starts.
func AddIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	for _, index := range []struct {
		kind   client.Object
		name   string
		values client.IndexerFunc
	}{
		{&v1alpha1.ImageBuild{}, BuildsByImage, imageUID},
		{&v1alpha1.ImageBuild{}, BuildsByUpdate, updateKeys},
		{&v1alpha1.Image{}, ImagesByConfigMap, configMapName},
		{&v1alpha1.Image{}, ImagesByBase, baseName},
		{&v1alpha1.Image{}, ImagesByKind, byLabel(v1alpha1.ImageKindLabel)},
		{&batchv1.Job{}, JobsBySource, byLabel(v1alpha1.LabelSource)},
		{&corev1.Pod{}, PodsByJob, byLabel(batchv1.JobNameLabel)},
	} {
		if err := indexer.IndexField(ctx, index.kind, index.name, index.values); err != nil {
			return fmt.Errorf("index %T by %s: %w", index.kind, index.name, err)
		}
	}
	return nil
}

// BuildsOf returns the builds of an Image in the order of their numbers. They are shared with the cache and must not be changed.
func BuildsOf(ctx context.Context, cache client.Reader, image *v1alpha1.Image) ([]v1alpha1.ImageBuild, error) {
	list := &v1alpha1.ImageBuildList{}
	err := cache.List(ctx, list, client.InNamespace(image.Namespace), client.UnsafeDisableDeepCopy, client.MatchingFields{BuildsByImage: string(image.UID)})
	if err != nil {
		return nil, fmt.Errorf("list the builds of image %s: %w", image.Name, err)
	}
	slices.SortFunc(list.Items, func(a, b v1alpha1.ImageBuild) int {
		return cmp.Compare(ptr.Deref(a.Spec.Number, 0), ptr.Deref(b.Spec.Number, 0))
	})
	return list.Items, nil
}

func imageUID(object client.Object) []string {
	if build, ok := object.(*v1alpha1.ImageBuild); ok && build.Spec.ImageRef != nil {
		return []string{string(build.Spec.ImageRef.UID)}
	}
	return nil
}

// UpdateKey identifies a new version of a package in an archive.
func UpdateKey(update *v1alpha1.PackageUpdate) string {
	return update.Archive + " " + update.Name + " " + update.To
}

func updateKeys(object client.Object) (keys []string) {
	build, ok := object.(*v1alpha1.ImageBuild)
	if !ok || build.Spec.Trigger == nil || build.Spec.Trigger.Packages == nil {
		return nil
	}
	for i := range build.Spec.Trigger.Packages.Updates {
		keys = append(keys, UpdateKey(&build.Spec.Trigger.Packages.Updates[i]))
	}
	slices.Sort(keys)
	return slices.Compact(keys) // a package has one for each architecture
}

func configMapName(object client.Object) []string {
	image, ok := object.(*v1alpha1.Image)
	if !ok || image.Spec.Source == nil || image.Spec.Source.ConfigMapRef == nil {
		return nil
	}
	return []string{image.Spec.Source.ConfigMapRef.Name}
}

func baseName(object client.Object) []string {
	image, ok := object.(*v1alpha1.Image)
	if !ok || image.Spec.Base.ImageRef == nil {
		return nil
	}
	return []string{image.Spec.Base.ImageRef.Name}
}

// byLabel indexes objects by the value of a label. Objects without it are in no index.
func byLabel(key string) client.IndexerFunc {
	return func(object client.Object) []string {
		if value := object.GetLabels()[key]; value != "" {
			return []string{value}
		}
		return nil
	}
}

// watchEnded logs at a high verbosity: watches end all the time, and package outages logs why a watch cannot start again.
func watchEnded(ctx context.Context, watch *toolscache.Reflector, err error) {
	klog.FromContext(ctx).V(2).Info("watch ended", "type", watch.TypeDescription(), "err", err)
}

// strip drops fields that no controller reads: managed fields everywhere, and the builder's input in Jobs and pods. Fingerprints of both
// remain, with which a controller recognizes the pods of a Job.
func strip(object any) (any, error) {
	if accessor, ok := object.(metav1.Object); ok {
		accessor.SetManagedFields(nil)
	}
	switch kept := object.(type) {
	case *batchv1.Job:
		render.KeepFingerprint(kept)
		kept.Spec.Template = corev1.PodTemplateSpec{}
	case *corev1.Pod:
		render.KeepFingerprint(kept)
		delete(kept.Annotations, v1alpha1.AnnotationInput)
		if _, ok := kept.Annotations[v1alpha1.AnnotationResult]; ok {
			kept.Annotations[v1alpha1.AnnotationResult] = "" // its presence is enough: the status has it
		}
		kept.Spec = corev1.PodSpec{NodeName: kept.Spec.NodeName, ActiveDeadlineSeconds: kept.Spec.ActiveDeadlineSeconds}
	case *metav1.PartialObjectMetadata:
		kept.Labels = nil
		maps.DeleteFunc(kept.Annotations, func(name, _ string) bool {
			return name != v1alpha1.AnnotationQueueWeight && name != v1alpha1.AnnotationMaxBuilds // of Namespaces
		})
	}
	return object, nil
}
