// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

const commit = "0123456789abcdef0123456789abcdef01234567"

func gitSource(ref string) *v1alpha1.Source {
	return &v1alpha1.Source{Git: &v1alpha1.GitSource{URL: "https://git.example.com/team/images.git", Ref: ref}}
}

func found(revision string) *v1alpha1.SourceRevision {
	return &v1alpha1.SourceRevision{Revision: revision, Ref: "refs/heads/main", Summary: "Fix the banner"}
}

func TestTheCommitIsTheInput(t *testing.T) {
	inputs := sampleInputs()
	digest := func(source *v1alpha1.Source, revision string) string {
		inputs.Source = source
		return Digest(inputs, nil, "", revision)
	}
	main := digest(gitSource("main"), "sha1:"+commit)
	inPath, mirror, secret := gitSource("main"), gitSource("main"), gitSource("main")
	inPath.Git.Path, mirror.Git.URL, secret.Git.SecretRef = "debian", "https://mirror.example.com/images.git", &v1alpha1.SecretReference{Name: "git"}
	for name, test := range map[string]struct {
		source   *v1alpha1.Source
		revision string
		same     bool
	}{
		"another name of the commit": {gitSource("v1.2"), "sha1:" + commit, true},
		"the commit itself":          {gitSource(commit), "sha1:" + commit, true},
		"another commit":             {gitSource("main"), "sha1:" + strings.Repeat("f", 40), false},
		"another directory":          {inPath, "sha1:" + commit, false},
		"another repository":         {mirror, "sha1:" + commit, false},
		"another Secret":             {secret, "sha1:" + commit, false},
	} {
		if same := digest(test.source, test.revision) == main; same != test.same {
			t.Errorf("%s: the same inputs: %v", name, same)
		}
	}
}

func TestASourceResolvesToWhatTheChecksOfTheSameSourceFound(t *testing.T) {
	checks := &v1alpha1.ImageSource{Question: Question(gitSource("main")), Found: found("sha1:" + commit)}
	denied := &v1alpha1.ImageSource{Question: checks.Question, Failure: v1alpha1.ReasonSourceDenied.Failure("no key")}
	stale := checks.DeepCopy()
	stale.Failure = denied.Failure
	for name, test := range map[string]struct {
		source *v1alpha1.Source
		checks *v1alpha1.ImageSource
		want   string
		reason v1alpha1.FailureReason
	}{
		"found":                        {gitSource("main"), checks, "sha1:" + commit, ""},
		"found before the last check":  {gitSource("main"), stale, "sha1:" + commit, ""},
		"never checked":                {gitSource("main"), nil, "", v1alpha1.ReasonSourceUnresolved},
		"checked for another ref":      {gitSource("next"), checks, "", v1alpha1.ReasonSourceUnresolved},
		"denied":                       {gitSource("main"), denied, "", v1alpha1.ReasonSourceDenied},
		"a commit needs no check":      {gitSource(commit), nil, "sha1:" + commit, ""},
		"a digest needs no check":      {&v1alpha1.Source{OCI: &v1alpha1.OCISource{Repository: "r.example.com/a", Tag: "sha256:" + strings.Repeat("a", 64)}}, nil, "sha256:" + strings.Repeat("a", 64), ""},
		"a commit in SHA-256":          {gitSource(strings.Repeat("b", 64)), nil, "sha256:" + strings.Repeat("b", 64), ""},
		"an abbreviated commit is not": {gitSource(commit[:12]), nil, "", v1alpha1.ReasonSourceUnresolved},
	} {
		given := sampleInputs()
		given.Source = test.source
		resolved, failure := Resolve(given, Found{Source: test.checks})
		switch {
		case (failure == nil) != (test.reason == ""), failure != nil && failure.Reason != test.reason:
			t.Errorf("%s: failure %+v", name, failure)
		case failure == nil && Revision(resolved.Source) != test.want:
			t.Errorf("%s: resolved to %+v", name, resolved.Source)
		}
	}
}

func TestADifferenceTellsTheFirstLineOfACommit(t *testing.T) {
	given := sampleInputs()
	given.Source = gitSource("main")
	before, after := NewSnapshot(given, &v1alpha1.ResolvedInputs{Source: found("sha1:" + commit)}), NewSnapshot(given, &v1alpha1.ResolvedInputs{Source: found("sha1:" + strings.Repeat("f", 40))})
	want := []v1alpha1.InputChange{{Path: "source.git.revision", From: "0123456789ab Fix the banner", To: "ffffffffffff Fix the banner"}}
	if diff := cmp.Diff(want, Diff(before, after)); diff != "" {
		t.Error(diff)
	}
	if changes := Diff(before, before); len(changes) > 0 {
		t.Errorf("%+v", changes)
	}
}

