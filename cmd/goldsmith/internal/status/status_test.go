// SPDX-License-Identifier: Apache-2.0

package status

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"
	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/fake"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/applyset"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/exit"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
	"goldsmith.dev/goldsmith/e2e/require"
)

var noon = time.Date(2026, time.May, 1, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) *metav1.Time {
	return &metav1.Time{Time: noon.Add(-d)}
}

// condition returns a condition that last changed so many minutes ago.
func condition(kind string, status metav1.ConditionStatus, reason, message string, minutes int) metav1.Condition {
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message, LastTransitionTime: *ago(time.Duration(minutes) * time.Minute)}
}

// unsigned returns the condition of a build that has waited for the signer.
func unsigned(minutes int) []metav1.Condition {
	return []metav1.Condition{condition(v1alpha1.BuildAttested, metav1.ConditionFalse, v1alpha1.ReasonWaitingForSigner, "SigningKey k", minutes)}
}

func image(namespace, name string, conditions ...metav1.Condition) *v1alpha1.Image {
	return &v1alpha1.Image{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, CreationTimestamp: *ago(time.Hour)},
		Status:     v1alpha1.ImageStatus{Conditions: conditions},
	}
}

func suspendedImage(image *v1alpha1.Image) *v1alpha1.Image {
	image.Spec.Suspend = new(true)
	return image
}

func ready(status metav1.ConditionStatus, reason, message string) metav1.Condition {
	return condition(v1alpha1.ImageReady, status, reason, message, 30)
}

// lacking adds channels to an Image: only stable needs attention.
func lacking(image *v1alpha1.Image) *v1alpha1.Image {
	image.Status.Channels = []v1alpha1.ImageChannel{
		{Name: "edge", Build: "shop-1"},
		{Name: "lts", Build: "shop-1", Missing: []string{"test web did not run on shop-1"}, Override: &v1alpha1.ChannelOverride{Reason: "we must"}},
		{Name: "stable", Build: "shop-1", Missing: []string{"test boots did not run on shop-1", "test web did not run on shop-1"}, Time: *ago(time.Hour)},
	}
	return image
}

func onRevokedBase(image *v1alpha1.Image) *v1alpha1.Image {
	image.Status.LatestSuccessful = &v1alpha1.SuccessfulBuild{Name: image.Name + "-1", RevokedBase: &v1alpha1.RevokedBase{
		Name: "debian-7", Revocation: v1alpha1.Revocation{Time: *ago(time.Hour), By: "anna", Reason: "wrong key"},
	}}
	return image
}

// inChannel lets channels name a revoked build, and one that will be revoked.
func inChannel(image *v1alpha1.Image) *v1alpha1.Image {
	revoked := &v1alpha1.Revocation{Time: *ago(time.Hour), By: "anna", Reason: "wrong key"}
	later := revoked.DeepCopy()
	later.EffectiveTime = ago(-time.Hour)
	image.Status.Channels = []v1alpha1.ImageChannel{{Name: "next", Build: "shop-2", Revoked: later}, {Name: "edge", Build: "shop-3"}, {Name: "stable", Build: "shop-1", Revoked: revoked}}
	return image
}

func good(name string) *v1alpha1.Image {
	return image("team", name, ready(metav1.ConditionTrue, v1alpha1.ReasonBuildSucceeded, "build "+name+"-1 succeeded"))
}

// behind returns image b, whose last build succeeded, and whose present inputs are not built for a reason.
func behind(reason string, unresolved bool) *v1alpha1.Image {
	image := good("b")
	image.Status.Conditions = append(image.Status.Conditions,
		condition(v1alpha1.ImageUpToDate, metav1.ConditionUnknown, v1alpha1.ReasonInputsNotResolved, "", 3),
		condition(v1alpha1.ImageReconciling, metav1.ConditionTrue, reason, "the reason", 3),
		condition(v1alpha1.ImageStalled, metav1.ConditionFalse, v1alpha1.ReasonProgressing, "", 3))
	if unresolved {
		image.Status.Conditions = append(image.Status.Conditions,
			condition(v1alpha1.ImageInputsResolved, metav1.ConditionFalse, string(v1alpha1.ReasonBaseNotFound), "there is no Image base", 3))
	}
	return image
}

func build(name string, status v1alpha1.ImageBuildStatus) *v1alpha1.ImageBuild {
	return &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name, CreationTimestamp: *ago(time.Hour)}, Status: status}
}

