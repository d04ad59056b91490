// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	metadatafake "k8s.io/client-go/metadata/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
)

var (
	jobs = schema.GroupResource{Group: "batch", Resource: "jobs"}
	pods = schema.GroupResource{Resource: "pods"}
)

type change func(*metav1.PartialObjectMetadata)

func object(apiVersion, kind, name, uid string, changes ...change) *metav1.PartialObjectMetadata {
	o := &metav1.PartialObjectMetadata{
		TypeMeta:   metav1.TypeMeta{APIVersion: apiVersion, Kind: kind},
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID(uid), ResourceVersion: "7"},
	}
	for _, change := range changes {
		change(o)
	}
	return o
}

func job(name, uid string, changes ...change) *metav1.PartialObjectMetadata {
	return object("batch/v1", "Job", name, uid, changes...)
}

func pod(name, uid string, changes ...change) *metav1.PartialObjectMetadata {
	return object("v1", "Pod", name, uid, changes...)
}

func ownedBy(apiVersion, kind, name, uid string) change {
	return func(o *metav1.PartialObjectMetadata) {
		o.OwnerReferences = append(o.OwnerReferences, metav1.OwnerReference{APIVersion: apiVersion, Kind: kind, Name: name, UID: types.UID(uid)})
	}
}

func ownedByJob(name, uid string) change { return ownedBy("batch/v1", "Job", name, uid) }

func blocking(o *metav1.PartialObjectMetadata) {
	for i := range o.OwnerReferences {
		o.OwnerReferences[i].BlockOwnerDeletion = new(true)
	}
}

func deleting(o *metav1.PartialObjectMetadata) {
	o.DeletionTimestamp = &metav1.Time{}
}

func finalizers(names ...string) change {
	return func(o *metav1.PartialObjectMetadata) { o.Finalizers = names }
}

