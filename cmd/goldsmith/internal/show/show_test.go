// SPDX-License-Identifier: Apache-2.0

package show

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

var noon = time.Date(2026, time.May, 1, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) *metav1.Time {
	return &metav1.Time{Time: noon.Add(-d)}
}

// build returns a build of image web in a phase.
func build(number int64, phase v1alpha1.BuildPhase, change func(*v1alpha1.ImageBuild)) *v1alpha1.ImageBuild {
	build := &v1alpha1.ImageBuild{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: fmt.Sprintf("web-%d", number), CreationTimestamp: *ago(5 * time.Minute)},
		Spec: v1alpha1.ImageBuildSpec{
			ImageRef: &v1alpha1.ImageReference{Name: "web", UID: "web-uid"}, Number: &number,
			Trigger: &v1alpha1.BuildTrigger{Reason: v1alpha1.TriggerManual, Message: "after the release", RequestedBy: "ann"},
		},
		Status: v1alpha1.ImageBuildStatus{Phase: phase, Finished: phase.Finished()},
	}
	if build.Status.Finished {
		build.Status.StartTime, build.Status.CompletionTime = ago(4*time.Minute), ago(2*time.Minute)
	}
	change(build)
	return build
}

// basedOn returns a build that is based on another.
func basedOn(name, base string) *v1alpha1.ImageBuild {
	build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name}}
	build.Status.Phase, build.Status.Resolved = v1alpha1.BuildSucceeded, &v1alpha1.ResolvedInputs{Base: &v1alpha1.BaseBuild{Name: base}}
	return build
}

func failure(class v1alpha1.FailureClass, reason v1alpha1.FailureReason, tail string) *v1alpha1.BuildFailure {
	return &v1alpha1.BuildFailure{Class: class, Reason: reason, Message: "no\x1bdisk", LogTail: tail}
}

// failed returns a change that makes a build fail in its second attempt.
func failed(failure *v1alpha1.BuildFailure) func(*v1alpha1.ImageBuild) {
	return func(build *v1alpha1.ImageBuild) {
		build.Status.Failure, build.Status.CurrentAttempt = failure, 2
		build.Status.Attempts = []v1alpha1.BuildAttempt{{Number: 1, Failure: failure}, {Number: 2, PodUID: "pod", Failure: failure}}
	}
}

// lost returns an Image whose latest successful build has lost an artifact.
func lost(latest string) *v1alpha1.Image {
	return &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "web", UID: "web-uid"}, Status: v1alpha1.ImageStatus{
		LatestSuccessful: &v1alpha1.SuccessfulBuild{Name: latest},
		Conditions:       waits(v1alpha1.ImageReady, v1alpha1.ReasonArtifactMissing, "artifact linux/amd64/raw is lost"),
	}}
}

// heldBack returns an Image that is ready, and suspended.
func heldBack(latest string) *v1alpha1.Image {
	image := lost(latest)
	image.Spec.Suspend, image.Status.LatestBuild = new(true), &v1alpha1.LatestBuild{Name: latest}
	image.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ImageReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonBuildSucceeded}}
	return image
}

func waits(kind, reason, message string) []metav1.Condition {
	return []metav1.Condition{{Type: kind, Status: metav1.ConditionFalse, Reason: reason, Message: message}}
}

