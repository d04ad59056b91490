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
	"goldsmith.dev/goldsmith/e2e/require"
)

const (
	main     = "debian-trixie"
	security = "debian-trixie-security"
)

// newer is a newer version of a package in an archive since a time. That of the archive security is for security.
func newer(t *testing.T, name, archive, since string) v1alpha1.PackageUpdate {
	one := v1alpha1.PackageUpdate{Name: name, Architecture: "amd64", From: "1", To: "2", Archive: archive, Since: metav1.NewTime(at(t, since)), Security: archive == security}
	if one.Security {
		one.Advisories = []string{"CVE-2026-4", "CVE-2026-3", "CVE-2026-2", "CVE-2026-1"}
	}
	return one
}

// candidates are those of build 1 in archives of a date.
func candidates(t *testing.T, date string, updates ...v1alpha1.PackageUpdate) *Candidates {
	state := func(name string) v1alpha1.ArchiveState {
		return v1alpha1.ArchiveState{Name: name, Date: metav1.NewTime(at(t, date))}
	}
	return &Candidates{
		Build: "debian-1", Archives: []v1alpha1.ArchiveState{state(security), state(main)}, Updates: updates, Has: func(_, _, _ string) bool { return false },
	}
}

// packaged is a scenario whose inputs were built, with a trigger for new packages.
func packaged(t *testing.T, change ...func(*v1alpha1.Image)) *scenario {
	w := &scenario{t: t, number: 1}
	w.Observed = observed(newImage(func(i *v1alpha1.Image) {
		i.Spec.Triggers.OnPackageChange = &v1alpha1.PackageTrigger{}
		for _, c := range change {
			c(i)
		}
		v1alpha1.SetObjectDefaults_Image(i)
	}), "A", newBuild(1, v1alpha1.BuildSucceeded, "A"))
	return w.at("2026-03-02T12:00:00Z")
}

// want looks twice, because the first look stores what the second decides by, and compares the reason and the message.
func (w *scenario) want(reason, message string) Decision {
	w.t.Helper()
	w.look()
	d := w.look()
	if d.Reason != reason || !strings.Contains(d.Message, message) {
		w.t.Errorf("decides %s: %s\nwant %s: … %s …", d.Reason, d.Message, reason, message)
	}
	if due := reason == string(v1alpha1.TriggerPackageChange); due != (d.Request != nil) {
		w.t.Errorf("the request is %+v", d.Request)
	}
	return d
}

