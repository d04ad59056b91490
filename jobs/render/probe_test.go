// SPDX-License-Identifier: Apache-2.0

package render

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

func someArchive() *v1alpha1.Archive {
	return &v1alpha1.Archive{
		ObjectMeta: metav1.ObjectMeta{Name: "debian-security", UID: "0b5c1a52-0000-4000-8000-00000000000a"},
		Spec:       v1alpha1.ArchiveSpec{Builder: "mock", URI: "http://deb.debian.org/debian-security", Suite: "trixie-security"},
		Status:     v1alpha1.ArchiveStatus{Checks: 7},
	}
}

func someProbe() InputProbe {
	return InputProbe{
		Archive:     InputArchive{Components: []string{"main"}},
		Conditional: true,
		Packages:    map[string]map[string][]string{"amd64": {"openssl": {"3.5.4-1", "3.5.6-1"}}, "all": {"tzdata": {"2026a-0+deb13u1"}}},
		Release: &v1alpha1.ArchiveRelease{
			Date: metav1.NewTime(time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)), SHA256: strings.Repeat("a", 64), ETag: `"abc"`, LastModified: "Sat, 28 Nov 2026 10:00:00 GMT",
		},
	}
}

// placed is a builder for whose pods the operator set something, and whose publisher and reports a check does not need.
var placed = inputs.Builder{
	Image: mockBuilder.Image, Command: []string{"/mock"}, Reports: true, Publisher: inputs.Publisher{Image: "goldsmith-controller:1"},
	Placement: inputs.Placement{
		NodeSelector: map[string]string{"disk": "fast"}, Tolerations: []corev1.Toleration{{Key: "builds", Operator: corev1.TolerationOpExists}},
		Resources: &v1alpha1.ResourceRequirements{Limits: map[string]v1alpha1.Quantity{"memory": {Text: "1Gi"}}},
	},
}

func TestTheJobOfACheckIsTheGoldenOneAndRestricted(t *testing.T) {
	evaluator := require.Value(policy.NewEvaluator(policy.DefaultChecks(), nil))(t)
	level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	for name, probe := range map[string]InputProbe{"probe": someProbe(), "probe-first": {}} {
		job := require.Value(ProbeJob(someArchive(), "goldsmith-archives", 2, probe, placed))(t)
		got := require.Value(yaml.Marshal(job))(t)
		golden := filepath.Join("testdata", name+".yaml")
		if *update {
			require.NoError(t, os.WriteFile(golden, got, 0o644))
		}
		if diff := cmp.Diff(string(require.Value(os.ReadFile(golden))(t)), string(got)); diff != "" {
			t.Errorf("the Job is not that of %s; run the test with -update if it should be (-want +got):\n%s", golden, diff)
		}
		for _, result := range evaluator.EvaluatePod(level, &job.Spec.Template.ObjectMeta, &job.Spec.Template.Spec) {
			if !result.Allowed {
				t.Errorf("%s: %s: %s", name, result.ForbiddenReason, result.ForbiddenDetail)
			}
		}
	}
}

func TestTheInputOfACheckIsCanonicalAndReadBack(t *testing.T) {
	const (
		head    = `{"attempt":1,"base":{},"build":{"name":"","namespace":"","uid":""},"files":{},"parameters":{},"probe":{"archive":{"components":`
		archive = `,"suite":"trixie-security","uri":"http://deb.debian.org/debian-security"},`
		tail    = `},"targets":[],"version":1}`
	)
	for want, probe := range map[string]InputProbe{
		head + `["main"]` + archive + `"conditional":true,"packages":{"all":{"tzdata":["2026a-0+deb13u1"]},"amd64":{"openssl":["3.5.4-1","3.5.6-1"]}},` +
			`"release":{"date":"2026-11-28T10:00:00Z","etag":"\"abc\"","lastModified":"Sat, 28 Nov 2026 10:00:00 GMT","sha256":"` + strings.Repeat("a", 64) + `"}` + tail: someProbe(),
		head + `[]` + archive + `"packages":{}` + tail: {},
	} {
		got := inputOf(require.Value(ProbeJob(someArchive(), "goldsmith-archives", 0, probe, mockBuilder))(t))
		if got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
		read := require.Value(ParseInput([]byte(got)))(t)
		if len(probe.Packages) > 0 {
			probe.Archive.URI, probe.Archive.Suite = "http://deb.debian.org/debian-security", "trixie-security"
			if diff := cmp.Diff(&probe, read.Probe); diff != "" {
				t.Error(diff)
			}
		}
	}
}

func TestACheckIsRefused(t *testing.T) {
	large := someProbe()
	large.Packages["amd64"]["openssl"] = []string{strings.Repeat("1", MaxInputBytes)}
	for want, test := range map[string]struct {
		probe   InputProbe
		builder inputs.Builder
	}{
		"render Job goldsmith-archives/debian-security-7-0-af1154c: the builder has no image": {someProbe(), inputs.Builder{}},
		"more than the limit of 245760: ask for fewer packages":                               {large, mockBuilder},
	} {
		if job, err := ProbeJob(someArchive(), "goldsmith-archives", 0, test.probe, test.builder); err == nil || job != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q", err, want)
		}
	}
}

func TestTheNameOfTheJobOfACheck(t *testing.T) {
	names := map[string]string{}
	add := func(what string, part int, change func(*v1alpha1.Archive)) {
		archive := someArchive()
		change(archive)
		name := ProbeJobName(archive, part)
		if problems := append(validation.IsDNS1123Subdomain(name), validation.IsValidLabelValue(name)...); len(problems) > 0 {
			t.Errorf("%s: %q: %v", what, name, problems)
		}
		if other, taken := names[name]; taken {
			t.Errorf("%s and %s have the name %s", what, other, name)
		}
		names[name] = what
	}
	add("the first part", 0, func(*v1alpha1.Archive) {})
	add("the second part", 1, func(*v1alpha1.Archive) {})
	add("the next check", 0, func(archive *v1alpha1.Archive) { archive.Status.Checks++ })
	add("an archive of the same name", 0, func(archive *v1alpha1.Archive) { archive.UID = "another" })
	add("a long name", 0, func(archive *v1alpha1.Archive) {
		archive.Name = strings.Repeat("a", 39) + "-" + strings.Repeat("b", 23)
	})
	add("a large number", 999, func(archive *v1alpha1.Archive) {
		archive.Name, archive.Status.Checks = strings.Repeat("a.", 31)+"a", 1<<62
	})
}

func TestTheArchiveOfAJob(t *testing.T) {
	job := require.Value(ProbeJob(someArchive(), "goldsmith-archives", 0, someProbe(), mockBuilder))(t)
	if uid, ok := ProbeOf(job); !ok || uid != someArchive().UID {
		t.Errorf("got %q, %t", uid, ok)
	}
	if _, _, ok := Attempt(job); ok {
		t.Error("the Job of a check is an attempt at a build")
	}
	if _, ok := ProbeOf(mustRender(t, fullBuild(), 1, mockBuilder)); ok {
		t.Error("the Job of a build is the check of an archive")
	}
	if _, ok := ProbeOf(&batchv1.Job{}); ok {
		t.Error("a Job without an owner is the check of an archive")
	}
}