func TestABuildIsAPage(t *testing.T) {
	changes := []v1alpha1.InputChange{{Path: "parameters[a]", From: "1", To: "2"}, {Path: "base"}, {Path: "c"}, {Path: "d"}, {Path: "e"}, {Path: "f"}, {Path: "g"}}
	lastLines := "one\ntwo\nthree\nfour\nE: no disk \x1b[31m\nmaking room\n"
	for _, test := range []struct {
		name  string
		build *v1alpha1.ImageBuild
		also  answers
		want  string
	}{
		{
			"failed", build(2, v1alpha1.BuildFailed, failed(failure(v1alpha1.FailureUser, v1alpha1.ReasonBuilderFailed, lastLines))),
			answers{"imagebuilds/web-2/diff?with=web-1": &v1alpha1.ImageBuildDiff{Inputs: changes}}, `
✗ build web-2 failed after 2m and 2 attempts: User/BuilderFailed: no^[disk
  image       web
  why         Manual: after the release
  requested   5m ago by ann
  changed     parameters[a]   1    → 2
              base            none → none
              c               none → none
              d               none → none
              e               none → none
              and 2 more
  since       web-1
  attempt 2   User/BuilderFailed: no^[disk
  log         two
              three
              four
              E: no disk ^[[31m
              making room
  next        goldsmith logs web-2, or goldsmith explain BuilderFailed; then goldsmith build web
`,
		},
		{
			"failed with a log elsewhere", build(2, v1alpha1.BuildFailed, failed(failure(v1alpha1.FailureRegistry, v1alpha1.ReasonImagePullFailed, ""))),
			answers{
				"imagebuilds/web-2/diff?with=web-1":                           &v1alpha1.ImageBuildDiff{},
				"imagebuilds/web-2/log?attempt=2&limitBytes=4096&tailLines=5": "the last\nlines\n",
			}, `
✗ build web-2 failed after 2m and 2 attempts: Registry/ImagePullFailed: no^[disk
  image       web
  why         Manual: after the release
  requested   5m ago by ann
  changed     nothing: the inputs are those of web-1
  attempt 2   Registry/ImagePullFailed: no^[disk
  log         the last
              lines
  next        goldsmith explain ImagePullFailed; then goldsmith build web
`,
		},
		{
			"failed with a reason of its builder", build(2, v1alpha1.BuildFailed, func(build *v1alpha1.ImageBuild) {
				build.Spec.Inputs.Builder.Name = "disk"
				failed(&v1alpha1.BuildFailure{Class: v1alpha1.FailureConfig, Reason: v1alpha1.ReasonBuilderMisconfigured, Message: "NoSpace: /srv", LogTail: "full\n"})(build)
			}),
			answers{
				"imagebuilds/web-2/diff?with=web-1":                 &v1alpha1.ImageBuildDiff{},
				"/apis/images.goldsmith.dev/v1alpha1/builders/disk": &v1alpha1.Builder{Reasons: []v1alpha1.BuilderReason{{Reason: "NoSpace", Class: v1alpha1.FailureConfig, Meaning: "the volume is full"}}},
			}, `
✗ build web-2 failed after 2m and 2 attempts: Config/BuilderMisconfigured: NoSpace: /srv
  image       web
  why         Manual: after the release
  requested   5m ago by ann
  changed     nothing: the inputs are those of web-1
  attempt 2   Config/BuilderMisconfigured: NoSpace: /srv
  log         full
  next        goldsmith explain NoSpace; then goldsmith build web
`,
		},
		{
			"failed where nothing else can be read", build(2, v1alpha1.BuildFailed, failed(failure(v1alpha1.FailureConfig, v1alpha1.ReasonNoResult, ""))), nil, `
✗ build web-2 failed after 2m and 2 attempts: Config/NoResult: no^[disk
  image       web
  why         Manual: after the release
  requested   5m ago by ann
  changed     unknown: compare it with web-1: imagebuilds.images.goldsmith.dev "web-2" not found
  attempt 2   Config/NoResult: no^[disk
  log         no log: imagebuilds.images.goldsmith.dev "web-2" not found
  next        goldsmith explain NoResult; then goldsmith build web
`,
		},
		{
			"failed in the builder debian", build(1, v1alpha1.BuildFailed, func(build *v1alpha1.ImageBuild) {
				build.Spec.Inputs.Builder.Name = "debian"
				build.Status.Failure = &v1alpha1.BuildFailure{Class: v1alpha1.FailureConfig, Reason: v1alpha1.ReasonBuilderMisconfigured, Message: "ToolsMissing: mmdebstrap"}
			}), nil, `
✗ build web-1 failed after 2m: Config/BuilderMisconfigured: ToolsMissing: mmdebstrap
  image       web
  why         Manual: after the release
  requested   5m ago by ann
  next        goldsmith explain ToolsMissing; then goldsmith build web
`,
		},
		{
			"the first one, before any attempt", build(1, v1alpha1.BuildFailed, func(build *v1alpha1.ImageBuild) {
				build.Status.Failure, build.Status.StartTime = failure(v1alpha1.FailureTimeout, v1alpha1.ReasonQueueTimeout, ""), nil
				build.Spec.Trigger = &v1alpha1.BuildTrigger{Reason: v1alpha1.TriggerSpecChange, Changes: changes[:1]}
			}), nil, `
✗ build web-1 failed: Timeout/QueueTimeout: no^[disk
  image       web
  why         SpecChange
  requested   5m ago
  changed     parameters[a]   1 → 2
  next        goldsmith explain QueueTimeout; then goldsmith build web
`,
		},
		{
			"started for new packages", build(1, v1alpha1.BuildFailed, func(build *v1alpha1.ImageBuild) {
				build.Status.Failure = failure(v1alpha1.FailureTimeout, v1alpha1.ReasonQueueTimeout, "")
				build.Spec.Trigger = &v1alpha1.BuildTrigger{Reason: v1alpha1.TriggerPackageChange, Message: "new packages: openssl 1 → 2 and 70 more", Packages: &v1alpha1.ImagePackages{
					UpdateCount: 71, Updates: []v1alpha1.PackageUpdate{{Name: "openssl", From: "1", To: "2", Advisories: []string{"CVE-2026-2", "CVE-2026-1"}}},
				}}
			}), nil, `
✗ build web-1 failed after 2m: Timeout/QueueTimeout: no^[disk
  image       web
  why         PackageChange: new packages: openssl 1 → 2 and 70 more
  updates     NAME      FROM   TO   FIXES
              openssl   1      2    CVE-2026-2, CVE-2026-1
              and 70 more
  requested   5m ago
  next        goldsmith explain QueueTimeout; then goldsmith build web
`,
		},
		{
			"failed in its tests", build(1, v1alpha1.BuildFailed, func(build *v1alpha1.ImageBuild) {
				build.Status.Failure = &v1alpha1.BuildFailure{Class: v1alpha1.FailureTest, Reason: v1alpha1.ReasonTestsFailed, Message: "test web failed: port 80"}
				build.Status.Artifacts = []v1alpha1.Artifact{{Target: "linux/amd64/raw", Digest: "sha256:abc", SizeBytes: 12 << 20}}
				build.Status.Tests = []v1alpha1.TestStatus{
					{Name: "slow", Target: "linux/amd64/raw", Outcome: v1alpha1.TestError, Message: "no\x1b KVM"},
					{Name: "boots", Target: "linux/amd64/raw", Gates: true, Outcome: v1alpha1.TestFlaky, Passed: 1, Duration: &metav1.Duration{Duration: 31 * time.Second}},
					{Name: "web", Target: "linux/amd64/raw", Gates: true, Outcome: v1alpha1.TestFailed, Passed: 2, Failed: 1, Message: "port 80"},
					{Name: "later", Target: "linux/amd64/raw", Gates: true},
				}
			}), nil, `
✗ build web-1 failed after 2m: Test/TestsFailed: test web failed: port 80
  image       web
  why         Manual: after the release
  requested   5m ago by ann
  tests       TEST    TARGET            OUTCOME            CHECKS   TOOK   MESSAGE
              slow    linux/amd64/raw   Error (optional)   -        -      no^[ KVM
              boots   linux/amd64/raw   Flaky              1/1      31s
              web     linux/amd64/raw   Failed             2/3      -      port 80
              later   linux/amd64/raw   -                  -        -
  artifacts   linux/amd64/raw sha256:abc (12 MiB)
  next        goldsmith logs web-1 --test web, or goldsmith boot web-1; then correct the image or the test
`,
		},
		{
			"succeeded", build(1, v1alpha1.BuildSucceeded, func(build *v1alpha1.ImageBuild) {
				build.Spec.Trigger.Reason, build.Spec.Trigger.RerunOf = v1alpha1.TriggerRerun, "web-0"
				build.Status.Artifacts = []v1alpha1.Artifact{{Target: "linux/amd64/raw", Digest: "sha256:abc", SizeBytes: 12 << 20}, {Target: "linux/arm64/raw", Digest: "sha256:def"}}
				build.Status.Artifacts[0].Location, build.Status.Artifacts[0].Tag = "registry.example.com/web@sha256:012", "web-raw"
				build.Status.Artifacts[1].Location = v1alpha1.ArtifactPath("team", "web-1", "sha256:def")
				build.Status.Conditions = []metav1.Condition{{Type: v1alpha1.BuildReproduced, Status: metav1.ConditionTrue, Message: "build web-2 made the same content"}}
			}), nil, `
✓ build web-1 succeeded in 2m
  image        web
  why          Rerun of web-0: after the release
  requested    5m ago by ann
  artifacts    linux/amd64/raw sha256:abc (12 MiB)
               linux/arm64/raw sha256:def (0 B)
  location     linux/amd64/raw registry.example.com/web@sha256:012, tag web-raw
  reproduced   build web-2 made the same content
  next         goldsmith boot web-1, or goldsmith promote web-1 CHANNEL
`,
		},
		{
			"succeeded, with a field that was ignored", build(1, v1alpha1.BuildSucceeded, func(build *v1alpha1.ImageBuild) {
				build.Status.Conditions = []metav1.Condition{{Type: v1alpha1.BuildConditionSucceeded, Status: metav1.ConditionTrue, Message: `ignored: unknown field "x"`}}
				build.Status.Conditions = append(build.Status.Conditions, metav1.Condition{Type: v1alpha1.BuildReproduced, Status: metav1.ConditionFalse, Message: "build web-2 made other content"})
				build.Spec.Reproduces = &v1alpha1.Reproduction{Name: "web-0"}
				build.Status.Artifacts = []v1alpha1.Artifact{{Target: "linux/amd64/raw", Digest: "sha256:abc", SizeBytes: 300}} // as the builder mock makes it
			}), nil, `
✓ build web-1 succeeded in 2m
  image        web
  why          Manual: after the release
  reproduces   build web-0
  requested    5m ago by ann
  artifacts    linux/amd64/raw sha256:abc (300 B)
  reproduced   no: build web-2 made other content
  warning      ignored: unknown field "x"
  next         goldsmith promote web-1 CHANNEL
`,
		},
		{
			"succeeded, and the artifact is lost", build(1, v1alpha1.BuildSucceeded, func(*v1alpha1.ImageBuild) {}),
			answers{"images/web": lost("web-1")}, `
✓ build web-1 succeeded in 2m
  image       web
  why         Manual: after the release
  requested   5m ago by ann
  lost        artifact linux/amd64/raw is lost
  next        goldsmith explain ArtifactMissing; then goldsmith build web
`,
		},
		{
			"succeeded, and the artifact of a later build is lost", build(1, v1alpha1.BuildSucceeded, func(*v1alpha1.ImageBuild) {}),
			answers{"images/web": lost("web-2")}, `
✓ build web-1 succeeded in 2m
  image       web
  why         Manual: after the release
  requested   5m ago by ann
  next        goldsmith promote web-1 CHANNEL
`,
		},
		{
			"cancelled", build(1, v1alpha1.BuildCancelled, func(build *v1alpha1.ImageBuild) {
				build.Spec.CancelRequested = &v1alpha1.CancelRequested{By: "bob", Reason: "too late"}
			}), nil, `
✗ build web-1 was cancelled after 2m, as bob requested: too late
  image       web
  why         Manual: after the release
  requested   5m ago by ann
  next        goldsmith rerun web-1
`,
		},
		{
			"superseded, of no image", build(1, v1alpha1.BuildCancelled, func(build *v1alpha1.ImageBuild) {
				build.Spec.CancelRequested = &v1alpha1.CancelRequested{SupersededBy: "web-2"}
				build.Spec.ImageRef, build.Spec.Trigger = nil, nil
			}), nil, `
✗ build web-1 was cancelled after 2m
  requested   5m ago
  next        goldsmith show web-2
`,
		},
		{
			"queued", build(1, v1alpha1.BuildQueued, func(build *v1alpha1.ImageBuild) {
				build.Status.Conditions = waits(v1alpha1.BuildAdmitted, v1alpha1.ReasonWaitingForSlot, "the namespace runs as many builds as it may (2)")
			}), nil, `
• build web-1 is Queued
  image       web
  why         Manual: after the release
  requested   5m ago by ann
  waits for   WaitingForSlot: the namespace runs as many builds as it may (2)
  next        goldsmith queue
`,
		},
		{
			"starting again", build(1, v1alpha1.BuildStarting, func(build *v1alpha1.ImageBuild) {
				build.Status.StartTime, build.Status.CurrentAttempt = ago(4*time.Minute), 2
				build.Status.Attempts = []v1alpha1.BuildAttempt{{Number: 1, Failure: failure(v1alpha1.FailureInfrastructure, v1alpha1.ReasonNodeLost, "")}, {Number: 2}}
				build.Status.Conditions = waits(v1alpha1.BuildPodReady, v1alpha1.ReasonUnschedulable, "no node fits")
			}), nil, `
• build web-1 is Starting, attempt 2, started 4m ago
  image       web
  why         Manual: after the release
  requested   5m ago by ann
  waits for   Unschedulable: no node fits
  attempt 1   Infrastructure/NodeLost: no^[disk
  log         no log: the builder has not started
  next        goldsmith explain Unschedulable
`,
		},
		{
			"running", build(1, v1alpha1.BuildRunning, func(build *v1alpha1.ImageBuild) {
				build.Status.StartTime, build.Status.CurrentAttempt = ago(4*time.Minute), 1
				build.Status.Attempts = []v1alpha1.BuildAttempt{{Number: 1}}
				build.Status.Progress = &v1alpha1.BuildProgress{Percent: new(int32(40)), Stage: "packages", Message: "installing vim"}
				build.Status.Conditions = []metav1.Condition{{Type: v1alpha1.BuildPodReady, Status: metav1.ConditionTrue, Message: "its artifacts are being published"}}
			}), nil, `
• build web-1 is Running, started 4m ago
  image       web
  why         Manual: after the release
  requested   5m ago by ann
  progress    40%  packages  installing vim
  now         its artifacts are being published
  next        goldsmith logs web-1 -f
`,
		},
		{
			"revoked", build(1, v1alpha1.BuildSucceeded, func(build *v1alpha1.ImageBuild) {
				build.Status.Revoked = &v1alpha1.Revocation{Time: *ago(time.Minute), By: "anna", Reason: "wrong key"}
			}),
			answers{"imagebuilds?fieldSelector=status.phase%3DSucceeded&limit=500": &v1alpha1.ImageBuildList{Items: []v1alpha1.ImageBuild{*basedOn("shop-1", "web-1"), *basedOn("cart-1", "shop-1")}}}, `
✗ build web-1 succeeded, and is revoked
  image         web
  why           Manual: after the release
  requested     5m ago by ann
  revoked       60s ago by anna: wrong key
  based on it   cart-1
                shop-1
  next          correct the image; then goldsmith build web
`,
		},
		{
			"revoked, and the image has a fixed build", build(1, v1alpha1.BuildSucceeded, func(build *v1alpha1.ImageBuild) {
				build.Status.Revoked = &v1alpha1.Revocation{Time: *ago(time.Minute), By: "anna", Reason: "wrong key"}
			}),
			answers{"imagebuilds?fieldSelector=status.phase%3DSucceeded&limit=500": &v1alpha1.ImageBuildList{}, "images/web": lost("web-2")}, `
✗ build web-1 succeeded, and is revoked
  image       web
  why         Manual: after the release
  requested   5m ago by ann
  revoked     60s ago by anna: wrong key
  next        goldsmith show web-2
`,
		},
		{
			"revoked, as the latest one of the image is", build(1, v1alpha1.BuildSucceeded, func(build *v1alpha1.ImageBuild) {
				build.Status.Revoked = &v1alpha1.Revocation{Time: *ago(time.Minute), By: "anna", Reason: "wrong key"}
			}),
			answers{"imagebuilds?fieldSelector=status.phase%3DSucceeded&limit=500": &v1alpha1.ImageBuildList{}, "images/web": func() *v1alpha1.Image {
				image := lost("web-2")
				image.Status.LatestSuccessful.Revoked = &v1alpha1.Revocation{Time: *ago(time.Minute), By: "anna", Reason: "wrong key"}
				return image
			}()}, `
✗ build web-1 succeeded, and is revoked
  image       web
  why         Manual: after the release
  requested   5m ago by ann
  revoked     60s ago by anna: wrong key
  next        correct the image; then goldsmith build web
`,
		},
		{
			"the latest of an image that is suspended, from a channel", build(1, v1alpha1.BuildSucceeded, func(build *v1alpha1.ImageBuild) {
				build.Status.Resolved = basedOn("", "golden-1").Status.Resolved
				build.Spec.Inputs.Base.ImageRef = &v1alpha1.BaseImageReference{Name: "golden", Channel: "stable"}
			}),
			answers{"images/web": heldBack("web-1")}, `
✓ build web-1 succeeded in 2m
  image       web
  held back   Suspended: no trigger starts a build
  why         Manual: after the release
  base        golden-1, from channel stable
  requested   5m ago by ann
  next        goldsmith promote web-1 CHANNEL
`,
		},
		{
			"based on a build that will be revoked, of one that is", build(1, v1alpha1.BuildSucceeded, func(build *v1alpha1.ImageBuild) {
				build.Status.Resolved = basedOn("", "shop-1").Status.Resolved
				build.Status.Revoked = &v1alpha1.Revocation{EffectiveTime: ago(-time.Hour), Reason: "end of life"}
			}),
			answers{
				"imagebuilds?fieldSelector=status.phase%3DSucceeded&limit=500": &v1alpha1.ImageBuildList{},
				"imagebuilds/shop-1":   basedOn("shop-1", "golden-1"),
				"imagebuilds/golden-1": &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Name: "golden-1"}, Status: v1alpha1.ImageBuildStatus{Revoked: &v1alpha1.Revocation{By: "anna", Reason: "wrong key"}}},
			}, `
✓ build web-1 succeeded in 2m
  image       web
  why         Manual: after the release
  base        shop-1
  requested   5m ago by ann
  revoked     from 2026-05-01T13:00:00Z on: end of life
  on a base   golden-1, revoked by anna: wrong key
  next        goldsmith status
`,
		},
		{
			"its publisher cannot start", build(1, v1alpha1.BuildRunning, func(build *v1alpha1.ImageBuild) {
				build.Status.StartTime, build.Status.CurrentAttempt = ago(4*time.Minute), 1
				build.Status.Attempts = []v1alpha1.BuildAttempt{{Number: 1}}
				build.Status.Conditions = []metav1.Condition{{
					Type: v1alpha1.BuildPodReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonWaitingForPublisher, Message: "no such host",
				}}
			}), nil, `
• build web-1 is Running, started 4m ago
  image       web
  why         Manual: after the release
  requested   5m ago by ann
  waits for   WaitingForPublisher: no such host
  next        goldsmith explain WaitingForPublisher
`,
		},
		{
			"the signer is down", build(1, v1alpha1.BuildRunning, func(build *v1alpha1.ImageBuild) {
				build.Status.StartTime, build.Status.CurrentAttempt = ago(4*time.Minute), 1
				build.Status.Attempts = []v1alpha1.BuildAttempt{{Number: 1}}
				build.Status.Conditions = []metav1.Condition{
					{Type: v1alpha1.BuildPodReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonContainerStarted},
					{Type: v1alpha1.BuildAttested, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonWaitingForSigner, Message: "SigningKey k has not signed"},
				}
			}), nil, `
• build web-1 is Running, started 4m ago
  image       web
  why         Manual: after the release
  requested   5m ago by ann
  waits for   WaitingForSigner: SigningKey k has not signed
  next        goldsmith explain WaitingForSigner
`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := build(1, v1alpha1.BuildSucceeded, func(*v1alpha1.ImageBuild) {})
			builds := []v1alpha1.ImageBuild{*before, *test.build}
			connection := serve(t, answers{
				"imagebuilds/" + test.build.Name:                                  test.build,
				"imagebuilds?fieldSelector=spec.imageRef.uid%3Dweb-uid&limit=500": &v1alpha1.ImageBuildList{Items: builds},
			}, test.also)
			if got := shown(t, connection, &options{kind: client.Either, name: test.build.Name}); got != strings.TrimPrefix(test.want, "\n") {
				t.Error(cmp.Diff(strings.TrimPrefix(test.want, "\n"), got))
			}
		})
	}
}