// known are objects that both the graph and the server hold, unless a test changes that.
func newTestGraph(t *testing.T, client *metadatafake.FakeMetadataClient, served *served, known ...*metav1.PartialObjectMetadata) *graph {
	t.Helper()
	g, err := newGraph(client, served)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range known {
		resource := served.kinds[o.GroupVersionKind()]
		if err := g.informers[resource].GetIndexer().Add(o); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

func newTestMetadata(t *testing.T, live ...*metav1.PartialObjectMetadata) *metadatafake.FakeMetadataClient {
	t.Helper()
	scheme := metadatafake.NewTestScheme()
	if err := metav1.AddMetaToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	objects := make([]runtime.Object, 0, len(live))
	for _, o := range live {
		objects = append(objects, o)
	}
	return metadatafake.NewSimpleMetadataClient(scheme, objects...)
}

func newTestOwners(t *testing.T, client *metadatafake.FakeMetadataClient, known ...*metav1.PartialObjectMetadata) *owners {
	t.Helper()
	served := testServed(t)
	options := Options{Client: fake.NewClientset(), Metadata: client, Workers: 1, Clock: clock.RealClock{}}
	return newOwners(options, served, newTestGraph(t, client, served, known...))
}

// writes renders the deletions and patches that were sent, with their preconditions.
func writes(t *testing.T, client *metadatafake.FakeMetadataClient) []string {
	t.Helper()
	var sent []string
	for _, action := range client.Actions() {
		switch action := action.(type) {
		case clienttesting.DeleteActionImpl:
			version := "any version"
			if rv := action.DeleteOptions.Preconditions.ResourceVersion; rv != nil {
				version = "version " + *rv
			}
			sent = append(sent, fmt.Sprintf("delete %s %s of %s, %s", action.Name, *action.DeleteOptions.PropagationPolicy,
				*action.DeleteOptions.Preconditions.UID, version))
		case clienttesting.PatchActionImpl:
			var patch metav1.PartialObjectMetadata
			if err := json.Unmarshal(action.Patch, &patch); err != nil {
				t.Fatal(err)
			}
			var left []string
			for _, reference := range patch.OwnerReferences {
				left = append(left, fmt.Sprintf("%s blocks=%t", reference.UID, ptr.Deref(reference.BlockOwnerDeletion, false)))
			}
			left = append(left, patch.Finalizers...)
			sent = append(sent, fmt.Sprintf("patch %s of %s, version %s: [%s]", action.Name, patch.UID, patch.ResourceVersion, strings.Join(left, " ")))
		}
	}
	return sent
}

func TestWhatBecomesOfAnObjectDependsOnItsOwners(t *testing.T) {
	foreground, orphan := finalizers(metav1.FinalizerDeleteDependents), finalizers(metav1.FinalizerOrphanDependents)
	type objects = []*metav1.PartialObjectMetadata
	for _, test := range []struct {
		name  string
		judge *metav1.PartialObjectMetadata
		known objects // in the graph, beside the judged one
		live  objects // only on the server
		want  []string
	}{
		{name: "no owner", judge: pod("p", "p1")},
		{name: "an owner that is there", judge: pod("p", "p1", ownedByJob("j", "j1")), known: objects{job("j", "j1")}},
		{name: "an owner that only the server knows yet", judge: pod("p", "p1", ownedByJob("j", "j1")), live: objects{job("j", "j1")}},
		{name: "an owner that is gone", judge: pod("p", "p1", ownedByJob("j", "j1")),
			want: []string{"delete p Background of p1, version 7"}},
		{name: "an owner of that name but another UID", judge: pod("p", "p1", ownedByJob("j", "j1")),
			known: objects{job("j", "j2")}, live: objects{job("j", "j2")},
			want: []string{"delete p Background of p1, version 7"}},
		{name: "an owner that the graph still knows under its old UID", judge: pod("p", "p1", ownedByJob("j", "j2")),
			known: objects{job("j", "j1")}, live: objects{job("j", "j2")}},
		{name: "an owner of a kind that is not served", judge: pod("p", "p1", ownedBy("apps/v1", "ReplicaSet", "r", "r1"))},
		{name: "an owner that is gone and one of a kind that is not served",
			judge: pod("p", "p1", ownedByJob("j", "j1"), ownedBy("apps/v1", "ReplicaSet", "r", "r1"))},
		{name: "an owner that is gone and one that is there", judge: pod("p", "p1", ownedByJob("gone", "j1"), ownedByJob("there", "j2")),
			known: objects{job("there", "j2")},
			want:  []string{"patch p of p1, version 7: [j2 blocks=false]"}},
		{name: "two owners that are gone", judge: pod("p", "p1", ownedByJob("a", "j1"), ownedByJob("b", "j2")),
			want: []string{"delete p Background of p1, version 7"}},
		{name: "already being deleted", judge: pod("p", "p1", ownedByJob("j", "j1"), deleting)},
		{name: "a finalizer that asks for orphaning", judge: job("j", "j1", ownedByJob("gone", "j0"), orphan),
			want: []string{"delete j Orphan of j1, version 7"}},
		{name: "a finalizer that asks for foreground deletion", judge: job("j", "j1", ownedByJob("gone", "j0"), foreground),
			want: []string{"delete j Foreground of j1, version 7"}},

		{name: "an owner that waits for its dependents", judge: pod("p", "p1", ownedByJob("j", "j1")),
			known: objects{job("j", "j1", deleting, foreground)},
			want:  []string{"delete p Background of p1, version 7"}},
		{name: "an owner that waits, and dependents of its own", judge: job("middle", "m1", ownedByJob("top", "t1")),
			known: objects{job("top", "t1", deleting, foreground), pod("p", "p1", ownedByJob("middle", "m1"))},
			want:  []string{"delete middle Foreground of m1, version 7"}},
		{name: "an owner that waits, and one that is there", judge: pod("p", "p1", ownedByJob("waits", "j1"), ownedByJob("there", "j2")),
			known: objects{job("waits", "j1", deleting, foreground), job("there", "j2")},
			want:  []string{"patch p of p1, version 7: [j2 blocks=false]"}},
		{name: "an owner that is being deleted but waits for nobody", judge: pod("p", "p1", ownedByJob("j", "j1")),
			known: objects{job("j", "j1", deleting, finalizers("example.org/other"))}},
		{name: "a circle of owners that wait for each other", judge: job("b", "b1", ownedByJob("a", "a1"), blocking),
			known: objects{job("a", "a1", ownedByJob("b", "b1"), blocking, deleting, foreground)}, live: objects{job("b", "b1", ownedByJob("a", "a1"), blocking)},
			want: []string{"patch b of b1, version 7: [a1 blocks=false]", "delete b Foreground of b1, version 7"}},

		{name: "waits for a blocking dependent", judge: job("j", "j1", deleting, foreground),
			known: objects{pod("p", "p1", ownedByJob("j", "j1"), blocking)}},
		{name: "waits for a blocking dependent that is being deleted", judge: job("j", "j1", deleting, foreground),
			known: objects{pod("p", "p1", ownedByJob("j", "j1"), blocking, deleting)}},
		{name: "does not wait for a dependent that does not block", judge: job("j", "j1", deleting, finalizers("example.org/other", metav1.FinalizerDeleteDependents)),
			known: objects{pod("p", "p1", ownedByJob("j", "j1"))}, live: objects{job("j", "j1")},
			want: []string{"patch j of j1, version 7: [example.org/other]"}},

		{name: "an owner that lets its dependents go", judge: pod("p", "p1", ownedByJob("j", "j1")),
			known: objects{job("j", "j1", deleting, orphan)}, live: objects{pod("p", "p1")},
			want: []string{"patch p of p1, version 7: []"}},
		{name: "lets its dependents go first", judge: job("j", "j1", deleting, orphan),
			known: objects{pod("p", "p1", ownedByJob("j", "j1"))}},
		{name: "has let its dependents go", judge: job("j", "j1", deleting, orphan), live: objects{job("j", "j1")},
			want: []string{"patch j of j1, version 7: []"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			client := newTestMetadata(t, test.live...)
			o := newTestOwners(t, client, append(test.known, test.judge)...)
			id := key{o.served.kinds[test.judge.GroupVersionKind()], test.judge.Namespace, test.judge.Name}
			if err := o.judge(context.Background(), id); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, writes(t, client)); diff != "" {
				t.Errorf("writes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOnlyTheServersOwn404CountsAsGone(t *testing.T) {
	for name, failure := range map[string]error{
		"503":                    apierrors.NewServiceUnavailable("starting"),
		"500":                    apierrors.NewInternalError(context.Canceled),
		"timeout":                context.DeadlineExceeded,
		"403":                    apierrors.NewForbidden(jobs, "j", nil),
		"a 404 of another party": apierrors.NewGenericServerResponse(404, "get", jobs, "j", "404 page not found", 0, true),
	} {
		t.Run(name, func(t *testing.T) {
			client := newTestMetadata(t)
			client.PrependReactor("get", "jobs", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, failure })
			o := newTestOwners(t, client, pod("p", "p1", ownedByJob("j", "j1")))
			if err := o.judge(context.Background(), key{pods, "ns", "p"}); err == nil {
				t.Error("no error, so the object would not be judged again")
			}
			if got := writes(t, client); got != nil {
				t.Errorf("sent %v", got)
			}
		})
	}
}

func TestManyDependentsOfOneGoneOwnerCostOneLookup(t *testing.T) {
	client := newTestMetadata(t)
	var known []*metav1.PartialObjectMetadata
	for i := range 20 {
		known = append(known, pod(fmt.Sprintf("p%d", i), fmt.Sprintf("uid%d", i), ownedByJob("j", "j1")))
	}
	o := newTestOwners(t, client, known...)
	for _, p := range known {
		if err := o.judge(context.Background(), key{pods, "ns", p.Name}); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(client.Actions()); got != 21 {
		t.Errorf("%d requests, want 1 lookup and 20 deletions", got)
	}
}

func TestChangesWakeThoseWhomTheyConcern(t *testing.T) {
	foreground := finalizers(metav1.FinalizerDeleteDependents)
	owner, dependent := job("j", "j1"), pod("p", "p1", ownedByJob("j", "j1"))
	waiting := job("j", "j1", deleting, foreground)
	asNode := func(resource schema.GroupResource, o *metav1.PartialObjectMetadata) node {
		return node{key{resource, o.Namespace, o.Name}, &o.ObjectMeta}
	}
	jobID, podID := key{jobs, "ns", "j"}, key{pods, "ns", "p"}
	for _, test := range []struct {
		name  string
		known []*metav1.PartialObjectMetadata
		event func(*owners)
		want  []key
	}{
		{"an owner appears", nil, func(o *owners) { o.added(asNode(jobs, owner)) }, nil},
		{"a dependent appears", nil, func(o *owners) { o.added(asNode(pods, dependent)) }, []key{podID}},
		{"an owner goes", []*metav1.PartialObjectMetadata{dependent}, func(o *owners) { o.gone(asNode(jobs, owner)) }, []key{podID}},
		{"an owner begins to wait", []*metav1.PartialObjectMetadata{waiting, dependent},
			func(o *owners) { o.changed(asNode(jobs, owner), asNode(jobs, waiting)) }, []key{jobID, podID}},
		{"an owner is found waiting", []*metav1.PartialObjectMetadata{waiting, dependent},
			func(o *owners) { o.added(asNode(jobs, waiting)) }, []key{jobID, podID}},
		{"a dependent of a waiting owner goes", []*metav1.PartialObjectMetadata{waiting},
			func(o *owners) { o.gone(asNode(pods, dependent)) }, []key{jobID}},
		{"a dependent leaves a waiting owner", []*metav1.PartialObjectMetadata{waiting},
			func(o *owners) { o.changed(asNode(pods, dependent), asNode(pods, pod("p", "p1"))) }, []key{podID, jobID}},
		{"a dependent of an ordinary owner goes", []*metav1.PartialObjectMetadata{owner},
			func(o *owners) { o.gone(asNode(pods, dependent)) }, nil},
		{"nothing that matters changes", []*metav1.PartialObjectMetadata{owner, dependent},
			func(o *owners) { o.changed(asNode(pods, dependent), asNode(pods, dependent)) }, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := newTestOwners(t, newTestMetadata(t), test.known...)
			defer o.queue.ShutDown()
			test.event(o)
			var queued []key
			for range o.queue.Len() {
				id, _ := o.queue.Get()
				queued = append(queued, id)
			}
			if diff := cmp.Diff(test.want, queued, cmp.AllowUnexported(key{})); diff != "" {
				t.Errorf("queued (-want +got):\n%s", diff)
			}
		})
	}
}
