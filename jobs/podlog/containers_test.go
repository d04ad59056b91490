// SPDX-License-Identifier: Apache-2.0

package podlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"goldsmith.dev/goldsmith/archive"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/render"
)

var (
	waiting = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "PodInitializing"}}
	runs    = corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	ended   = exited(0)
)

func exited(code int32) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, FinishedAt: metav1.NewTime(second(3))}}
}

// second is a time of the first log.
func second(n int) time.Time { return time.Date(2026, 3, 1, 12, 0, n, 0, time.UTC) }

// node is a node with one pod, whose containers have logs. Each observation of the pod is a step.
type node struct {
	t    *testing.T
	pod  *corev1.Pod
	logs map[string]string // by container; what follows "!" is an error of the kubelet
	fail map[string]error  // by container: its log cannot be opened
	// steps change the pod, one before each observation, and end with an error of the API.
	steps []func() error
}

const fetcher, builder, publisher = render.FetcherName, render.ContainerName, render.PublisherName

// newNode is a node with a pod of three containers, in these states.
func newNode(t *testing.T, states ...corev1.ContainerState) *node {
	n := &node{t: t, pod: &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "pod", UID: "ours"}}, logs: map[string]string{}, fail: map[string]error{}}
	n.pod.Spec.InitContainers = []corev1.Container{{Name: fetcher}, {Name: builder}}
	n.pod.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: fetcher}, {Name: "injected", State: ended}, {Name: builder}}
	n.pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: publisher}}
	require.NoError(t, n.set(states...)())
	for i, name := range []string{fetcher, builder, publisher} {
		n.logs[name] = stampedFrom(name, i*3+1, 3)
	}
	return n
}

// stampedFrom are lines of a container, one each second.
func stampedFrom(name string, first, lines int) string {
	var text strings.Builder
	for i := range lines {
		_, _ = fmt.Fprintf(&text, "%s %s %d\n", second(first+i).Format("2006-01-02T15:04:05.000000000Z07:00"), name, i+1)
	}
	return text.String()
}

// set is a step after which the containers are in these states.
func (n *node) set(states ...corev1.ContainerState) func() error {
	return func() error {
		n.pod = n.pod.DeepCopy()
		init := n.pod.Status.InitContainerStatuses
		for i, status := range []*corev1.ContainerStatus{&init[0], &init[2], &n.pod.Status.ContainerStatuses[0]} {
			status.State = states[i]
		}
		return nil
	}
}

// agent is an agent on one machine, which fetches before it starts the builder.
func (n *node) agent() {
	n.pod.Spec.InitContainers = nil
	n.pod.Status.ContainerStatuses = n.pod.Status.InitContainerStatuses[2:]
	n.pod.Status.InitContainerStatuses = n.pod.Status.InitContainerStatuses[:1]
	n.fail[fetcher] = apierrors.NewBadRequest("there is no such container")
}

func (n *node) client() *fake.Clientset {
	client := fake.NewClientset()
	client.PrependReactor("get", "pods", func(action clienttesting.Action) (bool, runtime.Object, error) {
		if action.GetSubresource() == "log" {
			return n.serve(action)
		}
		if len(n.steps) > 0 {
			step := n.steps[0]
			n.steps = n.steps[1:]
			if err := step(); err != nil {
				return true, nil, err
			}
		}
		return true, n.pod.DeepCopy(), nil
	})
	return client
}

// serve gives a log as a kubelet does, which knows sinceTime to the second.
func (n *node) serve(action clienttesting.Action) (bool, runtime.Object, error) {
	options, ok := action.(clienttesting.GenericAction).GetValue().(*corev1.PodLogOptions)
	if !ok || !options.Timestamps {
		n.t.Errorf("the kubelet is asked for %v", options)
	}
	if err := n.fail[options.Container]; err != nil {
		return true, nil, err
	}
	text, failure, _ := strings.Cut(n.logs[options.Container], "!")
	lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
	if strings.HasSuffix(text, "\n") {
		lines[len(lines)-1] += "\n"
	}
	if text == "" {
		lines = nil
	}
	if tail := options.TailLines; tail != nil {
		lines = lines[max(0, len(lines)-int(*tail)):]
	}
	text = ""
	for _, line := range lines {
		if since := options.SinceTime; since == nil || !archive.Timestamp([]byte(line)).Before(since.Truncate(time.Second)) {
			text += line
		}
	}
	return true, &runtime.Unknown{Raw: []byte(text + failure)}, nil
}

