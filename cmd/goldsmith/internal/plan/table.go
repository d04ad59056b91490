// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

const (
	none = "<none>"
	// maxState is how much of the state of an archive or an image a table has. With -o wide it has all.
	maxState = 80
)

// fleetOrder is the order of the states in the table.
var fleetOrder = map[trigger.FleetState]int{trigger.FleetNever: 1, trigger.FleetUnknown: 2}

// maxNamed is how many images of an unknown state are named.
const maxNamed = 5

// show prints the plan of a fleet: for programs the ImagePlans of the Images that new packages change, as a list.
func (p *fleetPlan) show(format output.Format, out, stderr io.Writer) error {
	affected := p.affected()
	if format.ForPrograms() {
		list := &corev1.List{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "List"}, Items: []runtime.RawExtension{}}
		for _, i := range affected {
			list.Items = append(list.Items, runtime.RawExtension{Object: p.imagePlan(i)})
		}
		return format.Print(list, out)
	}
	if len(p.images) == 0 {
		where := "namespace " + p.namespace
		if p.namespace == metav1.NamespaceAll {
			where = "any namespace"
		}
		_, err := fmt.Fprintf(stderr, "there is no image in %s\n", where)
		return err
	}
	wide := format == output.Wide
	if err := p.showArchives(wide, out); err != nil {
		return err
	}
	at := slices.IndexFunc(affected, func(i int) bool { return p.plans[i].State == trigger.FleetUnknown })
	if at < 0 {
		at = len(affected)
	}
	if err := p.showImages(affected[:at], wide, out); err != nil {
		return err
	}
	if err := p.showUnknown(affected[at:], out); err != nil {
		return err
	}
	_, err := fmt.Fprintln(out, p.summary())
	return err
}

// affected returns the positions of the Images that new packages change: those that would be built, by namespace, bases first, then the others.
func (p *fleetPlan) affected() []int {
	var all []int
	for i, plan := range p.plans {
		if plan.State != trigger.FleetUnaffected {
			all = append(all, i)
		}
	}
	slices.SortFunc(all, func(a, b int) int {
		x, y := &p.plans[a], &p.plans[b]
		return cmp.Or(cmp.Compare(fleetOrder[x.State], fleetOrder[y.State]), cmp.Compare(p.images[a].Namespace, p.images[b].Namespace),
			cmp.Compare(x.Layer, y.Layer), x.Start.Compare(y.Start), cmp.Compare(p.images[a].Name, p.images[b].Name))
	})
	return all
}

func (p *fleetPlan) showArchives(wide bool, out io.Writer) error {
	if len(p.archives) == 0 {
		return nil
	}
	var rows [][]any
	for _, archive := range p.archives {
		text, updates := archive.found, fmt.Sprint(archive.updates)
		if archive.unknown != "" {
			text, updates = "unknown: "+archive.unknown, none
		}
		rows = append(rows, []any{archive.URI, cmp.Or(archive.Suite, none), shorten(text, wide), updates})
	}
	if err := output.Table([]string{"Archive", "Suite", "State", "Updates"}, rows, out); err != nil {
		return err
	}
	_, err := fmt.Fprintln(out)
	return err
}

func (p *fleetPlan) showImages(affected []int, wide bool, out io.Writer) error {
	if len(affected) == 0 {
		return nil
	}
	columns := []string{"Image", "Layer", "When", "Packages"}
	all := p.namespace == metav1.NamespaceAll
	if all {
		columns = slices.Insert(columns, 0, "Namespace")
	}
	if wide {
		columns = append(columns, "Why")
	}
	var rows [][]any
	for _, i := range affected {
		image, plan := p.images[i], &p.plans[i]
		layer := fmt.Sprint(plan.Layer)
		if plan.State == trigger.FleetNever {
			layer = none
		}
		row := []any{image.Name, layer, shorten(when(plan), wide), output.OneLine(cmp.Or(plan.ListUpdates(), none))}
		if all {
			row = slices.Insert(row, 0, any(image.Namespace))
		}
		if wide {
			row = append(row, output.OneLine(plan.Reason+": "+plan.Message))
		}
		rows = append(rows, row)
	}
	if err := output.Table(columns, rows, out); err != nil {
		return err
	}
	_, err := fmt.Fprintln(out)
	return err
}

