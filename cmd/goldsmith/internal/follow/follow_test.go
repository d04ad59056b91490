// SPDX-License-Identifier: Apache-2.0

package follow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	testclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
	"goldsmith.dev/goldsmith/e2e/require"
)

// patience is how long a test waits for an expected event.
const patience = 20 * time.Second

var start = metav1.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestTheLogAndTheOutcomeAreShown(t *testing.T) {
	const next = "  next: correct the image or the builder; the log shows the cause: goldsmith logs debian-1. If the message names a memory limit, raise spec.template.resources.limits.memory\n"
	for name, test := range map[string]struct {
		build       *v1alpha1.ImageBuild
		log         map[string]string // by attempt
		options     Options
		since       string // as the command sends it
		out, stderr string
	}{
		"a success": {
			build: finished(v1alpha1.BuildSucceeded, ended(1, v1alpha1.AttemptSucceeded)), log: map[string]string{"1": "one\n"}, out: "one\n",
			stderr: "• build debian-1, attempt 1\n✓ build debian-1 succeeded in 90s: linux/amd64/raw sha256:0123456789ab (12 MiB)\n",
		},
		"a failure of the last of two attempts": {
			build: finished(v1alpha1.BuildFailed, ended(1, v1alpha1.AttemptFailed), ended(2, v1alpha1.AttemptFailed)), log: map[string]string{"2": "two"}, out: "two",
			stderr: "• build debian-1, attempt 2, 3s after User/BuilderFailed: no space\n" +
				"✗ build debian-1 failed after 90s and 2 attempts: User/BuilderFailed: no disk\n" + next,
		},
		"a failure of the builder debian": {
			build: failedBy("debian", "UnknownPackage: parameter packages: the mirror has no package nginxx"), log: map[string]string{"1": "one\n"}, out: "one\n",
			stderr: "• build debian-1, attempt 1\n✗ build debian-1 failed after 90s: User/BuilderFailed: UnknownPackage: parameter packages: the mirror has no package nginxx\n" +
				"  next: correct the name in packages, or set a mirror or components with the package\n",
		},
		"a failure of a builder of the server": {
			build: failedBy("disk", "NoSpace: /srv"), log: map[string]string{"1": "one\n"}, out: "one\n",
			stderr: "• build debian-1, attempt 1\n✗ build debian-1 failed after 90s: User/BuilderFailed: NoSpace: /srv\n  next: free space\n",
		},
		"a build that was cancelled while it waited": {
			build: finished(v1alpha1.BuildCancelled), stderr: "✗ build debian-1 was cancelled after 90s, as alice requested: too late\n",
		},
		"an attempt that is asked for": {
			build: finished(v1alpha1.BuildFailed, ended(1, v1alpha1.AttemptFailed), ended(2, v1alpha1.AttemptFailed)), log: map[string]string{"1": "one\n"}, out: "one\n",
			options: Options{Log: v1alpha1.ImageBuildLogOptions{Attempt: new(int32(1)), SinceTime: &metav1.Time{Time: start.Add(1)}}}, since: "2026-01-02T03:04:05.000000001Z",
			stderr: "• build debian-1, attempt 1\n✗ attempt 1 failed after 60s: User/BuilderFailed: no space\n",
		},
		"the lines of a test": {
			build: finished(v1alpha1.BuildSucceeded, ended(1, v1alpha1.AttemptSucceeded)), log: map[string]string{"1": "boots: one\nweb| two\nweb: three"}, out: "two\nthree",
			options: Options{Log: v1alpha1.ImageBuildLogOptions{Attempt: new(int32(1))}, Lines: &TestLines{Test: "web"}}, stderr: "• build debian-1, attempt 1\n",
		},
		"a test that failed": {
			build: testsFailed(), log: map[string]string{"1": "made\n", "2": "web: port 80\n"}, out: "made\nweb: port 80\n",
			stderr: "• build debian-1, attempt 1 of 3\n• build debian-1, tests boots, web\n✓ test boots is flaky: run 2 passed after 30s\n" +
				"✗ test slow was not run to its end, and the build does not need it: no KVM\n✗ test web failed: port 80\n" +
				"✗ build debian-1 failed after 90s: Test/TestsFailed: test web failed\n" +
				"  next: read the message, and the log of the test: goldsmith logs debian-1 --test web; correct the image or the test\n",
		},
		"a log that is gone": {
			build:  finished(v1alpha1.BuildFailed, ended(1, v1alpha1.AttemptFailed)),
			stderr: "• build debian-1, attempt 1\n• no log: the log is gone\n✗ build debian-1 failed after 90s: User/BuilderFailed: no disk\n" + next,
		},
		"no log": {
			build: finished(v1alpha1.BuildSucceeded, ended(1, v1alpha1.AttemptDisrupted), ended(2, v1alpha1.AttemptSucceeded)), options: Options{WithoutLog: true},
			stderr: "• build debian-1, attempt 2\n✓ build debian-1 succeeded in 90s and 2 attempts: linux/amd64/raw sha256:0123456789ab (12 MiB)\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := newServer(t, test.build)
			server.since = test.since
			server.log = func(attempt string, out io.Writer) int {
				text, ok := test.log[attempt]
				if !ok {
					return http.StatusGone
				}
				_, _ = io.WriteString(out, text)
				return http.StatusOK
			}
			var out, stderr bytes.Buffer
			test.options.Out, test.options.Stderr, test.options.Program = &out, &stderr, "goldsmith"
			build, err := Build(limited(t), server.connection(), "debian-1", test.options)
			if err != nil || build.Status.Phase != test.build.Status.Phase {
				t.Errorf("got build %v, error %v", build, err)
			}
			if out.String() != test.out || stderr.String() != test.stderr {
				t.Errorf("got\n%s\n%s\nwant\n%s\n%s", &out, &stderr, test.out, test.stderr)
			}
		})
	}
}

