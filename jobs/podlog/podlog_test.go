// SPDX-License-Identifier: Apache-2.0

package podlog

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

// kubelet is a client whose pods have that log. It fails a test that does not ask for timestamps, or has the kubelet count them.
func kubelet(t *testing.T, log string) *fake.Clientset {
	t.Helper()
	client := fake.NewClientset()
	client.PrependReactor("get", "pods", func(action clienttesting.Action) (bool, runtime.Object, error) {
		if asked, ok := action.(clienttesting.GenericAction).GetValue().(*corev1.PodLogOptions); !ok || !asked.Timestamps {
			t.Errorf("the kubelet is asked for %v", asked)
		}
		return true, &runtime.Unknown{Raw: []byte(log)}, nil
	})
	return client
}

// read reads a log byte by byte, and all at once.
func read(t *testing.T, log string, options corev1.PodLogOptions) (text string, end error) {
	t.Helper()
	for i, size := range []func(io.Reader) io.Reader{iotest.OneByteReader, func(r io.Reader) io.Reader { return r }} {
		opened, err := OpenBuilder(t.Context(), kubelet(t, log).CoreV1().Pods("default"), "pod", options)
		require.NoError(t, err)
		got, err := io.ReadAll(size(opened))
		if i > 0 && (string(got) != text || !errors.Is(err, end)) {
			t.Errorf("%q: byte by byte %q, %v; all at once %q, %v", log, text, end, got, err)
		}
		text, end = string(got), err
		if err := opened.Close(); err != nil {
			t.Error(err)
		}
	}
	return text, end
}

const notFound = `rpc error: code = NotFound desc = an error occurred when try to find container "abc": not found`

func TestTheErrorsOfTheKubeletAreNoLines(t *testing.T) {
	lines := []string{
		"2026-03-01T12:00:00.000000001Z one\n",
		"2026-03-01T12:00:00.000000002Z \n", // empty
		"2026-03-01T12:00:00.000000003+02:00 2026-03-01T12:00:00Z " + strings.Repeat("long", 10<<10) + "\n",
		"2026-03-01T12:00:00.000000004Z rpc error: code = NotFound\n", // the builder's
	}
	for at := range len(lines) + 1 {
		stamped, plain := strings.Join(lines[:at], ""), ""
		for _, line := range lines[:at] {
			_, text, _ := strings.Cut(line, " ")
			plain += text
		}
		for timestamps, want := range map[bool]string{true: stamped, false: plain} {
			options := corev1.PodLogOptions{Timestamps: timestamps}
			for _, text := range []string{"", notFound, "\n" + notFound, notFound + "\n", "\n" + notFound + "\n", notFound + "\nand more", "2026-03", "\n"} {
				got, end := read(t, stamped+text, options)
				if got != want {
					t.Errorf("after %d lines, %q, timestamps %t: got %q, want %q", at, text, timestamps, got, want)
				}
				if whole := text == ""; whole && end != nil || !whole && !errors.Is(end, ErrKubelet) {
					t.Errorf("after %d lines, %q: the end is %v", at, text, end)
				}
			}
		}
	}
}

func TestTheRestOfALongLineSinceATimeIsLeftOut(t *testing.T) {
	got, end := read(t, "rest of a long line\n2026-03-01T12:00:00.000000001Z one\n", corev1.PodLogOptions{})
	if got != "one\n" || end != nil {
		t.Errorf("got %q, %v", got, end)
	}
}

// A client sends the time only to the second.
func TestSinceTimeIsToTheNanosecond(t *testing.T) {
	const log = "2026-03-01T12:00:00.000000001Z one\n2026-03-01T12:00:00.000000002Z two\n2026-03-01T12:00:00.000000003Z three\n"
	for nanosecond, want := range map[int]string{0: "one\ntwo\nthree\n", 1: "one\ntwo\nthree\n", 2: "two\nthree\n", 3: "three\n", 4: ""} {
		since := metav1.NewTime(time.Date(2026, 3, 1, 12, 0, 0, nanosecond, time.UTC))
		if got, end := read(t, log, corev1.PodLogOptions{SinceTime: &since}); got != want || end != nil {
			t.Errorf("since nanosecond %d: got %q, %v, want %q", nanosecond, got, end, want)
		}
	}
}

func TestAnUnfinishedLineIsRead(t *testing.T) {
	got, end := read(t, "2026-03-01T12:00:00.000000001Z one\n2026-03-01T12:00:00.000000002Z tw", corev1.PodLogOptions{})
	if got != "one\ntw" || end != nil {
		t.Errorf("got %q, %v", got, end)
	}
}