// read reads the log of the pod.
func (n *node) read(ctx context.Context, options corev1.PodLogOptions) (string, error) {
	n.t.Helper()
	log, err := Open(ctx, n.client().CoreV1().Pods("default"), n.pod, options)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(iotest.OneByteReader(log))
	if err := log.Close(); err != nil {
		n.t.Error(err)
	}
	return string(text), err
}

func stripped(t *testing.T, text string) string {
	t.Helper()
	return string(require.Value(io.ReadAll(archive.StripTimestamps(strings.NewReader(text))))(t))
}

func TestTheLogOfAPodIsThatOfItsContainers(t *testing.T) {
	const without = "a line without its end"
	unfinished, unfinishedLater := strings.TrimSuffix(stampedFrom(fetcher, 1, 3), "\n")+without, strings.TrimSuffix(stampedFrom(builder, 4, 3), "\n")+without
	for name, test := range map[string]struct {
		states []corev1.ContainerState
		change func(*node)
		want   string
	}{
		"all have ended":               {[]corev1.ContainerState{ended, ended, ended}, nil, stampedFrom(fetcher, 1, 3) + stampedFrom(builder, 4, 3) + stampedFrom(publisher, 7, 3)},
		"the publisher runs":           {[]corev1.ContainerState{ended, ended, runs}, nil, stampedFrom(fetcher, 1, 3) + stampedFrom(builder, 4, 3) + stampedFrom(publisher, 7, 3)},
		"the publisher waits":          {[]corev1.ContainerState{ended, ended, waiting}, nil, stampedFrom(fetcher, 1, 3) + stampedFrom(builder, 4, 3)},
		"the fetcher runs":             {[]corev1.ContainerState{runs, waiting, waiting}, nil, stampedFrom(fetcher, 1, 3)},
		"the fetcher has failed":       {[]corev1.ContainerState{exited(1), waiting, waiting}, nil, stampedFrom(fetcher, 1, 3)},
		"the builder is silent":        {[]corev1.ContainerState{ended, ended, ended}, func(n *node) { n.logs[builder] = "" }, stampedFrom(fetcher, 1, 3) + stampedFrom(publisher, 7, 3)},
		"a line is not finished":       {[]corev1.ContainerState{ended, ended, ended}, func(n *node) { n.logs[fetcher], n.logs[builder] = unfinished, "" }, unfinished + "\n" + stampedFrom(publisher, 7, 3)},
		"the last line is not, either": {[]corev1.ContainerState{ended, exited(1), waiting}, func(n *node) { n.logs[builder] = unfinishedLater }, stampedFrom(fetcher, 1, 3) + unfinishedLater},
		"without a fetcher": {[]corev1.ContainerState{ended, ended, ended}, func(n *node) {
			n.pod.Status.InitContainerStatuses = n.pod.Status.InitContainerStatuses[1:]
		}, stampedFrom(builder, 4, 3) + stampedFrom(publisher, 7, 3)},
		"an agent fetches":     {[]corev1.ContainerState{runs, waiting, waiting}, (*node).agent, stampedFrom(builder, 4, 3)},
		"an agent has failed":  {[]corev1.ContainerState{exited(1), waiting, waiting}, (*node).agent, stampedFrom(builder, 4, 3)},
		"an agent has fetched": {[]corev1.ContainerState{ended, runs, waiting}, (*node).agent, stampedFrom(builder, 4, 3)},
		"only a builder": {[]corev1.ContainerState{ended, ended, ended}, func(n *node) {
			n.pod.Status.ContainerStatuses, n.pod.Status.InitContainerStatuses = n.pod.Status.InitContainerStatuses[2:], nil
		}, stampedFrom(builder, 4, 3)},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t, test.states...)
			if test.change != nil {
				test.change(n)
			}
			lines := strings.SplitAfter(test.want, "\n")
			if lines[len(lines)-1] == "" {
				lines = lines[:len(lines)-1]
			}
			for from := range len(lines) + 1 {
				want := strings.Join(lines[from:], "")
				tail := corev1.PodLogOptions{Timestamps: true, TailLines: new(int64(len(lines) - from))}
				if text, err := n.read(t.Context(), tail); text != want || err != nil {
					t.Errorf("the last %d lines: %q, %v, want %q", *tail.TailLines, text, err, want)
				}
				if from == len(lines) {
					break
				}
				since := corev1.PodLogOptions{SinceTime: &metav1.Time{Time: archive.Timestamp([]byte(lines[from]))}}
				if text, err := n.read(t.Context(), since); text != stripped(t, want) || err != nil {
					t.Errorf("since %s: %q, %v, want %q", since.SinceTime, text, err, stripped(t, want))
				}
				since.TailLines = new(int64(2))
				want = strings.Join(lines[max(from, len(lines)-2):], "")
				if text, err := n.read(t.Context(), since); text != stripped(t, want) || err != nil {
					t.Errorf("the last 2 lines since %s: %q, %v, want %q", since.SinceTime, text, err, stripped(t, want))
				}
			}
			if text, err := n.read(t.Context(), corev1.PodLogOptions{Timestamps: true}); text != test.want || err != nil {
				t.Errorf("%q, %v, want %q", text, err, test.want)
			}
		})
	}
}

