// SPDX-License-Identifier: Apache-2.0

package buildlog

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

// storedBuild is a storage of one build, whose watches a test feeds.
type storedBuild struct {
	build   *v1alpha1.ImageBuild
	watches chan *watch.FakeWatcher
	from    []string // the resource versions that were watched from
}

func (s *storedBuild) Get(context.Context, string, *metav1.GetOptions) (runtime.Object, error) {
	if s.build == nil {
		return nil, apierrors.NewNotFound(v1alpha1.Resource("imagebuilds"), "once")
	}
	return s.build, nil
}

func (s *storedBuild) Watch(ctx context.Context, options *internalversion.ListOptions) (watch.Interface, error) {
	if apirequest.NamespaceValue(ctx) != "default" {
		return nil, errors.New("watching without a namespace")
	}
	s.from = append(s.from, options.ResourceVersion)
	return <-s.watches, nil
}

// textLogs are the logs of pods by UID. One that ends with three dots breaks off.
type textLogs map[string]string

func (l textLogs) Open(_ context.Context, _ *v1alpha1.ImageBuild, attempt *v1alpha1.BuildAttempt, _ corev1.PodLogOptions) (io.ReadCloser, error) {
	text, ok := l[string(attempt.PodUID)]
	if !ok {
		return nil, ErrGone
	}
	if text, broken := strings.CutSuffix(text, "..."); broken {
		return io.NopCloser(io.MultiReader(strings.NewReader(text), iotest.ErrReader(io.ErrUnexpectedEOF))), nil
	}
	return io.NopCloser(strings.NewReader(text)), nil
}

// buildIn is a build in a phase with an attempt for each pod, all but the last of which have ended.
func buildIn(version string, phase v1alpha1.BuildPhase, pods ...types.UID) *v1alpha1.ImageBuild {
	build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "once", UID: "u", ResourceVersion: version}}
	build.Status.Phase = phase
	for _, pod := range pods {
		for i := range build.Status.Attempts {
			build.Status.Attempts[i].Outcome = v1alpha1.AttemptDisrupted
		}
		build.Status.CurrentAttempt++
		build.Status.Attempts = append(build.Status.Attempts, v1alpha1.BuildAttempt{Number: build.Status.CurrentAttempt, PodName: string(pod), PodUID: pod})
	}
	return build
}

func followLog(t *testing.T, stored *storedBuild, logs Source) io.ReadCloser {
	t.Helper()
	response := &logResponse{
		builds: stored, logs: logs, build: stored.build, options: &v1alpha1.ImageBuildLogOptions{Follow: true},
		warn: func(text string) { t.Logf("warning: %s", text) },
	}
	stream, flush, _, err := response.InputStream(t.Context(), "", "")
	require.NoError(t, err)
	if !flush {
		t.Error("the log is not flushed line by line")
	}
	return stream
}

func expectText(t *testing.T, stream io.ReadCloser, want string) {
	t.Helper()
	text, err := io.ReadAll(stream)
	if err != nil || string(text) != want {
		t.Errorf("read %q, %v; want %q", text, err, want)
	}
	if err := stream.Close(); err != nil {
		t.Error(err)
	}
}

func TestFollowingGoesOnAfterTheWatchHasEnded(t *testing.T) {
	first, second := watch.NewFakeWithChanSize(1, false), watch.NewFakeWithChanSize(1, false)
	stored := &storedBuild{build: buildIn("1", v1alpha1.BuildPending), watches: make(chan *watch.FakeWatcher, 2)}
	stream := followLog(t, stored, textLogs{"a": "one,", "b": "two"})

	stored.build = buildIn("5", v1alpha1.BuildRunning, "a")
	first.Error(&metav1.Status{Reason: metav1.StatusReasonExpired})
	stored.watches <- first
	second.Modify(buildIn("6", v1alpha1.BuildSucceeded, "a", "b"))
	stored.watches <- second

	expectText(t, stream, "one,two")
	if got := strings.Join(stored.from, " "); got != "1 5" {
		t.Errorf("watched from %s, want from the last observed version: 1 5", got)
	}
	if !first.IsStopped() || !second.IsStopped() {
		t.Error("a watch was left open")
	}
}

func TestFollowingEndsWithTheBuild(t *testing.T) {
	another := buildIn("9", v1alpha1.BuildRunning, "b")
	another.UID = "v"
	for what, event := range map[string]watch.Event{
		"deleted":                  {Type: watch.Deleted, Object: buildIn("2", v1alpha1.BuildPending)},
		"replaced":                 {Type: watch.Added, Object: another},
		"gone when asked for anew": {Type: watch.Error, Object: &metav1.Status{}},
	} {
		t.Run(what, func(t *testing.T) {
			changes := watch.NewFakeWithChanSize(1, false)
			changes.Action(event.Type, event.Object)
			stored := &storedBuild{build: buildIn("1", v1alpha1.BuildRunning, "a"), watches: make(chan *watch.FakeWatcher, 1)}
			stored.watches <- changes
			stream := followLog(t, stored, textLogs{"a": "one", "b": "another's"})
			stored.build = nil
			expectText(t, stream, "one")
		})
	}
}

func TestFollowingLeavesOutLogsThatAreGone(t *testing.T) {
	changes := watch.NewFakeWithChanSize(1, false)
	changes.Modify(buildIn("2", v1alpha1.BuildSucceeded, "a", "b"))
	stored := &storedBuild{build: buildIn("1", v1alpha1.BuildRetrying, "a"), watches: make(chan *watch.FakeWatcher, 1)}
	stored.watches <- changes
	expectText(t, followLog(t, stored, textLogs{"b": "two"}), "two")
}

func TestFollowingGoesOnAfterALogThatBrokeOff(t *testing.T) {
	changes := watch.NewFakeWithChanSize(1, false)
	changes.Modify(buildIn("2", v1alpha1.BuildSucceeded, "a", "b"))
	stored := &storedBuild{build: buildIn("1", v1alpha1.BuildRunning, "a"), watches: make(chan *watch.FakeWatcher, 1)}
	stored.watches <- changes
	expectText(t, followLog(t, stored, textLogs{"a": "one,...", "b": "two"}), "one,two")
}

func TestFollowingEndsAtOnceWhenTheReaderGoesAway(t *testing.T) {
	stored := &storedBuild{build: buildIn("1", v1alpha1.BuildPending), watches: make(chan *watch.FakeWatcher, 1)}
	stored.watches <- watch.NewFake()
	ctx, leave := context.WithCancel(t.Context())
	response := &logResponse{builds: stored, logs: textLogs{}, build: stored.build, options: &v1alpha1.ImageBuildLogOptions{Follow: true}}
	stream, _, _, err := response.InputStream(ctx, "", "")
	require.NoError(t, err)
	leave()
	if _, err := io.ReadAll(stream); !errors.Is(err, context.Canceled) {
		t.Errorf("reading ended with %v, want %v", err, context.Canceled)
	}
	if err := stream.Close(); err != nil {
		t.Error(err)
	}
}
