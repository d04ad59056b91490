// SPDX-License-Identifier: Apache-2.0

package trigger

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// based is an Image based on another, and what it resolves to with a digest of that.
func based(image *v1alpha1.Image, base string, builds ...v1alpha1.ImageBuild) Observed {
	return Observed{Image: image, Builds: builds, Now: now.Time, Resolved: &v1alpha1.ResolvedInputs{
		InputsDigest: inputs.Digest(image.Spec.BuildInputs, nil, base, ""), BaseDigest: base,
	}}
}

func onImage(change ...func(*v1alpha1.Image)) *v1alpha1.Image {
	image := newImage(func(i *v1alpha1.Image) {
		i.Spec.Base.ImageRef = &v1alpha1.BaseImageReference{Name: "base", Channel: "stable"}
	})
	for _, c := range change {
		c(image)
	}
	return image
}

// builtOn is a build of an Image as it is, on a digest of its base.
func builtOn(n int64, phase v1alpha1.BuildPhase, image *v1alpha1.Image, base string) v1alpha1.ImageBuild {
	build := newBuild(n, phase, inputs.Digest(image.Spec.BuildInputs, nil, base, ""))
	build.Spec.Inputs = image.Spec.BuildInputs
	build.Status.Resolved.BaseDigest = base
	return build
}

