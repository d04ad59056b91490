// SPDX-License-Identifier: Apache-2.0

package trigger

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

const (
	first  = "2026-03-01T00:00:00Z"
	second = "2026-03-02T00:00:00Z"
)

// shownFixes are the fixes in a status, the newest first, and what is outdated: "debian-2 since 2026-03-01T00:00:00Z, stable; debian-2 lacks …".
func shownFixes(status *v1alpha1.ImageStatus) string {
	var all []string
	stamp := func(at metav1.Time) string { return at.UTC().Format("2006-01-02T15:04:05Z") }
	for _, fix := range status.Fixes {
		text := fmt.Sprintf("%s since %s", fix.Build, stamp(fix.Since))
		for _, channel := range fix.Channels {
			text += ", " + channel.Name
		}
		all = append(all, text)
	}
	if status.Packages != nil && status.Packages.Outdated != nil {
		all = append(all, fmt.Sprintf("%s lacks %s", status.Packages.Outdated.Build, stamp(status.Packages.Outdated.Since)))
	}
	return strings.Join(all, "; ")
}

// succeed ends a build with a number, whose packages have updates.
func (w *scenario) succeed(number int64, updates ...v1alpha1.PackageUpdate) {
	build := newBuild(number, v1alpha1.BuildSucceeded, "A")
	if w.Image.Status.Packages != nil {
		build.Spec.Trigger = &v1alpha1.BuildTrigger{Packages: w.Image.Status.Packages.DeepCopy()}
	}
	w.Builds = append(w.Builds, build)
	w.Candidates = candidates(w.t, second, updates...)
	w.Candidates.Build = build.Name
}

// unchecked makes debian-2 the build with the candidates, while the archive security cannot be checked.
func (w *scenario) unchecked() {
	w.Candidates = candidates(w.t, second)
	w.Candidates.Build, w.Candidates.Archives, w.Candidates.Partial = "debian-2", w.Candidates.Archives[1:], "archive "+security
}

