// SPDX-License-Identifier: Apache-2.0

package archives

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/notfound"
	"goldsmith.dev/goldsmith/controllers/internal/caches"
	"goldsmith.dev/goldsmith/jobs/probe"
)

// search finds out which archives Images need, creates the Archives that are missing, and deletes those that no Image needs.
func (a *Archives) search(ctx context.Context) error {
	images := &v1alpha1.ImageList{}
	if err := a.cache.List(ctx, images, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list the images: %w", err)
	}
	demands, needed, kept := probe.Demands{}, map[types.UID]bool{}, map[string]bool{}
	var wholes []whole
	for i := range images.Items {
		image := &images.Items[i]
		if image.DeletionTimestamp != nil {
			continue
		}
		builds, err := caches.BuildsOf(ctx, a.cache, image)
		if err != nil {
			return err
		}
		packages, err := probe.PackagesOf(ctx, known{a}, a.Builders, image, builds)
		if err != nil {
			return err
		}
		if image.Status.Packages != nil && !packages.NotSupported && (packages.Missing != "" || packages.Content != nil && packages.Content.Unknown != "") {
			for _, state := range image.Status.Packages.Archives {
				kept[state.Name] = true
			}
		}
		for _, build := range []*v1alpha1.ImageBuild{packages.Build, packages.BaseBuild} {
			if build != nil {
				needed[build.UID] = true
			}
		}
		if packages.Content == nil {
			continue
		}
		demands.Add(packages.Content)
		if image.Spec.Base.ImageRef == nil && packages.Content.Unknown == "" {
			wholes = append(wholes, whole{image, packages})
		}
	}
	a.locks.keep(needed)
	a.demands = demands
	if err := a.store(ctx, demands, kept); err != nil {
		return err
	}
	return a.resolve(ctx, wholes)
}

// store creates missing Archives, deletes needless ones, and has the others checked.
func (a *Archives) store(ctx context.Context, demands probe.Demands, kept map[string]bool) error {
	archives := &v1alpha1.ArchiveList{}
	if err := a.cache.List(ctx, archives, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list the archives: %w", err)
	}
	stored := map[string]bool{}
	for i := range archives.Items {
		archive := &archives.Items[i]
		stored[archive.Name] = true
		of := demands[archive.Name]
		switch {
		case of != nil && archive.Spec == of.Archive.Spec():
			a.again(archive.Name)
		case kept[archive.Name] || archive.DeletionTimestamp != nil:
		default:
			background := metav1.DeletePropagationBackground
			err := a.Client.ImagesV1alpha1().Archives().Delete(ctx, archive.Name, metav1.DeleteOptions{
				Preconditions: &metav1.Preconditions{UID: &archive.UID}, PropagationPolicy: &background,
			})
			if err != nil && !notfound.Object(err) {
				return fmt.Errorf("delete archive %s, which no image needs: %w", archive.Name, err)
			}
			delete(a.covered, archive.UID)
			delete(a.checks, archive.UID)
		}
	}
	for name, of := range demands {
		if stored[name] {
			continue
		}
		archive := &v1alpha1.Archive{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: of.Archive.Spec()}
		_, err := a.Client.ImagesV1alpha1().Archives().Create(ctx, archive, metav1.CreateOptions{})
		if apierrors.IsInvalid(err) { // the server may have other rules than the lock
			ctrl.LoggerFrom(ctx).Info("an archive cannot be checked", "uri", of.Archive.URI, "suite", of.Archive.Suite, "err", err.Error())
			continue
		}
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("create archive %s of %s: %w", name, of.Archive.URI, err)
		}
	}
	return nil
}