func TestPackagesAreComparedWithTheLastGoodBuild(t *testing.T) {
	const raw, iso, arm = "linux/amd64/raw", "linux/amd64/iso", "linux/arm64/raw"
	locked := func(number int64, phase v1alpha1.BuildPhase, targets ...string) *v1alpha1.ImageBuild {
		return build(number, phase, func(build *v1alpha1.ImageBuild) {
			for _, target := range targets {
				build.Status.Artifacts = append(build.Status.Artifacts, v1alpha1.Artifact{Target: target, Packages: new(int32(312))})
			}
		})
	}
	oneOff := locked(2, v1alpha1.BuildSucceeded, raw)
	oneOff.Spec.OneOff = new(true)
	changes := func(targets ...string) v1alpha1.PackageChanges {
		return v1alpha1.PackageChanges{Targets: targets, Changes: []v1alpha1.PackageChange{{Name: "a", To: "1"}, {Name: "b", To: "1"}, {Name: "c", From: "1"}, {Name: "d", From: "1", To: "2"}}}
	}
	differs := &v1alpha1.ImageBuildDiff{Packages: []v1alpha1.PackageChanges{changes(raw, iso), {Targets: []string{arm}, Unchanged: 312}}}
	equal := &v1alpha1.ImageBuildDiff{Packages: []v1alpha1.PackageChanges{{Targets: []string{raw}, Unchanged: 312}}}
	const with1, with2 = "imagebuilds/web-3/diff?with=web-1", "imagebuilds/web-3/diff?with=web-2"
	for name, test := range map[string]struct {
		build   *v1alpha1.ImageBuild
		earlier []*v1alpha1.ImageBuild
		answers answers
		want    string
	}{
		"the last build":       {locked(3, v1alpha1.BuildSucceeded, raw), []*v1alpha1.ImageBuild{locked(2, v1alpha1.BuildSucceeded, raw)}, answers{with2: differs}, "312 (2 added, 1 removed, 1 changed since web-2)"},
		"one before a failure": {locked(3, v1alpha1.BuildSucceeded, raw), []*v1alpha1.ImageBuild{locked(1, v1alpha1.BuildSucceeded, raw), locked(2, v1alpha1.BuildFailed)}, answers{with1: differs, with2: &v1alpha1.ImageBuildDiff{}}, "312 (2 added, 1 removed, 1 changed since web-1)"},
		"one before a one-off": {locked(3, v1alpha1.BuildSucceeded, raw), []*v1alpha1.ImageBuild{locked(1, v1alpha1.BuildSucceeded, raw), oneOff}, answers{with1: differs, with2: &v1alpha1.ImageBuildDiff{}}, "312 (2 added, 1 removed, 1 changed since web-1)"},
		"of the same packages": {locked(3, v1alpha1.BuildSucceeded, raw), []*v1alpha1.ImageBuild{locked(2, v1alpha1.BuildSucceeded, raw)}, answers{with2: equal}, "312 (the same as in web-2)"},
		"of the same packages, of which the server knows less": {
			locked(3, v1alpha1.BuildSucceeded, raw, iso), []*v1alpha1.ImageBuild{locked(2, v1alpha1.BuildSucceeded, raw, iso)},
			answers{with2: &v1alpha1.ImageBuildDiff{Packages: []v1alpha1.PackageChanges{{Targets: []string{raw}, Unchanged: 312}}, PackagesMessage: "lost"}},
			"linux/amd64/raw 312 (the same as in web-2)\n              linux/amd64/iso 312",
		},
		"whose packages are not known": {locked(3, v1alpha1.BuildSucceeded, raw), []*v1alpha1.ImageBuild{locked(2, v1alpha1.BuildSucceeded, raw)}, answers{with2: &v1alpha1.ImageBuildDiff{PackagesMessage: "lost"}}, "312"},
		"without a lock":               {locked(3, v1alpha1.BuildSucceeded, raw), []*v1alpha1.ImageBuild{locked(2, v1alpha1.BuildSucceeded)}, answers{with2: &v1alpha1.ImageBuildDiff{}}, "312"},
		"that cannot be compared":      {locked(3, v1alpha1.BuildSucceeded, raw), []*v1alpha1.ImageBuild{locked(2, v1alpha1.BuildSucceeded, raw)}, nil, "312"},
		"that cannot be listed":        {locked(3, v1alpha1.BuildSucceeded, raw), []*v1alpha1.ImageBuild{locked(2, v1alpha1.BuildFailed)}, answers{good: "no list"}, "312"},
		"none":                         {locked(3, v1alpha1.BuildSucceeded, raw), nil, nil, "312"},
		"several targets": {
			locked(3, v1alpha1.BuildSucceeded, raw, iso, arm), []*v1alpha1.ImageBuild{locked(2, v1alpha1.BuildSucceeded, raw, iso, arm)}, answers{with2: differs},
			"linux/amd64/raw, linux/amd64/iso 312 (2 added, 1 removed, 1 changed since web-2)\n              linux/arm64/raw 312 (the same as in web-2)",
		},
		"with vulnerabilities": {locked(3, v1alpha1.BuildSucceeded, raw), nil, answers{
			"imagebuilds/web-3/vulnerabilities?countsOnly=true": &v1alpha1.ImageBuildVulnerabilities{Counts: v1alpha1.VulnerabilityCounts{High: 1}, Unmatched: []string{"no advisory is about 1 package of npm"}},
		}, " 312\n  vulnerable   1 open vulnerability: 1 High; no advisory is about 1 package of npm"},
		"none, without a lock": {locked(3, v1alpha1.BuildSucceeded), nil, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			all, succeeded := &v1alpha1.ImageBuildList{Items: []v1alpha1.ImageBuild{*test.build}}, &v1alpha1.ImageBuildList{}
			for _, each := range test.earlier {
				all.Items = append(all.Items, *each)
				if each.Status.Phase == v1alpha1.BuildSucceeded {
					succeeded.Items = append(succeeded.Items, *each)
				}
			}
			connection := serve(t, answers{"imagebuilds/web-3": test.build, "imagebuilds?fieldSelector=spec.imageRef.uid%3Dweb-uid&limit=500": all}, test.answers, answers{good: succeeded})
			got := shown(t, connection, &options{kind: client.Either, name: "web-3"})
			_, got, _ = strings.Cut(got, "\n  packages    ")
			if got, _, _ = strings.Cut(got, "\n  next "); got != test.want {
				t.Errorf("got %q", got)
			}
		})
	}
}