func TestNewPackagesStartABuild(t *testing.T) {
	const due = string(v1alpha1.TriggerPackageChange)
	old, young := "2026-03-01T00:00:00Z", "2026-03-02T11:30:00Z"
	mode := func(mode v1alpha1.PackageMode) func(*v1alpha1.Image) {
		return func(i *v1alpha1.Image) { i.Spec.Triggers.OnPackageChange.Mode = mode }
	}
	age := func(age time.Duration) func(*v1alpha1.Image) {
		return func(i *v1alpha1.Image) {
			i.Spec.Triggers.OnPackageChange.MinimumAge = &v1alpha1.Duration{Duration: age}
		}
	}
	window := func(cron string, duration time.Duration) func(*v1alpha1.Image) {
		return func(i *v1alpha1.Image) {
			i.Spec.Triggers.OnPackageChange.Window = &v1alpha1.TriggerWindow{Cron: cron, Duration: v1alpha1.Duration{Duration: duration}}
		}
	}
	running := newBuild(2, v1alpha1.BuildRunning, "A")
	for name, c := range map[string]struct {
		change    []func(*v1alpha1.Image)
		updates   []v1alpha1.PackageUpdate
		known     *Candidates // instead of updates
		also      func(*Observed)
		reason    string
		message   string
		condition string // status and reason of PackagesUpToDate
		upToDate  string
		after     time.Duration // 0 is not compared
	}{
		"none": {reason: "InputsUnchanged", condition: "True PackagesUnchanged", upToDate: "True"},
		"of security": {
			updates: []v1alpha1.PackageUpdate{newer(t, "openssl", security, old)}, reason: due,
			message: "new packages: openssl 1 → 2 (CVE-2026-4, CVE-2026-3, CVE-2026-2 and 1 more)", condition: "False PackagesChanged", upToDate: "False",
		},
		"many": {
			updates: []v1alpha1.PackageUpdate{
				newer(t, "d", security, old), newer(t, "c", security, old), newer(t, "b", security, young), newer(t, "a", security, young), newer(t, "e", security, young),
			},
			reason: due, message: "CVE-2026-2 and 1 more) and 2 more", condition: "False PackagesChanged",
		},
		"others, in the mode Security": {
			updates: []v1alpha1.PackageUpdate{newer(t, "tzdata", main, old)}, reason: "InputsUnchanged", condition: "False PackagesKept", upToDate: "True",
		},
		"others, in the mode Any": {change: []func(*v1alpha1.Image){mode(v1alpha1.PackagesAny)}, updates: []v1alpha1.PackageUpdate{newer(t, "tzdata", main, old)}, reason: due, message: "tzdata"},
		"too young": {
			change: []func(*v1alpha1.Image){age(2 * time.Hour)}, updates: []v1alpha1.PackageUpdate{newer(t, "openssl", security, young)},
			reason: "PackagesChanged", message: "the build starts at 2026-03-02T13:30:00Z", condition: "False PackagesChanged", after: 90 * time.Minute,
		},
		"the first of them is old enough": {
			change:  []func(*v1alpha1.Image){age(2 * time.Hour)},
			updates: []v1alpha1.PackageUpdate{newer(t, "a", security, young), newer(t, "openssl", security, old)}, reason: due, message: "openssl",
		},
		"in the window": {change: []func(*v1alpha1.Image){window("0 11 * * *", 2*time.Hour)}, updates: []v1alpha1.PackageUpdate{newer(t, "openssl", security, old)}, reason: due},
		"the window closes": {
			change: []func(*v1alpha1.Image){window("0 11 * * *", time.Hour)}, updates: []v1alpha1.PackageUpdate{newer(t, "openssl", security, old)},
			reason: "PackagesChanged", message: "the build starts at 2026-03-03T11:00:00Z", after: 23 * time.Hour,
		},
		"too young until the window closes": {
			change:  []func(*v1alpha1.Image){window("0 11 * * *", 2*time.Hour), age(10 * 24 * time.Hour)},
			updates: []v1alpha1.PackageUpdate{newer(t, "openssl", security, young)}, reason: "PackagesChanged", message: "the build starts at 2026-03-12T11:30:00Z",
		},
		"a window that is no longer valid": {
			change: []func(*v1alpha1.Image){window("0 11 31 2 *", time.Hour)}, updates: []v1alpha1.PackageUpdate{newer(t, "openssl", security, old)},
			reason: "PackagesChanged", message: "window never opens",
		},
		"suspended": {
			change:  []func(*v1alpha1.Image){func(i *v1alpha1.Image) { i.Spec.Suspend = new(true) }},
			updates: []v1alpha1.PackageUpdate{newer(t, "openssl", security, old)}, reason: "Suspended", message: "but spec.suspend is true", condition: "False PackagesChanged",
		},
		"a build runs": {
			updates: []v1alpha1.PackageUpdate{newer(t, "openssl", security, old)}, also: func(o *Observed) { o.Builds = append(o.Builds, running) },
			reason: "BuildQueued", message: "build debian-2 may have them",
		},
		"the base comes first": {
			change: []func(*v1alpha1.Image){func(i *v1alpha1.Image) {
				i.Spec.Base = v1alpha1.Base{ImageRef: &v1alpha1.BaseImageReference{Name: "base"}}
			}},
			updates: []v1alpha1.PackageUpdate{newer(t, "openssl", security, old)}, also: func(o *Observed) { o.BasePackages = true },
			reason: "WaitingForBase", message: "the base (image base) is built first", after: baseRecheck,
		},
		"no lock": {known: &Candidates{Unknown: "build debian-1 has no lock"}, reason: "InputsUnchanged", condition: "Unknown PackagesUnknown"},
		"an archive is unknown": {
			known: &Candidates{Build: "debian-1", Partial: "archive x is not checked yet"}, reason: "InputsUnchanged", condition: "Unknown PackagesUnknown",
		},
		"a builder that cannot": {
			known: &Candidates{Unknown: "the builder checks no archives", NotSupported: true}, reason: "InputsUnchanged", condition: "Unknown ProbeNotSupported",
		},
		"of another build": {
			known:  &Candidates{Build: "debian-0", Updates: []v1alpha1.PackageUpdate{newer(t, "openssl", security, old)}},
			reason: "InputsUnchanged",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := packaged(t, c.change...)
			w.t = t
			w.Candidates = candidates(t, "2026-03-02T11:45:00Z", c.updates...)
			if c.known != nil {
				w.Candidates = c.known
			}
			if c.also != nil {
				c.also(&w.Observed)
			}
			d := w.want(c.reason, c.message)
			if condition := meta.FindStatusCondition(d.Status.Conditions, v1alpha1.ImagePackagesUpToDate); c.condition != "" &&
				(condition == nil || fmt.Sprint(condition.Status, " ", condition.Reason) != c.condition) {
				t.Errorf("the condition is %+v, want %s", condition, c.condition)
			}
			if got := meta.FindStatusCondition(d.Status.Conditions, v1alpha1.ImageUpToDate); c.upToDate != "" && string(got.Status) != c.upToDate {
				t.Errorf("UpToDate is %+v", got)
			}
			if c.after != 0 && d.After != c.after {
				t.Errorf("decides again after %s, want %s", d.After, c.after)
			}
			if !Requests(w.Observed, "packages:sha256:"+strings.Repeat("0", 64)+":1") || d.Request == nil {
				return
			}
			t.Error("another request is due")
		})
	}
}