// showUnknown writes a line for each reason why Images are unknown.
func (p *fleetPlan) showUnknown(unknown []int, out io.Writer) error {
	names, whys := map[string][]string{}, []string(nil)
	for _, i := range unknown {
		why := p.plans[i].Message
		if names[why] == nil {
			whys = append(whys, why)
		}
		name := p.images[i].Name
		if p.namespace == metav1.NamespaceAll {
			name = p.images[i].Namespace + "/" + name
		}
		names[why] = append(names[why], name)
	}
	for _, why := range whys {
		shown := strings.Join(names[why][:min(len(names[why]), maxNamed)], ", ")
		if more := len(names[why]) - maxNamed; more > 0 {
			shown += fmt.Sprintf(" and %d more", more)
		}
		if _, err := fmt.Fprintf(out, "unknown: %s: %s\n", shown, output.OneLine(why)); err != nil {
			return err
		}
	}
	if len(whys) == 0 {
		return nil
	}
	_, err := fmt.Fprintln(out)
	return err
}

// when tells when a build of an Image starts.
func when(plan *trigger.FleetPlan) string {
	text := ""
	switch plan.State {
	case trigger.FleetAfterBase:
		return "after " + plan.After
	case trigger.FleetNow:
		text = "now"
	case trigger.FleetBuilding:
		text = "building: " + plan.Build
	case trigger.FleetLater:
		text = fmt.Sprintf("%s (%s)", plan.Start.UTC().Format(time.RFC3339), plan.Waits)
	case trigger.FleetNever:
		text = "never: " + plan.Reason
		if plan.Reason == v1alpha1.ReasonPackagesChanged {
			text = "never: the window never opens"
		}
	}
	if plan.After != "" {
		text += ", then after " + plan.After
	}
	return text
}

// shorten returns a text on one line, which a table that is not wide cuts.
func shorten(text string, wide bool) string {
	if text = output.OneLine(text); wide {
		return text
	}
	return output.Cut(text, maxState)
}

// imagePlan returns the plan of an Image, as far as its subresource has the same fields.
func (p *fleetPlan) imagePlan(i int) *v1alpha1.ImagePlan {
	image, plan := p.images[i], &p.plans[i]
	return &v1alpha1.ImagePlan{
		ObjectMeta: metav1.ObjectMeta{Name: image.Name, Namespace: image.Namespace},
		Spec:       image.Spec,
		Status: v1alpha1.ImagePlanStatus{
			Build: plan.State == trigger.FleetNow, Reason: plan.Reason, Message: plan.Message,
			BuildName: trigger.BuildName(image.Name, image.Status.BuildCounter+1), InputsDigest: image.Status.InputsDigest,
			NextScheduleTime: image.Status.NextScheduleTime, Packages: plan.Packages,
		},
	}
}

// summary counts the Images.
func (p *fleetPlan) summary() string {
	counts, without := map[trigger.FleetState]int{}, 0
	for i, plan := range p.plans {
		counts[plan.State]++
		if plan.State == trigger.FleetUnaffected && p.images[i].Spec.Triggers.OnPackageChange == nil {
			without++
		}
	}
	built := counts[trigger.FleetNow] + counts[trigger.FleetAfterBase] + counts[trigger.FleetLater]
	var parts []string
	add := func(state trigger.FleetState, text string) {
		if counts[state] > 0 {
			parts = append(parts, fmt.Sprintf(text, counts[state]))
		}
	}
	if counts[trigger.FleetNow] > 1 {
		add(trigger.FleetNow, "%d now, in waves as --rollout-wave of the controller sets")
	} else {
		add(trigger.FleetNow, "%d now")
	}
	add(trigger.FleetAfterBase, "%d after their bases")
	add(trigger.FleetLater, "%d later")
	text := fmt.Sprintf("%d of %d images would be built", built, len(p.images))
	if len(parts) > 0 {
		text += ": " + strings.Join(parts, ", ")
	}
	parts = []string{text}
	add(trigger.FleetBuilding, "%d being built")
	add(trigger.FleetNever, "%d not until you act")
	add(trigger.FleetUnknown, "%d unknown")
	text = strings.Join(parts, "; ")
	switch {
	case without == 1:
		text += "; 1 image without triggers.onPackageChange is left out"
	case without > 1:
		text += fmt.Sprintf("; %d images without triggers.onPackageChange are left out", without)
	}
	return text
}
