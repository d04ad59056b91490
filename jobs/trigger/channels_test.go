// SPDX-License-Identifier: Apache-2.0

package trigger

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// signed is the condition of a build whose artifacts are signed.
var signed = []metav1.Condition{{Type: v1alpha1.BuildAttested, Status: metav1.ConditionTrue}}

// withResults adds the results of tests to a build: the name of a test, and its outcome.
func withResults(build v1alpha1.ImageBuild, results ...string) v1alpha1.ImageBuild {
	for i := 0; i < len(results); i += 2 {
		build.Status.Tests = append(build.Status.Tests, v1alpha1.TestStatus{Name: results[i], Outcome: v1alpha1.TestOutcome(results[i+1])})
	}
	return build
}

func TestWhatABuildLacksForAChannel(t *testing.T) {
	webAndSigned := &v1alpha1.ChannelRule{Name: "stable", Requires: &v1alpha1.ChannelRequirements{Tests: []string{"boots", "web"}, Attested: true}}
	const (
		unsigned = "the artifacts of debian-1 are not signed: set spec.output.attest to Required, and promote a later build"
		again    = `: run "goldsmith test debian-1", and promote the build that it makes`
	)
	built := newBuild(1, v1alpha1.BuildSucceeded, "A")
	with := func(build v1alpha1.ImageBuild, change func(*v1alpha1.ImageBuild)) v1alpha1.ImageBuild {
		change(&build)
		return build
	}
	for name, test := range map[string]struct {
		rule  *v1alpha1.ChannelRule
		build v1alpha1.ImageBuild
		want  []string
		waits string
	}{
		"without a rule":           {nil, built, nil, ""},
		"without requirements":     {&v1alpha1.ChannelRule{Name: "stable"}, built, nil, ""},
		"of an untested build":     {webAndSigned, built, []string{"test boots did not run on debian-1" + again, "test web did not run on debian-1" + again, unsigned}, "passes boots, web and is signed"},
		"of a build that meets it": {webAndSigned, with(withResults(built, "boots", "Passed", "web", "Flaky"), func(b *v1alpha1.ImageBuild) { b.Status.Conditions = signed }), nil, ""},
		"of a test again of a signed build": {webAndSigned, with(withResults(built, "boots", "Passed", "web", "Passed"), func(b *v1alpha1.ImageBuild) {
			b.Spec.Retests = &v1alpha1.TestedBuild{Attested: true}
		}), nil, ""},
		"of a build that is to be signed": {webAndSigned, with(withResults(built, "boots", "Passed", "web", "Passed"), func(b *v1alpha1.ImageBuild) {
			b.Spec.Retests = &v1alpha1.TestedBuild{}
			b.Status.Conditions = []metav1.Condition{{Type: v1alpha1.BuildAttested, Status: metav1.ConditionFalse}}
		}), []string{unsigned}, "is signed"},
		"of tests that did not pass": {webAndSigned, with(withResults(built, "boots", "Error", "web", "Failed"), func(b *v1alpha1.ImageBuild) {
			b.Status.Conditions, b.Status.Tests[1].Message = signed, "port 80: status 500"
		}), []string{
			"test boots of debian-1 had no result" + again,
			"debian-1 failed test web (port 80: status 500): correct the image, and promote a build that passes",
		}, "passes boots, web"},
		"of a test that has not ended": {webAndSigned, with(withResults(built, "boots", "Passed", "web", ""), func(b *v1alpha1.ImageBuild) { b.Status.Conditions = signed }),
			[]string{"test web did not run on debian-1" + again}, "passes web"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, Missing(newImage(), test.rule, &test.build, nil)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if test.rule == nil {
				return
			}
			if got := WaitsFor(newImage(), test.rule, &test.build, nil); got != test.waits {
				t.Errorf("waits for a build that %q, want %q", got, test.waits)
			}
		})
	}
}

