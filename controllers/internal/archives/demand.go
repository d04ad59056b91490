// SPDX-License-Identifier: Apache-2.0

package archives

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/notfound"
	"goldsmith.dev/goldsmith/controllers/internal/caches"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// demand is what Images ask of an archive.
type demand struct {
	archive    name
	images     int32
	components []string
	// packages are those to ask for, with the date of the newest release file that a lock with the package was made from.
	packages map[pkg]time.Time
}

// archives returns the archives that a content came from, sorted and without duplicates.
func (c *content) archives() []name {
	var all []name
	for _, of := range c.origins {
		if !slices.Contains(all, of.archive) {
			all = append(all, of.archive)
		}
	}
	slices.SortFunc(all, func(a, b name) int { return cmp.Compare(a.objectName(), b.objectName()) })
	return all
}

// search finds out which archives Images need, creates the Archives that are missing, and deletes those that no Image needs.
func (a *Archives) search(ctx context.Context) error {
	images := &v1alpha1.ImageList{}
	if err := a.cache.List(ctx, images, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list the images: %w", err)
	}
	demands, known, kept := map[string]*demand{}, map[types.UID]bool{}, map[string]bool{}
	var wholes []whole
	for i := range images.Items {
		image := &images.Items[i]
		if ok, _ := watched(image, a.Builders); !ok || image.DeletionTimestamp != nil {
			continue
		}
		builds, err := caches.BuildsOf(ctx, a.cache, image)
		if err != nil {
			return err
		}
		build := trigger.LatestSuccessful(builds)
		if build == nil {
			continue
		}
		known[build.UID] = true
		found, err := a.locks.of(ctx, build, a.Clock.Now())
		if err != nil {
			return err
		}
		if found.unknown != "" && image.Status.Packages != nil {
			for _, state := range image.Status.Packages.Archives {
				kept[state.Name] = true
			}
		}
		ask(demands, found)
		if image.Spec.Base.ImageRef == nil && found.unknown == "" {
			wholes = append(wholes, whole{image, build, found})
		}
		_, base, err := a.baseContent(ctx, image, build)
		if err != nil {
			return err
		}
		known[base] = true
	}
	a.locks.keep(known)
	a.demands = demands
	if err := a.store(ctx, demands, kept); err != nil {
		return err
	}
	return a.resolve(ctx, wholes)
}

// ask adds what a content asks of its archives.
func ask(demands map[string]*demand, found *content) {
	for _, archive := range found.archives() {
		name := archive.objectName()
		of := demands[name]
		if of == nil {
			of = &demand{archive: archive, packages: map[pkg]time.Time{}}
			demands[name] = of
		}
		of.images++
		var date time.Time
		for _, origin := range found.origins {
			if origin.archive != archive {
				continue
			}
			date = origin.date
			for _, component := range origin.components {
				if at, has := slices.BinarySearch(of.components, component); !has {
					of.components = slices.Insert(of.components, at, component)
				}
			}
		}
		for one := range found.packages {
			if last, has := of.packages[one]; !has || date.After(last) {
				of.packages[one] = date
			}
		}
	}
}

// store creates missing Archives, deletes needless ones, and has the others checked.
func (a *Archives) store(ctx context.Context, demands map[string]*demand, kept map[string]bool) error {
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
		case of != nil && archive.Spec == of.spec():
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
		}
	}
	for name, of := range demands {
		if stored[name] {
			continue
		}
		archive := &v1alpha1.Archive{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: of.spec()}
		_, err := a.Client.ImagesV1alpha1().Archives().Create(ctx, archive, metav1.CreateOptions{})
		if apierrors.IsInvalid(err) { // the server may have other rules than the lock
			ctrl.LoggerFrom(ctx).Info("an archive cannot be checked", "uri", of.archive.uri, "suite", of.archive.suite, "err", err.Error())
			continue
		}
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("create archive %s of %s: %w", name, of.archive.uri, err)
		}
	}
	return nil
}

func (d *demand) spec() v1alpha1.ArchiveSpec { return d.archive.spec() }

func (n name) spec() v1alpha1.ArchiveSpec {
	return v1alpha1.ArchiveSpec{Builder: n.builder, URI: n.uri, Suite: n.suite}
}