func TestALogThatIsNeededAndGoneIsAnError(t *testing.T) {
	server := newServer(t, finished(v1alpha1.BuildFailed, ended(1, v1alpha1.AttemptFailed)))
	server.log = func(string, io.Writer) int { return http.StatusGone }
	_, err := Build(limited(t), server.connection(), "debian-1", Options{Out: io.Discard, NeedsLog: true})
	if !apierrors.IsGone(err) || err.Error() != "read the log of build debian-1: the log is gone" {
		t.Errorf("got error %v", err)
	}
}

func TestAnAttemptThatDoesNotExistIsAnError(t *testing.T) {
	server := newServer(t, finished(v1alpha1.BuildFailed, ended(1, v1alpha1.AttemptFailed)))
	server.log = func(string, io.Writer) int { return http.StatusNotFound }
	_, err := Build(limited(t), server.connection(), "debian-1", Options{Out: io.Discard, Log: v1alpha1.ImageBuildLogOptions{Attempt: new(int32(7))}})
	if err == nil || !strings.HasPrefix(err.Error(), "read the log of build debian-1: ") {
		t.Errorf("got error %v", err)
	}
}

// TestEveryPhaseHasALine follows a build from the queue to its end, through an attempt that fails and a log that breaks off.
func TestEveryPhaseHasALine(t *testing.T) {
	queued := build(v1alpha1.BuildQueued)
	queued.Status.Conditions = []metav1.Condition{{Type: v1alpha1.BuildAdmitted, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonWaitingForSlot, Message: "one build is ahead"}}
	running := build(v1alpha1.BuildRunning, v1alpha1.BuildAttempt{Number: 1, StartTime: start})
	running.Spec.Retry = &v1alpha1.RetryPolicy{Limit: new(int32(2))}
	retrying := build(v1alpha1.BuildRetrying, ended(1, v1alpha1.AttemptFailed))
	again := build(v1alpha1.BuildRunning, ended(1, v1alpha1.AttemptFailed), v1alpha1.BuildAttempt{Number: 2, StartTime: started(2)})
	retrying.Spec, again.Spec = running.Spec, running.Spec
	cancelling := build(v1alpha1.BuildCancelling, again.Status.Attempts...)
	cancelling.Spec.CancelRequested = &v1alpha1.CancelRequested{By: "alice"}
	cancelled := finished(v1alpha1.BuildCancelled, ended(1, v1alpha1.AttemptFailed), ended(2, v1alpha1.AttemptCancelled))
	server := newServer(t, queued)
	asked := 0
	server.log = func(attempt string, out io.Writer) int {
		asked++
		switch {
		case attempt == "2":
			_, _ = io.WriteString(out, "two\n")
			server.changes <- cancelling
			server.changes <- cancelled
		case asked == 1:
			_, _ = io.WriteString(out, "one\ntw")
			panic(http.ErrAbortHandler)
		default:
			_, _ = io.WriteString(out, "one\ntwo\nthree\n")
			server.changes <- retrying
			server.changes <- again
		}
		return http.StatusOK
	}
	out, stderr := &bytes.Buffer{}, &telling{actions: map[string]func(){
		"• queued: WaitingForSlot: one build is ahead\n": func() { server.changes <- running },
	}}
	_, err := Build(limited(t), server.connection(), "debian-1", Options{Out: out, Stderr: stderr, Clock: impatient{testclock.NewFakeClock(start.Time)}})
	if err != nil {
		t.Error(err)
	}
	if want := "one\ntwo\nthree\ntwo\n"; out.String() != want {
		t.Errorf("the log is %q, want %q", out, want)
	}
	lines := strings.Split(stderr.String(), "\n")
	for i, want := range []string{
		"• queued: WaitingForSlot: one build is ahead", "• build debian-1, attempt 1 of 3", "• the connection to the server was lost: waiting for the server (",
		"✗ attempt 1 failed after 60s: User/BuilderFailed: no space",
	} {
		if i >= len(lines) || !strings.HasPrefix(lines[i], want) {
			t.Fatalf("line %d is not %q:\n%s", i, want, stderr)
		}
	}
	if want := "• build debian-1, attempt 2 of 3, 3s after BuilderFailed\n"; !strings.Contains(stderr.String(), want) {
		t.Errorf("no %q in\n%s", want, stderr)
	}
	if want := "✗ build debian-1 was cancelled after 90s and 2 attempts, as alice requested: too late\n"; !strings.HasSuffix(stderr.String(), want) {
		t.Errorf("the last line is not %q:\n%s", want, stderr)
	}
}

