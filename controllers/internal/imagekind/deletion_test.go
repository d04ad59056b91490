// SPDX-License-Identifier: Apache-2.0

package imagekind

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	k8stesting "k8s.io/client-go/testing"
	testingclock "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/fake"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
	"goldsmith.dev/goldsmith/e2e/require"
)

// deleted returns a served ImageKind that is being deleted, as the server has seen.
func deleted(onDelete v1alpha1.ImageKindDeletion) *v1alpha1.ImageKind {
	now := metav1.Now()
	declared := &v1alpha1.ImageKind{ObjectMeta: metav1.ObjectMeta{
		Name: "servers", UID: "kind-uid", ResourceVersion: "7", Generation: 2, DeletionTimestamp: &now, Finalizers: []string{"example.com/other", v1alpha1.ImageKindFinalizer},
	}}
	declared.Spec.OnDelete = onDelete
	declared.Status.ObservedGeneration = 2
	declared.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ImageKindEstablished, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonServed}}
	return declared
}

func TestTheNextStepOfADeletion(t *testing.T) {
	t.Parallel()
	notServed := func(kind *v1alpha1.ImageKind) { kind.Status.Conditions[0].Status = metav1.ConditionFalse }
	for name, test := range map[string]struct {
		onDelete  v1alpha1.ImageKindDeletion
		change    func(*v1alpha1.ImageKind)
		instances int
		want      step
	}{
		"not deleted":                  {v1alpha1.ImageKindRelease, func(kind *v1alpha1.ImageKind) { kind.DeletionTimestamp = nil }, 1, none},
		"without the finalizer":        {v1alpha1.ImageKindRelease, func(kind *v1alpha1.ImageKind) { kind.Finalizers = kind.Finalizers[:1] }, 1, none},
		"not seen by the server":       {v1alpha1.ImageKindRelease, func(kind *v1alpha1.ImageKind) { kind.Status.ObservedGeneration = 1 }, 1, none},
		"never judged":                 {v1alpha1.ImageKindWait, func(kind *v1alpha1.ImageKind) { kind.Status = v1alpha1.ImageKindStatus{} }, 0, none},
		"wait without instances":       {v1alpha1.ImageKindWait, nil, 0, finish},
		"wait with an instance":        {v1alpha1.ImageKindWait, nil, 1, wait},
		"no value":                     {"", nil, 1, wait},
		"release without instances":    {v1alpha1.ImageKindRelease, nil, 0, finish},
		"release with an instance":     {v1alpha1.ImageKindRelease, nil, 1, release},
		"wait, not served":             {v1alpha1.ImageKindWait, notServed, 1, finish},
		"release, not served":          {v1alpha1.ImageKindRelease, notServed, 1, finish},
		"without a condition of names": {v1alpha1.ImageKindRelease, func(kind *v1alpha1.ImageKind) { kind.Status.Conditions = nil }, 1, finish},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			declared := deleted(test.onDelete)
			if test.change != nil {
				test.change(declared)
			}
			if got := next(declared, test.instances); got != test.want {
				t.Errorf("the next step is %s, want %s", got, test.want)
			}
		})
	}
}

// world is an API with one ImageKind and Images, and a controller whose cache has them as they were when observe was called.
type world struct {
	*cached
	client   *fake.Clientset
	requests int
	before   func(request int, action k8stesting.Action) error // the request is not sent if it fails
}

func newWorld(t *testing.T, declared *v1alpha1.ImageKind, images ...string) *world {
	w := &world{cached: &cached{}, client: fake.NewClientset(declared)}
	for _, name := range images {
		w.create(t, name)
	}
	w.client.PrependReactor("*", "*", func(action k8stesting.Action) (bool, runtime.Object, error) {
		if w.before == nil {
			return false, nil, nil
		}
		w.requests++
		err := w.before(w.requests, action)
		return err != nil, nil, err
	})
	w.observe(t)
	return w
}

// create creates an Image of the kind, as a server that has not seen the deletion does.
func (w *world) create(t *testing.T, name string) {
	t.Helper()
	image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{
		Namespace: "red", Name: name, UID: "uid-of-web", ResourceVersion: "3", Labels: map[string]string{v1alpha1.ImageKindLabel: "servers", "team": "red"},
	}}
	require.NoError(t, w.client.Tracker().Add(image))
}

func (w *world) all(t *testing.T) []v1alpha1.Image {
	t.Helper()
	list, err := w.client.Tracker().List(v1alpha1.SchemeGroupVersion.WithResource("images"), v1alpha1.SchemeGroupVersion.WithKind("Image"), "")
	require.NoError(t, err)
	return list.(*v1alpha1.ImageList).Items
}

func (w *world) observe(t *testing.T) {
	t.Helper()
	object, err := w.client.Tracker().Get(v1alpha1.SchemeGroupVersion.WithResource("imagekinds"), "", "servers")
	require.NoError(t, err)
	w.kind, w.images = object.(*v1alpha1.ImageKind), slices.DeleteFunc(w.all(t), func(image v1alpha1.Image) bool { return image.Labels[v1alpha1.ImageKindLabel] != "servers" })
}