// troubled returns an object for each reason for attention, unsorted, and objects that need no attention.
func troubled() []runtime.Object {
	unready := ready(metav1.ConditionFalse, v1alpha1.ReasonNeverBuilt, "no build has succeeded or failed yet")
	failed := v1alpha1.BuildAttempt{Number: 1, CompletionTime: ago(9 * time.Minute), Outcome: v1alpha1.AttemptFailed,
		Failure: &v1alpha1.BuildFailure{Class: v1alpha1.FailureRegistry, Reason: v1alpha1.ReasonImagePullFailed, Message: "not found"}}
	backingOff := condition(v1alpha1.BuildPodReady, metav1.ConditionFalse, v1alpha1.ReasonBackingOff, "attempt 1 ended. The next one starts at 12:01", 1)
	waits := func(kind, reason, message string) []metav1.Condition {
		return []metav1.Condition{condition(kind, metav1.ConditionFalse, reason, message, 1)}
	}
	fresh := image("team", "fresh")
	fresh.CreationTimestamp = *ago(time.Second)
	return []runtime.Object{
		suspendedImage(image("team", "paused", unready)),
		suspendedImage(good("resting")),
		image("team", "based", unready, condition(v1alpha1.ImageInputsResolved, metav1.ConditionFalse, string(v1alpha1.ReasonBaseNotFound), "image base was never built", 2)),
		image("team", "first", ready(metav1.ConditionFalse, v1alpha1.ReasonBuildActive, "build first-1 has not finished"), condition(v1alpha1.ImageBuilding, metav1.ConditionTrue, v1alpha1.ReasonBuildActive, "", 2)),
		image("team", "again", ready(metav1.ConditionFalse, v1alpha1.ReasonBuildFailed, "build again-1 ended with OOMKilled: "+strings.Repeat("long ", 20)),
			condition(v1alpha1.ImageBuilding, metav1.ConditionTrue, v1alpha1.ReasonBuildActive, "", 2)),
		image("ateam", "misspelt", unready, condition(v1alpha1.ImageStalled, metav1.ConditionTrue, string(v1alpha1.ReasonBuilderNotFound), "no builder is registered\x1b[2J as \"shel\"", 1)),
		image("team", "broken", good("").Status.Conditions[0], condition(v1alpha1.ImageStalled, metav1.ConditionTrue, v1alpha1.ReasonTooManyFailures, "5 builds in a row have failed", 50)),
		image("team", "unseen"), fresh, good("web"),
		build("retried-1", v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildRetrying, Attempts: []v1alpha1.BuildAttempt{failed}, Conditions: []metav1.Condition{backingOff}}),
		build("retries-1", v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildRunning, Attempts: []v1alpha1.BuildAttempt{failed, {Number: 2}}}),
		build("queued-1", v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildQueued, QueuedTime: ago(6 * time.Minute),
			Conditions: waits(v1alpha1.BuildAdmitted, v1alpha1.ReasonWaitingForSlot, "the namespace runs as many builds as it may (0)")}),
		build("starts-1", v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildStarting, StartTime: ago(7 * time.Minute), QueuedTime: ago(time.Hour),
			Conditions: waits(v1alpha1.BuildPodReady, v1alpha1.ReasonUnschedulable, "no node fits")}),
		build("seconds-1", v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildStarting, StartTime: ago(5 * time.Minute), QueuedTime: ago(time.Hour)}),
		build("resumed-1", v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildStarting, StartTime: ago(time.Hour),
			Conditions: append(waits(v1alpha1.BuildPodReady, v1alpha1.ReasonWaitingForPod, ""), condition(v1alpha1.BuildAdmitted, metav1.ConditionTrue, v1alpha1.ReasonAdmitted, "", 1))}),
		build("suspended-1", v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildQueued, StartTime: ago(time.Hour), QueuedTime: ago(2 * time.Hour), Attempts: []v1alpha1.BuildAttempt{{Number: 1}},
			Conditions: waits(v1alpha1.BuildAdmitted, v1alpha1.ReasonJobSuspended, "Job suspended-1-1 is suspended: resume it")}),
		build("ignored-1", v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildPending}),
		build("first-1", v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildRunning, StartTime: ago(time.Hour)}),
	}
}

