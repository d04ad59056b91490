// SPDX-License-Identifier: Apache-2.0

package imagereport

import (
	"context"
	"maps"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/history"
	"goldsmith.dev/goldsmith/records"
)

// newest is how many items of history, changes and notes a single report has.
const newest = 20

// join returns reports of Images, in their order, and the fixes of all of them. Without a database they have no figures.
func (r *REST) join(ctx context.Context, name string, of []v1alpha1.Image, window time.Duration) ([]v1alpha1.ImageReport, []records.Fix, error) {
	store, err := r.database.Store()
	if err != nil {
		return nil, nil, history.Error(err, resource, name)
	}
	var fixes []records.Fix
	recorded := map[types.UID]*records.ImageStats{}
	if store == nil {
		history.WarnNoDatabase(ctx)
	} else {
		uids := make([]types.UID, len(of))
		for i := range of {
			uids[i] = of[i].UID
		}
		since := records.Window{Since: r.clock.Now().Add(-window)}
		if recorded, err = history.ImageStatsByUID(ctx, store, apirequest.NamespaceValue(ctx), uids, since); err != nil {
			return nil, nil, history.Error(err, resource, name)
		}
		if fixes, err = store.Fixes(ctx, uids, since); err != nil {
			return nil, nil, history.Error(err, resource, name)
		}
	}
	fixed := map[types.UID][]records.Fix{}
	for _, fix := range fixes {
		fixed[fix.Image] = append(fixed[fix.Image], fix)
	}
	reports := make([]v1alpha1.ImageReport, len(of))
	for i := range of {
		reports[i] = report(&of[i], recorded[of[i].UID], fixed[of[i].UID], window)
	}
	return reports, fixes, nil
}

// report returns the report of a recorded Image, or nil.
func report(image *v1alpha1.Image, recorded *records.ImageStats, fixes []records.Fix, window time.Duration) v1alpha1.ImageReport {
	report := v1alpha1.ImageReport{ObjectMeta: metav1.ObjectMeta{
		Namespace: image.Namespace, Name: image.Name, UID: image.UID, Labels: maps.Clone(image.Labels), CreationTimestamp: image.CreationTimestamp,
	}}
	if recorded != nil {
		report.Stats = history.Stats(&recorded.Stats, window)
		report.Stats.Fixes = history.Fixes(fixes)
		report.Health = history.Health(report.Stats, image.Status.Conditions)
	}
	return report
}

// addJournals adds the newest history, changes and notes of an Image, and its tests.
func (r *REST) addJournals(ctx context.Context, report *v1alpha1.ImageReport) error {
	store, err := r.database.Store()
	if store == nil && err == nil {
		return nil
	}
	if err == nil {
		err = journals(ctx, store, report, r.clock.Now())
	}
	if err != nil {
		return history.Error(err, resource, report.Name)
	}
	return nil
}

func journals(ctx context.Context, store *records.Store, report *v1alpha1.ImageReport, now time.Time) error {
	first := records.Paging{Limit: newest}
	builds, err := store.History(ctx, records.Query{Namespace: report.Namespace, ImageUID: report.UID, Paging: first})
	if err != nil {
		return err
	}
	changes, err := store.Changes(ctx, report.UID, first)
	if err != nil {
		return err
	}
	notes, err := store.Notes(ctx, report.UID, first)
	if err != nil {
		return err
	}
	if report.Stats != nil {
		tests, err := store.TestStats(ctx, report.UID, records.Window{Since: now.Add(-report.Stats.Window.Duration)})
		if err != nil {
			return err
		}
		report.Stats.Tests = history.Tests(tests)
	}
	report.History, report.Changes, report.Notes = history.Builds(builds.Items), history.Changes(changes.Items), history.Notes(notes.Items)
	return nil
}
