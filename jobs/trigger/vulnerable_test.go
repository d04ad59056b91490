// SPDX-License-Identifier: Apache-2.0

package trigger

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// known are the vulnerabilities of builds, by the numbers of the builds.
func known(of map[int64]*Vulnerabilities) map[types.UID]*Vulnerabilities {
	found := map[types.UID]*Vulnerabilities{}
	for number, its := range of {
		found[newBuild(number, v1alpha1.BuildSucceeded, "A").UID] = its
	}
	return found
}

func TestAnImageTellsItsVulnerabilities(t *testing.T) {
	severe := &Vulnerabilities{Counts: v1alpha1.VulnerabilityCounts{Critical: 1, High: 2, Fixable: 2, NotAffected: 4}, Worst: []string{"CVE-1", "CVE-2", "CVE-3", "CVE-4"}}
	stored := func(of string, its *Vulnerabilities) *v1alpha1.ImageVulnerabilities {
		return &v1alpha1.ImageVulnerabilities{Build: of, Counts: its.Counts, Worst: its.Worst}
	}
	const open = "build debian-1 has 3 open vulnerabilities: 1 Critical, 2 High, 2 with a fix; the worst: CVE-1, CVE-2, CVE-3"
	one := &Vulnerabilities{Counts: v1alpha1.VulnerabilityCounts{Unknown: 1}, Worst: []string{"CVE-5"}, Unmatched: []string{"no advisory is about 3 packages of alpine"}}
	none, unmatched := &Vulnerabilities{}, &Vulnerabilities{Unmatched: []string{"no advisory is about 1 package of npm", "b"}}
	for name, test := range map[string]struct {
		known     map[types.UID]*Vulnerabilities
		condition string // status, reason and message
		status    *v1alpha1.ImageVulnerabilities
	}{
		"open":            {known(map[int64]*Vulnerabilities{1: severe}), "True VulnerabilitiesOpen " + open, stored("debian-1", severe)},
		"of one kind":     {known(map[int64]*Vulnerabilities{1: one}), "True VulnerabilitiesOpen build debian-1 has 1 open vulnerability: 1 Unknown; the worst: CVE-5; no advisory is about 3 packages of alpine", stored("debian-1", one)},
		"none":            {known(map[int64]*Vulnerabilities{1: none}), "False NoVulnerabilities the advisories tell of no open vulnerability of build debian-1", stored("debian-1", none)},
		"unmatched":       {known(map[int64]*Vulnerabilities{1: unmatched}), "Unknown VulnerabilitiesUnknown the vulnerabilities of build debian-1 are unknown: no advisory is about 1 package of npm; b", stored("debian-1", unmatched)},
		"unknown":         {known(map[int64]*Vulnerabilities{1: {Unknown: "it has no lock"}}), "Unknown VulnerabilitiesUnknown the vulnerabilities of build debian-1 are unknown: it has no lock", nil},
		"not asked for":   {known(map[int64]*Vulnerabilities{9: none}), "True VulnerabilitiesOpen " + open, stored("debian-1", severe)},
		"no advisories":   {nil, "", nil},
		"of many changes": {known(map[int64]*Vulnerabilities{1: {Counts: v1alpha1.VulnerabilityCounts{Low: 20_000, Negligible: 7, Medium: 1}}}), "True VulnerabilitiesOpen build debian-1 has 20008 open vulnerabilities: 1 Medium, 20000 Low, 7 Negligible", stored("debian-1", &Vulnerabilities{Counts: v1alpha1.VulnerabilityCounts{Low: 20_000, Negligible: 7, Medium: 1}})},
	} {
		t.Run(name, func(t *testing.T) {
			o := observed(newImage(), "A", newBuild(1, v1alpha1.BuildSucceeded, "A"))
			o.Vulnerabilities = known(map[int64]*Vulnerabilities{1: severe})
			before := keep(o)
			o.Vulnerabilities = test.known
			after := Next(o).Status
			got := ""
			if condition := meta.FindStatusCondition(after.Conditions, v1alpha1.ImageVulnerable); condition != nil {
				got = fmt.Sprintf("%s %s %s", condition.Status, condition.Reason, condition.Message)
			}
			if diff := cmp.Diff(test.condition, got); diff != "" {
				t.Errorf("the condition (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.status, after.Vulnerabilities); diff != "" {
				t.Errorf("the status (-want +got):\n%s", diff)
			}
			for _, kind := range []string{v1alpha1.ImageReady, v1alpha1.ImageUpToDate} {
				if diff := cmp.Diff(meta.FindStatusCondition(before.Conditions, kind), meta.FindStatusCondition(after.Conditions, kind)); diff != "" {
					t.Errorf("%s changes: %s", kind, diff)
				}
			}
		})
	}
	o := observed(newImage(), "A")
	o.Vulnerabilities = known(nil)
	if status := Next(o).Status; status.Vulnerabilities != nil || meta.FindStatusCondition(status.Conditions, v1alpha1.ImageVulnerable) != nil {
		t.Errorf("without a build: %+v", status)
	}
}

func TestAChannelWaitsForABuildWithoutSevereVulnerabilities(t *testing.T) {
	limit := v1alpha1.ChannelRule{Name: "stable", Promote: v1alpha1.PromoteAutomatic, Requires: &v1alpha1.ChannelRequirements{Tests: []string{"web"}, MaxSeverity: v1alpha1.SeverityLimitLow}}
	byHand := *limit.DeepCopy()
	byHand.Name, byHand.Promote = "lts", v1alpha1.PromoteManual
	none := *limit.DeepCopy()
	none.Requires = &v1alpha1.ChannelRequirements{MaxSeverity: v1alpha1.SeverityLimitNone}
	official := *none.DeepCopy()
	official.Requires.NoOtherArchives = true
	low, high := &Vulnerabilities{Counts: v1alpha1.VulnerabilityCounts{Low: 1}}, &Vulnerabilities{Counts: v1alpha1.VulnerabilityCounts{High: 1}}
	passes := func(n int64) v1alpha1.ImageBuild {
		return withResults(newBuild(n, v1alpha1.BuildSucceeded, "A"), "web", "Passed")
	}
	builds := list(passes(1), passes(2), passes(3), withResults(newBuild(4, v1alpha1.BuildSucceeded, "A"), "web", "Failed"), newBuild(5, v1alpha1.BuildRunning, "A"))
	image := newImage(func(image *v1alpha1.Image) {
		image.Spec.Channels = []v1alpha1.ChannelRule{byHand, limit}
		image.Status.Channels = []v1alpha1.ImageChannel{{Name: "stable", Build: "debian-1", Time: metav1.NewTime(now.Add(-1e9))}}
	})
	o := observed(image, "A", builds...)
	var judged []string
	for _, build := range o.Judged() {
		judged = append(judged, build.Name)
	}
	if diff := cmp.Diff([]string{"debian-4", "debian-1", "debian-3", "debian-2"}, judged); diff != "" {
		t.Errorf("judged (-want +got):\n%s", diff)
	}
	for name, test := range map[string]struct {
		known map[int64]*Vulnerabilities
		want  []Promotion
	}{
		"no advisories":            {nil, nil},
		"not asked for":            {map[int64]*Vulnerabilities{4: low}, nil},
		"too severe":               {map[int64]*Vulnerabilities{2: high, 3: high}, nil},
		"unknown":                  {map[int64]*Vulnerabilities{3: {Unknown: "it has no lock"}}, nil},
		"the newest that is known": {map[int64]*Vulnerabilities{2: low, 3: high}, []Promotion{{"stable", "debian-2"}}},
		"the newest":               {map[int64]*Vulnerabilities{2: low, 3: low}, []Promotion{{"stable", "debian-3"}}},
	} {
		if o.Vulnerabilities = known(test.known); test.known == nil {
			o.Vulnerabilities = nil
		}
		if diff := cmp.Diff(test.want, Next(o).Promote); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}

	for _, test := range []struct {
		rule  *v1alpha1.ChannelRule
		known *Vulnerabilities
		want  string
	}{
		{&limit, nil, "has no vulnerability above Low"},
		{&limit, high, "has no vulnerability above Low"},
		{&limit, low, ""},
		{&none, low, "has no open vulnerability"},
		{&official, low, "has no open vulnerability and no package of another archive"},
	} {
		if got := WaitsFor(image, test.rule, &builds[0], test.known); got != test.want {
			t.Errorf("waits for a build that %q, want %q", got, test.want)
		}
	}
	severe := &Vulnerabilities{Counts: v1alpha1.VulnerabilityCounts{High: 2, Medium: 3}, Worst: []string{"CVE-1", "CVE-2", "CVE-3", "CVE-4", "CVE-5"}}
	const remedy = "): build the image with fixed packages, or state why they do not affect it (OpenVEX)"
	unreadable := &Vulnerabilities{Counts: v1alpha1.VulnerabilityCounts{Unreadable: 1, High: 1, Unknown: 1}, Worst: []string{"CVE-1", "CVE-2", "CVE-3"}}
	elsewhere := &Vulnerabilities{OtherArchives: []string{"https://a.example a main", "https://b.example", "c", "d", "e"}}
	above := func(limit v1alpha1.SeverityLimit) v1alpha1.ChannelRequirements {
		return v1alpha1.ChannelRequirements{MaxSeverity: limit}
	}
	for _, test := range []struct {
		requires v1alpha1.ChannelRequirements
		known    *Vulnerabilities
		want     string
	}{
		{above(""), &Vulnerabilities{Unmatched: []string{"x"}}, ""},
		{above(v1alpha1.SeverityLimitHigh), severe, ""},
		{above(v1alpha1.SeverityLimitHigh), unreadable, "debian-1 has 1 open vulnerability more severe than High, or with a rating that cannot be read (the worst: CVE-1" + remedy},
		{above(v1alpha1.SeverityLimitMedium), unreadable, "debian-1 has 2 open vulnerabilities more severe than Medium, or with a rating that cannot be read (the worst: CVE-1, CVE-2" + remedy},
		{above(v1alpha1.SeverityLimitLow), &Vulnerabilities{Counts: v1alpha1.VulnerabilityCounts{Unknown: 7}}, ""},
		{above(v1alpha1.SeverityLimitNone), &Vulnerabilities{Counts: v1alpha1.VulnerabilityCounts{Unknown: 7}, Worst: []string{"CVE-1"}}, "debian-1 has 7 open vulnerabilities more severe than None (the worst: CVE-1" + remedy},
		{above(v1alpha1.SeverityLimitHigh), &Vulnerabilities{Unmatched: []string{"no advisory is about 1 package of gem", "c", "d", "e", "f"}},
			"the vulnerabilities of debian-1 are unknown: no advisory is about 1 package of gem; c; d; 2 more"},
		{above(v1alpha1.SeverityLimitNone), elsewhere, ""},
		{v1alpha1.ChannelRequirements{MaxSeverity: v1alpha1.SeverityLimitHigh, NoOtherArchives: true}, low, ""},
		{v1alpha1.ChannelRequirements{MaxSeverity: v1alpha1.SeverityLimitHigh, NoOtherArchives: true}, elsewhere,
			"packages of debian-1 may come from other archives, which no advisory is about: https://a.example a main, https://b.example, c, 2 more"},
		{above(v1alpha1.SeverityLimitMedium), severe, "debian-1 has 2 open vulnerabilities more severe than Medium (the worst: CVE-1, CVE-2" + remedy},
		{above(v1alpha1.SeverityLimitLow), severe, "debian-1 has 5 open vulnerabilities more severe than Low (the worst: CVE-1, CVE-2, CVE-3" + remedy},
		{above(v1alpha1.SeverityLimitHigh), UnknownVulnerabilities(errors.New("the vulnerabilities of imagebuild debian-1 are unknown: not read yet")), "the vulnerabilities of debian-1 are unknown: not read yet"},
		{above(v1alpha1.SeverityLimitHigh), UnknownVulnerabilities(errors.New("no database")), "the vulnerabilities of debian-1 are unknown: no database"},
	} {
		if diff := cmp.Diff(test.want, tooSevere(&test.requires, &builds[0], test.known)); diff != "" {
			t.Errorf("above %s (-want +got):\n%s", test.requires.MaxSeverity, diff)
		}
	}
	many := observed(newImage(func(image *v1alpha1.Image) { image.Spec.Channels = []v1alpha1.ChannelRule{none} }), "A")
	for number := range int64(20) {
		many.Builds = append(many.Builds, newBuild(number+1, v1alpha1.BuildSucceeded, "A"))
	}
	if judged := many.Judged(); len(judged) != maxJudged || judged[maxJudged-1].Name != "debian-13" {
		t.Errorf("of 20 builds, %d are judged", len(judged))
	}
}
