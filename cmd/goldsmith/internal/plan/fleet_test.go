// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/exit"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/probe"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

var noon = time.Date(2026, time.November, 29, 12, 0, 0, 0, time.UTC)

// sayUpdate answers as a builder whose archive of a date has a newer openssl.
func sayUpdate(date string) askBuilder {
	return func(context.Context, string, string) (string, int, []byte, error) {
		log := `{"update":{"name":"openssl","architecture":"all","from":"1","to":"2","security":true}}`
		return fmt.Sprintf(`{"version":1,"outcome":"Succeeded","probe":{"release":{"date":%q,"sha256":"%064d"},"updates":1}}`, date, 1), 0, []byte(log), nil
	}
}

func TestAnArchiveIsAskedOrTheLastCheckCounts(t *testing.T) {
	of := probe.Archive{Builder: "mock", URI: "http://mirror", Suite: "stable"}
	demand := &probe.Demand{Archive: of, Packages: map[probe.Package]time.Time{{Name: "openssl", Version: "1", Architecture: "all"}: {}}}
	checked := func(ago time.Duration, failure string) *v1alpha1.Archive {
		archive := &v1alpha1.Archive{Spec: of.Spec(), Status: v1alpha1.ArchiveStatus{
			Release: &v1alpha1.ArchiveRelease{Date: metav1.NewTime(noon.Add(-10 * time.Hour))}, LastCheckTime: &metav1.Time{Time: noon.Add(-ago)},
			Updates: []v1alpha1.PackageUpdate{
				{Name: "openssl", Architecture: "all", From: "1", To: "2", Since: metav1.NewTime(noon.Add(-11 * time.Hour))},
				{Name: "other", Architecture: "all", From: "1", To: "2"},
			},
		}}
		if failure != "" {
			meta.SetStatusCondition(&archive.Status.Conditions, metav1.Condition{Type: v1alpha1.ArchiveReady, Status: metav1.ConditionFalse, Message: failure})
		}
		return archive
	}
	unreachable := func(context.Context, string, string) (string, int, []byte, error) {
		return "", 0, nil, errors.New("refused")
	}
	for _, test := range []struct {
		name, archive string
		ask           askBuilder
		known         *v1alpha1.Archive
		found         string // and the oldest update's date
		unknown       string
	}{
		{"asked", archiveNow, sayUpdate("2026-11-29T11:00:00Z"), checked(time.Hour, ""), "asked now, 1 since 01:00", ""},
		{"asked for the first time", archiveNow, sayUpdate("2026-11-29T11:00:00Z"), &v1alpha1.Archive{}, "asked now, 1 since 11:00", ""},
		{"older than before", archiveNow, sayUpdate("2026-11-28T11:00:00Z"), checked(time.Hour, ""), "checked 60m ago; asking it failed: the archive is of 2026-11-28T11:00:00Z, older than in an earlier check", ""},
		{"unreachable", archiveNow, unreachable, checked(time.Hour, ""), "checked 60m ago; asking it failed: refused, 1 since 01:00", ""},
		{"never checked, either", archiveNow, unreachable, &v1alpha1.Archive{}, "", "asking it failed: refused"},
		{"checked", archiveChecked, nil, checked(time.Hour, ""), "checked 60m ago, 1 since 01:00", ""},
		{"checked with a failure", archiveChecked, nil, checked(2*time.Hour, "503"), "checked 120m ago; the last check failed: 503, 1", ""},
		{"not checked for long", archiveChecked, nil, checked(48*time.Hour, "503"), "", "the last check failed: 503"},
		{"not checked yet", archiveChecked, nil, &v1alpha1.Archive{}, "", "is not checked yet"},
	} {
		t.Run(test.name, func(t *testing.T) {
			asked := &options{archive: test.archive, ask: test.ask, clock: testingclock.NewFakePassiveClock(noon)}
			archive, state := readArchive(t.Context(), demand, test.known, asked)
			got := state.found
			if got != "" {
				got += fmt.Sprintf(", %d since %s", state.updates, archive.Status.Updates[0].Since.UTC().Format("15:04"))
			}
			if !strings.HasPrefix(got, test.found) || (got == "") != (test.found == "") || state.unknown != test.unknown {
				t.Errorf("got %q and %q, want %q and %q", got, state.unknown, test.found, test.unknown)
			}
		})
	}
}

