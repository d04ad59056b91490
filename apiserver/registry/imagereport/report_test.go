// SPDX-License-Identifier: Apache-2.0

package imagereport

import (
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/history"
	"goldsmith.dev/goldsmith/apiserver/registry/table/tabletest"
)

var now = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

func TestSinceAndDeletedAreNoFieldsOfImages(t *testing.T) {
	for text, want := range map[string]struct {
		window  time.Duration
		rest    string
		deleted bool
	}{
		"":                               {window: history.DefaultWindow},
		"since=24h":                      {window: 24 * time.Hour},
		"since==24h,since=24h":           {window: 24 * time.Hour},
		"metadata.name=web":              {window: history.DefaultWindow, rest: "metadata.name=web"},
		"metadata.name!=web,since=1h30m": {window: 90 * time.Minute, rest: "metadata.name!=web"},
		"deleted=true,metadata.name=web": {window: history.DefaultWindow, rest: "metadata.name=web", deleted: true},
		"deleted=false":                  {window: history.DefaultWindow},
	} {
		got, err := split(&metainternalversion.ListOptions{
			FieldSelector: fields.ParseSelectorOrDie(text), LabelSelector: labels.SelectorFromSet(labels.Set{"team": "red"}), Limit: 3, Continue: "next", Watch: true,
		})
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		wanted := got.images
		if got.window != want.window || wanted.FieldSelector.String() != want.rest || got.deleted != want.deleted {
			t.Errorf("%q: the window is %s, deleted %t, and the rest %q", text, got.window, got.deleted, wanted.FieldSelector)
		}
		if wanted.LabelSelector.String() != "team=red" || wanted.Limit != 3 || wanted.Continue != "next" || wanted.Watch {
			t.Errorf("%q: images are asked for by %+v", text, wanted)
		}
	}
	if got, err := split(nil); err != nil || got.window != history.DefaultWindow || got.images == nil || got.deleted {
		t.Errorf("without options: %v, error %v", got, err)
	}
}

func TestSinceIsOneDurationAndDeletedIsABoolean(t *testing.T) {
	for _, text := range []string{
		"since=yesterday", "since=1s", "since!=24h", "since=24h,since=48h", "since=2030-01-02T03:04:05Z", "deleted=maybe", "deleted!=true", "deleted=true,deleted=false",
	} {
		if _, err := split(&metainternalversion.ListOptions{FieldSelector: fields.ParseSelectorOrDie(text)}); !apierrors.IsBadRequest(err) {
			t.Errorf("%q: got error %v", text, err)
		}
	}
}

func TestTable(t *testing.T) {
	report := func(name string, stats *v1alpha1.BuildStats, health *v1alpha1.ImageHealth) v1alpha1.ImageReport {
		return v1alpha1.ImageReport{
			ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(now.Add(-72 * time.Hour))}, Stats: stats, Health: health,
		}
	}
	tabletest.Golden(t, newTable(testingclock.NewFakePassiveClock(now)), &v1alpha1.ImageReportList{Items: []v1alpha1.ImageReport{
		report("web", &v1alpha1.BuildStats{
			Builds: 12, Succeeded: 11, Failed: 1, SuccessRate: new(int32(91)),
			Durations: &v1alpha1.DurationPercentiles{P50: metav1.Duration{Duration: 95 * time.Second}, P90: metav1.Duration{Duration: time.Hour}},
		}, &v1alpha1.ImageHealth{Score: 94}),
		report("broken", &v1alpha1.BuildStats{Builds: 2, Failed: 2, SuccessRate: new(int32(0))}, &v1alpha1.ImageHealth{}),
		report("idle", &v1alpha1.BuildStats{}, nil),
		report("unknown", nil, nil),
	}})
}