func (w *world) reconcile(t *testing.T) error {
	r := &reconciler{Options: reconciliation.Options{Client: w.client, Clock: testingclock.NewFakePassiveClock(time.Unix(1, 0))}, cache: w.cached}
	_, err := r.Reconcile(t.Context(), ctrl.Request{})
	return err
}

func (w *world) finished() bool {
	return !slices.Contains(w.kind.Finalizers, v1alpha1.ImageKindFinalizer)
}

func TestADeletionWaitsForTheLastInstance(t *testing.T) {
	t.Parallel()
	w := newWorld(t, deleted(v1alpha1.ImageKindWait), "web", "db")
	require.NoError(t, w.reconcile(t))
	w.observe(t)
	condition := meta.FindStatusCondition(w.kind.Status.Conditions, v1alpha1.ImageKindTerminating)
	if w.finished() || len(w.images) != 2 || condition == nil || condition.Reason != v1alpha1.ReasonInstancesRemain || !strings.Contains(condition.Message, "namespaces: 2;") {
		t.Fatalf("the ImageKind is %+v, with %d Images", w.kind, len(w.images))
	}
	if !meta.IsStatusConditionTrue(w.kind.Status.Conditions, v1alpha1.ImageKindEstablished) {
		t.Error("the conditions of the server are lost")
	}
	// The cache has not seen the last Image yet.
	w.images = nil
	require.NoError(t, w.reconcile(t))
	if w.observe(t); w.finished() {
		t.Fatal("the ImageKind is deleted before its last instance")
	}
	for _, name := range []string{"web", "db"} {
		require.NoError(t, w.client.Tracker().Delete(v1alpha1.SchemeGroupVersion.WithResource("images"), "red", name))
	}
	w.observe(t)
	require.NoError(t, w.reconcile(t))
	if w.observe(t); !w.finished() || !slices.Equal(w.kind.Finalizers, []string{"example.com/other"}) {
		t.Errorf("the finalizers are %v", w.kind.Finalizers)
	}
}

// TestAReleaseAtEachInterruption ends the controller before and after each request, and creates an Image before each request, as a server
// does that has not seen the deletion. Each Image stays, and is released if it existed before the controller looked for the last one.
func TestAReleaseAtEachInterruption(t *testing.T) {
	t.Parallel()
	for interrupted := 1; ; interrupted++ {
		w := newWorld(t, deleted(v1alpha1.ImageKindRelease), "web", "db")
		reached, looked, late := false, false, false
		w.before = func(request int, action k8stesting.Action) error {
			if request == interrupted {
				reached, late = true, looked
				w.create(t, "late")
				return errors.New("the controller ends")
			}
			looked = looked || action.Matches("list", "images")
			return nil
		}
		for attempt := 0; !w.finished() && attempt < 10; attempt++ {
			_ = w.reconcile(t) // an error is repeated
			w.observe(t)
		}
		if !reached {
			if interrupted < 5 {
				t.Errorf("a release needs only %d requests", interrupted-1)
			}
			return
		}
		if !w.finished() {
			t.Fatalf("request %d: the deletion does not end", interrupted)
		}
		images := w.all(t)
		if len(images) != 3 {
			t.Errorf("request %d: there are %d Images", interrupted, len(images))
		}
		for _, image := range images {
			if _, labelled := image.Labels[v1alpha1.ImageKindLabel]; labelled && !late || image.Labels["team"] != "red" {
				t.Errorf("request %d: Image %s has the labels %v", interrupted, image.Name, image.Labels)
			}
		}
	}
}

func TestEachStepIsOfTheVersionThatWasRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, deleted(v1alpha1.ImageKindRelease), "web")
	require.NoError(t, w.reconcile(t))
	w.observe(t)
	require.NoError(t, w.reconcile(t))
	want := map[string]string{"images": "uid-of-web/3", "imagekinds": "kind-uid/7"}
	for _, action := range w.client.Actions() {
		patch, ok := action.(k8stesting.PatchAction)
		if !ok || action.GetSubresource() != "" {
			continue
		}
		var sent metav1.PartialObjectMetadata
		require.NoError(t, json.Unmarshal(patch.GetPatch(), &sent))
		resource := action.GetResource().Resource
		if got := fmt.Sprintf("%s/%s", sent.UID, sent.ResourceVersion); got != want[resource] {
			t.Errorf("the patch of %s is of %s, want %s", resource, got, want[resource])
		}
		delete(want, resource)
	}
	if len(want) > 0 {
		t.Errorf("no patches of %v", want)
	}
}

func TestAnImageThatCannotBeReleasedIsReported(t *testing.T) {
	t.Parallel()
	w := newWorld(t, deleted(v1alpha1.ImageKindRelease), "web")
	w.client.PrependReactor("patch", "images", func(k8stesting.Action) (bool, runtime.Object, error) {
		return true, nil, errors.New("a policy refuses it")
	})
	if err := w.reconcile(t); err == nil {
		t.Error("the release is not repeated")
	}
	w.observe(t)
	condition := meta.FindStatusCondition(w.kind.Status.Conditions, v1alpha1.ImageKindTerminating)
	if condition == nil || condition.Reason != v1alpha1.ReasonReleasingInstances || !strings.Contains(condition.Message, "release Image red/web: a policy refuses it") {
		t.Errorf("the condition is %+v", condition)
	}
}