func TestAChannelTellsWhatItsBuildLacksForThePresentRule(t *testing.T) {
	boots := v1alpha1.ImageTest{Name: "boots", Boot: &v1alpha1.TestBoot{}, Quarantine: &v1alpha1.TestQuarantine{Reason: "flaps", Until: now}}
	mocked := v1alpha1.ImageTest{Name: "boots", Runner: &v1alpha1.TestRunner{Name: "mock"}}
	goss := v1alpha1.ImageTest{Name: "boots", Boot: &v1alpha1.TestBoot{}, Goss: "site.yaml"}
	file := func(content string) *v1alpha1.Source {
		return &v1alpha1.Source{Inline: &v1alpha1.InlineSource{Files: map[string]string{"site.yaml": content}}}
	}
	ofConfigMap := &v1alpha1.Source{ConfigMapRef: &v1alpha1.ConfigMapReference{Name: "site"}}
	raw := []v1alpha1.Target{{Platform: "linux/amd64", Format: v1alpha1.ArtifactFormatRaw}}
	passed := func(test v1alpha1.ImageTest, source *v1alpha1.Source) v1alpha1.ImageBuild {
		build := withResults(newBuild(1, v1alpha1.BuildSucceeded, "A"), "boots", "Passed")
		build.Spec.Tests, build.Spec.Inputs.Source = []v1alpha1.ImageTest{test}, source
		build.Spec.Inputs.Targets = raw
		return build
	}
	required := func(test v1alpha1.ImageTest, change func(*v1alpha1.ImageTest)) v1alpha1.ImageTest {
		test = *test.DeepCopy()
		change(&test)
		return test
	}
	const (
		again   = `: run "goldsmith test debian-1", and promote the build that it makes`
		other   = "test boots was another one when debian-1 passed it" + again
		not     = "test boots did not run on debian-1" + again
		severe  = `debian-1 has vulnerabilities more severe than High, or they are unknown: "goldsmith vulnerabilities debian-1" tells more`
		deleted = "debian-1 was deleted, so that nobody can check whether it meets the rule: promote another build"
	)
	needsBoots, needsNothing := &v1alpha1.ChannelRequirements{Tests: []string{"boots"}}, &v1alpha1.ChannelRequirements{}
	for name, test := range map[string]struct {
		requires    *v1alpha1.ChannelRequirements
		declared    v1alpha1.ImageTest
		source      *v1alpha1.Source // of the Image
		files       string           // the file of its ConfigMap
		targets     []v1alpha1.Target
		environment []corev1.EnvVar
		builds      []v1alpha1.ImageBuild
		known       map[int64]*Vulnerabilities
		stored      []string
		want        []string
	}{
		"it meets the rule":           {requires: needsBoots, declared: boots, builds: list(passed(boots, nil)), stored: []string{not}},
		"the rule came later":         {requires: needsBoots, declared: boots, builds: list(newBuild(1, v1alpha1.BuildSucceeded, "A")), want: []string{not}},
		"no rule":                     {declared: boots, builds: list(newBuild(1, v1alpha1.BuildSucceeded, "A")), stored: []string{not}},
		"a rule that needs nothing":   {requires: needsNothing, declared: boots, builds: list(newBuild(1, v1alpha1.BuildSucceeded, "A")), stored: []string{not}},
		"another test passed":         {requires: needsBoots, declared: boots, builds: list(passed(mocked, nil)), want: []string{other}},
		"the file of the test passed": {requires: needsBoots, declared: goss, source: file("port: {}"), builds: list(passed(goss, file("port: {}")))},
		"another file passed":         {requires: needsBoots, declared: goss, source: file("port: {}"), builds: list(passed(goss, file("{}"))), want: []string{other}},
		"a file that nobody knows":    {requires: needsBoots, declared: goss, builds: list(passed(goss, file("{}")))},
		"a file of a ConfigMap":       {requires: needsBoots, declared: goss, source: ofConfigMap, files: "port: {}", builds: list(passed(goss, file("port: {}")))},
		"another file of a ConfigMap": {requires: needsBoots, declared: goss, source: ofConfigMap, files: "port: {}", builds: list(passed(goss, file("{}"))), want: []string{other}},
		"another artifact passed": {requires: needsBoots, declared: boots, want: []string{other}, builds: list(passed(boots, nil)),
			targets: []v1alpha1.Target{{Platform: "linux/amd64", Format: v1alpha1.ArtifactFormatRaw}, {Platform: "linux/amd64", Format: v1alpha1.ArtifactFormatQCOW2}}},
		"the first of other targets passed": {requires: needsBoots, declared: mocked, want: []string{other}, builds: list(passed(mocked, nil)),
			targets: []v1alpha1.Target{{Platform: "linux/amd64", Format: v1alpha1.ArtifactFormatQCOW2}, {Platform: "linux/amd64", Format: v1alpha1.ArtifactFormatRaw}}},
		"its runner had another environment": {requires: needsBoots, declared: mocked, environment: []corev1.EnvVar{{Name: "STRICT", Value: "1"}}, want: []string{other}, builds: list(passed(mocked, nil))},
		"it is neither required nor in quarantine now": {
			requires: needsBoots, builds: list(passed(boots, nil)), declared: required(boots, func(test *v1alpha1.ImageTest) { test.Required, test.Quarantine = new(false), nil }),
		},
		"its target has a name now": {
			requires: needsBoots, builds: list(passed(boots, nil)), declared: required(boots, func(test *v1alpha1.ImageTest) { test.Target = "linux/amd64/raw" }),
		},
		"it may fail more often now": {
			requires: needsBoots, builds: list(passed(boots, nil)), declared: required(boots, func(test *v1alpha1.ImageTest) { test.Flaky = &v1alpha1.FlakyTest{Attempts: 2} }), want: []string{other},
		},
		"the build is deleted":                      {requires: needsBoots, declared: boots, stored: []string{not}, want: []string{not}},
		"the build is deleted, and nobody knows":    {requires: needsBoots, declared: boots, want: []string{deleted}},
		"the build is deleted, and no rule":         {declared: boots, stored: []string{not}},
		"few vulnerabilities":                       {requires: &v1alpha1.ChannelRequirements{MaxSeverity: "High"}, builds: list(newBuild(1, v1alpha1.BuildSucceeded, "A")), known: map[int64]*Vulnerabilities{1: {}}, stored: []string{severe}},
		"severe vulnerabilities":                    {requires: &v1alpha1.ChannelRequirements{MaxSeverity: "High"}, builds: list(newBuild(1, v1alpha1.BuildSucceeded, "A")), known: map[int64]*Vulnerabilities{1: {Counts: v1alpha1.VulnerabilityCounts{Critical: 2}}}, want: []string{severe}},
		"vulnerabilities that nobody has asked for": {requires: &v1alpha1.ChannelRequirements{MaxSeverity: "High"}, builds: list(newBuild(1, v1alpha1.BuildSucceeded, "A")), known: map[int64]*Vulnerabilities{}},
		"vulnerabilities that are asked for again":  {requires: &v1alpha1.ChannelRequirements{MaxSeverity: "High"}, builds: list(newBuild(1, v1alpha1.BuildSucceeded, "A")), known: map[int64]*Vulnerabilities{}, stored: []string{severe}, want: []string{severe}},
		"no advisories":                             {requires: &v1alpha1.ChannelRequirements{MaxSeverity: "High"}, builds: list(newBuild(1, v1alpha1.BuildSucceeded, "A")), want: []string{severe}},
	} {
		t.Run(name, func(t *testing.T) {
			image := newImage(func(image *v1alpha1.Image) {
				image.Spec.Tests, image.Spec.Source = []v1alpha1.ImageTest{test.declared}, test.source
				image.Spec.Targets = raw
				if test.targets != nil {
					image.Spec.Targets = test.targets
				}
				if test.environment != nil {
					image.Spec.Template = &v1alpha1.BuildTemplate{Env: test.environment}
				}
				if test.requires != nil {
					image.Spec.Channels = []v1alpha1.ChannelRule{{Name: "stable", Requires: test.requires}}
				}
				image.Status.Channels = []v1alpha1.ImageChannel{{Name: "stable", Build: "debian-1", Missing: test.stored}}
			})
			o := observed(image, "A", test.builds...)
			if test.files != "" {
				o.Resolved.Files = map[string]string{"site.yaml": test.files}
			}
			if test.known != nil {
				o.Vulnerabilities = known(test.known)
			}
			if diff := cmp.Diff(test.want, Next(o).Status.Channels[0].Missing); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestBuildsArePromotedByThemselves(t *testing.T) {
	const succeeded = v1alpha1.BuildSucceeded
	rule := func(promote v1alpha1.ChannelPromotion, tests ...string) v1alpha1.ChannelRule {
		return v1alpha1.ChannelRule{Name: "stable", Promote: promote, Requires: &v1alpha1.ChannelRequirements{Tests: tests}}
	}
	automatic, needsWeb := rule(v1alpha1.PromoteAutomatic), rule(v1alpha1.PromoteAutomatic, "web")
	at := func(build string, seconds int) []v1alpha1.ImageChannel {
		return []v1alpha1.ImageChannel{{Name: "beta", Build: "debian-9", Time: now}, {Name: "stable", Build: build, Time: metav1.NewTime(now.Add(time.Duration(seconds) * time.Second))}}
	}
	with := func(build v1alpha1.ImageBuild, change func(*v1alpha1.ImageBuild)) v1alpha1.ImageBuild {
		change(&build)
		return build
	}
	passes := func(n int64) v1alpha1.ImageBuild { return withResults(newBuild(n, succeeded, "A"), "web", "Passed") }
	fails := func(n int64) v1alpha1.ImageBuild { return withResults(newBuild(n, succeeded, "A"), "web", "Failed") }
	promoted := func(build *v1alpha1.ImageBuild) {
		build.Annotations = map[string]string{v1alpha1.AnnotationPromotion: "7"}
	}
	for name, test := range map[string]struct { // all builds finish at the same time: now
		rule     v1alpha1.ChannelRule
		channels []v1alpha1.ImageChannel
		builds   []v1alpha1.ImageBuild
		want     string
	}{
		"by hand":                         {rule(v1alpha1.PromoteManual), nil, list(passes(1)), ""},
		"the first":                       {automatic, nil, list(newBuild(1, succeeded, "A")), "debian-1"},
		"the newest that meets the rule":  {needsWeb, nil, list(passes(1), passes(2), fails(3)), "debian-2"},
		"none":                            {needsWeb, nil, list(fails(1), newBuild(2, succeeded, "A")), ""},
		"after an older one":              {needsWeb, at("debian-1", -9), list(passes(1), passes(2)), "debian-2"},
		"which the channel has":           {needsWeb, at("debian-2", -9), list(passes(1), passes(2)), ""},
		"older than that of the channel":  {needsWeb, at("debian-2", -9), list(passes(1), fails(2)), ""},
		"older than one that was deleted": {needsWeb, at("debian-3", -9), list(passes(2)), ""},
		"after a rollback":                {needsWeb, at("debian-1", 9), list(passes(1), passes(2)), ""},
		"in the second of a move":         {needsWeb, at("debian-1", 0), list(passes(1), passes(2)), "debian-2"},
		"in the second of a rollback":     {needsWeb, at("debian-1", 0), list(passes(1), with(passes(2), promoted)), ""},
		"promoted to another channel":     {needsWeb, at("debian-1", -9), list(passes(1), with(passes(2), promoted)), "debian-2"},
		"unfinished":                      {automatic, nil, list(newBuild(1, v1alpha1.BuildTesting, "A")), ""},
		"failed":                          {needsWeb, nil, list(withResults(newBuild(1, v1alpha1.BuildFailed, "A"), "web", "Passed")), ""},
		"one-off":                         {automatic, nil, list(oneOff(1, succeeded)), ""},
		"deleted":                         {automatic, nil, list(with(passes(1), func(b *v1alpha1.ImageBuild) { b.DeletionTimestamp = &now })), ""},
	} {
		t.Run(name, func(t *testing.T) {
			image := newImage(func(image *v1alpha1.Image) {
				image.Spec.Channels, image.Status.Channels = []v1alpha1.ChannelRule{{Name: "other"}, test.rule}, test.channels
			})
			var want []Promotion
			if test.want != "" {
				want = []Promotion{{Channel: "stable", Build: test.want}}
			}
			if diff := cmp.Diff(want, Next(observed(image, "A", test.builds...)).Promote); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
