// SPDX-License-Identifier: Apache-2.0

package trigger

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// member is an Image of a fleet whose inputs were built, and whose base is another one, or none. If it has a newer version, that of openssl is since 10:00.
func member(t *testing.T, name, base string, isNewer bool, change ...func(*Observed)) Observed {
	w := packaged(t, func(i *v1alpha1.Image) {
		i.Name = name
		if base != "" {
			i.Spec.Base = v1alpha1.Base{ImageRef: &v1alpha1.BaseImageReference{Name: base}}
		}
	})
	w.Candidates = candidates(t, "2026-03-02T08:00:00Z")
	w.look()
	w.Candidates = candidates(t, "2026-03-02T10:00:00Z")
	if isNewer {
		w.Candidates.Updates = []v1alpha1.PackageUpdate{newer(t, "openssl", security, "2026-03-02T10:00:00Z")}
	}
	w.Resolved = nil // as a client does not know it
	for _, c := range change {
		c(&w.Observed)
	}
	return w.Observed
}

// spec changes the spec of a member.
func spec(change func(*v1alpha1.ImageSpec)) func(*Observed) {
	return func(o *Observed) {
		change(&o.Image.Spec)
		v1alpha1.SetObjectDefaults_Image(o.Image)
	}
}

// condition sets a condition of a member.
func condition(kind, reason, message string, is metav1.ConditionStatus) func(*Observed) {
	return func(o *Observed) {
		meta.SetStatusCondition(&o.Image.Status.Conditions, metav1.Condition{Type: kind, Status: is, Reason: reason, Message: message})
	}
}

// builds adds a build to a member, which was started for the newer version if forPackages is true.
func builds(t *testing.T, phase v1alpha1.BuildPhase, forPackages bool, class v1alpha1.FailureClass) func(*Observed) {
	return func(o *Observed) {
		build := newBuild(2, phase, "A")
		build.Status.CompletionTime = &metav1.Time{Time: o.Now.Add(-20 * time.Minute)}
		if build.Status.Failure != nil {
			build.Status.Failure.Class = class
		}
		if forPackages {
			build.Spec.Trigger = &v1alpha1.BuildTrigger{Reason: v1alpha1.TriggerPackageChange, Packages: &v1alpha1.ImagePackages{
				Archives: o.Candidates.Archives, Updates: []v1alpha1.PackageUpdate{newer(t, "openssl", security, "2026-03-02T10:00:00Z")}, UpdateCount: 1,
			}}
		}
		o.Builds = append(o.Builds, build)
	}
}