func TestWhoStopsFollowingLearnsThatTheBuildContinues(t *testing.T) {
	server := newServer(t, build(v1alpha1.BuildRunning, v1alpha1.BuildAttempt{Number: 1, StartTime: start}))
	ctx, stop := context.WithCancel(limited(t))
	server.log = func(_ string, out io.Writer) int {
		_, _ = io.WriteString(out, "one\n")
		stop()
		return http.StatusOK
	}
	var stderr bytes.Buffer
	_, err := Build(ctx, server.connection(), "debian-1", Options{Out: io.Discard, Stderr: &stderr, Program: "goldsmith", Connection: " --namespace=team"})
	const want = "\nbuild debian-1 continues. To cancel it:\n  goldsmith cancel debian-1 --namespace=team\nTo follow it again:\n  goldsmith logs debian-1 -f --namespace=team\n"
	if !errors.Is(err, context.Canceled) || !strings.HasSuffix(stderr.String(), want) {
		t.Errorf("got error %v and\n%s", err, &stderr)
	}
}

func TestTheLastLineFitsTheTerminal(t *testing.T) {
	running := build(v1alpha1.BuildRunning, v1alpha1.BuildAttempt{Number: 1, StartTime: start})
	running.Status.StartTime, running.Status.RequeuedDuration = &start, &metav1.Duration{Duration: time.Hour}
	running.Status.Progress = &v1alpha1.BuildProgress{Stage: "packages", Percent: new(int32(50)), Message: "unpacking\x1b[2J linux"}
	now := start.Add(time.Hour + 75*time.Second)
	for width, want := range map[int]string{
		100: "• Running  75s  ██████████░░░░░░░░░░ 50%  packages  unpacking^[[2J linux",
		40:  "• Running  75s  ██████████░░░░░░░░░░ 5…",
		3:   "•…",
	} {
		if got := statusLine(running, now, width); got != want {
			t.Errorf("width %d: got %q, want %q", width, got, want)
		}
	}
}