// good is the request for the successful builds of image web.
const good = "imagebuilds?fieldSelector=spec.imageRef.uid%3Dweb-uid%2Cstatus.phase%3DSucceeded&limit=500"

func TestABuildIsFoundByItsNameOrThatOfItsImage(t *testing.T) {
	image := func(name string, conditions ...metav1.Condition) *v1alpha1.Image {
		return &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name, UID: "web-uid"}, Status: v1alpha1.ImageStatus{Conditions: conditions}}
	}
	stalled := metav1.Condition{Type: v1alpha1.ImageStalled, Status: metav1.ConditionTrue, Reason: "BuilderNotFound", Message: "no builder"}
	none := image("new")
	none.UID = "new-uid"
	misspelt := image("misspelt", stalled)
	misspelt.UID = "new-uid"
	nothing := func(*v1alpha1.ImageBuild) {}
	nodeLost := failure(v1alpha1.FailureInfrastructure, v1alpha1.ReasonNodeLost, "")
	connection := serve(t, answers{
		"images/web": image("web"), "images/new": none, "images/misspelt": misspelt,
		"imagebuilds/web-3": build(3, v1alpha1.BuildRunning, nothing),
		"imagebuilds?fieldSelector=spec.imageRef.uid%3Dweb-uid&limit=500": &v1alpha1.ImageBuildList{Items: []v1alpha1.ImageBuild{
			*build(3, v1alpha1.BuildRunning, nothing), *build(10, v1alpha1.BuildRunning, nothing), *build(9, v1alpha1.BuildRunning, nothing)}},
		"imagebuilds?fieldSelector=spec.imageRef.uid%3Dnew-uid&limit=500": &v1alpha1.ImageBuildList{},
		"images/web/history?limit=500": &v1alpha1.ImageHistory{Items: []v1alpha1.BuildRecord{{
			Name: "web-2", UID: "old-uid", Message: "new\x1bkey", Phase: v1alpha1.BuildFailed, Trigger: v1alpha1.TriggerManual, Failure: nodeLost, CreationTime: ago(time.Hour)}}},
		"imagereports?fieldSelector=deleted%3Dtrue%2Cmetadata.name%3Dgone&limit=500": &v1alpha1.ImageReportList{},
	})
	for _, test := range []struct {
		kind   client.Kind
		name   string
		format output.Format
		want   string
	}{
		{client.Either, "web", output.Name, "imagebuild.images.goldsmith.dev/web-10\n"},
		{client.Image, "web", output.Name, "imagebuild.images.goldsmith.dev/web-10\n"},
		{client.Either, "web-3", output.Name, "imagebuild.images.goldsmith.dev/web-3\n"},
		{client.ImageBuild, "web-3", output.Name, "imagebuild.images.goldsmith.dev/web-3\n"},
		{client.Either, "new", "", "error: image new has no build yet: to see what would start a build, run `goldsmith plan new -n team`"},
		{client.Either, "misspelt", "", "error: image misspelt has no build and is stalled: BuilderNotFound: no builder"},
		{client.ImageBuild, "web", "", "error: no build named web in namespace team: there is an image of this name: the latest build is web-10"},
		{client.Image, "web-2", "", "error: no image named web-2 in namespace team"},
		{client.Either, "gone-1", "", "error: no image or build named gone-1 in namespace team"},
		{client.Either, "unrecorded-1", "", "error: no image or build named unrecorded-1 in namespace team"},
		{client.Either, "web-2", "", `build web-2 was deleted; its record:
NAME    PHASE    WHY        TRIGGER   TOOK     AGE
web-2   Failed   NodeLost   Manual    <none>   60m
it was started because of Manual: new^[key
Infrastructure/NodeLost: no^[disk
its log, if it is archived: goldsmith logs web-2 -n team --uid old-uid
`},
		{client.ImageBuild, "web-2", output.YAML, "error: build web-2 was deleted: to print the record, run `goldsmith history web -n team -o json`"},
	} {
		got := shown(t, connection, &options{kind: test.kind, name: test.name, format: test.format, connection: " -n team"})
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s %s: %s", test.kind, test.name, diff)
		}
	}
}

