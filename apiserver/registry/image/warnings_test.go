// SPDX-License-Identifier: Apache-2.0

package image

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

func TestFieldsWithoutEffectAreWarnedOf(t *testing.T) {
	image := &v1alpha1.Image{Spec: v1alpha1.ImageSpec{
		BuildInputs: v1alpha1.BuildInputs{
			Builder: v1alpha1.BuilderReference{Name: "nobodys"},
			Source:  &v1alpha1.Source{},
			Template: &v1alpha1.BuildTemplate{
				ServiceAccountName: "builder", Resources: &v1alpha1.ResourceRequirements{}, NodeSelector: map[string]string{"disk": "fast"},
				Tolerations: []corev1.Toleration{{Key: "builds"}}, Affinity: &corev1.Affinity{}, RuntimeClassName: "kata",
				PriorityClassName: "high", Env: []corev1.EnvVar{{Name: "A"}},
			},
		},
		Tests: []v1alpha1.ImageTest{{Runner: &v1alpha1.TestRunner{Name: "nobodys"}}},
		History: &v1alpha1.HistoryLimits{
			LogRetention: &v1alpha1.HistoryTTL{Failed: &v1alpha1.Duration{Duration: time.Hour}}, LogMaxBytes: &v1alpha1.Quantity{Text: "1Mi"},
			RecordRetention: &v1alpha1.HistoryTTL{Failed: &v1alpha1.Duration{Duration: time.Hour}}, FileRetention: &v1alpha1.Duration{Duration: time.Hour},
		},
	}}
	byDefault := &v1alpha1.Image{Spec: v1alpha1.ImageSpec{
		BuildInputs: v1alpha1.BuildInputs{Builder: v1alpha1.BuilderReference{Name: "mock"}, Template: &v1alpha1.BuildTemplate{}},
		History:     &v1alpha1.HistoryLimits{LogMaxBytes: &v1alpha1.Quantity{Text: "1024Mi"}, FileRetention: &v1alpha1.Duration{Duration: v1alpha1.DefaultFileRetention}},
	}}
	allowed := &inputs.Builders{Registered: map[string]inputs.Builder{"mock": {Image: "mock"}}}
	for name, test := range map[string]struct {
		setup Setup
		image *v1alpha1.Image
		want  []string
	}{
		"a cluster that has everything": {Setup{LogArchive: true, Records: true}, image, []string{"spec.source"}},
		"a cluster": {Setup{Builders: allowed}, image, []string{
			"spec.source", "spec.builder", "spec.history.logRetention", "spec.history.logMaxBytes", "spec.history.recordRetention", "spec.history.fileRetention",
			"spec.tests[0].runner",
		}},
		"one machine": {Setup{Local: true, LogArchive: true, Records: true}, image, []string{
			"spec.source", "spec.template.serviceAccountName", "spec.template.resources", "spec.template.nodeSelector", "spec.template.tolerations",
			"spec.template.affinity", "spec.template.runtimeClassName", "spec.template.env",
		}},
		"an image by name that is not allowed": {Setup{Builders: allowed}, &v1alpha1.Image{Spec: v1alpha1.ImageSpec{
			BuildInputs: v1alpha1.BuildInputs{Builder: v1alpha1.BuilderReference{Image: "example.com/builder"}},
		}}, []string{"spec.builder"}},
		"defaults": {Setup{Builders: allowed, Local: true}, byDefault, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, warning := range test.setup.ImageWarnings(test.image, time.Unix(0, 0)) {
				path, _, _ := strings.Cut(warning, ": ")
				got = append(got, path)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got warnings of %q, want %q", got, test.want)
			}
		})
	}
}

func TestAWindowThatUpdatesMissIsWarnedOf(t *testing.T) {
	const path = "spec.triggers.onPackageChange."
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC) // a Saturday
	for name, test := range map[string]struct {
		minimumAge time.Duration
		window     *v1alpha1.TriggerWindow
		want       []string
	}{
		"no window":             {720 * time.Hour, nil, nil},
		"every night":           {24 * time.Hour, &v1alpha1.TriggerWindow{Cron: "0 22 * * *", TimeZone: "UTC"}, nil},
		"older than a night":    {24*time.Hour + time.Second, &v1alpha1.TriggerWindow{Cron: "0 22 * * *", TimeZone: "UTC"}, []string{path + "minimumAge: 24h0m1s is longer than the 24h from one window to the next, so an update misses at least one window"}},
		"in a year":             {0, &v1alpha1.TriggerWindow{Cron: "0 12 28 11 *", TimeZone: "UTC"}, nil},
		"only in leap years":    {0, &v1alpha1.TriggerWindow{Cron: "0 0 29 2 *", TimeZone: "UTC"}, []string{path + "window: does not open within a year: no update starts a build until then"}},
		"of an earlier version": {0, &v1alpha1.TriggerWindow{Cron: "whenever"}, nil},
		"once a year":           {720 * time.Hour, &v1alpha1.TriggerWindow{Cron: "0 0 1 1 *", TimeZone: "UTC"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			image := &v1alpha1.Image{Spec: v1alpha1.ImageSpec{Triggers: &v1alpha1.Triggers{OnPackageChange: &v1alpha1.PackageTrigger{
				MinimumAge: &v1alpha1.Duration{Duration: test.minimumAge}, Window: test.window,
			}}}}
			if got := (Setup{}).ImageWarnings(image, now); !slices.Equal(got, test.want) {
				t.Errorf("got warnings %q, want %q", got, test.want)
			}
		})
	}
}