func TestTheLastLineIsRewrittenBeforeAnythingElseIsWritten(t *testing.T) {
	var screen bytes.Buffer
	f := &follower{Options: Options{Out: &screen, Stderr: &screen, Style: output.Style{Rewrites: true}, Clock: testclock.NewFakeClock(start.Time)}, source: &source{name: "debian-1"}, terminal: true}
	f.build = build(v1alpha1.BuildRunning)
	for _, step := range []func() error{
		f.draw, f.draw,
		func() error { return f.writeLog([]byte("half a line")) }, f.draw,
		func() error { return f.writeLines([]string{"a line"}) },
	} {
		require.NoError(t, step())
	}
	const line, blank = "• Running  0s", "\r             \r"
	if want := line + blank + line + blank + "half a line" + "\na line\n"; screen.String() != want {
		t.Errorf("got %q, want %q", &screen, want)
	}
}

// TestAWaitIsToldOnceItLasts follows an attempt whose container image is pulled slowly, and which Kueue suspends later.
func TestAWaitIsToldOnceItLasts(t *testing.T) {
	var stderr bytes.Buffer
	f := &follower{Options: Options{Out: io.Discard, Stderr: &stderr}, reading: true}
	becomes := func(phase v1alpha1.BuildPhase, condition, reason, message string) func() error {
		return func() error {
			f.build = build(phase, v1alpha1.BuildAttempt{Number: 1, StartTime: start})
			if condition != "" {
				f.build.Status.Conditions = []metav1.Condition{{Type: condition, Status: metav1.ConditionFalse, Reason: reason, Message: message}}
			}
			return f.showWaitReason()
		}
	}
	tick := f.showLastingReason
	for _, step := range []func() error{
		tick, tick,
		becomes(v1alpha1.BuildStarting, v1alpha1.BuildPodReady, v1alpha1.ReasonWaitingForPod, ""), tick,
		becomes(v1alpha1.BuildStarting, v1alpha1.BuildPodReady, v1alpha1.ReasonImagePulling, "not found"), tick, tick, tick,
		becomes(v1alpha1.BuildRunning, "", "", ""), tick, tick,
		becomes(v1alpha1.BuildRunning, v1alpha1.BuildAdmitted, v1alpha1.ReasonWaitingForKueue, ""), tick, tick,
		becomes(v1alpha1.BuildRetrying, v1alpha1.BuildPodReady, v1alpha1.ReasonBackingOff, "of two"), tick, tick,
	} {
		require.NoError(t, step())
	}
	retrying := build(v1alpha1.BuildRetrying, ended(1, v1alpha1.AttemptDisrupted))
	retrying.Spec.Retry = &v1alpha1.RetryPolicy{Limit: new(int32(2))}
	if lines := phaseLines(output.Style{}, retrying); !slices.Equal(lines, []string{"• waiting for attempt 2 of 4"}) {
		t.Errorf("a disrupted attempt counts against the limit: %q", lines)
	}
	if want := "• starting: ImagePulling: not found\n• running: WaitingForKueue\n"; stderr.String() != want {
		t.Errorf("got %q, want %q", &stderr, want)
	}
}

// impatient is a clock whose waits end at once.
type impatient struct{ *testclock.FakeClock }

