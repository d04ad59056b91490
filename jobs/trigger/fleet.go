// SPDX-License-Identifier: Apache-2.0

package trigger

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// FleetState is what new packages do for an Image of a fleet.
type FleetState string

const (
	// FleetUnaffected is an Image that no new package changes.
	FleetUnaffected FleetState = ""
	// FleetNow is an Image of which a build would start now.
	FleetNow FleetState = "Now"
	// FleetAfterBase is an Image of which a build follows that of a base.
	FleetAfterBase FleetState = "AfterBase"
	// FleetLater is an Image of which a build starts at a time.
	FleetLater FleetState = "Later"
	// FleetBuilding is an Image that has an unfinished build, which has the new packages or may have them.
	FleetBuilding FleetState = "Building"
	// FleetNever is an Image of which no build starts until a user acts.
	FleetNever FleetState = "Never"
	// FleetUnknown is an Image whose packages or archives are unknown.
	FleetUnknown FleetState = "Unknown"
)

// FleetPlan is what new packages do for an Image of a fleet.
type FleetPlan struct {
	State FleetState
	// Reason and Message explain the state, as those of an ImagePlan.
	Reason, Message string
	// Layer is how many builds of bases come before the build.
	Layer int
	// After is the name of the base whose build is followed: by the build in FleetAfterBase, and by another one in other states.
	After string
	// Start is when the build starts, in FleetLater.
	Start time.Time
	// Waits is what it waits for until then, for users.
	Waits string
	// Build is the name of the unfinished build, in FleetBuilding.
	Build string
	// Packages are the newer versions. Nil if the Image has none of its own.
	Packages *v1alpha1.PackagesPlan

	starts time.Time // when the build starts, that of a base included; zero if none starts
}

// ListUpdates describes the newer versions: the first of them, and how many more there are. It is empty if there are none.
func (p FleetPlan) ListUpdates() string {
	if p.Packages == nil || len(p.Packages.Updates) == 0 {
		return ""
	}
	return listUpdates(p.Packages.Updates, p.Packages.UpdateCount)
}

// PlanFleet decides for each Image of a fleet what its candidates do, as if all builds succeeded at once and changed the artifacts that Images are
// based on. The bases of Images are those of the fleet. Whether inputs resolve, and whether a rollout is paused, is what the controller has stored: only
// the controller can find it out.
func PlanFleet(fleet []Observed) []FleetPlan {
	f := &fleetOf{all: fleet, at: map[types.NamespacedName]int{}, plans: make([]FleetPlan, len(fleet)), begun: make([]bool, len(fleet))}
	for i := range fleet {
		f.at[types.NamespacedName{Namespace: fleet[i].Image.Namespace, Name: fleet[i].Image.Name}] = i
	}
	for i := range fleet {
		f.plan(i)
	}
	return f.plans
}

// fleetOf is a fleet that is being planned.
type fleetOf struct {
	all   []Observed
	at    map[types.NamespacedName]int
	plans []FleetPlan
	begun []bool
}

// find returns the position of the Image of a name in the namespace of another Image.
func (f *fleetOf) find(beside *v1alpha1.Image, name string) (int, bool) {
	i, found := f.at[types.NamespacedName{Namespace: beside.Namespace, Name: name}]
	return i, found
}

// plan decides about an Image after its bases. The server refuses cycles.
func (f *fleetOf) plan(i int) {
	if f.begun[i] {
		return
	}
	f.begun[i] = true
	o := f.all[i].stored()
	ref := o.Image.Spec.Base.ImageRef
	if ref == nil {
		f.plans[i] = o.fleetPlan()
		return
	}
	base, found := f.find(o.Image, ref.Name)
	if found {
		f.plan(base)
	}
	o.BasePackages = f.baseComing(o)
	plan := o.fleetPlan()
	if found && o.followsBuilds(f.all[base].Image) {
		plan.follow(ref.Name, &f.plans[base])
	}
	if plan.State == FleetAfterBase && plan.After == "" {
		plan.After, plan.Layer, plan.starts = f.awaited(o.Image)
	}
	f.plans[i] = plan
}

