// SPDX-License-Identifier: Apache-2.0

package vulnerabilities

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	testingclock "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

const question = "/apis/images.goldsmith.dev/v1alpha1/namespaces/team/imagebuilds/web-%d/vulnerabilities?countsOnly=true&uid=uid-%[1]d"

// world is a server that answers all questions alike, a cache with one Image, and the controller.
type world struct {
	*testing.T
	*Vulnerabilities
	client.Reader
	clock  *testingclock.FakePassiveClock
	image  *v1alpha1.Image // nil: deleted
	builds []v1alpha1.ImageBuild

	status int // of the answers; 0: of a server that does not speak the API
	answer any
	asked  []string
	told   int // the Image controller
	again  int // this one
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, clock: testingclock.NewFakePassiveClock(time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC))}
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		w.asked = append(w.asked, in.URL.String())
		if w.status == 0 {
			http.Error(out, "404 page not found", http.StatusNotFound)
			return
		}
		out.Header().Set("Content-Type", "application/json")
		if w.status >= http.StatusInternalServerError || w.status == http.StatusTooManyRequests {
			out.Header().Set("Retry-After", "1")
		}
		out.WriteHeader(w.status)
		_ = json.NewEncoder(out).Encode(w.answer) // the client reports what it misses
	}))
	t.Cleanup(server.Close)
	w.Vulnerabilities = New(reconciliation.Options{Client: versioned.NewForConfigOrDie(&rest.Config{Host: server.URL}), Clock: w.clock}, w)
	require.NoError(t, w.Changes().Start(t.Context(), counted{count: &w.told}))
	_, begin := w.Controller()
	require.NoError(t, begin.Start(t.Context(), counted{count: &w.again}))
	w.image = &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "web", UID: "image"}}
	w.succeed(1)
	return w
}

// counted is a queue that counts.
type counted struct {
	queue
	count *int
}

func (c counted) Add(reconcile.Request) { *c.count++ }

func (w *world) Get(_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	if w.image == nil {
		return apierrors.NewNotFound(v1alpha1.Resource("images"), key.Name)
	}
	w.image.DeepCopyInto(object.(*v1alpha1.Image))
	return nil
}

func (w *world) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	list.(*v1alpha1.ImageBuildList).Items = w.builds
	return nil
}

// succeed adds a build that has succeeded.
func (w *world) succeed(number int64) {
	build := v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: fmt.Sprintf("web-%d", number), UID: types.UID(fmt.Sprintf("uid-%d", number))}}
	build.Spec.Number, build.Spec.ImageRef = &number, &v1alpha1.ImageReference{Name: "web", UID: "image"}
	completed := metav1.NewTime(w.clock.Now())
	build.Status = v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildSucceeded, Finished: true, CompletionTime: &completed}
	w.builds = append(w.builds, build)
}

// counts answers with counts.
func (w *world) counts(high int32) {
	w.status = http.StatusOK
	w.answer = &v1alpha1.ImageBuildVulnerabilities{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "ImageBuildVulnerabilities"},
		Counts:   v1alpha1.VulnerabilityCounts{High: high}, Worst: []string{"CVE-1"}, Unmatched: []string{"npm"},
	}
}

// refuse answers with an error.
func (w *world) refuse(status int, reason metav1.StatusReason, message string, causes ...metav1.StatusCause) {
	w.status = status
	w.answer = &metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure, Code: int32(status), Reason: reason, Message: message,
		Details: &metav1.StatusDetails{Causes: causes},
	}
}