func TestWhatNewPackagesDoForAFleet(t *testing.T) {
	suspended := spec(func(s *v1alpha1.ImageSpec) { s.Suspend = new(true) })
	night := spec(func(s *v1alpha1.ImageSpec) {
		s.Triggers.OnPackageChange.Window = &v1alpha1.TriggerWindow{Cron: "0 22 * * *", Duration: v1alpha1.Duration{Duration: time.Hour}}
	})
	evening := spec(func(s *v1alpha1.ImageSpec) { // at 14:00, which is outside of the window
		s.Triggers.OnPackageChange.MinimumAge = &v1alpha1.Duration{Duration: 4 * time.Hour}
		s.Triggers.OnPackageChange.Window = &v1alpha1.TriggerWindow{Cron: "0 21 * * *", Duration: v1alpha1.Duration{Duration: time.Hour}}
	})
	young := spec(func(s *v1alpha1.ImageSpec) {
		s.Triggers.OnPackageChange.MinimumAge = &v1alpha1.Duration{Duration: 4 * time.Hour}
	})
	plain := spec(func(s *v1alpha1.ImageSpec) { s.Triggers.OnPackageChange = nil })
	rides := func(promote v1alpha1.ChannelPromotion) func(*Observed) {
		return spec(func(s *v1alpha1.ImageSpec) {
			s.Channels = []v1alpha1.ChannelRule{{Name: "stable", Promote: promote}}
		})
	}
	stable := spec(func(s *v1alpha1.ImageSpec) { s.Base.ImageRef.Channel = "stable" })
	for _, test := range []struct {
		name  string
		fleet []Observed
		want  string
	}{
		{"bases first, whatever the order", []Observed{
			member(t, "top", "middle", true), member(t, "middle", "base", false), member(t, "base", "", true), member(t, "other", "", false),
		}, "top AfterBase 2 middle; middle AfterBase 1 base; base Now 0"},
		{"without a trigger of its own", []Observed{member(t, "base", "", true), member(t, "web", "base", false, plain), member(t, "alone", "", false, plain)}, "base Now 0; web AfterBase 1 base"},
		{"a channel that moves", []Observed{member(t, "base", "", true, rides(v1alpha1.PromoteAutomatic)), member(t, "web", "base", false, stable)}, "base Now 0; web AfterBase 1 base"},
		{"a channel that a user moves", []Observed{member(t, "base", "", true, rides(v1alpha1.PromoteManual)), member(t, "web", "base", false, stable), member(t, "own", "base", true, stable)}, "base Now 0; own Now 0"},
		{"does not follow its base", []Observed{
			member(t, "base", "", true), member(t, "web", "base", true, spec(func(s *v1alpha1.ImageSpec) { s.Triggers.OnBaseChange = new(false) })),
		}, "base Now 0; web Now 0"},
		{"suspended", []Observed{member(t, "base", "", true, suspended), member(t, "web", "base", false)}, "base Never 0 (Suspended)"},
		{"a suspended base does not delay", []Observed{
			member(t, "base", "", true), member(t, "middle", "base", true, suspended), member(t, "web", "middle", true),
		}, "base Now 0; middle Never 0 (Suspended); web AfterBase 1 base"},
		{"a window", []Observed{member(t, "web", "", true, night)}, "web Later 0 at 22:00 window"},
		{"an age and a window", []Observed{member(t, "web", "", true, evening)}, "web Later 0 at 21:00 minimumAge, window"},
		{"an age", []Observed{member(t, "web", "", true, young)}, "web Later 0 at 14:00 minimumAge"},
		{"a window that never opens", []Observed{member(t, "web", "", true, func(o *Observed) {
			o.Image.Spec.Triggers.OnPackageChange.Window = &v1alpha1.TriggerWindow{Cron: "no cron"}
		})}, "web Never 0 (PackagesChanged)"},
		{"the base later", []Observed{member(t, "base", "", true, night), member(t, "web", "base", true), member(t, "old", "base", true, young), member(t, "late", "base", true, night)},
			"base Later 0 at 22:00 window; web Now 0, again after base; old Later 0 at 14:00 minimumAge, again after base; late AfterBase 1 base"},
		{"a base that is built", []Observed{
			member(t, "base", "", false, builds(t, v1alpha1.BuildRunning, true, "")), member(t, "web", "base", false),
		}, "base Building 0; web AfterBase 1 base"},
		{"a base that is built for another reason", []Observed{
			member(t, "base", "", false, builds(t, v1alpha1.BuildRunning, false, "")), member(t, "web", "base", false), member(t, "own", "base", true),
		}, "own AfterBase 1 base"},
		{"a build that may have them", []Observed{member(t, "web", "", true, builds(t, v1alpha1.BuildQueued, false, ""))}, "web Building 0"},
		{"a build that failed because of the mirror", []Observed{member(t, "web", "", true, builds(t, v1alpha1.BuildFailed, true, v1alpha1.FailureInfrastructure))}, "web Later 0 at 12:40 after a failure"},
		{"a build that failed because of the image", []Observed{member(t, "web", "", true, builds(t, v1alpha1.BuildFailed, true, v1alpha1.FailureUser))}, ""},
		{"too many failures", []Observed{
			member(t, "base", "", true, func(o *Observed) { o.Image.Status.ConsecutiveFailures = 5 }),
			member(t, "web", "base", false),
		}, "base Never 0 (TooManyFailures)"},
		{"a paused rollout", []Observed{
			member(t, "web", "", true, condition(v1alpha1.ImagePackagesUpToDate, v1alpha1.ReasonRolloutPaused, "new packages: openssl, but 3 builds failed", metav1.ConditionFalse)),
		}, "web Never 0 (RolloutPaused)"},
		{"a quota", []Observed{
			member(t, "web", "", true, condition(v1alpha1.ImageReconciling, v1alpha1.ReasonBuildRefused, "exceeded quota", metav1.ConditionTrue)),
		}, "web Never 0 (BuildRefused)"},
		{"inputs that do not resolve", []Observed{
			member(t, "web", "", true, condition(v1alpha1.ImageInputsResolved, "SourceNotFound", "no ConfigMap", metav1.ConditionFalse)),
		}, "web Never 0 (SourceNotFound)"},
		{"unknown packages", []Observed{
			member(t, "web", "", false, func(o *Observed) { o.Candidates = &Candidates{Unknown: "no lock"} }),
			member(t, "shell", "", false, func(o *Observed) { o.Candidates = &Candidates{Unknown: "no probe", NotSupported: true} }),
		}, "web Unknown 0 (PackagesUnknown); shell Unknown 0 (ProbeNotSupported)"},
		{"a base outside of the fleet", []Observed{member(t, "web", "gone", true)}, "web Now 0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for i, plan := range PlanFleet(test.fleet) {
				if plan.State == FleetUnaffected {
					continue
				}
				text := fmt.Sprintf("%s %s %d", test.fleet[i].Image.Name, plan.State, plan.Layer)
				switch plan.State {
				case FleetAfterBase:
					text += " " + plan.After
				case FleetLater:
					text += fmt.Sprintf(" at %s %s", plan.Start.Format("15:04"), plan.Waits)
				case FleetNever, FleetUnknown:
					text += " (" + plan.Reason + ")"
				}
				if plan.State != FleetAfterBase && plan.After != "" {
					text += ", again after " + plan.After
				}
				got = append(got, text)
				if has := plan.ListUpdates() != ""; has != strings.Contains(plan.Message+plan.ListUpdates(), "openssl 1") {
					t.Errorf("lists %q, and says %q", plan.ListUpdates(), plan.Message)
				}
			}
			if text := strings.Join(got, "; "); text != test.want {
				t.Errorf("got  %s\nwant %s", text, test.want)
			}
		})
	}
}