func (i impatient) After(time.Duration) <-chan time.Time {
	over := make(chan time.Time, 1)
	over <- i.Now()
	return over
}

// telling is a writer that calls a function once when the text of that function is written.
type telling struct {
	bytes.Buffer
	actions map[string]func()
}

func (t *telling) Write(text []byte) (int, error) {
	for part, act := range t.actions {
		if strings.HasSuffix(string(text), part) {
			delete(t.actions, part)
			go act()
		}
	}
	return t.Buffer.Write(text)
}

// server serves one build and its logs.
type server struct {
	t       *testing.T
	build   *v1alpha1.ImageBuild // initial state of the build
	changes chan *v1alpha1.ImageBuild
	since   string // the sinceTime of each request for a log
	// log writes the log of an attempt and returns the status code.
	log func(attempt string, out io.Writer) int
	*httptest.Server
}

func newServer(t *testing.T, build *v1alpha1.ImageBuild) *server {
	s := &server{t: t, build: build, changes: make(chan *v1alpha1.ImageBuild)}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *server) connection() *client.Connection {
	clients, err := versioned.NewForConfig(&rest.Config{Host: s.URL, QPS: -1})
	require.NoError(s.t, err)
	return &client.Connection{Interface: clients, Namespace: "team"}
}

func (s *server) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	const builds = "/apis/images.goldsmith.dev/v1alpha1/namespaces/team/imagebuilds"
	query := request.URL.Query()
	switch {
	case request.URL.Path == builds+"/debian-1/log" && query.Get("follow") == "true" && query.Get("sinceTime") == s.since:
		body := &flushing{writer: writer}
		if code := s.log(query.Get("attempt"), body); code != http.StatusOK {
			reason := map[int]metav1.StatusReason{http.StatusGone: metav1.StatusReasonGone, http.StatusNotFound: metav1.StatusReasonNotFound}[code]
			s.answer(writer, code, metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure, Code: int32(code), Reason: reason, Message: "the log is gone"})
		}
	case request.URL.Path == builds && query.Get("watch") == "":
		list := v1alpha1.ImageBuildList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}, Items: []v1alpha1.ImageBuild{*s.build}}
		list.APIVersion, list.Kind = v1alpha1.SchemeGroupVersion.String(), "ImageBuildList"
		s.answer(writer, http.StatusOK, list)
	case request.URL.Path == builds && query.Get("sendInitialEvents") == "":
		s.watch(writer, request)
	case request.URL.Path == "/apis/images.goldsmith.dev/v1alpha1/builders/disk":
		s.answer(writer, http.StatusOK, v1alpha1.Builder{Reasons: []v1alpha1.BuilderReason{{Reason: "NoSpace", Remedy: "free space"}}})
	default: // the server has no watch-list: the client lists instead
		http.Error(writer, request.URL.String(), http.StatusNotFound)
	}
}

func (s *server) watch(writer http.ResponseWriter, request *http.Request) {
	writer.Header().Set("Content-Type", "application/json")
	body := &flushing{writer: writer}
	_, _ = body.Write(nil)
	for version := 2; ; version++ {
		select {
		case <-request.Context().Done():
			return
		case build := <-s.changes:
			build.ResourceVersion = fmt.Sprint(version)
			build.APIVersion, build.Kind = v1alpha1.SchemeGroupVersion.String(), "ImageBuild"
			text, err := json.Marshal(build)
			if err != nil {
				s.t.Error(err)
			}
			_, _ = fmt.Fprintf(body, `{"type":"MODIFIED","object":%s}`+"\n", text)
		}
	}
}

func (s *server) answer(writer http.ResponseWriter, code int, object any) {
	writer.Header().Set("Content-Type", "application/json")
	writer.WriteHeader(code)
	if err := json.NewEncoder(writer).Encode(object); err != nil {
		s.t.Error(err)
	}
}