// look reconciles the Image after a while, and compares the questions, what is known, and whether the Image controller is told.
func (w *world) look(while time.Duration, asked []int, known map[types.UID]*trigger.Vulnerabilities, told bool) (after time.Duration) {
	w.Helper()
	w.clock.SetTime(w.clock.Now().Add(while))
	w.asked, w.told = nil, 0
	name := types.NamespacedName{Namespace: "team", Name: "web"}
	result := require.Value(w.Reconcile(w.Context(), ctrl.Request{NamespacedName: name}))(w.T)
	var want []string
	for _, number := range asked {
		want = append(want, fmt.Sprintf(question, number))
	}
	if diff := cmp.Diff(want, w.asked); diff != "" {
		w.Errorf("questions (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(known, w.Known(name)); diff != "" {
		w.Errorf("known (-want +got):\n%s", diff)
	}
	if (w.told > 0) != told {
		w.Errorf("the Image controller is told %d times, want %t", w.told, told)
	}
	if w.image != nil && result.RequeueAfter <= 0 {
		w.Error("the Image is forgotten")
	}
	return result.RequeueAfter
}

type found = map[types.UID]*trigger.Vulnerabilities

// of are the counts of a build.
func of(high int32) *trigger.Vulnerabilities {
	return &trigger.Vulnerabilities{Counts: v1alpha1.VulnerabilityCounts{High: high}, Worst: []string{"CVE-1"}, Unmatched: []string{"npm"}}
}

func TestABuildIsAskedForAgainBeforeTenMinutesHavePassed(t *testing.T) {
	w := newWorld(t)
	w.counts(2)
	after := w.look(0, []int{1}, found{"uid-1": of(2)}, true)
	if after <= 8*time.Minute-time.Second || after > refresh {
		t.Errorf("it is asked for again after %s", after)
	}
	w.look(time.Minute, nil, found{"uid-1": of(2)}, false)
	w.look(after-time.Minute, []int{1}, found{"uid-1": of(2)}, false)
	w.counts(3)
	w.AskAgain(types.NamespacedName{Namespace: "team", Name: "web"})
	if w.again != 1 {
		t.Errorf("it is to be asked for %d times", w.again)
	}
	w.look(0, []int{1}, found{"uid-1": of(3)}, true)
	w.AskAgain(types.NamespacedName{Namespace: "team", Name: "web"})
	w.look(0, []int{1}, found{"uid-1": of(3)}, true) // although the answer is the same

	w.image.Spec.Channels = []v1alpha1.ChannelRule{{Name: "stable", Promote: v1alpha1.PromoteAutomatic, Requires: &v1alpha1.ChannelRequirements{MaxSeverity: v1alpha1.SeverityLimitLow}}}
	w.succeed(2)
	w.look(0, []int{2}, found{"uid-1": of(3), "uid-2": of(3)}, true)
	w.image.Spec.Channels = nil
	w.look(0, nil, found{"uid-2": of(3)}, true)
	w.image = nil
	w.look(0, nil, found{}, false)
	if len(w.images)+len(w.Vulnerabilities.told) > 0 {
		t.Error("a deleted Image is remembered")
	}
}

func TestAServerWithoutAdvisoriesIsAskedOnceForAllImages(t *testing.T) {
	w := newWorld(t)
	w.refuse(http.StatusNotFound, metav1.StatusReasonNotFound, "the server has no advisories: set --advisories", metav1.StatusCause{Type: v1alpha1.CauseNoAdvisories})
	after := w.look(0, []int{1}, nil, false)
	if after <= refresh || after > refresh+retry {
		t.Errorf("it is asked for again after %s", after)
	}
	w.succeed(2)
	w.look(time.Minute, nil, nil, false)
	w.status = 0 // of an API that is unavailable
	w.look(after-time.Minute, []int{2}, nil, false)
	w.counts(1)
	w.look(retry, []int{2}, found{"uid-2": of(1)}, true)
	w.image.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ImageVulnerable}}
	w.refuse(http.StatusNotFound, metav1.StatusReasonNotFound, "no advisories", metav1.StatusCause{Type: v1alpha1.CauseNoAdvisories})
	w.look(refresh, []int{2}, nil, true)
	w.refuse(http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, "not read yet") // it has got some
	w.look(refresh, []int{2}, found{"uid-2": of(1)}, true)
}

func TestTheLastCountsCountWhileThereAreNoOthers(t *testing.T) {
	w := newWorld(t)
	const message = "the advisories are not read yet"
	w.refuse(http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, "the vulnerabilities of imagebuild web-1 are unknown: "+message)
	unknown := &trigger.Vulnerabilities{Unknown: message}
	for range maxReading {
		if after := w.look(reading, []int{1}, found{}, false); after > reading {
			t.Errorf("it is asked for again after %s", after)
		}
	}
	if after := w.look(reading, []int{1}, found{"uid-1": unknown}, true); after <= reading || after > retry {
		t.Errorf("it is asked for again after %s", after)
	}
	w.counts(1)
	w.look(retry, []int{1}, found{"uid-1": of(1)}, true)
	w.refuse(http.StatusInternalServerError, metav1.StatusReasonInternalError, message)
	w.look(refresh, []int{1}, found{"uid-1": of(1)}, false)
	w.look(outdated-refresh, []int{1}, found{"uid-1": unknown}, true)
	w.refuse(http.StatusNotFound, metav1.StatusReasonNotFound, "it has no lock")
	if after := w.look(retry, []int{1}, found{"uid-1": {Unknown: "it has no lock"}}, true); after <= retry {
		t.Errorf("a build without a lock is asked for again after %s", after)
	}
	w.status = 0 // of an API that is unavailable
	w.look(refresh, []int{1}, found{"uid-1": {Unknown: "it has no lock"}}, false)
	w.refuse(http.StatusForbidden, metav1.StatusReasonForbidden, "no permission")
	w.clock.SetTime(w.clock.Now().Add(refresh))
	if _, err := w.Reconcile(t.Context(), ctrl.Request{NamespacedName: types.NamespacedName{Namespace: "team", Name: "web"}}); err == nil {
		t.Error("a missing permission is no error")
	}
}