func TestWhatABuildIsDueFor(t *testing.T) {
	const ok = v1alpha1.BuildSucceeded
	yes, no := true, false
	suspend := func(i *v1alpha1.Image) { i.Spec.Suspend = &yes }
	noSpec := func(i *v1alpha1.Image) { i.Spec.Triggers.OnSpecChange = &no }
	noBase := func(i *v1alpha1.Image) { i.Spec.Triggers.OnBaseChange = &no }
	failing := func(i *v1alpha1.Image) {
		i.Status.ConsecutiveFailures, i.Status.ObservedGeneration, i.Status.CountedBuild = 5, i.Generation, 1
	}
	packages := func(i *v1alpha1.Image) { i.Spec.Triggers.OnPackageChange = &v1alpha1.PackageTrigger{} }
	edited := func(i *v1alpha1.Image) { i.Spec.Parameters = []v1alpha1.Parameter{{Name: "edition", Value: "full"}} }
	before := builtOn(1, ok, onImage(), "one")
	override := builtOn(2, v1alpha1.BuildPending, onImage(), "two")
	override.Status.Resolved, override.Spec.OneOff = nil, new(true)
	waiting := newBuild(2, v1alpha1.BuildPending, "")
	running := builtOn(2, v1alpha1.BuildRunning, onImage(edited), "one")
	lost := func(o Observed) Observed {
		o.Kept = func(string) bool { return false }
		return o
	}
	made := withArtifact(builtOn(1, v1alpha1.BuildSucceeded, onImage(), "one"))
	again := builtOn(2, v1alpha1.BuildRunning, onImage(), "one")
	for name, c := range map[string]struct {
		observed Observed
		// due is the reason of the request, why the reason that there is none
		due v1alpha1.TriggerReason
		why string
		// message is a part of the message, whose end is $
		message string
	}{
		"never built":                               {based(onImage(), "one"), v1alpha1.TriggerCreated, "", "the image was never built"},
		"never built, suspended":                    {based(onImage(suspend), "one"), "", v1alpha1.ReasonSuspended, "spec.suspend is true"},
		"never built, onSpecChange off":             {based(onImage(noSpec), "one"), "", v1alpha1.ReasonSuspended, "triggers.onSpecChange is false"},
		"unchanged":                                 {based(onImage(), "one", before), "", v1alpha1.ReasonInputsUnchanged, "debian-1"},
		"unchanged, suspended":                      {based(onImage(suspend), "one", before), "", v1alpha1.ReasonSuspended, "spec.suspend is true: set it to false, or ask for a build; the inputs are those of the last attempted build, debian-1$"},
		"unchanged, too many failures":              {based(onImage(failing), "one", before), "", v1alpha1.ReasonTooManyFailures, "; the inputs are those of the last attempted build, debian-1$"},
		"unchanged, too many failures, packages":    {based(onImage(failing, noBase, packages), "one", before), "", v1alpha1.ReasonTooManyFailures, "new packages start builds"},
		"unchanged, too many failures, no triggers": {based(onImage(failing, noBase), "one", before), "", v1alpha1.ReasonInputsUnchanged, "debian-1$"},
		"unchanged, an artifact is lost":            {lost(based(onImage(), "one", made)), "", v1alpha1.ReasonInputsUnchanged, "debian-1, but artifact linux/amd64/raw of build debian-1 is lost: build again"},
		"unchanged, the lost is built again":        {lost(based(onImage(), "one", made, again)), "", v1alpha1.ReasonInputsUnchanged, "the last attempted build, debian-2$"},
		"the base moved":                            {based(onImage(), "two", before), v1alpha1.TriggerBaseChange, "", "base, channel stable) has changed since build debian-1"},
		"the base moved, onSpecChange off":          {based(onImage(noSpec), "two", before), v1alpha1.TriggerBaseChange, "", "has changed since"},
		"the base moved, onBaseChange off":          {based(onImage(noBase), "two", before), "", v1alpha1.ReasonSuspended, "triggers.onBaseChange is false"},
		"the base moved, suspended":                 {based(onImage(suspend), "two", before), "", v1alpha1.ReasonSuspended, "spec.suspend is true"},
		"the base moved, too many failures":         {based(onImage(failing), "two", before), "", v1alpha1.ReasonTooManyFailures, "5 consecutive builds"},
		"the spec changed":                          {based(onImage(edited), "one", before), v1alpha1.TriggerSpecChange, "", "differ from those of build debian-1"},
		"the spec changed, onBaseChange off":        {based(onImage(edited, noBase), "one", before), v1alpha1.TriggerSpecChange, "", "differ"},
		"the spec changed, onSpecChange off":        {based(onImage(edited, noSpec), "one", before), "", v1alpha1.ReasonSuspended, "triggers.onSpecChange is false"},
		"both changed":                              {based(onImage(edited), "two", before), v1alpha1.TriggerSpecChange, "", "differ"},
		"both changed, onSpecChange off":            {based(onImage(edited, noSpec), "two", before), v1alpha1.TriggerBaseChange, "", "has changed since"},
		"both changed, onSpecChange and onBase off": {based(onImage(edited, noSpec, noBase), "two", before), "", v1alpha1.ReasonSuspended, "triggers.onSpecChange is false"},
		"the build of the inputs runs":              {based(onImage(edited), "one", before, running), "", v1alpha1.ReasonInputsUnchanged, "the last attempted build, debian-2$"},
		"a build that may be the one":               {based(onImage(), "two", before, waiting), "", v1alpha1.ReasonBuildQueued, "debian-2"},
		"a build with parameters of its own waits":  {based(onImage(), "two", before, override), v1alpha1.TriggerBaseChange, "", "has changed since"},
		"a base that is missing":                    {unresolved(onImage(), v1alpha1.ReasonBaseNotFound, true), "", string(v1alpha1.ReasonBaseNotFound), "it is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			decision := Next(c.observed)
			want := c.why
			if c.due != "" {
				want = string(c.due)
			}
			if decision.Reason != want || !strings.Contains(decision.Message+"$", c.message) {
				t.Errorf("%s: %s, want %s: %s", decision.Reason, decision.Message, want, c.message)
			}
			switch request := decision.Request; {
			case (request != nil) != (c.due != ""):
				t.Errorf("request %+v", request)
			case request != nil && (request.Reason != c.due || request.Message != decision.Message):
				t.Errorf("request %+v", request)
			}
		})
	}
}