func TestListsWhatNeedsAttentionWorstFirst(t *testing.T) {
	for _, test := range []struct {
		name    string
		asked   options
		objects []runtime.Object
		want    string
	}{
		{name: "as text of ten objects", objects: troubled(), want: `
✗ image team/broken     TooManyFailures, 50m
  5 builds in a row have failed
✗ image ateam/misspelt  BuilderNotFound, 60s
  no builder is registered^[[2J as "shel"
✗ image team/unseen     no status, 60m
  the image has no status: check whether the controller runs
✗ image team/again      BuildFailed, 30m
  build again-1 ended with OOMKilled: long long long long long long long long l…
✗ image team/based      BaseNotFound, 2m
  image base was never built
• build team/retried-1  ImagePullFailed, 9m
  attempt 1 ended. The next one starts at 12:01
• build team/retries-1  ImagePullFailed, 9m
  attempt 1 failed: not found
• build team/ignored-1  Pending, 60m
• build team/starts-1   Unschedulable, 7m
  no node fits
• build team/queued-1   WaitingForSlot, 6m
  the namespace runs as many builds as it may (0)
and 2 more: -o wide shows all
10 images, 3 ready (1 of them stalled), 3 building, 3 starting, 3 queued
`},
		{name: "as a table of all", asked: options{format: output.Wide, namespace: "team"}, objects: troubled(), want: `
NAMESPACE   KIND    NAME        REASON            SINCE    MESSAGE
team        image   broken      TooManyFailures   50m      5 builds in a row have failed
team        image   unseen      no status         60m      the image has no status: check whether the controller runs
team        image   again       BuildFailed       30m      build again-1 ended with OOMKilled: ` + strings.Repeat("long ", 20) + `
team        image   based       BaseNotFound      2m       image base was never built
team        build   retried-1   ImagePullFailed   9m       attempt 1 ended. The next one starts at 12:01
team        build   retries-1   ImagePullFailed   9m       attempt 1 failed: not found
team        build   ignored-1   Pending           60m      <none>
team        build   starts-1    Unschedulable     7m       no node fits
team        build   queued-1    WaitingForSlot    6m       the namespace runs as many builds as it may (0)
team        image   paused      Suspended         <none>   no trigger starts a build, and no build has succeeded or failed yet
team        image   resting     Suspended         <none>   no trigger starts a build
9 images, 3 ready (1 of them stalled), 3 building, 3 starting, 3 queued
`},
		{name: "of a namespace", asked: options{namespace: "ateam"}, objects: troubled(), want: `
✗ image misspelt  BuilderNotFound, 60s
  no builder is registered^[[2J as "shel"
1 image, 0 ready, 0 building, 0 queued
`},
		{name: "names", asked: options{format: output.Name, namespace: "ateam"}, objects: troubled(), want: "image.images.goldsmith.dev/misspelt\n"},
		{name: "nothing, all ready", objects: []runtime.Object{good("a"), good("b")}, want: "✓ 2 images are ready; no build waits\n"},
		{name: "nothing, one ready", objects: []runtime.Object{good("a")}, want: "✓ 1 image is ready; no build waits\n"},
		{name: "nothing, a build runs", objects: []runtime.Object{good("a"), build("a-2", v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildRunning})},
			want: "✓ nothing needs attention: 1 image, 1 ready, 1 building, 0 queued\n"},
		{name: "a publisher cannot start", objects: []runtime.Object{good("a"), build("a-2", v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildRunning, StartTime: ago(time.Minute),
			Conditions: []metav1.Condition{condition(v1alpha1.BuildPodReady, metav1.ConditionTrue, v1alpha1.ReasonWaitingForPublisher, "no such host", 1)}})},
			want: "• build team/a-2  WaitingForPublisher\n  no such host\n1 image, 1 ready, 1 building, 0 queued\n"},
		{name: "tests cannot start", objects: []runtime.Object{
			good("a"),
			build("tests-1", v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildTesting, StartTime: ago(time.Hour), Conditions: []metav1.Condition{
				condition(v1alpha1.BuildPodReady, metav1.ConditionFalse, v1alpha1.ReasonUnschedulable, "no node has KVM", 8)}}),
			build("tests-2", v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildTesting, StartTime: ago(time.Hour), Conditions: []metav1.Condition{
				condition(v1alpha1.BuildPodReady, metav1.ConditionFalse, v1alpha1.ReasonWaitingForPod, "", 1)}}),
			build("tests-3", v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildTesting, StartTime: ago(time.Hour)}),
		}, want: "• build team/tests-1  Unschedulable, 8m\n  no node has KVM\n1 image, 1 ready, 0 building, 3 testing, 0 queued\n"},
		{name: "the signer is slow, and is down", objects: []runtime.Object{
			good("a"), build("a-2", v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildRunning, Conditions: unsigned(1)}),
			build("a-3", v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildRunning, Conditions: unsigned(6)}),
		}, want: "• build team/a-3  WaitingForSigner, 6m\n  SigningKey k\n1 image, 1 ready, 2 building, 0 queued\n"},
		{name: "ready, and the base was deleted", objects: []runtime.Object{good("a"), behind(string(v1alpha1.ReasonBaseNotFound), true)},
			want: "✗ image team/b  BaseNotFound, 3m\n  there is no Image base\n2 images, 2 ready (1 of them not up to date), 0 building, 0 queued\n"},
		{name: "ready, and a channel has a build that lacks something", objects: []runtime.Object{lacking(good("shop"))},
			want: "✗ image team/shop  rule not met, 60m\n  channel stable names shop-1, which lacks what its rule requires: test boots d…\n-o wide shows the whole messages\n1 image, 1 ready, 0 building, 0 queued\n"},
		{name: "ready, suspended, and based on a revoked build", objects: []runtime.Object{onRevokedBase(suspendedImage(good("shop")))},
			want: "✗ image team/shop  BaseRevoked, 60m\n  build shop-1 is based on build debian-7: a new build is needed once the base …\n-o wide shows the whole messages\n1 image, 1 ready, 0 building, 0 queued\n"},
		{name: "a channel names a revoked build", objects: []runtime.Object{inChannel(good("shop"))},
			want: "✗ image team/shop  Revoked, 60m\n  channel stable names shop-1: promote another build. It was revoked by anna: w…\n-o wide shows the whole messages\n1 image, 1 ready, 0 building, 0 queued\n"},
		{name: "ready, and a quota refuses the build", objects: []runtime.Object{behind(v1alpha1.ReasonBuildRefused, false)},
			want: "✗ image team/b  BuildRefused, 3m\n  the reason\n1 image, 1 ready (1 of them not up to date), 0 building, 0 queued\n"},
		{name: "ready, and the base is being built", objects: []runtime.Object{behind(v1alpha1.ReasonWaitingForBase, true)},
			want: "✓ nothing needs attention: 1 image, 1 ready (1 of them not up to date), 0 building, 0 queued\n"},
		{name: "ready, and the schedule builds the changes", objects: []runtime.Object{behind(v1alpha1.ReasonScheduled, false)},
			want: "✓ nothing needs attention: 1 image, 1 ready (1 of them not up to date), 0 building, 0 queued\n"},
		{name: "no image", want: "there is no image yet: `goldsmith init NAME` writes a first one\n"},
		{name: "no image in a namespace", asked: options{namespace: "none"}, objects: troubled(), want: "there is no image in namespace none\n"},
		{name: "nothing, as a table", asked: options{format: output.Wide}, objects: []runtime.Object{good("a")}, want: "✓ 1 image is ready; no build waits\n"},
		{name: "nothing for programs", asked: options{format: output.YAML}, objects: []runtime.Object{good("a")}, want: "apiVersion: v1\nitems: []\nkind: List\nmetadata: {}\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out, stderr bytes.Buffer
			connection := &client.Connection{Interface: fake.NewClientset(test.objects...), Namespace: "team"}
			if err := run(t.Context(), connection, &test.asked, testingclock.NewFakePassiveClock(noon), &out, &stderr); err != nil || stderr.Len() > 0 {
				t.Fatalf("error %v (%s)", err, &stderr)
			}
			if diff := cmp.Diff(strings.TrimPrefix(test.want, "\n"), out.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFilesThatCannotBeAppliedAreListed(t *testing.T) {
	parents := []corev1.ConfigMap{{}, {}}
	parents[1].Annotations = map[string]string{applyset.FailuresAnnotation: "web.yaml: Image team/web: unknown field \"spec.bse\": correct it\nempty.yaml: file is empty"}
	found := filesOf(parents)
	var out bytes.Buffer
	if err := describe(found, &options{}, true, noon, &out); err != nil {
		t.Fatal(err)
	}
	const want = "✗ file web.yaml    not applied\n  Image team/web: unknown field \"spec.bse\": correct it\n✗ file empty.yaml  not applied\n  file is empty\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
	if items := objects(found).Items; len(items) != 1 || !found[0].severity.broken() {
		t.Errorf("for programs: %+v", items)
	}
}

func TestTheExitCodeTellsWhetherSomethingNeedsAttention(t *testing.T) {
	for name, test := range map[string]struct {
		asked   options
		objects []runtime.Object
		want    int
	}{
		"a broken image":          {options{exitCode: true}, troubled(), exit.Attention},
		"for programs":            {options{exitCode: true, format: output.JSON}, troubled(), exit.Attention},
		"not asked":               {options{}, troubled(), exit.Success},
		"all ready":               {options{exitCode: true}, []runtime.Object{good("a")}, exit.Success},
		"a suspended image":       {options{exitCode: true}, []runtime.Object{suspendedImage(good("a"))}, exit.Success},
		"a build that is retried": {options{exitCode: true}, []runtime.Object{build("a-1", v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildRetrying, Attempts: []v1alpha1.BuildAttempt{{Number: 1, Failure: v1alpha1.ReasonOOMKilled.Failure("killed")}}})}, exit.Attention},
	} {
		t.Run(name, func(t *testing.T) {
			connection := &client.Connection{Interface: fake.NewClientset(test.objects...), Namespace: "team"}
			err := run(t.Context(), connection, &test.asked, testingclock.NewFakePassiveClock(noon), t.Output(), t.Output())
			if code := exit.Code(t.Context(), err); code != test.want {
				t.Errorf("got exit code %d (%v), want %d", code, err, test.want)
			}
		})
	}
}

func TestALineFitsEightyCharacters(t *testing.T) {
	name, namespace := strings.Repeat("n", 45), strings.Repeat("s", 63)
	stalled := image(namespace, name, condition(v1alpha1.ImageStalled, metav1.ConditionTrue, string(v1alpha1.ReasonBuilderNotRunnable), strings.Repeat("ü", 200), 9))
	var out bytes.Buffer
	connection := &client.Connection{Interface: fake.NewClientset(stalled, good("web")), Namespace: "team"}
	require.NoError(t, run(t.Context(), connection, &options{}, testingclock.NewFakePassiveClock(noon), &out, t.Output()))
	for line := range strings.Lines(out.String()) {
		if length := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); length > width {
			t.Errorf("%d characters: %s", length, line)
		}
	}
	if !strings.Contains(out.String(), "…  BuilderNotRunnable, 9m\n") {
		t.Errorf("the reason is cut:\n%s", &out)
	}
}