func TestABuildThatAUserAsksForAwaitsAFreshCheck(t *testing.T) {
	created := metav1.NewTime(time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC))
	at := func(seconds int) *metav1.Time {
		return new(metav1.NewTime(created.Add(time.Duration(seconds) * time.Second)))
	}
	build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: created}}
	build.Spec.Inputs.Source, build.Spec.Trigger = gitSource("main"), &v1alpha1.BuildTrigger{Reason: v1alpha1.TriggerManual}
	image := &v1alpha1.Image{}
	image.Spec.Source = gitSource("main")
	checked := func(change func(*v1alpha1.ImageSource)) *v1alpha1.ImageSource {
		checks := &v1alpha1.ImageSource{Question: Question(gitSource("main")), Checks: 3, Ended: 3, StartTime: at(1), LastCheckTime: at(4), Found: found("sha1:" + commit)}
		change(checks)
		return checks
	}
	for name, test := range map[string]struct {
		checks *v1alpha1.ImageSource
		waits  bool
		reason v1alpha1.FailureReason
	}{
		"ended":                    {checked(func(*v1alpha1.ImageSource) {}), false, ""},
		"never":                    {nil, true, ""},
		"runs":                     {checked(func(c *v1alpha1.ImageSource) { c.Checks = 4 }), true, ""},
		"began before":             {checked(func(c *v1alpha1.ImageSource) { c.StartTime = at(-5) }), true, ""},
		"began at an unknown time": {checked(func(c *v1alpha1.ImageSource) { c.StartTime = nil }), true, ""},
		"began in the same second": {checked(func(c *v1alpha1.ImageSource) { c.StartTime = at(0) }), true, ""},
		"failed for now":           {checked(func(c *v1alpha1.ImageSource) { c.Failure = v1alpha1.ReasonSourceUnavailable.Failure("timeout") }), true, ""},
		"failed for long": {checked(func(c *v1alpha1.ImageSource) {
			c.Failure, c.LastCheckTime = v1alpha1.ReasonSourceUnavailable.Failure("timeout"), at(301)
		}), false, v1alpha1.ReasonSourceUnavailable},
		"failed":               {checked(func(c *v1alpha1.ImageSource) { c.Failure = v1alpha1.ReasonSourceDenied.Failure("wrong token") }), false, v1alpha1.ReasonSourceDenied},
		"of the source before": {checked(func(c *v1alpha1.ImageSource) { c.Question = "sha256:0" }), true, ""},
		"failed, and the next one runs": {checked(func(c *v1alpha1.ImageSource) {
			c.Checks, c.Failure = 4, v1alpha1.ReasonSourceUnavailable.Failure("timeout")
		}), true, ""},
	} {
		image.Status.Source = test.checks
		wait, refused := AwaitCheck(build, image)
		if (wait != "") != test.waits || (refused == nil) != (test.reason == "") || refused != nil && refused.Reason != test.reason {
			t.Errorf("%s: waits %q, refused %+v", name, wait, refused)
		}
	}
	for _, test := range []struct {
		reason    v1alpha1.TriggerReason
		checks    *v1alpha1.ImageSource
		suspended bool
		waits     bool
		refused   v1alpha1.FailureReason
	}{
		{v1alpha1.TriggerRerun, checked(func(c *v1alpha1.ImageSource) { c.StartTime = at(-5) }), false, true, ""},
		{v1alpha1.TriggerSourceChange, checked(func(c *v1alpha1.ImageSource) { c.StartTime = at(-5) }), false, false, ""},
		{v1alpha1.TriggerSourceChange, checked(func(c *v1alpha1.ImageSource) { c.Checks = 4 }), false, false, ""},
		{v1alpha1.TriggerSourceChange, checked(func(c *v1alpha1.ImageSource) { c.Found, c.LastCheckTime = nil, nil }), false, true, ""},
		{v1alpha1.TriggerSourceChange, checked(func(c *v1alpha1.ImageSource) { c.Question = "sha256:0" }), false, true, ""},
		{v1alpha1.TriggerSourceChange, nil, true, false, v1alpha1.ReasonSourceUnresolved},
		{v1alpha1.TriggerManual, nil, true, true, ""},
		{v1alpha1.TriggerSourceChange, checked(func(c *v1alpha1.ImageSource) { c.Found, c.Failure = nil, v1alpha1.ReasonSourceDenied.Failure("no") }), false, false, v1alpha1.ReasonSourceDenied},
	} {
		build.Spec.Trigger.Reason, image.Status.Source, image.Spec.Suspend = test.reason, test.checks, &test.suspended
		wait, refused := AwaitCheck(build, image)
		if (wait != "") != test.waits || (refused == nil) != (test.refused == "") || refused != nil && refused.Reason != test.refused {
			t.Errorf("%s of %+v: waits %q, refused %+v", test.reason, test.checks, wait, refused)
		}
	}
	for _, reason := range []v1alpha1.TriggerReason{v1alpha1.TriggerManual, v1alpha1.TriggerSourceChange} {
		build.Spec.Trigger.Reason = reason
		image.Spec.Source = gitSource("next")
		if wait, refused := AwaitCheck(build, image); wait != "" || refused == nil || refused.Reason != v1alpha1.ReasonSuperseded {
			t.Errorf("%s, with another source of the image: %q, %+v", reason, wait, refused)
		}
		build.Spec.ImageRef = &v1alpha1.ImageReference{Name: "web"}
		if wait, refused := AwaitCheck(build, nil); wait != "" || refused == nil || refused.Reason != v1alpha1.ReasonSourceUnresolved {
			t.Errorf("%s, of a deleted image: %q, %+v", reason, wait, refused)
		}
	}
	if AsksForCheck(build) {
		t.Error("a build because of a change takes what was found")
	}
}