func TestAFleetIsShown(t *testing.T) {
	packages := &v1alpha1.PackagesPlan{UpdateCount: 1, Updates: []v1alpha1.PackageUpdate{{Name: "openssl", From: "1", To: "2", Advisories: []string{"CVE-2026-1"}}}}
	plan := &fleetPlan{namespace: "team", now: noon, archives: []archiveState{
		{Archive: probe.Archive{URI: "http://mirror", Suite: "stable"}, found: "asked now", updates: 3},
		{Archive: probe.Archive{URI: "http://packages"}, unknown: "asking it failed: " + strings.Repeat("x", 99)},
	}}
	for _, one := range []struct {
		name string
		plan trigger.FleetPlan
	}{
		{"web", trigger.FleetPlan{State: trigger.FleetAfterBase, Layer: 1, After: "base"}},
		{"api", trigger.FleetPlan{State: trigger.FleetNow, After: "slow", Packages: packages}},
		{"base", trigger.FleetPlan{State: trigger.FleetNow, Reason: "PackageChange", Message: "new packages: openssl 1 → 2", Packages: packages}},
		{"slow", trigger.FleetPlan{State: trigger.FleetLater, Start: noon.Add(10 * time.Hour), Waits: "window", Packages: packages}},
		{"busy", trigger.FleetPlan{State: trigger.FleetBuilding, Build: "busy-3", Packages: packages}},
		{"off", trigger.FleetPlan{State: trigger.FleetNever, Reason: "Suspended", Packages: packages}},
		{"shut", trigger.FleetPlan{State: trigger.FleetNever, Reason: "PackagesChanged", Packages: packages}},
		{"odd", trigger.FleetPlan{State: trigger.FleetUnknown, Reason: "PackagesUnknown", Message: "no lock"}},
		{"even", trigger.FleetPlan{State: trigger.FleetUnknown, Reason: "PackagesUnknown", Message: "no lock"}},
		{"same", trigger.FleetPlan{}},
		{"plain", trigger.FleetPlan{}},
	} {
		image := &v1alpha1.Image{}
		image.Name, image.Namespace, image.Status.BuildCounter = one.name, "team", 7
		image.Spec.Triggers = &v1alpha1.Triggers{OnPackageChange: &v1alpha1.PackageTrigger{}}
		if one.name == "plain" {
			image.Spec.Triggers = &v1alpha1.Triggers{}
		}
		plan.images, plan.plans = append(plan.images, image), append(plan.plans, one.plan)
	}
	var out bytes.Buffer
	require.NoError(t, plan.show("", &out, &out))
	if want := `ARCHIVE           SUITE    STATE                                                                                UPDATES
http://mirror     stable   asked now                                                                            3
http://packages   <none>   unknown: asking it failed: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…     <none>

IMAGE   LAYER    WHEN                            PACKAGES
api     0        now, then after slow            openssl 1 → 2 (CVE-2026-1)
base    0        now                             openssl 1 → 2 (CVE-2026-1)
busy    0        building: busy-3                openssl 1 → 2 (CVE-2026-1)
slow    0        2026-11-29T22:00:00Z (window)   openssl 1 → 2 (CVE-2026-1)
web     1        after base                      <none>
off     <none>   never: Suspended                openssl 1 → 2 (CVE-2026-1)
shut    <none>   never: the window never opens   openssl 1 → 2 (CVE-2026-1)

unknown: even, odd: no lock

4 of 11 images would be built: 2 now, in waves as --rollout-wave of the controller sets, 1 after their bases, 1 later; 1 being built; 2 not until you act; 2 unknown; 1 image without triggers.onPackageChange is left out
`; out.String() != want {
		t.Errorf("got\n%swant\n%s", &out, want)
	}
	out.Reset()
	require.NoError(t, plan.show("jsonpath={range .items[*]}{.kind} {.metadata.namespace}/{.metadata.name} {.status.build} {.status.buildName} {.status.reason}{\"\\n\"}{end}", &out, &out))
	if !strings.HasPrefix(out.String(), "ImagePlan team/api true api-8 \nImagePlan team/base true base-8 PackageChange\n") || strings.Contains(out.String(), "plain") {
		t.Errorf("got\n%s", &out)
	}

	if err := plan.due(true); exit.Code(t.Context(), err) != exit.BuildDue || plan.due(false) != nil {
		t.Errorf("a build that is due is %v", err)
	}
	plan.images, plan.plans = plan.images[10:], plan.plans[10:]
	if err := plan.due(true); exit.Code(t.Context(), err) != exit.Failure || !strings.HasPrefix(err.Error(), "archive http://packages is unknown: ") {
		t.Errorf("an unknown archive is %v", err)
	}
	plan.archives = nil
	for _, test := range []struct{ reason, want string }{{v1alpha1.ReasonPackagesUnknown, "the packages of image plain are unknown: no lock"}, {v1alpha1.ReasonProbeNotSupported, ""}} {
		plan.plans = []trigger.FleetPlan{{State: trigger.FleetUnknown, Reason: test.reason, Message: "no lock"}}
		plan.images = plan.images[len(plan.images)-1:]
		err := plan.due(true)
		if got := strings.TrimPrefix(fmt.Sprint(err), "<nil>"); got != test.want || err != nil && exit.Code(t.Context(), err) != exit.Failure {
			t.Errorf("an unknown image, %s, is %v", test.reason, err)
		}
	}
	plan.images, plan.plans = nil, nil
	out.Reset()
	require.NoError(t, errors.Join(plan.due(true), plan.show("", &out, &out)))
	if out.String() != "there is no image in namespace team\n" {
		t.Errorf("got %q", &out)
	}
}

func TestAFleetIsPlannedWithoutFlagsOfFiles(t *testing.T) {
	for _, flag := range []string{"--recursive", "--field-manager=me", "--force-conflicts"} {
		command := NewCommand()
		command.SetArgs([]string{"--archive=now", flag})
		command.SetOut(io.Discard)
		command.SetErr(io.Discard)
		if err := command.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), "none of the others can be") {
			t.Errorf("%s: got error %v", flag, err)
		}
	}
}