// A build that does not install an update is not repeated for it. A later update, or a failure of the infrastructure, starts another build.
func TestOneCauseStartsOneBuild(t *testing.T) {
	const due, unchanged = string(v1alpha1.TriggerPackageChange), "InputsUnchanged"
	openssl, curl := newer(t, "openssl", security, "2026-03-01T00:00:00Z"), newer(t, "curl", security, "2026-03-02T13:00:00Z")
	fail := func(w *scenario, reason v1alpha1.FailureReason) {
		build := &w.Builds[len(w.Builds)-1]
		build.Status.Failure = reason.Failure("it failed")
		build.Status.CompletionTime = &metav1.Time{Time: w.Now}
	}
	w := packaged(t)
	w.Candidates = candidates(t, "2026-03-02T11:45:00Z", openssl)
	first := w.want(due, "openssl")
	if !Requests(w.Observed, first.Request.RequestID) {
		t.Error("the server does not find the request due")
	}
	w.build(first.Request, v1alpha1.BuildFailed)
	fail(w, v1alpha1.ReasonTestsFailed)
	w.want(unchanged, "")
	if Requests(w.Observed, first.Request.RequestID) {
		t.Error("the server finds the same request due again")
	}
	w.Candidates = candidates(t, "2026-03-02T11:50:00Z", openssl) // a later state of the archive, of other packages
	w.want(unchanged, "")
	w.Builds = w.Builds[:1] // it was pruned
	w.want(unchanged, "")

	w.at("2026-03-02T13:30:00Z")
	w.Candidates = candidates(t, "2026-03-02T13:00:00Z", openssl, curl)
	w.build(w.want(due, "new packages: curl").Request, v1alpha1.BuildFailed)
	fail(w, v1alpha1.ReasonNodeLost)
	if d := w.want(unchanged, ""); d.After != time.Hour {
		t.Errorf("tries again after %s, want 1h", d.After)
	}
	w.at("2026-03-02T14:30:00Z")
	w.build(w.want(due, "new packages: curl").Request, v1alpha1.BuildSucceeded)
	w.Candidates.Build, w.Candidates.Updates = "debian-4", []v1alpha1.PackageUpdate{openssl} // it was held back
	if d := w.want(unchanged, ""); d.Status.Packages.OtherCount != 1 || d.Status.Packages.UpdateCount != 0 {
		t.Errorf("the packages are %+v", d.Status.Packages)
	}
}

// A build that a newer build superseded has attempted nothing. What a newer build has attempted stays attempted, although the history keeps the older one.
func TestASupersededBuildAttemptsNothing(t *testing.T) {
	const due, unchanged = string(v1alpha1.TriggerPackageChange), "InputsUnchanged"
	openssl := newer(t, "openssl", security, "2026-03-01T00:00:00Z")
	superseded := func() *scenario {
		w := packaged(t)
		w.Candidates = candidates(t, "2026-03-02T11:45:00Z", openssl)
		w.build(w.want(due, "openssl").Request, v1alpha1.BuildCancelled)
		w.Builds[1].Status.Failure = v1alpha1.ReasonSuperseded.Failure("superseded by debian-3")
		return w
	}
	w := superseded()
	w.Builds = append(w.Builds, newBuild(3, v1alpha1.BuildRunning, "A"))
	w.want("BuildQueued", "build debian-3 may have them")
	w.Builds[2].Status.Phase, w.Builds[2].Status.Finished = v1alpha1.BuildFailed, true
	w.want(due, "openssl")

	w = superseded()
	w.Builds = append(w.Builds, newBuild(3, v1alpha1.BuildSucceeded, "A"))
	w.Candidates.Build = "debian-3" // which holds it back
	w.want(unchanged, "")

	w = superseded()
	w.build(w.want(due, "openssl").Request, v1alpha1.BuildFailed)
	w.want(unchanged, "")
	w.Image.Status.RecentRequests = []v1alpha1.BuildRequestRecord{{RequestID: w.Builds[2].Spec.Trigger.RequestID, Number: 3, UID: "3"}}
	w.Builds = w.Builds[:2] // the newer one was deleted
	w.want(unchanged, "")
}