func TestChangesAreTold(t *testing.T) {
	before := builtOn(1, v1alpha1.BuildFailed, onImage(), "one")
	image := onImage(func(i *v1alpha1.Image) { i.Spec.Parameters = []v1alpha1.Parameter{{Name: "edition", Value: "full"}} })
	want := []v1alpha1.InputChange{{Path: "base.digest", From: "one", To: "two"}, {Path: "parameters[edition]", To: "full"}}
	decision := Next(based(image, "two", before))
	if diff := cmp.Diff(want, decision.Changes); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, decision.Request.Changes); diff != "" {
		t.Error(diff)
	}
	yes := true
	image.Spec.Suspend = &yes
	if diff := cmp.Diff(want, Next(based(image, "two", before)).Changes); diff != "" {
		t.Errorf("while nothing is due: %s", diff)
	}
	image.Status.LastAttempted = &v1alpha1.AttemptedBuild{Number: 1, InputsDigest: "gone"}
	if changes := Next(based(image, "two")).Changes; changes != nil {
		t.Errorf("changes since a deleted build: %v", changes)
	}
}

func TestABuildThatAttemptedNothingIsRepeatedForWhatHasChangedBeforeIt(t *testing.T) {
	const nothing = "build debian-2 ended with BuilderNotFound before it built anything"
	edited := func(i *v1alpha1.Image) { i.Spec.Parameters = []v1alpha1.Parameter{{Name: "edition", Value: "full"}} }
	noSpec := func(i *v1alpha1.Image) { i.Spec.Triggers.OnSpecChange = new(false) }
	first := builtOn(1, v1alpha1.BuildSucceeded, onImage(), "one")
	fails := func(reason v1alpha1.TriggerReason, image *v1alpha1.Image, base string) v1alpha1.ImageBuild {
		build := builtOn(2, v1alpha1.BuildFailed, image, base)
		build.Status.Failure = v1alpha1.ReasonBuilderNotFound.Failure("lab")
		build.Spec.Trigger = &v1alpha1.BuildTrigger{Reason: reason}
		return build
	}
	moved := []v1alpha1.InputChange{{Path: "base.digest", From: "one", To: "two"}}
	full := []v1alpha1.InputChange{{Path: "parameters[edition]", To: "full"}}
	for name, c := range map[string]struct {
		image   *v1alpha1.Image
		base    string
		builds  []v1alpha1.ImageBuild
		due     bool
		reason  string
		message string
		changes []v1alpha1.InputChange
	}{
		"the base moved": {onImage(), "two", list(first, fails(v1alpha1.TriggerBaseChange, onImage(), "two")), true,
			"BaseChange", nothing + ": the base (image base, channel stable) has changed since build debian-1", moved},
		"the spec changed": {onImage(edited), "one", list(first, fails(v1alpha1.TriggerSpecChange, onImage(edited), "one")), true,
			"SpecChange", nothing + ": the inputs differ from those of build debian-1", full},
		"of an image that was never built": {onImage(), "one", list(fails(v1alpha1.TriggerCreated, onImage(), "one")), true,
			"Created", nothing + ": the image was never built", nil},
		"a user requested it":                       {onImage(), "one", list(first, fails(v1alpha1.TriggerManual, onImage(), "one")), true, "SpecChange", nothing, nil},
		"a schedule requested it, onSpecChange off": {onImage(noSpec), "one", list(first, fails(v1alpha1.TriggerSchedule, onImage(), "one")), false, "Suspended", nothing + ", but triggers.onSpecChange is false: ask for a build", nil},
		"the spec is again what it was":             {onImage(), "one", list(first, fails(v1alpha1.TriggerSpecChange, onImage(edited), "one")), true, "SpecChange", nothing, nil},
	} {
		t.Run(name, func(t *testing.T) {
			for _, resolved := range []bool{true, false} {
				last := &c.builds[len(c.builds)-1]
				if !resolved {
					last.Status.Resolved = nil
				}
				decision := Next(based(c.image, c.base, c.builds...))
				if due := decision.Request != nil; due != c.due || decision.Reason != c.reason || decision.Message != c.message {
					t.Errorf("resolved %t: due %t: %s: %s", resolved, due, decision.Reason, decision.Message)
				}
				if diff := cmp.Diff(c.changes, decision.Changes); diff != "" {
					t.Errorf("resolved %t: %s", resolved, diff)
				}
			}
		})
	}
}