// baseComing reports whether the Image waits for a base, as the controller decides it.
func (f *fleetOf) baseComing(o Observed) bool {
	read := func(name string) (*v1alpha1.Image, error) {
		if i, found := f.find(o.Image, name); found {
			return f.all[i].Image, nil
		}
		return nil, nil
	}
	coming, _ := BaseComing(o.Image, o.Now, read, func(base *v1alpha1.Image) (bool, error) { // which never fails
		i, _ := f.find(o.Image, base.Name)
		of := &f.all[i]
		return newest(of.Builds, unfinishedAndCounts) != nil || PackagesDue(Observed{Image: base, Candidates: of.Candidates, Now: of.Now}), nil
	})
	return coming
}

// awaited returns the base that is built before an Image, the nearest that is planned, with the layer of the Image, and when that build starts.
func (f *fleetOf) awaited(image *v1alpha1.Image) (base string, layer int, starts time.Time) {
	nearest := image.Spec.Base.ImageRef.Name
	for range maxBases {
		ref := image.Spec.Base.ImageRef
		if ref == nil {
			break
		}
		i, found := f.find(image, ref.Name)
		if !found {
			break
		}
		if plan := &f.plans[i]; !plan.starts.IsZero() {
			return ref.Name, plan.Layer + 1, plan.starts
		}
		image = f.all[i].Image
	}
	return nearest, 1, f.all[0].Now
}

// stored adds what only the stored status tells of: whether the inputs resolve, and whether a rollout is paused.
func (o Observed) stored() Observed {
	status := &o.Image.Status
	resolved := meta.FindStatusCondition(status.Conditions, v1alpha1.ImageInputsResolved)
	switch {
	case o.Resolved != nil || o.Unresolved != nil:
	case resolved != nil && resolved.Status == metav1.ConditionFalse:
		o.Unresolved = &v1alpha1.BuildFailure{Reason: v1alpha1.FailureReason(resolved.Reason), Message: resolved.Message}
	default:
		o.Resolved = &v1alpha1.ResolvedInputs{InputsDigest: status.InputsDigest}
		if attempted := status.LastAttempted; attempted != nil && attempted.InputsDigest == status.InputsDigest {
			o.Resolved.BaseDigest = attempted.BaseDigest
		}
	}
	if o.Hold == nil {
		o.Hold = StoredHold(o.Image)
	}
	return o
}

// followsBuilds reports whether each build of the base that changes its artifacts starts one of the Image.
func (o Observed) followsBuilds(base *v1alpha1.Image) bool {
	if !o.followsBase() || o.Image.IsSuspended() || o.tooManyFailures(&o.Image.Status) || refused(&o.Image.Status) {
		return false
	}
	if o.Unresolved != nil && o.Unresolved.Reason != v1alpha1.ReasonBaseNotFound && o.Unresolved.Reason != v1alpha1.ReasonBaseRevoked {
		return false
	}
	follows, _ := Follows(base, o.Image.Spec.Base.ImageRef.Channel, o.Now)
	return follows
}

// follow adds that a build follows that of the base. The build of the base comes first unless the Image has one earlier.
func (p *FleetPlan) follow(base string, of *FleetPlan) {
	switch {
	case of.starts.IsZero():
		return
	case p.State == FleetNow || p.State == FleetLater && p.starts.Before(of.starts):
		p.After = base
		return
	case p.State != FleetAfterBase:
		p.Reason, p.Message = v1alpha1.ReasonWaitingForBase, baseFirst(base)
		if p.Packages != nil {
			p.Packages = p.Packages.DeepCopy()
			p.Packages.Reason, p.Packages.Message, p.Packages.StartTime = p.Reason, p.Message, nil
		}
	}
	*p = FleetPlan{
		State: FleetAfterBase, Reason: p.Reason, Message: p.Message, Layer: of.Layer + 1, After: base, Packages: p.Packages, starts: of.starts,
	}
}

