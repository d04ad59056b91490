// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"context"
	"errors"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

var allVerbs = metav1.Verbs{"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}

// testDiscovery is a server's answer with difficult resources: subresources, a kind that only supports create, two versions, events.
func testDiscovery() []*metav1.APIResourceList {
	return []*metav1.APIResourceList{
		{GroupVersion: "v1", APIResources: []metav1.APIResource{
			{Name: "namespaces", Kind: "Namespace", Verbs: allVerbs},
			{Name: "pods", Kind: "Pod", Namespaced: true, Verbs: allVerbs},
			{Name: "pods/log", Kind: "Pod", Namespaced: true, Verbs: metav1.Verbs{"get"}},
			{Name: "events", Kind: "Event", Namespaced: true, Verbs: allVerbs},
			{Name: "bindings", Kind: "Binding", Namespaced: true, Verbs: metav1.Verbs{"create"}},
		}},
		{GroupVersion: "batch/v1", APIResources: []metav1.APIResource{
			{Name: "jobs", Kind: "Job", Namespaced: true, Verbs: allVerbs},
		}},
		{GroupVersion: "batch/v1beta1", APIResources: []metav1.APIResource{
			{Name: "jobs", Kind: "Job", Namespaced: true, Verbs: allVerbs},
			{Name: "cronjobs", Kind: "CronJob", Namespaced: true, Verbs: allVerbs},
		}},
	}
}

func testServed(t *testing.T) *served {
	t.Helper()
	client := fake.NewClientset()
	client.Resources = testDiscovery()
	s, err := discover(context.Background(), client.Discovery())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDiscoveryKeepsEachResourceOnceAtItsPreferredVersion(t *testing.T) {
	s := testServed(t)
	jobs := schema.GroupResource{Group: "batch", Resource: "jobs"}
	cronJobs := schema.GroupResource{Group: "batch", Resource: "cronjobs"}
	if got := s.resources[jobs].Version; got != "v1" {
		t.Errorf("jobs are watched at %q, want v1", got)
	}
	if got := s.resources[cronJobs].Version; got != "v1beta1" {
		t.Errorf("cronjobs are watched at %q, want v1beta1, the only version they have", got)
	}
	if got := len(s.resources); got != 5 {
		t.Errorf("%d resources, want namespaces, pods, events, jobs, cronjobs: %v", got, s.resources)
	}
}

func TestOwnerKindsResolveInEveryServedVersionAndNoOther(t *testing.T) {
	s := testServed(t)
	for _, test := range []struct {
		apiVersion, kind, want string
	}{
		{"batch/v1", "Job", "jobs"},
		{"batch/v1beta1", "Job", "jobs"},
		{"v1", "Pod", "pods"},
		{"batch/v2", "Job", ""},
		{"v1", "Binding", ""},
		{"apps/v1", "Deployment", ""},
		{"not a/version/at all", "Pod", ""},
	} {
		r, ok := s.owner(metav1.OwnerReference{APIVersion: test.apiVersion, Kind: test.kind})
		if r.Resource != test.want || ok != (test.want != "") {
			t.Errorf("%s %s: got %q, %v; want %q", test.apiVersion, test.kind, r.Resource, ok, test.want)
		}
	}
}

func TestEventsAreNotWatchedButGoWithTheirNamespace(t *testing.T) {
	s := testServed(t)
	events := s.resources[schema.GroupResource{Resource: "events"}]
	if events.watched() {
		t.Error("events are watched")
	}
	found := false
	for _, r := range s.inNamespaces() {
		found = found || r.Resource == "events"
	}
	if !found {
		t.Error("events would outlive their namespace")
	}
}

func TestIncompleteDiscoveryIsAnError(t *testing.T) {
	client := fake.NewClientset()
	client.Resources = testDiscovery()
	down := errors.New("down")
	client.PrependReactor("get", "*", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, down })
	if _, err := discover(context.Background(), client.Discovery()); !errors.Is(err, down) {
		t.Errorf("got %v, want %v", err, down)
	}
}