// The history keeps a build until its updates have started another one.
func TestABuildThatIsRepeatedIsKept(t *testing.T) {
	w := packaged(t, func(i *v1alpha1.Image) { i.Spec.History = &v1alpha1.HistoryLimits{Failed: new(int32(0))} })
	w.Candidates = candidates(t, "2026-03-02T11:45:00Z", newer(t, "openssl", security, "2026-03-01T00:00:00Z"))
	w.build(w.want(string(v1alpha1.TriggerPackageChange), "openssl").Request, v1alpha1.BuildFailed)
	w.Builds[1].Status.Failure = v1alpha1.ReasonNodeLost.Failure("it failed")
	w.Builds[1].Status.CompletionTime = &metav1.Time{Time: w.Now}
	if d := w.want("InputsUnchanged", ""); len(d.Prune) > 0 || d.After != time.Hour {
		t.Errorf("prunes %d builds, and decides again after %s", len(d.Prune), d.After)
	}
	w.at("2026-03-02T13:00:00Z")
	if d := w.want(string(v1alpha1.TriggerPackageChange), "openssl"); len(d.Prune) != 1 {
		t.Errorf("prunes %d builds", len(d.Prune))
	}
}

// The status lists few of many updates, and the server, which knows only these, asks for the same build.
func TestTheServerDecidesByTheStoredUpdates(t *testing.T) {
	w := packaged(t)
	var many []v1alpha1.PackageUpdate
	for i := range 3 * v1alpha1.MaxImageUpdates {
		many = append(many, newer(t, fmt.Sprintf("package-%03d", i), security, "2026-03-01T00:00:00Z"))
	}
	w.Candidates = candidates(t, "2026-03-02T11:45:00Z", many...)
	d := w.want(string(v1alpha1.TriggerPackageChange), "and 189 more")
	server := w.Observed
	server.Candidates = nil
	if got := Next(server); got.Request == nil || got.Request.RequestID != d.Request.RequestID || got.Message != d.Message {
		t.Errorf("the server decides %s: %s", got.Reason, got.Message)
	}
	if got := d.DeletedStatus(nil).Packages; len(got.Attempted) != 2 {
		t.Errorf("after the deletion of the build, %+v is attempted", got.Attempted)
	}
	w.Image.Spec.Triggers.OnPackageChange = nil
	if d := w.look(); d.Status.Packages != nil || meta.FindStatusCondition(d.Status.Conditions, v1alpha1.ImagePackagesUpToDate) != nil {
		t.Error("without the trigger, the status tells of packages")
	}
}

func TestABaseIsDue(t *testing.T) {
	w := packaged(t)
	w.want("InputsUnchanged", "")
	for _, c := range []struct {
		updates []v1alpha1.PackageUpdate
		suspend bool
		digest  string // of the inputs, instead of that of the last attempt
		tests   string // of the last attempt
		due     bool
	}{
		{updates: nil},
		{updates: []v1alpha1.PackageUpdate{newer(t, "openssl", security, "2026-03-01T00:00:00Z")}, due: true},
		{updates: []v1alpha1.PackageUpdate{newer(t, "openssl", security, "2026-03-01T00:00:00Z")}, suspend: true},
		{updates: []v1alpha1.PackageUpdate{newer(t, "openssl", security, "2026-03-01T00:00:00Z")}, digest: "none"},
		{updates: []v1alpha1.PackageUpdate{newer(t, "openssl", security, "2026-03-01T00:00:00Z")}, digest: "B", due: true},
		{updates: []v1alpha1.PackageUpdate{newer(t, "openssl", security, "2026-03-01T00:00:00Z")}, tests: "others"},
		{updates: []v1alpha1.PackageUpdate{newer(t, "tzdata", main, "2026-03-01T00:00:00Z")}},
	} {
		image := w.Image.DeepCopy()
		image.Spec.Suspend, image.Status.LastAttempted.TestsDigest = new(c.suspend), c.tests
		if c.tests != "" {
			image.Status.LastFinished = nil
		}
		if c.digest != "" {
			image.Status.InputsDigest = strings.TrimPrefix(c.digest, "none")
		}
		if due := PackagesDue(Observed{Image: image, Candidates: candidates(t, "2026-03-02T11:45:00Z", c.updates...), Now: w.Now}); due != c.due {
			t.Errorf("%+v: due is %t", c, due)
		}
	}
}

