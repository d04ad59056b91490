// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// backup is the content of etcd at some time. Another API server stores the Jobs and pods.
type backup struct {
	images      []*v1alpha1.Image
	builds      []*v1alpha1.ImageBuild
	archives    []*v1alpha1.Archive
	given       []given
	created     []*v1alpha1.ImageBuild
	digests     map[types.UID]string
	ended       map[numbered]ended
	fixes       map[numbered]bool
	scheduledAt map[string]time.Time
	founds      map[types.UID][]string
}

func (w *environment) backUp() {
	w.backup = &backup{
		images: slices.Clone(w.images.all), builds: slices.Clone(w.builds.all), archives: slices.Clone(w.archives.all), given: slices.Clone(w.truth.given),
		created: slices.Clone(w.truth.created), digests: maps.Clone(w.truth.digests), ended: maps.Clone(w.truth.ended), scheduledAt: maps.Clone(w.truth.scheduledAt), fixes: maps.Clone(w.truth.fixes), founds: maps.Clone(w.truth.founds),
	}
}

// restore brings back what a backup has, with the resource versions that the objects had. The controllers were stopped, and a new
// process begins.
func (w *environment) restore() {
	if w.backup == nil {
		return
	}
	for _, lost := range w.builds.all {
		if !slices.ContainsFunc(w.backup.builds, func(build *v1alpha1.ImageBuild) bool { return build.UID == lost.UID }) {
			w.truth.byHand[lost.UID], w.truth.restoredAway[lost.UID] = true, true
			w.cover.point("a build is lost by a restore")
		}
	}
	for _, build := range w.backup.builds {
		if now, ok := w.builds.get(build.Name); active(build) && (!ok || now.Status.Finished) {
			w.cover.point("a finished build goes on after a restore")
		}
	}
	restored(&w.images, w.backup.images)
	restored(&w.builds, w.backup.builds)
	restored(&w.archives, w.backup.archives)
	w.truth.given, w.truth.created = slices.Clone(w.backup.given), slices.Clone(w.backup.created)
	for i, asked := range w.truth.asked {
		if !slices.ContainsFunc(w.truth.created, func(build *v1alpha1.ImageBuild) bool { return build.UID == asked.answer }) {
			w.truth.asked[i].answer = "" // the API has forgotten the request
		}
	}
	w.truth.digests, w.truth.scheduledAt = maps.Clone(w.backup.digests), maps.Clone(w.backup.scheduledAt)
	w.truth.ended, w.truth.fixes, w.truth.founds = maps.Clone(w.backup.ended), maps.Clone(w.backup.fixes), maps.Clone(w.backup.founds)
	w.othersMove("")
	w.late, w.former, w.promotions = nil, nil, nil
	clear(w.truth.owners) // a build that was restored does not know the pods of its later attempts
	w.start(0)
}

// restored makes a table what it was. Nobody can watch what was before.
func restored[T stored](t *table[T], objects []T) {
	t.all, t.log = slices.Clone(objects), nil
	for _, object := range objects {
		t.log = append(t.log, change[T]{is: object})
	}
}