func TestABuildThatAttemptedNothingIsRepeatedOncePerBuild(t *testing.T) {
	image := newImage()
	waits := newBuild(1, v1alpha1.BuildQueued, "A")
	if status := keep(observed(image, "A", waits)); status.LastAttempted.InputsDigest != "A" {
		t.Fatalf("a build that waits attempts %+v", status.LastAttempted)
	}
	failed := failedBy(v1alpha1.ReasonBuilderNotFound)
	missing := unresolved(image, v1alpha1.ReasonBuilderNotFound, false)
	missing.Builds = list(failed)
	if image.Status = Next(missing).Status; Next(missing).Request != nil {
		t.Error("a build is due while its builder is missing")
	}
	for name, builds := range map[string][]v1alpha1.ImageBuild{"kept": list(failed), "deleted": nil, "outdated in the cache": list(waits)} {
		if request := Next(observed(image, "A", builds...)).Request; request == nil || request.RequestID != "A:1" {
			t.Errorf("the failed build is %s: request %+v", name, request)
		}
	}
	if decision := Next(observed(image, "A", failed, newBuild(2, v1alpha1.BuildQueued, "A"))); decision.Request != nil {
		t.Errorf("request %+v while the build that repeats it waits", decision.Request)
	}
	if decision := Next(observed(image, "A", failed, newBuild(2, v1alpha1.BuildFailed, "A"))); decision.Request != nil {
		t.Errorf("request %+v after the build that repeats it has failed", decision.Request)
	}
}

func TestARequestIsTheSameUntilItsBuildIsSeen(t *testing.T) {
	image := newImage()
	first := Next(observed(image, "A"))
	again := Next(observed(image, "A")) // after a crash
	if first.Request.RequestID != "A:0" || again.Request.RequestID != first.Request.RequestID {
		t.Errorf("requests %q and %q", first.Request.RequestID, again.Request.RequestID)
	}
	image.Status.RecentRequests = []v1alpha1.BuildRequestRecord{{RequestID: "A:0", Number: 1}} // and the build is not created
	if again = Next(observed(image, "A")); again.Request == nil || again.Request.RequestID != "A:0" {
		t.Errorf("request %+v", again.Request)
	}
	if seen := Next(observed(image, "A", newBuild(1, v1alpha1.BuildPending, ""))); seen.Request != nil {
		t.Errorf("request %+v", seen.Request)
	}
}