// shown returns the output of the verb, or its error.
func shown(t *testing.T, connection *client.Connection, asked *options) string {
	t.Helper()
	var out bytes.Buffer
	asked.clock, asked.program = testingclock.NewFakePassiveClock(noon), "goldsmith"
	if err := run(t.Context(), connection, asked, &out); err != nil {
		return "error: " + err.Error()
	}
	return out.String()
}

// answers maps the path below the namespace, with the query, to the answer of the server.
type answers map[string]any

// serve starts a server with these answers. The server answers all other requests with NotFound.
func serve(t *testing.T, all ...answers) *client.Connection {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		asked := strings.TrimPrefix(in.URL.String(), "/apis/images.goldsmith.dev/v1alpha1/namespaces/team/")
		for _, some := range all {
			switch answer := some[asked].(type) {
			case string:
				_, _ = out.Write([]byte(answer))
				return
			case runtime.Object:
				answer.GetObjectKind().SetGroupVersionKind(v1alpha1.Kind(strings.TrimPrefix(fmt.Sprintf("%T", answer), "*v1alpha1.")))
				out.Header().Set("Content-Type", "application/json")
				_ = json.NewEncoder(out).Encode(answer)
				return
			}
		}
		resource, rest, _ := strings.Cut(strings.Split(asked, "?")[0], "/")
		name, _, _ := strings.Cut(rest, "/")
		refusal := apierrors.NewNotFound(v1alpha1.Resource(resource), name).ErrStatus
		refusal.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
		out.Header().Set("Content-Type", "application/json")
		out.WriteHeader(http.StatusNotFound)
		_ = json.NewEncoder(out).Encode(refusal)
	}))
	t.Cleanup(server.Close)
	return &client.Connection{
		Interface: versioned.NewForConfigOrDie(&rest.Config{Host: server.URL, QPS: -1, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}),
		Namespace: "team",
	}
}