// fleetPlan decides what the candidates do for an Image, apart from builds that follow those of its base.
func (o Observed) fleetPlan() FleetPlan {
	if o.Image.Spec.Triggers.OnPackageChange == nil {
		return FleetPlan{}
	}
	refusedFor := refusal(&o.Image.Status)
	d := Next(o)
	if !samePackages(o.Image.Status.Packages, d.Status.Packages) { // the controller stores them, and decides again
		o.Image = o.Image.DeepCopy()
		o.Image.Status = d.Status
		d = Next(o)
	}
	packages := PlanPackages(o, d)
	plan := FleetPlan{Packages: packages, Reason: d.Reason, Message: d.Message}
	switch of := updates(&d.Status); {
	case len(of) == 0:
		plan.Reason, plan.Message = packages.Reason, packages.Message
		return o.planWithout(plan)
	case packages.Reason == v1alpha1.ReasonBuildQueued:
		plan.building(newest(o.Builds, unfinishedAndCounts), o.Now)
	case packages.Reason == v1alpha1.ReasonWaitingForBase:
		plan.State = FleetAfterBase
	case refusedFor != "":
		plan.State, plan.Reason, plan.Message = FleetNever, v1alpha1.ReasonBuildRefused, refusedFor
	case d.Request != nil:
		plan.State, plan.starts = FleetNow, o.Now
	case packages.StartTime != nil:
		plan.later(packages.StartTime.Time, o.waits(of, packages.StartTime.Time))
	default:
		plan.State = FleetNever
	}
	return plan
}

// later sets when the build starts.
func (p *FleetPlan) later(start time.Time, waits string) {
	p.State, p.Start, p.Waits, p.starts = FleetLater, start, waits, start
}

// building sets the build that has not finished. It may be nil.
func (p *FleetPlan) building(build *v1alpha1.ImageBuild, now time.Time) {
	p.State, p.starts = FleetBuilding, now
	if build != nil {
		p.Build = build.Name
	}
}

// planWithout decides about an Image without updates that start a build: those that a build was started for, or that are unknown.
func (o Observed) planWithout(plan FleetPlan) FleetPlan {
	switch {
	case newest(o.Builds, unfinishedForPackages) != nil:
		plan.building(newest(o.Builds, unfinishedForPackages), o.Now)
	case plan.Packages.StartTime != nil:
		failed := newest(o.Builds, forPackages).Spec.Trigger.Packages
		packages := *plan.Packages
		packages.Updates, packages.UpdateCount = failed.Updates, failed.UpdateCount
		plan.Packages = &packages
		plan.later(packages.StartTime.Time, "after a failure")
	case plan.Reason == v1alpha1.ReasonPackagesUnknown || plan.Reason == v1alpha1.ReasonProbeNotSupported:
		plan.State = FleetUnknown
	default:
		plan.Packages = nil
	}
	return plan
}

// waits names the fields that updates wait for.
func (o Observed) waits(of []v1alpha1.PackageUpdate, start time.Time) string {
	trigger, fields := o.Image.Spec.Triggers.OnPackageChange, []string(nil)
	old := of[0].Since.Add(trigger.MinimumAge.Duration)
	if old.After(o.Now) {
		fields = append(fields, "minimumAge")
	}
	if trigger.Window != nil && start.After(old) {
		fields = append(fields, "window")
	}
	return strings.Join(fields, ", ")
}

// refused reports whether a quota or a policy refuses the next build.
func refused(status *v1alpha1.ImageStatus) bool { return refusal(status) != "" }

// refusal returns why a quota or a policy refuses the next build, or "".
func refusal(status *v1alpha1.ImageStatus) string {
	for _, kind := range []string{v1alpha1.ImageReconciling, v1alpha1.ImageStalled} {
		if said := meta.FindStatusCondition(status.Conditions, kind); said != nil && said.Reason == v1alpha1.ReasonBuildRefused {
			return cmp.Or(said.Message, v1alpha1.ReasonBuildRefused)
		}
	}
	return ""
}

// baseFirst is the message of an Image that waits for its base.
func baseFirst(base string) string { return fmt.Sprintf("the base (image %s) is built first", base) }