func TestABusyServerIsAskedAgainSoonAndChangesNothing(t *testing.T) {
	w := newWorld(t)
	busy := func() { w.refuse(http.StatusTooManyRequests, metav1.StatusReasonTooManyRequests, "ask again later") }
	busy()
	for range 2 * maxReading { // nothing is known, which is not the same as unknown
		if after := w.look(reading, []int{1}, found{}, false); after > reading {
			t.Errorf("it is asked for again after %s", after)
		}
	}
	w.counts(1)
	w.look(reading, []int{1}, found{"uid-1": of(1)}, true)
	busy()
	if after := w.look(refresh, []int{1}, found{"uid-1": of(1)}, false); after > reading {
		t.Errorf("it is asked for again after %s", after)
	}
	w.look(outdated-refresh, []int{1}, found{"uid-1": {Unknown: "ask again later"}}, true)
}

func TestARefusedPromotionHasItsBuildUnansweredUntilTheServerAnswers(t *testing.T) {
	w := newWorld(t)
	w.counts(0)
	w.look(0, []int{1}, found{"uid-1": of(0)}, true)
	w.AskAgain(types.NamespacedName{Namespace: "team", Name: "web"})
	w.refuse(http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, "not read yet")
	w.look(0, []int{1}, found{}, false)
	w.refuse(http.StatusInternalServerError, metav1.StatusReasonInternalError, "no database")
	w.look(reading, []int{1}, found{}, false)
	w.counts(0)
	w.look(retry, []int{1}, found{"uid-1": of(0)}, true)
	w.refuse(http.StatusNotFound, metav1.StatusReasonNotFound, "it has no lock")
	w.look(refresh, []int{1}, found{"uid-1": {Unknown: "it has no lock"}}, true)
}

func TestTheStoredCountsCountAfterARestart(t *testing.T) {
	w := newWorld(t)
	w.image.Status.Vulnerabilities = &v1alpha1.ImageVulnerabilities{Build: "web-1"}
	for status, reason := range map[int]metav1.StatusReason{
		http.StatusTooManyRequests: metav1.StatusReasonTooManyRequests, http.StatusInternalServerError: metav1.StatusReasonInternalError,
		http.StatusGatewayTimeout: metav1.StatusReasonTimeout,
	} {
		w.refuse(status, reason, "busy")
		w.look(retry, []int{1}, found{}, false)
	}
	w.refuse(http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, "not read yet")
	for range maxReading + 1 {
		w.look(retry, []int{1}, found{}, false)
	}
	w.look(outdated, []int{1}, found{"uid-1": {Unknown: "not read yet"}}, true)

	w = newWorld(t)
	w.image.Status.Vulnerabilities = &v1alpha1.ImageVulnerabilities{Build: "web-0"}
	w.refuse(http.StatusNotFound, metav1.StatusReasonNotFound, "it has no lock")
	w.look(0, []int{1}, found{"uid-1": {Unknown: "it has no lock"}}, true)
}

func TestOtherBuildsAreJudgedAfterChangesOfAnImage(t *testing.T) {
	for name, change := range map[string]func(*v1alpha1.Image){
		"": func(image *v1alpha1.Image) { image.Status.Conditions = []metav1.Condition{{Type: "Ready"}} },
		"a build succeeds": func(image *v1alpha1.Image) {
			image.Status.LatestSuccessful = &v1alpha1.SuccessfulBuild{Name: "web-2"}
		},
		"a channel moves":  func(image *v1alpha1.Image) { image.Status.Channels = []v1alpha1.ImageChannel{{Name: "stable"}} },
		"its spec changes": func(image *v1alpha1.Image) { image.Generation++ },
		"it is another":    func(image *v1alpha1.Image) { image.UID = "other" },
	} {
		after := &v1alpha1.Image{}
		change(after)
		if passes := otherBuilds().Update(event.UpdateEvent{ObjectOld: &v1alpha1.Image{}, ObjectNew: after}); passes != (name != "") {
			t.Errorf("%q: %t", name, passes)
		}
	}
}
