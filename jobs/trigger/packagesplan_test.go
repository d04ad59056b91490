// SPDX-License-Identifier: Apache-2.0

package trigger

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func TestAPlanTellsWhatNewPackagesDo(t *testing.T) {
	openssl := []v1alpha1.PackageUpdate{newer(t, "openssl", security, "2026-03-01T00:00:00Z")}
	tzdata := []v1alpha1.PackageUpdate{newer(t, "tzdata", main, "2026-03-01T00:00:00Z")}
	failed := newBuild(2, v1alpha1.BuildFailed, "A")
	failed.Spec.Trigger = &v1alpha1.BuildTrigger{Packages: candidatesOf(candidates(t, "2026-03-02T11:45:00Z", openssl...))}
	failed.Status.Failure = v1alpha1.ReasonNodeLost.Failure("it is lost")
	failed.Status.CompletionTime = &metav1.Time{Time: at(t, "2026-03-02T11:50:00Z")}
	running := newBuild(2, v1alpha1.BuildRunning, "A")
	running.Spec.Trigger = failed.Spec.Trigger.DeepCopy()
	running.Spec.Trigger.Packages.UpdateCount = 1
	for name, c := range map[string]struct {
		updates []v1alpha1.PackageUpdate
		unknown string
		change  func(*v1alpha1.Image)
		also    func(*Observed)
		want    string // reason: message
		start   string
		count   int32
		changes int // of the inputs, which the request for a build has
	}{
		"nothing newer":   {want: "PackagesUnchanged: no package of build debian-1 has a newer version in its archives"},
		"excluded":        {updates: tzdata, want: "PackagesKept: build debian-1 has 1 package with a newer version, and starts no build"},
		"unknown":         {unknown: "archive debian is not checked yet", want: "PackagesUnknown: archive debian is not checked yet"},
		"due":             {updates: openssl, want: "PackageChange: a build with them would start now", count: 1},
		"with new inputs": {updates: openssl, also: func(o *Observed) { o.Resolved.InputsDigest = "B" }, want: "SpecChange: a build with them would start now", count: 1},
		"without inputs": {updates: openssl, also: func(o *Observed) {
			o.Resolved, o.Unresolved = nil, v1alpha1.ReasonSourceNotFound.Failure("no ConfigMap")
		},
			want: "SourceNotFound: no build starts until the inputs resolve", count: 1},
		"with new inputs that start no build": {updates: openssl, change: func(i *v1alpha1.Image) { i.Spec.Triggers.OnSpecChange = new(false) },
			also: func(o *Observed) { o.Resolved.InputsDigest, o.Image.Spec.Base.Reference = "B", "debian:forky" }, want: "PackageChange: a build with them would start now", count: 1, changes: 2},
		"suspended": {updates: openssl, also: func(o *Observed) { o.Image.Spec.Suspend = new(true) }, want: "Suspended: spec.suspend is true", count: 1},
		"a base": {updates: openssl, change: func(i *v1alpha1.Image) {
			i.Spec.Base = v1alpha1.Base{ImageRef: &v1alpha1.BaseImageReference{Name: "base"}}
		},
			also: func(o *Observed) { o.BasePackages = true }, want: "WaitingForBase: the base (image base) is built first", count: 1},
		"too young": {updates: openssl, change: func(i *v1alpha1.Image) {
			i.Spec.Triggers.OnPackageChange.MinimumAge = &v1alpha1.Duration{Duration: 48 * time.Hour}
		},
			want: "PackagesChanged: the build starts at 2026-03-03T00:00:00Z", start: "2026-03-03T00:00:00Z", count: 1},
		"built now": {updates: openssl, also: func(o *Observed) { o.Builds = append(o.Builds, running) }, want: "BuildActive: build debian-2 was started for them, and has not finished", count: 1},
		"after a failure": {updates: openssl, also: func(o *Observed) { o.Builds = append(o.Builds, failed) },
			want: "PackagesKept: build debian-2 failed, and is no fault of the image: its packages can start another build at 2026-03-02T12:50:00Z", start: "2026-03-02T12:50:00Z"},
		"never compared": {also: func(o *Observed) { o.Image.Status.Conditions, o.Image.Status.Packages = nil, nil }, want: "PackagesUnknown: the controller has not compared the packages of build debian-1"},
	} {
		t.Run(name, func(t *testing.T) {
			w := packaged(t, func(i *v1alpha1.Image) {
				if c.change != nil {
					c.change(i)
				}
			})
			w.t, w.Candidates = t, candidates(t, "2026-03-02T11:45:00Z", c.updates...)
			if c.unknown != "" {
				w.Candidates = &Candidates{Unknown: c.unknown}
			}
			w.look()
			w.look()
			server := w.Observed
			server.Candidates = nil
			if c.also != nil {
				c.also(&server)
			}
			next := Next(server)
			if request := next.Request; request != nil && request.Reason == v1alpha1.TriggerPackageChange && len(request.Changes) != c.changes {
				t.Errorf("the request has %+v", request)
			}
			plan := PlanPackages(server, next)
			if got := plan.Reason + ": " + plan.Message; !strings.HasPrefix(got, c.want) {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
			start := ""
			if plan.StartTime != nil {
				start = plan.StartTime.UTC().Format(time.RFC3339)
			}
			if start != c.start || plan.UpdateCount != c.count || len(plan.Updates) != int(c.count) {
				t.Errorf("got %+v", plan)
			}
		})
	}
	w := packaged(t)
	w.Image.Spec.Triggers.OnPackageChange = nil
	if plan := PlanPackages(w.Observed, Next(w.Observed)); plan != nil {
		t.Errorf("without the trigger, the plan is %+v", plan)
	}
}

// candidatesOf is what the status has of candidates when a build is started for them.
func candidatesOf(known *Candidates) *v1alpha1.ImagePackages {
	return &v1alpha1.ImagePackages{Build: known.Build, Archives: known.Archives, Updates: known.Updates}
}
