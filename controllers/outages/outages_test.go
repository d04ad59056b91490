// SPDX-License-Identifier: Apache-2.0

package outages_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/controllers/outages"
	"goldsmith.dev/goldsmith/e2e/require"
)

const forbidden = `images.images.goldsmith.dev is forbidden: User "controller" cannot list resource "images" in API group "images.goldsmith.dev" at the cluster scope`

// fixture is a server that answers as it is told, and a client whose requests are watched.
type fixture struct {
	t       *testing.T
	clock   *testingclock.FakePassiveClock
	monitor *outages.Monitor
	client  versioned.Interface
	server  *httptest.Server

	answer http.HandlerFunc
	lines  []string
}

func newFixture(t *testing.T) *fixture {
	w := &fixture{t: t, clock: testingclock.NewFakePassiveClock(time.Unix(1, 0))}
	w.server = httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) { w.answer(out, in) }))
	t.Cleanup(w.server.Close)
	logger := funcr.New(func(_, line string) { w.lines = append(w.lines, line) }, funcr.Options{})
	w.monitor = outages.NewMonitor(logger, w.clock)
	w.connect(w.server.URL)
	return w
}

func (w *fixture) connect(url string) {
	w.t.Helper()
	w.client = require.Value(versioned.NewForConfig(w.monitor.Wrap(&rest.Config{Host: url, QPS: -1})))(w.t)
}

// list asks for images, which are answered as given.
func (w *fixture) list(answer http.HandlerFunc) error {
	w.answer = answer
	_, err := w.client.ImagesV1alpha1().Images("").List(w.t.Context(), metav1.ListOptions{})
	return err
}

// expect compares the lines since the last call.
func (w *fixture) expect(lines ...string) {
	w.t.Helper()
	for i := range lines {
		encoded, err := json.Marshal(lines[i])
		if err != nil {
			w.t.Fatal(err)
		}
		lines[i] = `"level"=0 "msg"=` + string(encoded)
	}
	if !slices.Equal(w.lines, lines) {
		w.t.Errorf("logged %q, expected %q", w.lines, lines)
	}
	w.lines = nil
}

func status(code int, reason metav1.StatusReason, message string) http.HandlerFunc {
	return func(out http.ResponseWriter, _ *http.Request) {
		out.Header().Set("Content-Type", "application/json")
		out.WriteHeader(code)
		_ = json.NewEncoder(out).Encode(metav1.Status{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
			Status:   metav1.StatusFailure, Reason: reason, Message: message, Code: int32(code),
		})
	}
}

func text(code int, text string) http.HandlerFunc {
	return func(out http.ResponseWriter, _ *http.Request) { http.Error(out, text, code) }
}

func list(out http.ResponseWriter, _ *http.Request) {
	out.Header().Set("Content-Type", "application/json")
	_, _ = out.Write([]byte(`{"apiVersion":"images.goldsmith.dev/v1alpha1","kind":"ImageList"}`))
}

func TestSaysWhatIsWaitedForOnceAMinuteAndWhenItIsOver(t *testing.T) {
	w := newFixture(t)
	unavailable := text(http.StatusServiceUnavailable, "error trying to reach service")
	const line = "waiting for images.goldsmith.dev/v1alpha1: the server answers 503 Service Unavailable: error trying to reach service"
	for range 3 {
		if err := w.list(unavailable); err == nil {
			t.Error("the answer did not get through")
		}
	}
	w.expect(line)
	if reasons := w.monitor.Reasons(); !slices.Equal(reasons, []string{line}) {
		t.Errorf("the reasons are %q", reasons)
	}
	w.clock.SetTime(w.clock.Now().Add(59 * time.Second))
	_ = w.list(unavailable)
	w.expect()
	w.clock.SetTime(w.clock.Now().Add(time.Second))
	_ = w.list(unavailable)
	w.expect(line)
	if err := w.list(list); err != nil {
		t.Error(err)
	}
	_ = w.list(list)
	w.expect("images.goldsmith.dev/v1alpha1 answers")
	if reasons := w.monitor.Reasons(); len(reasons) > 0 {
		t.Errorf("the reasons are still %q", reasons)
	}
}

func TestSaysEachNewReason(t *testing.T) {
	w := newFixture(t)
	_ = w.list(text(http.StatusNotFound, "404 page not found"))
	err := w.list(status(http.StatusForbidden, metav1.StatusReasonForbidden, forbidden))
	if err == nil || err.Error() != forbidden {
		t.Errorf("the answer became %v", err)
	}
	_ = w.list(status(http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, "etcd is away"))
	w.expect("waiting for images.goldsmith.dev/v1alpha1: the server has no such API",
		"waiting for images.goldsmith.dev/v1alpha1: "+forbidden,
		"waiting for images.goldsmith.dev/v1alpha1: etcd is away")
}

func TestSaysThatNobodyListens(t *testing.T) {
	w := newFixture(t)
	w.connect("http://127.0.0.1:1")
	_ = w.list(nil)
	w.expect("waiting for images.goldsmith.dev/v1alpha1: dial tcp 127.0.0.1:1: connect: connection refused")
}

func TestIsQuietAboutANodeThatDoesNotGiveALog(t *testing.T) {
	w := newFixture(t)
	w.answer = status(http.StatusInternalServerError, metav1.StatusReasonInternalError, "TLS handshake timeout")
	if _, err := w.client.ImagesV1alpha1().RESTClient().Get().Namespace("default").Resource("images").Name("web").SubResource("log").DoRaw(t.Context()); err == nil {
		t.Error("the answer did not get through")
	}
	w.expect()
}

func TestIsQuietAboutWhatIsOnlyForTheCaller(t *testing.T) {
	w := newFixture(t)
	w.answer = status(http.StatusNotFound, metav1.StatusReasonNotFound, `images.goldsmith.dev "a" not found`)
	images := w.client.ImagesV1alpha1().Images("default")
	if _, err := images.Get(t.Context(), "a", metav1.GetOptions{}); err == nil {
		t.Error("the answer did not get through")
	}
	w.answer = status(http.StatusForbidden, metav1.StatusReasonForbidden, "forbidden by a policy")
	_ = images.Delete(t.Context(), "a", metav1.DeleteOptions{})
	cancelled, cancel := context.WithCancel(t.Context())
	w.answer = func(_ http.ResponseWriter, request *http.Request) {
		cancel()
		<-request.Context().Done() // the client disconnects before there is an answer
	}
	if _, err := images.Get(cancelled, "a", metav1.GetOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("the request ended with %v", err)
	}
	w.expect()
}
