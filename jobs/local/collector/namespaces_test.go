// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	metadatafake "k8s.io/client-go/metadata/fake"
	clienttesting "k8s.io/client-go/testing"
	clocktesting "k8s.io/utils/clock/testing"
)

func newTestNamespaces(t *testing.T, metadata *metadatafake.FakeMetadataClient, ending bool, known ...*metav1.PartialObjectMetadata) (*namespaces, *fake.Clientset) {
	t.Helper()
	namespace := &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{Name: "ns", UID: "n1"},
		Spec:       corev1.NamespaceSpec{Finalizers: []corev1.FinalizerName{"example.org/other", corev1.FinalizerKubernetes}},
	}
	if ending {
		namespace.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
	}
	client := fake.NewClientset(namespace)
	served := testServed(t)
	options := Options{Client: client, Metadata: metadata, Workers: 1, Clock: clocktesting.NewFakeClock(time.Unix(100, 0))}
	s := newNamespaces(options, served, newTestGraph(t, metadata, served, known...))
	t.Cleanup(s.queue.ShutDown)
	return s, client
}

// finalized returns the finalizers that a PUT /finalize left, and false when there was none.
func finalized(client *fake.Clientset) ([]corev1.FinalizerName, bool) {
	for _, action := range client.Actions() {
		if action, ok := action.(clienttesting.CreateActionImpl); ok && action.Subresource == "finalize" {
			if namespace, ok := action.Object.(*corev1.Namespace); ok {
				return namespace.Spec.Finalizers, true
			}
		}
	}
	return nil, false
}

func TestANamespaceThatIsNotEndingIsLeftAlone(t *testing.T) {
	metadata := newTestMetadata(t, pod("p", "p1"))
	s, client := newTestNamespaces(t, metadata, false, pod("p", "p1"))
	if err := s.end(context.Background(), "ns"); err != nil {
		t.Fatal(err)
	}
	if _, done := finalized(client); done || writes(t, metadata) != nil {
		t.Errorf("finalized: %t, writes: %v", done, writes(t, metadata))
	}
}

func TestANamespaceThatIsGoneNeedsNothing(t *testing.T) {
	s, _ := newTestNamespaces(t, newTestMetadata(t), true)
	if err := s.end(context.Background(), "another"); err != nil {
		t.Fatal(err)
	}
}

func TestAnEndingNamespaceIsEmptiedFirst(t *testing.T) {
	event := object("v1", "Event", "e", "e1")
	for _, test := range []struct {
		name  string
		known []*metav1.PartialObjectMetadata
		live  []*metav1.PartialObjectMetadata
		want  []string
	}{
		{"of what is watched", []*metav1.PartialObjectMetadata{pod("p", "p1"), pod("q", "q1", deleting)}, nil,
			[]string{"delete p Background of p1, any version"}},
		{"of what is not watched", nil, []*metav1.PartialObjectMetadata{event},
			[]string{"delete e Background of e1, any version"}},
		{"of what the graph has not seen yet", nil, []*metav1.PartialObjectMetadata{pod("p", "p1")},
			[]string{"delete p Background of p1, any version"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			metadata := newTestMetadata(t, test.live...)
			s, client := newTestNamespaces(t, metadata, true, test.known...)
			if err := s.end(context.Background(), "ns"); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, writes(t, metadata)); diff != "" {
				t.Errorf("writes (-want +got):\n%s", diff)
			}
			if _, done := finalized(client); done {
				t.Error("finalized before it was empty")
			}
		})
	}
}

func TestAnEmptyEndingNamespaceLosesTheKubernetesFinalizerOnly(t *testing.T) {
	s, client := newTestNamespaces(t, newTestMetadata(t), true)
	if err := s.end(context.Background(), "ns"); err != nil {
		t.Fatal(err)
	}
	left, done := finalized(client)
	if diff := cmp.Diff([]corev1.FinalizerName{"example.org/other"}, left); !done || diff != "" {
		t.Errorf("finalized: %t; spec.finalizers (-want +got):\n%s", done, diff)
	}
}

func TestANamespaceIsNotFinalizedWhileItsContentIsUnknown(t *testing.T) {
	metadata := newTestMetadata(t)
	metadata.PrependReactor("list", "events", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewServiceUnavailable("starting")
	})
	s, client := newTestNamespaces(t, metadata, true)
	if err := s.end(context.Background(), "ns"); !apierrors.IsServiceUnavailable(err) {
		t.Errorf("got %v, want the failure of the list", err)
	}
	if _, done := finalized(client); done {
		t.Error("finalized")
	}
}

func TestANamespaceSaysWhatHoldsIt(t *testing.T) {
	held := pod("p", "p1", deleting, finalizers("example.org/hold"))
	s, client := newTestNamespaces(t, newTestMetadata(t), true, held, job("j", "j1", deleting))
	for range 2 { // the second time there is no news
		if err := s.end(context.Background(), "ns"); err != nil {
			t.Fatal(err)
		}
	}
	namespace, err := client.CoreV1().Namespaces().Get(context.Background(), "ns", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	now := metav1.NewTime(time.Unix(100, 0))
	want := []corev1.NamespaceCondition{
		{Type: corev1.NamespaceContentRemaining, Status: corev1.ConditionTrue, LastTransitionTime: now, Reason: "SomeResourcesRemain",
			Message: "Some resources are remaining: jobs.batch has 1 resource instances, pods has 1 resource instances"},
		{Type: corev1.NamespaceFinalizersRemaining, Status: corev1.ConditionTrue, LastTransitionTime: now, Reason: "SomeFinalizersRemain",
			Message: "Some content in the namespace has finalizers remaining: example.org/hold in 1 resource instances"},
	}
	if diff := cmp.Diff(want, namespace.Status.Conditions); diff != "" {
		t.Errorf("conditions (-want +got):\n%s", diff)
	}
	updates := 0
	for _, action := range client.Actions() {
		if action.GetVerb() == "update" {
			updates++
		}
	}
	if updates != 1 {
		t.Errorf("%d status writes, want 1", updates)
	}
}

func TestAnEmptiedNamespaceTakesItsConditionsBack(t *testing.T) {
	var status corev1.NamespaceStatus
	held := pod("p", "p1", deleting, finalizers("example.org/hold"))
	setRemaining(&status, []node{{key{pods, "ns", "p"}, &held.ObjectMeta}}, metav1.NewTime(time.Unix(1, 0)))
	if !setRemaining(&status, nil, metav1.NewTime(time.Unix(2, 0))) {
		t.Error("no change")
	}
	for _, condition := range status.Conditions {
		if condition.Status != corev1.ConditionFalse || !condition.LastTransitionTime.Equal(&metav1.Time{Time: time.Unix(2, 0)}) {
			t.Errorf("still %+v", condition)
		}
	}
}