// changed is a package that a build would add, or remove.
func changed(t *testing.T, name, from, to, since string) v1alpha1.PackageUpdate {
	return v1alpha1.PackageUpdate{Name: name, Architecture: "amd64", From: from, To: to, Archive: main, Since: metav1.NewTime(at(t, since))}
}

// What a resolve has found starts a build in each mode, and survives a restart of the controller, which then knows only what is stored.
func TestAResolveStartsABuild(t *testing.T) {
	const due, unchanged = string(v1alpha1.TriggerPackageChange), "InputsUnchanged"
	resolve := func(at, message string) *v1alpha1.PackageResolve {
		return &v1alpha1.PackageResolve{Time: *apiTime(require.Value(time.Parse(time.RFC3339, at))(t)), Message: message}
	}
	added, removed := changed(t, "libfoo", "", "1.2", "2026-03-02T10:00:00Z"), changed(t, "libbar", "1.0", "", "2026-03-02T10:00:00Z")
	w := packaged(t)
	without := candidates(t, "2026-03-02T10:00:00Z")
	with := func(resolved *v1alpha1.PackageResolve, updates ...v1alpha1.PackageUpdate) *Candidates {
		found := candidates(t, "2026-03-02T10:00:00Z", updates...)
		found.Resolved = resolved
		return found
	}
	w.Candidates = with(resolve("2026-03-02T11:00:00Z", ""))
	if d := w.want(unchanged, ""); d.Status.Packages.Resolved == nil {
		t.Error("the resolve is not stored")
	}
	w.Candidates = with(resolve("2026-03-02T11:30:00Z", "the mirror is down"))
	for range 2 { // once, although the second decision keeps the condition
		d := w.want(unchanged, "")
		condition := meta.FindStatusCondition(d.Status.Conditions, v1alpha1.ImagePackagesUpToDate)
		if want := "no package of build debian-1 has a newer version in its archives; the resolve of 2026-03-02T11:30:00Z failed: the mirror is down"; condition.Message != want || condition.Status != metav1.ConditionTrue {
			t.Errorf("the condition is %+v", condition)
		}
		w.Candidates = nil
	}

	w.Candidates = with(resolve("2026-03-02T11:40:00Z", ""))
	w.Candidates.Unchecked = `packages of "file:///srv"`
	condition := meta.FindStatusCondition(w.want(unchanged, "").Status.Conditions, v1alpha1.ImagePackagesUpToDate)
	if want := `has a newer version in its archives; nobody checks packages of "file:///srv"`; !strings.HasSuffix(condition.Message, want) {
		t.Errorf("the condition is %+v", condition)
	}

	w.Candidates = with(resolve("2026-03-02T12:00:00Z", ""), added, removed)
	first := w.look()
	if first.Request != nil || first.After != time.Millisecond {
		t.Errorf("before it is stored, asks for %+v, and decides again after %s", first.Request, first.After)
	}
	w.Candidates = without
	d := w.want(due, "changed packages: libbar 1.0 would be removed, libfoo 1.2 would be added")
	if !Requests(w.Observed, d.Request.RequestID) {
		t.Error("the server does not find the request due")
	}
	w.build(d.Request, v1alpha1.BuildFailed)
	build := &w.Builds[len(w.Builds)-1]
	build.Status.Failure, build.Status.CompletionTime = v1alpha1.ReasonNodeLost.Failure("it failed"), &metav1.Time{Time: w.Now}
	if d := w.want(unchanged, ""); d.Status.Packages.OtherCount != 2 || d.Status.Packages.UpdateCount != 0 {
		t.Errorf("after the build, the packages are %+v", d.Status.Packages)
	}
	w.at("2026-03-02T13:30:00Z")
	w.build(w.want(due, "libfoo 1.2 would be added").Request, v1alpha1.BuildSucceeded)

	// The build has not added the package, as the next resolve tells. Another version of it is something else.
	next := func(version string) *Candidates {
		found := with(resolve("2026-03-09T12:00:00Z", ""), changed(t, "libfoo", "", version, "2026-03-09T10:00:00Z"))
		found.Build, found.Archives = "debian-3", candidates(t, "2026-03-09T10:00:00Z").Archives
		return found
	}
	w.at("2026-03-09T13:00:00Z")
	w.Candidates = next("1.2")
	w.want(unchanged, "")
	w.Candidates = next("1.3")
	w.want(due, "libfoo 1.3 would be added")
	w.Candidates.Resolved, w.Candidates.Updates = nil, nil
	w.Candidates.Build = "debian-4"
	if d := w.want(unchanged, ""); d.Status.Packages.Resolved != nil {
		t.Error("the resolve of another build stays")
	}
}