func TestAFollowedLogGoesOnWithTheNextContainer(t *testing.T) {
	all := []string{stampedFrom(fetcher, 1, 3), stampedFrom(builder, 4, 3), stampedFrom(publisher, 7, 3)}
	gone := apierrors.NewNotFound(corev1.Resource("pods"), "pod")
	away := apierrors.NewServiceUnavailable("away")
	for name, test := range map[string]struct {
		steps func(*node) []func() error
		want  string
		end   error
	}{
		"to the last": {func(n *node) []func() error {
			return []func() error{
				n.set(runs, waiting, waiting), n.set(ended, waiting, waiting), n.set(ended, waiting, waiting), n.set(ended, waiting, waiting), n.set(ended, runs, waiting),
				n.set(ended, runs, waiting), n.set(ended, ended, waiting), n.set(ended, ended, waiting), n.set(ended, ended, runs),
			}
		}, strings.Join(all, ""), nil},
		"which have ended already": {func(n *node) []func() error { return []func() error{n.set(ended, ended, ended)} }, strings.Join(all, ""), nil},
		"unless the fetcher fails": {func(n *node) []func() error {
			return []func() error{n.set(exited(1), waiting, waiting), n.set(exited(1), waiting, waiting), func() error {
				n.pod.Status.Phase = corev1.PodFailed
				return nil
			}}
		}, all[0], nil},
		"unless the builder fails": {func(n *node) []func() error {
			return []func() error{n.set(ended, runs, waiting), n.set(ended, exited(1), waiting)}
		}, all[0] + all[1], nil},
		"unless the pod is deleted": {func(n *node) []func() error {
			return []func() error{n.set(ended, waiting, waiting), func() error { return gone }}
		}, all[0], nil},
		"unless the pod was deleted": {func(*node) []func() error { return []func() error{func() error { return gone }} }, all[0], nil},
		"unless another has its name": {func(n *node) []func() error {
			return []func() error{func() error {
				err := n.set(ended, ended, ended)()
				n.pod.UID = "another"
				return err
			}}
		}, all[0], nil},
		"unless its status is lost": {func(n *node) []func() error {
			return []func() error{n.set(ended, runs, waiting), n.set(ended, runs, waiting), func() error {
				n.pod.Status.InitContainerStatuses = n.pod.Status.InitContainerStatuses[:1]
				return nil
			}}
		}, all[0] + all[1], nil},
		"unless the pod is going": {func(n *node) []func() error {
			return []func() error{n.set(ended, waiting, waiting), func() error { n.pod.DeletionTimestamp = &metav1.Time{}; return nil }}
		}, all[0], nil},
		"unless the end is not told": {func(*node) []func() error { return nil }, all[0], nil},
		"unless the API is away":     {func(*node) []func() error { return []func() error{func() error { return away }} }, all[0], away},
		"unless the API is away later": {func(n *node) []func() error {
			return []func() error{n.set(ended, waiting, waiting), func() error { return away }}
		}, all[0], away},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNode(t, runs, waiting, waiting)
				n.steps = test.steps(n)
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				text, err := n.read(ctx, corev1.PodLogOptions{Timestamps: true, Follow: true})
				if text != test.want || !errors.Is(err, test.end) {
					t.Errorf("%q, %v, want %q, %v", text, err, test.want, test.end)
				}
				if len(n.steps) > 0 {
					t.Errorf("%d steps are left", len(n.steps))
				}
			})
		})
	}
}

func TestAFollowerWaitsUntilItIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, ended, waiting, waiting)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		text, err := n.read(ctx, corev1.PodLogOptions{Timestamps: true, Follow: true})
		if text != n.logs[fetcher] || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%q, %v", text, err)
		}
	})
}

func TestATailCountsFromTheContainerThatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, ended, runs, waiting)
		n.steps = []func() error{n.set(ended, ended, ended)}
		text, err := n.read(t.Context(), corev1.PodLogOptions{Timestamps: true, Follow: true, TailLines: new(int64(4))})
		if want := stampedFrom(fetcher, 1, 3)[len(stampedFrom(fetcher, 1, 2)):] + n.logs[builder] + n.logs[publisher]; text != want || err != nil {
			t.Errorf("%q, %v, want %q", text, err, want)
		}
	})
}

func TestALogThatIsLostDoesNotHideTheNext(t *testing.T) {
	later := stampedFrom(builder, 4, 3)
	gap := "2026-03-01T12:00:03Z [goldsmith: a part of the log is missing here: the node deleted it before it was read]\n"
	refused := apierrors.NewBadRequest("container is terminated")
	for name, test := range map[string]struct {
		states []corev1.ContainerState
		change func(*node)
		since  time.Time
		want   string
		end    error
	}{
		"all of it":       {[]corev1.ContainerState{ended, exited(1), waiting}, func(n *node) { n.logs[fetcher] = "!" + notFound }, time.Time{}, gap + later, nil},
		"its end":         {[]corev1.ContainerState{ended, exited(1), waiting}, func(n *node) { n.logs[fetcher] = stampedFrom(fetcher, 1, 2) + "!" + notFound }, time.Time{}, stampedFrom(fetcher, 1, 2) + gap + later, nil},
		"unopened":        {[]corev1.ContainerState{ended, exited(1), waiting}, func(n *node) { n.fail[fetcher] = refused }, time.Time{}, gap + later, nil},
		"since then":      {[]corev1.ContainerState{ended, exited(1), waiting}, func(n *node) { n.fail[fetcher] = refused }, second(4), later, nil},
		"it may go on":    {[]corev1.ContainerState{runs, waiting, waiting}, func(n *node) { n.logs[fetcher] += "!" + notFound }, time.Time{}, stampedFrom(fetcher, 1, 3), ErrKubelet},
		"the last":        {[]corev1.ContainerState{exited(1), waiting, waiting}, func(n *node) { n.logs[fetcher] = "!" + notFound }, time.Time{}, "", ErrKubelet},
		"the last unread": {[]corev1.ContainerState{exited(1), waiting, waiting}, func(n *node) { n.fail[fetcher] = refused }, time.Time{}, "", refused},
		"both":            {[]corev1.ContainerState{ended, exited(1), waiting}, func(n *node) { n.fail[fetcher], n.logs[builder] = refused, "!"+notFound }, time.Time{}, gap, ErrKubelet},
		"another error":   {[]corev1.ContainerState{ended, exited(1), waiting}, func(n *node) { n.fail[fetcher] = io.ErrUnexpectedEOF }, time.Time{}, "", io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t, test.states...)
			test.change(n)
			options := corev1.PodLogOptions{Timestamps: true}
			if !test.since.IsZero() {
				options.SinceTime = &metav1.Time{Time: test.since}
			}
			text, err := n.read(t.Context(), options)
			if text != test.want || (err == nil) != (test.end == nil) || err != nil && !errors.Is(err, test.end) && err.Error() != test.end.Error() {
				t.Errorf("%q, %v, want %q, %v", text, err, test.want, test.end)
			}
			options.Timestamps = false
			if text, _ := n.read(t.Context(), options); text != stripped(t, test.want) {
				t.Errorf("without timestamps %q, want %q", text, stripped(t, test.want))
			}
		})
	}
}

func TestAPodHasALogOnceAContainerHasStarted(t *testing.T) {
	for want, states := range map[bool][]corev1.ContainerState{false: {waiting, waiting, waiting}, true: {runs, waiting, waiting}} {
		if got := Started(newNode(t, states...).pod); got != want {
			t.Errorf("%v: %t", states, got)
		}
	}
	n := newNode(t, waiting, waiting, waiting)
	n.fail[builder] = apierrors.NewBadRequest("the builder is waiting to start")
	if _, err := n.read(t.Context(), corev1.PodLogOptions{}); !apierrors.IsBadRequest(err) {
		t.Error(err)
	}
}