func TestAReservedIDIsThatOfABuildWhichIsDue(t *testing.T) {
	digest, other := "sha256:"+strings.Repeat("a", 64), "sha256:"+strings.Repeat("b", 64)
	daily := scheduled(t, func(s *v1alpha1.Schedule) { s.Jitter = &v1alpha1.Duration{Duration: time.Hour} }).Observed
	times, err := ParseSchedule("30 3 * * *", "UTC")
	require.NoError(t, err)
	start := func(delay time.Duration) func(*Observed) {
		return func(o *Observed) { o.Now = o.start(times, at(t, "2026-03-02T03:30:00Z")).Add(delay) }
	}
	missing := func(o *Observed) {
		start(0)(o)
		o.Resolved, o.Unresolved = nil, &v1alpha1.BuildFailure{Reason: v1alpha1.ReasonSourceNotFound}
	}
	built := newBuild(3, v1alpha1.BuildSucceeded, other)
	for name, c := range map[string]struct {
		observed Observed
		change   func(*Observed)
		id       string
		want     bool
	}{
		"the first build":                          {observed(newImage(), digest), nil, digest + ":0", true},
		"changed inputs":                           {observed(newImage(), digest, built), nil, digest + ":3", true},
		"inputs to come":                           {observed(newImage(), digest, built), nil, other + ":3", false},
		"after a build to come":                    {observed(newImage(), digest, built), nil, digest + ":4", false},
		"after an earlier build":                   {observed(newImage(), digest, built), nil, digest + ":2", false},
		"a number in another form":                 {observed(newImage(), digest, built), nil, digest + ":03", false},
		"inputs that are built":                    {observed(newImage(), other, built), nil, other + ":3", false},
		"inputs that may be built":                 {observed(newImage(), digest, built, newBuild(4, v1alpha1.BuildPending, "")), nil, digest + ":3", false},
		"of a suspended image":                     {observed(newImage(func(i *v1alpha1.Image) { i.Spec.Suspend = new(true) }), digest), nil, digest + ":0", false},
		"a start that has come":                    {daily, start(0), "schedule:2026-03-02T03:30:00Z", true},
		"a start to come":                          {daily, start(-time.Second), "schedule:2026-03-02T03:30:00Z", false},
		"a start by a clock that is days behind":   {daily, start(100 * time.Hour), "schedule:2026-03-02T03:30:00Z", true},
		"a start whose inputs are missing":         {daily, missing, "schedule:2026-03-02T03:30:00Z", false},
		"a start before the schedule":              {daily, start(0), "schedule:2026-03-01T03:30:00Z", false},
		"no time of the schedule":                  {daily, start(0), "schedule:2026-03-01T12:30:00Z", false},
		"a time in another form":                   {daily, start(0), "schedule:2026-03-02T04:30:00+01:00", false},
		"no time":                                  {daily, start(0), "schedule:", false},
		"a time of an image without a schedule":    {observed(newImage(), digest), nil, "schedule:2026-03-02T03:30:00Z", false},
		"changed inputs while a start is due, too": {daily, start(0), "A:1", false},
	} {
		t.Run(name, func(t *testing.T) {
			o := c.observed
			if c.change != nil {
				c.change(&o)
			}
			if got := Requests(o, c.id); got != c.want {
				t.Errorf("%s: %t, want %t", c.id, got, c.want)
			}
		})
	}
}

func TestGoingBackToEarlierInputsIsAnotherRequest(t *testing.T) {
	image := newImage()
	first := Next(observed(image, "A"))
	back := Next(observed(image, "A", newBuild(1, v1alpha1.BuildSucceeded, "A"), newBuild(2, v1alpha1.BuildSucceeded, "B")))
	if back.Request == nil || back.Request.RequestID == first.Request.RequestID || back.Request.RequestID != "A:2" {
		t.Errorf("request %+v after %+v", back.Request, first.Request)
	}
}

func TestOnlyBuildsOfOwnInputsAreAttempts(t *testing.T) {
	rerun := newBuild(2, v1alpha1.BuildSucceeded, "Z")
	rerun.Spec.Trigger, rerun.Spec.OneOff = &v1alpha1.BuildTrigger{RerunOf: "debian-1"}, new(true)
	override := newBuild(3, v1alpha1.BuildSucceeded, "Y")
	override.Spec.Trigger, override.Spec.OneOff = &v1alpha1.BuildTrigger{Parameters: []v1alpha1.Parameter{{Name: "edition"}}}, new(true)
	manual := newBuild(4, v1alpha1.BuildSucceeded, "B")
	manual.Spec.Trigger = &v1alpha1.BuildTrigger{Reason: v1alpha1.TriggerManual}
	decision := Next(observed(newImage(), "A", newBuild(1, v1alpha1.BuildSucceeded, "A"), rerun, override))
	if decision.Request != nil || decision.Status.LastAttempted.Number != 1 || decision.Status.LatestSuccessful.Number != 1 {
		t.Errorf("request %+v, status %+v", decision.Request, decision.Status)
	}
	decision = Next(observed(newImage(), "A", newBuild(1, v1alpha1.BuildSucceeded, "A"), rerun, override, manual))
	if decision.Request == nil || decision.Status.LastAttempted.Number != 4 {
		t.Errorf("request %+v, status %+v", decision.Request, decision.Status)
	}
	again := newBuild(5, v1alpha1.BuildSucceeded, "A")
	again.Spec.Trigger, again.Spec.OneOff = rerun.Spec.Trigger, new(false)
	decision = Next(observed(newImage(), "A", newBuild(1, v1alpha1.BuildSucceeded, "A"), rerun, override, manual, again))
	if decision.Request != nil || decision.Status.LastAttempted.Number != 5 || decision.Status.LatestSuccessful.Number != 5 {
		t.Errorf("request %+v, status %+v", decision.Request, decision.Status)
	}
}