// flushing flushes each write immediately.
type flushing struct{ writer http.ResponseWriter }

func (f *flushing) Write(text []byte) (int, error) {
	n, err := f.writer.Write(text)
	f.writer.(http.Flusher).Flush()
	return n, err
}

func build(phase v1alpha1.BuildPhase, attempts ...v1alpha1.BuildAttempt) *v1alpha1.ImageBuild {
	return &v1alpha1.ImageBuild{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "debian-1", ResourceVersion: "1", CreationTimestamp: start},
		Status:     v1alpha1.ImageBuildStatus{Phase: phase, Finished: phase.Finished(), CurrentAttempt: int32(len(attempts)), Attempts: attempts},
	}
}

func finished(phase v1alpha1.BuildPhase, attempts ...v1alpha1.BuildAttempt) *v1alpha1.ImageBuild {
	build := build(phase, attempts...)
	build.Status.StartTime, build.Status.CompletionTime = &start, new(metav1.NewTime(start.Add(90*time.Second)))
	switch phase {
	case v1alpha1.BuildSucceeded:
		build.Status.Artifacts = []v1alpha1.Artifact{{Target: "linux/amd64/raw", Digest: "sha256:0123456789abcdef", SizeBytes: 12 << 20}}
	case v1alpha1.BuildCancelled:
		build.Spec.CancelRequested = &v1alpha1.CancelRequested{By: "alice", Reason: "too late"}
	default:
		build.Status.Failure = &v1alpha1.BuildFailure{Class: v1alpha1.FailureUser, Reason: v1alpha1.ReasonBuilderFailed, Message: "no disk"}
	}
	return build
}

// testsFailed returns a build whose second attempt ran tests.
func testsFailed() *v1alpha1.ImageBuild {
	build := finished(v1alpha1.BuildSucceeded, ended(1, v1alpha1.AttemptSucceeded), ended(2, v1alpha1.AttemptSucceeded))
	build.Spec.Retry = &v1alpha1.RetryPolicy{Limit: new(int32(2))}
	status := &build.Status
	status.Phase, status.Attempts[1].Tests = v1alpha1.BuildFailed, []string{"boots", "web"}
	status.Failure = &v1alpha1.BuildFailure{Class: v1alpha1.FailureTest, Reason: v1alpha1.ReasonTestsFailed, Message: "test web failed"}
	status.Tests = []v1alpha1.TestStatus{
		{Name: "boots", Gates: true, Outcome: v1alpha1.TestFlaky, Runs: 2, Duration: &metav1.Duration{Duration: 30 * time.Second}},
		{Name: "slow", Outcome: v1alpha1.TestError, Message: "no KVM"}, {Name: "web", Gates: true, Outcome: v1alpha1.TestFailed, Message: "port 80"}, {Name: "later"},
	}
	return build
}

// failedBy returns a build of a builder that failed with a message.
func failedBy(builder, message string) *v1alpha1.ImageBuild {
	build := finished(v1alpha1.BuildFailed, ended(1, v1alpha1.AttemptFailed))
	build.Spec.Inputs.Builder.Name, build.Status.Failure.Message = builder, message
	return build
}

// started returns the start time of an attempt: three seconds after the end of the previous attempt, which took a
// minute.
func started(number int32) metav1.Time {
	return metav1.NewTime(start.Add(time.Duration(number-1) * 63 * time.Second))
}

func ended(number int32, outcome v1alpha1.AttemptOutcome) v1alpha1.BuildAttempt {
	from := started(number)
	attempt := v1alpha1.BuildAttempt{Number: number, StartTime: from, CompletionTime: new(metav1.NewTime(from.Add(time.Minute))), Outcome: outcome}
	if outcome == v1alpha1.AttemptFailed {
		attempt.Failure = &v1alpha1.BuildFailure{Class: v1alpha1.FailureUser, Reason: v1alpha1.ReasonBuilderFailed, Message: "no space"}
	}
	return attempt
}

func limited(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}