func TestOnlyUnfinishedBuildsAreRead(t *testing.T) {
	clients := fake.NewClientset()
	clients.PrependReactor("list", "imagebuilds", func(action clienttesting.Action) (bool, runtime.Object, error) {
		if selector := action.(clienttesting.ListAction).GetListRestrictions().Fields.String(); selector != "status.finished=false" || action.GetNamespace() != "" {
			t.Errorf("the builds of namespace %q are selected by %q", action.GetNamespace(), selector)
		}
		return true, nil, errors.New("broken")
	})
	err := run(t.Context(), &client.Connection{Interface: clients, Namespace: "team"}, &options{}, testingclock.NewFakePassiveClock(noon), t.Output(), t.Output())
	if err == nil || err.Error() != "list the builds of all namespaces: broken" {
		t.Errorf("got error %v", err)
	}
}

func TestAUserOfOneNamespaceGetsItsStatus(t *testing.T) {
	clients := fake.NewClientset(troubled()...)
	clients.PrependReactor("list", "*", func(action clienttesting.Action) (bool, runtime.Object, error) {
		if action.GetNamespace() != metav1.NamespaceAll {
			return false, nil, nil
		}
		return true, nil, apierrors.NewForbidden(v1alpha1.Resource(action.GetResource().Resource), "", errors.New("no"))
	})
	var out, stderr bytes.Buffer
	err := run(t.Context(), &client.Connection{Interface: clients, Namespace: "ateam"}, &options{}, testingclock.NewFakePassiveClock(noon), &out, &stderr)
	if err != nil || stderr.String() != "you cannot list the images of all namespaces: this is namespace ateam only\n" ||
		!strings.HasPrefix(out.String(), "✗ image misspelt  ") {
		t.Errorf("got error %v, %q and\n%s", err, &stderr, &out)
	}
}