func TestABuildThatWasDeletedIsNotBuiltAgain(t *testing.T) {
	image := onImage()
	o := based(image, "one")
	decision := Next(o)
	records := []v1alpha1.BuildRequestRecord{{RequestID: "other", Number: 3}, {RequestID: decision.Request.RequestID, Number: 4, UID: "gone"}}
	image.Status = decision.DeletedStatus(records)
	want := &v1alpha1.AttemptedBuild{Number: 4, InputsDigest: o.Resolved.InputsDigest, BaseDigest: "one"}
	if diff := cmp.Diff(want, image.Status.LastAttempted); diff != "" {
		t.Error(diff)
	}
	if again := Next(o); again.Request != nil {
		t.Errorf("request %+v", again.Request)
	}
	if moved := Next(based(image, "two")); moved.Request == nil || moved.Request.Reason != v1alpha1.TriggerBaseChange {
		t.Errorf("request %+v", moved.Request)
	}
}

func TestANewCommitStartsABuild(t *testing.T) {
	image := newImage()
	image.Spec.Source = &v1alpha1.Source{Git: &v1alpha1.GitSource{URL: "https://git.example.com/a.git", Ref: "main"}}
	before, after := "sha1:"+strings.Repeat("a", 40), "sha1:"+strings.Repeat("b", 40)
	attempted := &v1alpha1.AttemptedBuild{
		Number: 3, SourceRevision: before, BaseDigest: "sha256:old", InputsDigest: inputs.Digest(image.Spec.BuildInputs, nil, "", before),
	}
	resolved := &v1alpha1.ResolvedInputs{Source: &v1alpha1.SourceRevision{Revision: after, Summary: "Fix it"}}
	resolved.InputsDigest = inputs.Digest(image.Spec.BuildInputs, nil, "", after)
	for name, test := range map[string]struct {
		change func(*v1alpha1.Image)
		reason string
		asks   bool
	}{
		"only the commit":       {func(*v1alpha1.Image) {}, "SourceChange", true},
		"after many failures":   {func(image *v1alpha1.Image) { image.Status.ConsecutiveFailures = 9 }, "SourceChange", true},
		"while it is suspended": {func(image *v1alpha1.Image) { image.Spec.Suspend = new(true) }, "Suspended", false},
	} {
		t.Run(name, func(t *testing.T) {
			image := image.DeepCopy()
			image.Status.LastAttempted = attempted
			test.change(image)
			inputsNow := resolved.DeepCopy()
			inputsNow.InputsDigest = inputs.Digest(image.Spec.BuildInputs, nil, "", after)
			decision := Next(Observed{Image: image, Resolved: inputsNow, Now: now.Time})
			if decision.Reason != test.reason || (decision.Request != nil) != test.asks {
				t.Fatalf("%s: %s (%+v)", decision.Reason, decision.Message, decision.Request)
			}
			if test.reason == "SourceChange" && decision.Message != "the source has changed since build "+BuildName(image.Name, 3)+": aaaaaaaaaaaa → bbbbbbbbbbbb Fix it" {
				t.Error(decision.Message)
			}
		})
	}
}