func TestABuildThatInstallsANewerVersionIsAFix(t *testing.T) {
	openssl, curl := newer(t, "openssl", security, first), newer(t, "curl", security, second)
	tzdata := newer(t, "tzdata", main, first)
	lacks := "debian-1 lacks " + first
	for name, c := range map[string]struct {
		updates []v1alpha1.PackageUpdate
		next    func(w *scenario) // what comes after debian-1 is known to lack the updates
		want    string
	}{
		"all of them": {
			[]v1alpha1.PackageUpdate{curl, openssl}, func(w *scenario) { w.succeed(2) }, "debian-2 since " + first,
		},
		"the older one":   {[]v1alpha1.PackageUpdate{openssl, curl}, func(w *scenario) { w.succeed(2, curl) }, "debian-2 since " + first + "; debian-2 lacks " + second},
		"the younger one": {[]v1alpha1.PackageUpdate{openssl, curl}, func(w *scenario) { w.succeed(2, openssl) }, "debian-2 since " + second + "; debian-2 lacks " + first},
		"none":            {[]v1alpha1.PackageUpdate{openssl}, func(w *scenario) { w.succeed(2, openssl) }, "debian-2 lacks " + first},
		"none, although its update is newer by now": {
			[]v1alpha1.PackageUpdate{openssl}, func(w *scenario) {
				w.Candidates.Updates[0].To, w.Candidates.Updates[0].Since = "3", curl.Since
				keep(w.Observed)
				w.succeed(2, w.Candidates.Updates...)
			}, "debian-2 lacks " + second,
		},
		"none, because it is held back, and newer by the next build": {
			[]v1alpha1.PackageUpdate{openssl}, func(w *scenario) {
				build := newBuild(2, v1alpha1.BuildSucceeded, "A")
				build.Spec.Trigger = &v1alpha1.BuildTrigger{Reason: v1alpha1.TriggerPackageChange, Packages: w.Image.Status.Packages.DeepCopy()}
				w.Builds = append(w.Builds, build)
				w.Candidates.Build = "debian-2"
				keep(w.Observed)
				w.succeed(3, openssl)
				w.Candidates.Updates[0].To, w.Candidates.Updates[0].Since = "3", metav1.NewTime(w.Candidates.Updates[0].Since.AddDate(0, 0, 9))
				for i := range w.Candidates.Archives {
					w.Candidates.Archives[i].Date = metav1.NewTime(w.Candidates.Archives[i].Date.AddDate(0, 0, 9))
				}
			}, "debian-3 lacks 2026-03-10T00:00:00Z",
		},
		"none, because no archive was asked for what is held back after the build was deleted": {
			[]v1alpha1.PackageUpdate{openssl}, func(w *scenario) {
				w.succeed(2, openssl)
				keep(w.Observed)
				w.Builds = w.Builds[:1]
				w.succeed(3)
			}, "",
		},
		"none, because the build has the older version, and no archive was asked for it": {
			[]v1alpha1.PackageUpdate{openssl}, func(w *scenario) {
				w.succeed(2)
				w.Candidates.Has = func(name, version, architecture string) bool {
					return name == openssl.Name && version == openssl.From && architecture == openssl.Architecture
				}
			}, "",
		},
		"a version that was replaced meanwhile": {
			[]v1alpha1.PackageUpdate{openssl}, func(w *scenario) {
				w.Candidates.Updates[0].To, w.Candidates.Updates[0].Since = "3", curl.Since
				keep(w.Observed)
				w.succeed(2)
			}, "debian-2 since " + first,
		},
		"first it fails": {
			[]v1alpha1.PackageUpdate{openssl}, func(w *scenario) {
				failed := newBuild(2, v1alpha1.BuildFailed, "A")
				failed.Spec.Trigger = &v1alpha1.BuildTrigger{Packages: w.Image.Status.Packages.DeepCopy()}
				w.Builds = append(w.Builds, failed)
				keep(w.Observed)
				w.Builds = w.Builds[:1] // which is then pruned
				w.succeed(3)
			}, "debian-3 since " + first,
		},
		"none, because the build lacks that version, too": {
			[]v1alpha1.PackageUpdate{openssl}, func(w *scenario) {
				older := openssl
				older.From = "0.1"
				w.succeed(2, older)
			}, "debian-2 lacks " + first,
		},
		"none, because the artifacts of an older build are tested again": {
			[]v1alpha1.PackageUpdate{openssl}, func(w *scenario) {
				w.succeed(3, openssl)
				keep(w.Observed)
				for _, of := range []int64{1, 4} {
					w.succeed(max(of, 3) + 1)
					w.Builds[len(w.Builds)-1].Spec.Retests = &v1alpha1.TestedBuild{Name: BuildName("debian", of)}
				}
			}, "",
		},
		"no new build":               {[]v1alpha1.PackageUpdate{openssl}, func(w *scenario) { w.Candidates.Updates = nil }, ""},
		"a one-off build":            {[]v1alpha1.PackageUpdate{openssl}, func(w *scenario) { w.Builds = append(w.Builds, oneOff(2, v1alpha1.BuildSucceeded)) }, lacks},
		"a build of unknown content": {[]v1alpha1.PackageUpdate{openssl}, func(w *scenario) { w.succeed(2); w.Candidates = &Candidates{Unknown: "no lock"} }, lacks},
		"the content is known later": {
			[]v1alpha1.PackageUpdate{openssl}, func(w *scenario) {
				w.succeed(2)
				known := w.Candidates
				w.Candidates = nil
				keep(w.Observed)
				w.Candidates = known
			}, "debian-2 since " + first,
		},
		"an archive cannot be checked": {[]v1alpha1.PackageUpdate{openssl}, func(w *scenario) { w.succeed(2); w.Candidates.Partial = "archive x" }, lacks},
		"an archive of an old build cannot be checked": {
			[]v1alpha1.PackageUpdate{curl}, func(w *scenario) {
				w.Candidates.Partial, w.Candidates.Updates = "archive x", []v1alpha1.PackageUpdate{openssl}
			}, lacks,
		},
		"an update that mode excludes": {[]v1alpha1.PackageUpdate{tzdata}, func(w *scenario) { w.succeed(2) }, ""},
		"an update of mode Any": {[]v1alpha1.PackageUpdate{tzdata}, func(w *scenario) {
			w.Image.Spec.Triggers.OnPackageChange.Mode = v1alpha1.PackagesAny
			keep(w.Observed)
			w.succeed(2)
		}, "debian-2 since " + first},
		"an archive that could not be checked had its update all the time": {
			[]v1alpha1.PackageUpdate{openssl}, func(w *scenario) {
				w.Builds = append(w.Builds, newBuild(2, v1alpha1.BuildSucceeded, "A"))
				w.unchecked()
				keep(w.Observed)
				w.Candidates = candidates(w.t, second, openssl)
				w.Candidates.Build = "debian-2"
			}, "debian-2 lacks " + first,
		},
		"an archive that could not be checked has a later version": {
			[]v1alpha1.PackageUpdate{openssl}, func(w *scenario) {
				w.Builds = append(w.Builds, newBuild(2, v1alpha1.BuildSucceeded, "A"))
				w.unchecked()
				keep(w.Observed)
				later := openssl
				later.To, later.Since = "3", curl.Since
				w.Candidates = candidates(w.t, second, later)
				w.Candidates.Build = "debian-2"
			}, "debian-2 lacks " + second,
		},
		"an archive that could not be checked has no update any more": {
			[]v1alpha1.PackageUpdate{openssl}, func(w *scenario) {
				w.Builds = append(w.Builds, newBuild(2, v1alpha1.BuildSucceeded, "A"))
				w.unchecked()
				keep(w.Observed)
				w.Candidates = candidates(w.t, second)
				w.Candidates.Build = "debian-2"
			}, "debian-2 since " + first,
		},
		"the oldest version vanishes": {
			[]v1alpha1.PackageUpdate{openssl, curl}, func(w *scenario) { w.Candidates.Updates = []v1alpha1.PackageUpdate{curl} }, "debian-1 lacks " + second,
		},
		"the oldest version vanishes, or is in an archive that cannot be checked": {
			[]v1alpha1.PackageUpdate{openssl, curl}, func(w *scenario) {
				w.Candidates.Updates, w.Candidates.Partial = []v1alpha1.PackageUpdate{curl}, "archive x"
			}, lacks,
		},
		"the oldest version is replaced": {
			[]v1alpha1.PackageUpdate{openssl, curl}, func(w *scenario) { w.Candidates.Updates[0].To, w.Candidates.Updates[0].Since = "3", curl.Since }, lacks,
		},
		"the mode excludes the oldest version": {
			[]v1alpha1.PackageUpdate{curl}, func(w *scenario) {
				w.Image.Spec.Triggers.OnPackageChange.Mode = v1alpha1.PackagesAny
				w.Candidates.Updates = append(w.Candidates.Updates, tzdata)
				keep(w.Observed)
				w.Image.Spec.Triggers.OnPackageChange.Mode = v1alpha1.PackagesSecurity
			}, "debian-1 lacks " + second,
		},
		"the mode excludes the oldest version, which is held back": {
			[]v1alpha1.PackageUpdate{tzdata}, func(w *scenario) {
				w.Image.Spec.Triggers.OnPackageChange.Mode = v1alpha1.PackagesAny
				keep(w.Observed)
				w.succeed(2, tzdata)
				keep(w.Observed)
				w.Image.Spec.Triggers.OnPackageChange.Mode = v1alpha1.PackagesSecurity
				w.Candidates.Updates = append(w.Candidates.Updates, curl)
			}, "debian-2 lacks " + second,
		},
		"the mode excludes the oldest version, which is held back, when another package is installed": {
			[]v1alpha1.PackageUpdate{tzdata}, func(w *scenario) {
				w.Image.Spec.Triggers.OnPackageChange.Mode = v1alpha1.PackagesAny
				keep(w.Observed)
				w.succeed(2, tzdata)
				keep(w.Observed)
				later := curl
				later.Since = metav1.NewTime(curl.Since.AddDate(0, 0, 9))
				w.Candidates.Updates = append(w.Candidates.Updates, later)
				for i := range w.Candidates.Archives {
					w.Candidates.Archives[i].Date = later.Since
				}
				keep(w.Observed)
				w.Image.Spec.Triggers.OnPackageChange.Mode = v1alpha1.PackagesSecurity
				w.succeed(3, tzdata)
			}, "debian-3 since 2026-03-11T00:00:00Z",
		},
		"the trigger was removed": {[]v1alpha1.PackageUpdate{openssl}, func(w *scenario) { w.Image.Spec.Triggers.OnPackageChange = nil; w.succeed(2) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := packaged(t)
			w.Candidates = candidates(t, second, c.updates...)
			keep(w.Observed)
			c.next(w)
			for range 2 {
				keep(w.Observed)
			}
			if got := shownFixes(&w.Image.Status); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// basedOnBuild is a successful build that is based on a build of the Image base.
func basedOnBuild(number, base int64) v1alpha1.ImageBuild {
	build := newBuild(number, v1alpha1.BuildSucceeded, "A")
	build.Status.Resolved.Base = &v1alpha1.BaseBuild{Name: fmt.Sprintf("base-%d", base)}
	return build
}

func TestAFixOfTheBaseIsAFixOfTheFirstBuildOnIt(t *testing.T) {
	fix := func(number int64, since string) v1alpha1.PackageFix {
		return v1alpha1.PackageFix{Build: fmt.Sprintf("base-%d", number), Number: number, Since: metav1.NewTime(at(t, since)), ReadyTime: metav1.NewTime(now.Add(-24 * time.Hour))}
	}
	own := func(number int64, since string) v1alpha1.PackageFix {
		one := fix(number, since)
		one.Build, one.ReadyTime = fmt.Sprintf("debian-%d", number), metav1.NewTime(now.Time)
		return one
	}
	full := func() (all []v1alpha1.PackageFix) {
		for number := int64(v1alpha1.MaxImageFixes + 9); len(all) < v1alpha1.MaxImageFixes; number-- {
			all = append(all, own(number, second))
		}
		return all
	}
	type builds = []v1alpha1.ImageBuild
	type fixes = []v1alpha1.PackageFix
	failed := basedOnBuild(2, 2)
	failed.Status.Phase = v1alpha1.BuildFailed
	former := basedOnBuild(2, 9)
	former.Status.CompletionTime = new(metav1.NewTime(now.Add(-48 * time.Hour)))
	for name, c := range map[string]struct {
		builds builds
		base   fixes
		stored fixes
		want   string
	}{
		"the first of several":          {builds{basedOnBuild(1, 1), basedOnBuild(2, 1), basedOnBuild(3, 3), basedOnBuild(4, 3)}, fixes{fix(2, first)}, nil, "debian-3 since " + first},
		"not one that failed":           {builds{basedOnBuild(1, 1), failed, basedOnBuild(3, 2)}, fixes{fix(2, first)}, nil, "debian-3 since " + first},
		"the first build of an image":   {builds{basedOnBuild(1, 2), basedOnBuild(2, 2)}, fixes{fix(2, first)}, nil, ""},
		"builds before it were deleted": {builds{basedOnBuild(4, 3)}, fixes{fix(2, first)}, nil, ""},
		"two fixes of a build":          {builds{basedOnBuild(1, 1), basedOnBuild(2, 3)}, fixes{fix(3, second), fix(2, first)}, nil, "debian-2 since " + first},
		"two fixes of two builds": {
			builds{basedOnBuild(1, 1), basedOnBuild(2, 2), basedOnBuild(3, 3)}, fixes{fix(3, second), fix(2, first)}, nil, "debian-3 since " + second + "; debian-2 since " + first,
		},
		"a base that had the name before":            {builds{basedOnBuild(1, 1), former, basedOnBuild(3, 2)}, fixes{fix(2, first)}, nil, "debian-3 since " + first},
		"its build was deleted, and an older stays":  {builds{basedOnBuild(1, 1), basedOnBuild(5, 3)}, fixes{fix(2, first)}, fixes{own(3, first)}, "debian-3 since " + first},
		"of two, its build was deleted":              {builds{basedOnBuild(1, 1), basedOnBuild(5, 3)}, fixes{fix(2, second)}, fixes{own(3, first)}, "debian-3 since " + first},
		"after another one, which had no other base": {builds{basedOnBuild(1, 1), basedOnBuild(3, 1), basedOnBuild(5, 3)}, fixes{fix(2, first)}, fixes{own(3, first)}, "debian-5 since " + first + "; debian-3 since " + first},
		"after a deleted one of before": {
			builds{basedOnBuild(4, 1), basedOnBuild(5, 3)}, fixes{fix(2, second)}, fixes{own(3, first)}, "debian-5 since " + second + "; debian-3 since " + first,
		},
		"it may have been dropped": {builds{basedOnBuild(1, 1), basedOnBuild(30, 3)}, fixes{fix(2, first)}, full(), shownFixes(&v1alpha1.ImageStatus{Fixes: full()})},
	} {
		t.Run(name, func(t *testing.T) {
			image := newImage(func(i *v1alpha1.Image) {
				i.Spec.Base = v1alpha1.Base{ImageRef: &v1alpha1.BaseImageReference{Name: "base"}}
				i.Status.Fixes = c.stored
			})
			o := observed(image, "A", c.builds...)
			o.BaseFixes = c.base
			for range 2 {
				keep(o)
			}
			if got := shownFixes(&image.Status); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestAChannelGetsAFixOnce(t *testing.T) {
	image := newImage(func(i *v1alpha1.Image) {
		for _, number := range []int64{3, 2} {
			i.Status.Fixes = append(i.Status.Fixes, v1alpha1.PackageFix{Build: fmt.Sprintf("debian-%d", number), Number: number, Since: metav1.NewTime(at(t, first))})
		}
	})
	o := observed(image, "A", newBuild(1, v1alpha1.BuildSucceeded, "A"), newBuild(2, v1alpha1.BuildSucceeded, "A"), newBuild(3, v1alpha1.BuildSucceeded, "A"), oneOff(4, v1alpha1.BuildSucceeded))
	for _, c := range []struct {
		channel, build, moved, want string
	}{
		{"stable", "debian-1", first, "debian-3 since " + first + "; debian-2 since " + first},
		{"stable", "debian-4", first, "debian-3 since " + first + "; debian-2 since " + first},
		{"stable", "debian-2", first, "debian-3 since " + first + "; debian-2 since " + first + ", stable"},
		{"stable", "debian-1", second, "debian-3 since " + first + "; debian-2 since " + first + ", stable"},
		{"stable", "debian-3", second, "debian-3 since " + first + ", stable; debian-2 since " + first + ", stable"},
		{"edge", "debian-9", second, "debian-3 since " + first + ", stable; debian-2 since " + first + ", stable"}, // a deleted build, which may be one-off
	} {
		image.Status.Channels = []v1alpha1.ImageChannel{{Name: c.channel, Build: c.build, Time: metav1.NewTime(at(t, c.moved))}}
		keep(o)
		if got := shownFixes(&image.Status); got != c.want {
			t.Errorf("%s is at %s:\ngot  %s\nwant %s", c.channel, c.build, got, c.want)
		}
	}
	if since := image.Status.Fixes[1].Channels[0].Time; !since.Equal(new(metav1.NewTime(at(t, first)))) {
		t.Errorf("stable has debian-2 since %s", since)
	}
}

// Names of channels can be of one use, such as those of changes or weeks.
func TestANewChannelDoesNotGetOldFixes(t *testing.T) {
	image := newImage()
	o := observed(image, "A")
	for number := int64(6); number > 0; number-- {
		o.Builds = append([]v1alpha1.ImageBuild{newBuild(number, v1alpha1.BuildSucceeded, "A")}, o.Builds...)
		image.Status.Fixes = append(image.Status.Fixes, v1alpha1.PackageFix{Build: fmt.Sprintf("debian-%d", number), Number: number, Since: metav1.NewTime(at(t, first))})
	}
	move := func(name string, number int64) {
		image.Status.Channels = []v1alpha1.ImageChannel{{Name: name, Build: fmt.Sprintf("debian-%d", number), Time: metav1.NewTime(at(t, second))}}
		keep(o)
		keep(o)
	}
	fixesOf := func(name string) (numbers []int64) {
		for i := range image.Status.Fixes {
			if hasFix(&image.Status.Fixes[i], name) {
				numbers = append(numbers, image.Status.Fixes[i].Number)
			}
		}
		return numbers
	}
	move("stable", 3)
	for i := range 3 * maxFixedChannels {
		move(fmt.Sprintf("pr-%d", i), 5)
	}
	move("stable", 5)
	for name, want := range map[string]string{"stable": "[5 4 3]", "pr-0": "[5]"} {
		if got := fmt.Sprint(fixesOf(name)); got != want {
			t.Errorf("%s has the fixes %s, want %s", name, got, want)
		}
	}
	if got := len(image.Status.Fixes[1].Channels); got > maxFixedChannels {
		t.Errorf("a fix has %d channels", got)
	}
}
