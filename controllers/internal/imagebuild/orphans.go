// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/notfound"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
)

// orphanWorkers is how many Jobs are reconciled at the same time.
const orphanWorkers = 2

// NewOrphans makes the controller that deletes the Jobs of builds that do not exist. The garbage collector of Kubernetes does
// this, too, but keeps some of these Jobs after etcd was restored from a backup. It then lists the builds again, confuses a
// new build with the lost build of the same name, and never processes the Jobs of the lost build.
func NewOrphans(options reconciliation.Options, cache client.Reader) *reconciliation.Controller {
	ofBuilds := predicate.NewPredicateFuncs(func(object client.Object) bool { return buildOf(object) != nil })
	return &reconciliation.Controller{
		Reconciler: &orphans{Options: options, cache: cache}, Name: "imagebuild-orphans", Workers: orphanWorkers,
		Watches: []reconciliation.Watch{{Object: &batchv1.Job{}, Passes: ofBuilds}},
	}
}

// buildOf returns the reference to the build that controls an object; nil if none does.
func buildOf(object client.Object) *metav1.OwnerReference {
	owner := metav1.GetControllerOf(object)
	if owner == nil || owner.Kind != "ImageBuild" || owner.APIVersion != v1alpha1.SchemeGroupVersion.String() {
		return nil
	}
	return owner
}

type orphans struct {
	reconciliation.Options
	cache client.Reader
}

// Reconcile deletes a Job if its build does not exist.
func (o *orphans) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	job := &batchv1.Job{}
	if err := o.cache.Get(ctx, request.NamespacedName, job); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	return reconciliation.Result("Job", request, ctrl.Result{}, o.collect(ctx, job))
}

func (o *orphans) collect(ctx context.Context, job *batchv1.Job) error {
	owner := buildOf(job)
	if owner == nil || job.DeletionTimestamp != nil {
		return nil
	}
	cached := &v1alpha1.ImageBuild{}
	if err := o.cache.Get(ctx, client.ObjectKey{Namespace: job.Namespace, Name: owner.Name}, cached); err == nil && cached.UID == owner.UID {
		return nil
	}
	build, err := o.Client.ImagesV1alpha1().ImageBuilds(job.Namespace).Get(ctx, owner.Name, metav1.GetOptions{}) // the cache may be behind
	switch {
	case notfound.Object(err) || err == nil && build.UID != owner.UID:
		return reconciliation.DeleteJob(ctx, o.Kube, job)
	case err != nil:
		return fmt.Errorf("find the build %s: %w", owner.Name, err)
	}
	return nil
}