func TestATriggerThatIsOffHoldsUpNoOther(t *testing.T) {
	reasons := []v1alpha1.TriggerReason{v1alpha1.TriggerSpecChange, v1alpha1.TriggerSourceChange, v1alpha1.TriggerBaseChange}
	before, after := "sha1:"+strings.Repeat("a", 40), "sha1:"+strings.Repeat("b", 40)
	for changed := 1; changed < 8; changed++ {
		for on := range 8 {
			has := func(set, i int) bool { return set&(1<<i) != 0 }
			image := onImage(func(i *v1alpha1.Image) {
				i.Spec.Source = &v1alpha1.Source{Git: &v1alpha1.GitSource{URL: "https://git.example.com/a.git"}}
				i.Spec.Triggers.OnSpecChange, i.Spec.Triggers.OnSourceChange, i.Spec.Triggers.OnBaseChange = new(has(on, 0)), new(has(on, 1)), new(has(on, 2))
			})
			image.Status.LastAttempted = &v1alpha1.AttemptedBuild{
				Number: 1, SourceRevision: before, BaseDigest: "one", InputsDigest: inputs.Digest(image.Spec.BuildInputs, nil, "one", before),
			}
			revision, base := before, "one"
			if has(changed, 0) {
				image.Spec.Parameters = []v1alpha1.Parameter{{Name: "edition", Value: "full"}}
			}
			if has(changed, 1) {
				revision = after
			}
			if has(changed, 2) {
				base = "two"
			}
			observed := based(image, base)
			observed.Resolved.Source = &v1alpha1.SourceRevision{Revision: revision}
			observed.Resolved.InputsDigest = inputs.Digest(image.Spec.BuildInputs, nil, base, revision)
			want := v1alpha1.ReasonSuspended
			for i, reason := range reasons {
				if has(changed, i) && has(on, i) {
					want = string(reason)
					break
				}
			}
			if decision := Next(observed); decision.Reason != want || (decision.Request == nil) != (want == v1alpha1.ReasonSuspended) {
				t.Errorf("changed %03b, on %03b: %s (%s), want %s", changed, on, decision.Reason, decision.Message, want)
			}
		}
	}
}

func TestWhatABuildWhoseSourceWasNotCheckedWouldHaveBuiltIsNotBuiltAgain(t *testing.T) {
	image := newImage(func(i *v1alpha1.Image) {
		i.Spec.Source = &v1alpha1.Source{Git: &v1alpha1.GitSource{URL: "https://git.example.com/a.git"}}
	})
	found := &v1alpha1.SourceRevision{Revision: "sha1:" + strings.Repeat("a", 40)}
	resolved := &v1alpha1.ResolvedInputs{Source: found, InputsDigest: inputs.Digest(image.Spec.BuildInputs, nil, "", found.Revision)}
	failed := func(reason v1alpha1.TriggerReason) v1alpha1.ImageBuild {
		build := newBuild(2, v1alpha1.BuildFailed, "")
		build.Spec.Inputs, build.Spec.Trigger = image.Spec.BuildInputs, &v1alpha1.BuildTrigger{Reason: reason}
		build.Status.Failure = v1alpha1.ReasonSourceDenied.Failure("the token has expired")
		return build
	}
	built := newBuild(1, v1alpha1.BuildSucceeded, resolved.InputsDigest)
	built.Spec.Inputs = image.Spec.BuildInputs
	if next := Next(Observed{Image: image, Builds: []v1alpha1.ImageBuild{built, failed(v1alpha1.TriggerManual)}, Resolved: resolved, Now: now.Time}); next.Request != nil {
		t.Errorf("after a manual build: %+v", next.Request)
	}
	later := resolved.DeepCopy()
	later.Source.Revision = "sha1:" + strings.Repeat("b", 40)
	later.InputsDigest = inputs.Digest(image.Spec.BuildInputs, nil, "", later.Source.Revision)
	for range 2 {
		next := Next(Observed{Image: image, Builds: []v1alpha1.ImageBuild{built, failed(v1alpha1.TriggerManual)}, Resolved: later, Now: now.Time})
		if next.Request == nil {
			t.Errorf("a later commit: %s", next.Message)
		}
		image.Status = next.Status
	}
	image.Status = v1alpha1.ImageStatus{}
	if next := Next(Observed{Image: image, Builds: []v1alpha1.ImageBuild{failed(v1alpha1.TriggerManual)}, Resolved: resolved, Now: now.Time}); next.Request == nil {
		t.Errorf("the first build failed, and a branch appeared: %s", next.Message)
	}
	if next := Next(Observed{Image: image, Builds: []v1alpha1.ImageBuild{built, failed(v1alpha1.TriggerSchedule)}, Resolved: resolved, Now: now.Time}); next.Request == nil {
		t.Error("after a build that asked for no check")
	}
}
