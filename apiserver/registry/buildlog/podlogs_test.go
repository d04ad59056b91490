// SPDX-License-Identifier: Apache-2.0

package buildlog

import (
	"errors"
	"io"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/render"
)

func TestPodLogs(t *testing.T) {
	pod := func(state corev1.ContainerState) *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "pod", UID: "ours"},
			Status:     corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: render.ContainerName, State: state}}},
		}
	}
	running := pod(corev1.ContainerState{Running: &corev1.ContainerStateRunning{}})
	stranger := running.DeepCopy()
	stranger.UID = "another"
	fetches := pod(corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{}})
	fetches.Spec.InitContainers = []corev1.Container{{Name: render.FetcherName}}
	fetches.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: render.FetcherName, State: running.Status.ContainerStatuses[0].State}}
	evicted := running.DeepCopy()
	evicted.Status.ContainerStatuses = nil

	for what, test := range map[string]struct {
		pods []*corev1.Pod
		want error
		log  error
	}{
		"a running pod":             {[]*corev1.Pod{running}, nil, nil},
		"a pod that has ended":      {[]*corev1.Pod{pod(corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}})}, nil, nil},
		"a pod that fetches":        {[]*corev1.Pod{fetches}, nil, nil},
		"a waiting pod":             {[]*corev1.Pod{pod(corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{}})}, ErrNotStarted, nil},
		"a pod without containers":  {[]*corev1.Pod{evicted}, ErrNotStarted, nil},
		"a stranger's pod":          {[]*corev1.Pod{stranger}, ErrGone, nil},
		"no pod":                    {nil, ErrGone, nil},
		"a pod of another name too": {[]*corev1.Pod{running, {ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "x"}}}, nil, nil},
		"a log that was replaced":   {[]*corev1.Pod{running}, ErrGone, apierrors.NewGone("the builder in pod pod replaced its log")}, //nolint:staticcheck // as the server answers
	} {
		t.Run(what, func(t *testing.T) {
			client := fake.NewClientset()
			client.PrependReactor("get", "pods/log", func(clienttesting.Action) (bool, runtime.Object, error) {
				return true, &runtime.Unknown{Raw: []byte(stamped(1))}, test.log
			})
			for _, pod := range test.pods {
				require.NoError(t, client.Tracker().Add(pod))
			}
			build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "once"}}
			attempt := &v1alpha1.BuildAttempt{Number: 1, PodName: "pod", PodUID: "ours"}
			log, err := podLogs{client: client}.Open(t.Context(), build, attempt, corev1.PodLogOptions{})
			if !errors.Is(err, test.want) {
				t.Fatalf("got %v, want %v", err, test.want)
			}
			if answer := logError(err, build, attempt); test.log != nil && (!apierrors.IsGone(answer) || !strings.Contains(answer.Error(), test.log.Error())) {
				t.Errorf("got %v, want 410 with %q", answer, test.log)
			}
			if test.want != nil {
				return
			}
			text, err := io.ReadAll(log)
			if err != nil || string(text) != plain(stamped(1)) {
				t.Errorf("read %q, %v", text, err)
			}
			if err := log.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAPodEndsWithItsPublisher(t *testing.T) {
	running, ended := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}, corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}}
	for what, test := range map[string]struct {
		publisher corev1.ContainerState
		change    func(*corev1.Pod)
		want      bool
		err       error
	}{
		"it publishes":               {publisher: running},
		"it has published":           {publisher: ended, want: true},
		"it waits, and is going":     {change: func(pod *corev1.Pod) { pod.DeletionTimestamp = &metav1.Time{} }, err: ErrGone},
		"it has ended, and is going": {publisher: ended, change: func(pod *corev1.Pod) { pod.DeletionTimestamp = &metav1.Time{} }, want: true},
		"it has failed":              {change: func(pod *corev1.Pod) { pod.Status.Phase = corev1.PodFailed }, want: true},
		"another has its name":       {publisher: ended, change: func(pod *corev1.Pod) { pod.UID = "another" }, err: ErrGone},
	} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "pod", UID: "ours"}, Status: corev1.PodStatus{
			InitContainerStatuses: []corev1.ContainerStatus{{Name: render.ContainerName, State: ended}},
			ContainerStatuses:     []corev1.ContainerStatus{{Name: render.PublisherName, State: test.publisher}},
		}}
		if test.change != nil {
			test.change(pod)
		}
		build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "once"}}
		got, err := podLogs{client: fake.NewClientset(pod)}.ended(t.Context(), build, &v1alpha1.BuildAttempt{Number: 1, PodName: "pod", PodUID: "ours"})
		if got != test.want || !errors.Is(err, test.err) {
			t.Errorf("%s: %t, %v, want %t, %v", what, got, err, test.want, test.err)
		}
	}
}
