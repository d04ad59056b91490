// SPDX-License-Identifier: Apache-2.0

package cascade

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	metadatafake "k8s.io/client-go/metadata/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/utils/ptr"

	"goldsmith.dev/goldsmith/e2e/require"
)

const hold = "example.org/hold"

type change func(*metav1.PartialObjectMetadata)

func job(name string, changes ...change) *metav1.PartialObjectMetadata {
	return named("batch/v1", "Job", name, changes...)
}

func pod(changes ...change) *metav1.PartialObjectMetadata {
	return named("v1", "Pod", "p", changes...)
}

// named returns an object that has its name as UID.
func named(apiVersion, kind, name string, changes ...change) *metav1.PartialObjectMetadata {
	o := &metav1.PartialObjectMetadata{
		TypeMeta:   metav1.TypeMeta{APIVersion: apiVersion, Kind: kind},
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID(name), ResourceVersion: "7"},
	}
	for _, change := range changes {
		change(o)
	}
	return o
}

func ownedBy(apiVersion, kind, name, uid string) change {
	return func(o *metav1.PartialObjectMetadata) {
		o.OwnerReferences = append(o.OwnerReferences, metav1.OwnerReference{APIVersion: apiVersion, Kind: kind, Name: name, UID: types.UID(uid)})
	}
}

func ownedByJob(name string) change { return ownedBy("batch/v1", "Job", name, name) }

func blocking(o *metav1.PartialObjectMetadata) {
	for i := range o.OwnerReferences {
		o.OwnerReferences[i].BlockOwnerDeletion = new(true)
	}
}

func deleting(o *metav1.PartialObjectMetadata) {
	o.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
}

func finalizers(names ...string) change {
	return func(o *metav1.PartialObjectMetadata) { o.Finalizers = names }
}

type objects = []*metav1.PartialObjectMetadata

// newTest returns a Cascade whose server has the objects of live, and whose caches have the objects of cached.
func newTest(t *testing.T, namespace *corev1.Namespace, live, cached objects) (*Cascade, *metadatafake.FakeMetadataClient, *fake.Clientset) {
	t.Helper()
	scheme := metadatafake.NewTestScheme()
	require.NoError(t, metav1.AddMetaToScheme(scheme))
	stored := make([]runtime.Object, 0, len(live))
	for _, o := range live {
		stored = append(stored, o)
	}
	server, client := metadatafake.NewSimpleMetadataClient(scheme, stored...), fake.NewClientset(namespace)
	c, err := New(server, client.CoreV1().Namespaces())
	require.NoError(t, err)
	t.Cleanup(c.queue.ShutDown)
	for _, o := range cached {
		require.NoError(t, c.informers[o.GroupVersionKind().GroupKind()].GetIndexer().Add(o))
	}
	return c, server, client
}

func activeNamespace() *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "ns", UID: "ns"}}
}

func of(o *metav1.PartialObjectMetadata) object {
	return object{o.GroupVersionKind().GroupKind(), &o.ObjectMeta}
}

// writes renders the deletions and patches that were sent, with their preconditions.
func writes(t *testing.T, server *metadatafake.FakeMetadataClient) []string {
	t.Helper()
	var sent []string
	for _, action := range server.Actions() {
		switch action := action.(type) {
		case clienttesting.DeleteActionImpl:
			options := action.DeleteOptions
			sent = append(sent, fmt.Sprintf("delete %s %s, UID %s, version %s", action.Name, ptr.Deref(options.PropagationPolicy, "by finalizer"),
				*options.Preconditions.UID, *options.Preconditions.ResourceVersion))
		case clienttesting.PatchActionImpl:
			var patch metav1.PartialObjectMetadata
			require.NoError(t, json.Unmarshal(action.Patch, &patch))
			left := slices.Clone(patch.Finalizers)
			for _, reference := range patch.OwnerReferences {
				left = append(left, string(reference.UID))
			}
			sent = append(sent, fmt.Sprintf("patch %s, UID %s, version %s: [%s]", action.Name, patch.UID, patch.ResourceVersion, strings.Join(left, " ")))
		}
	}
	slices.Sort(sent)
	return sent
}

func TestWhatBecomesOfTheDependentsOfAnOwner(t *testing.T) {
	foreground, orphan := finalizers(metav1.FinalizerDeleteDependents), finalizers(metav1.FinalizerOrphanDependents)
	deletedP := []string{"delete p Background, UID p, version 7"}
	for _, test := range []struct {
		name   string
		owner  *metav1.PartialObjectMetadata
		cached objects
		live   objects // only on the server
		want   []string
	}{
		{name: "an owner that exists", owner: job("j"), cached: objects{job("j"), pod(ownedByJob("j"))}},
		{name: "an owner that only the server knows yet", owner: job("j"), cached: objects{pod(ownedByJob("j"))}, live: objects{job("j")}},
		{name: "an owner that is deleted", owner: job("j"), cached: objects{pod(ownedByJob("j"))}, want: deletedP},
		{name: "an owner of the name and another UID", owner: job("j"), cached: objects{job("j", func(o *metav1.PartialObjectMetadata) { o.UID = "new" }), pod(ownedByJob("j"))},
			live: objects{job("j", func(o *metav1.PartialObjectMetadata) { o.UID = "new" })}, want: deletedP},
		{name: "an owner that the cache still has under its old UID", owner: job("j"),
			cached: objects{job("j", func(o *metav1.PartialObjectMetadata) { o.UID = "old" }), pod(ownedByJob("j"))}, live: objects{job("j")}},
		{name: "an owner in another namespace", owner: job("j"), cached: objects{job("j", func(o *metav1.PartialObjectMetadata) { o.Namespace = "other" }), pod(ownedByJob("j"))},
			want: deletedP},
		{name: "a deleted owner, and another owner", owner: job("j"), cached: objects{pod(ownedByJob("j"), ownedByJob("other"))},
			want: []string{"patch p, UID p, version 7: [other]"}},
		{name: "a deleted owner, and one of an unknown kind", owner: job("j"), cached: objects{pod(ownedByJob("j"), ownedBy("apps/v1", "ReplicaSet", "r", "r"))},
			want: []string{"patch p, UID p, version 7: [r]"}},
		{name: "a deleted owner that is named twice", owner: job("j"), cached: objects{pod(ownedByJob("j"), ownedByJob("j"))}, want: deletedP},
		{name: "a version that is not served", owner: job("j"), cached: objects{pod(ownedBy("batch/v1beta1", "Job", "j", "j"))}},
		{name: "no version", owner: job("j"), cached: objects{pod(ownedBy("batch/", "Job", "j", "j"))}},
		{name: "a deleted owner, and another version of it", owner: job("j"), cached: objects{pod(ownedByJob("j"), ownedBy("batch/v2", "Job", "j", "j"))},
			want: []string{"patch p, UID p, version 7: [j]"}},
		{name: "a version of an Image that is not served", owner: named("images.goldsmith.dev/v1alpha1", "Image", "i"),
			cached: objects{pod(ownedBy("images.goldsmith.dev/v1beta1", "Image", "i", "i"))}},
		{name: "an owner of no namespace in a version that is not served", owner: named("v1", "Namespace", "n", func(o *metav1.PartialObjectMetadata) { o.Namespace = "" }),
			cached: objects{pod(ownedBy("v2", "Namespace", "n", "n"))}},
		{name: "an owner of no namespace that is deleted", owner: named("v1", "Namespace", "n", func(o *metav1.PartialObjectMetadata) { o.Namespace = "" }),
			cached: objects{pod(ownedBy("v1", "Namespace", "n", "n"))}, want: deletedP},
		{name: "an invalid version", owner: named("v1", "Pod", "q"), cached: objects{pod(ownedBy("a/b/c", "Pod", "q", "q"))}},
		{name: "a dependent that is being deleted", owner: job("j"), cached: objects{pod(ownedByJob("j"), deleting)}},
		{name: "a dependent that asks for a propagation", owner: job("j"), cached: objects{job("d", ownedByJob("j"), orphan), job("e", ownedByJob("j"), foreground)},
			want: []string{"delete d by finalizer, UID d, version 7", "delete e by finalizer, UID e, version 7"}},

		{name: "an owner that waits for its dependents", owner: job("j"), cached: objects{job("j", deleting, foreground), pod(ownedByJob("j"), blocking)}, want: deletedP},
		{name: "an owner that waits, and dependents with their own", owner: job("j"),
			cached: objects{job("j", deleting, foreground), job("middle", ownedByJob("j"), blocking), pod(ownedByJob("middle"))},
			want:   []string{"delete middle Foreground, UID middle, version 7"}},
		{name: "an owner that waits, and another owner", owner: job("j"), cached: objects{job("j", deleting, foreground), pod(ownedByJob("j"), ownedByJob("other"), blocking)},
			want: []string{"patch p, UID p, version 7: [other]"}},
		{name: "an owner that waits for a dependent that is being deleted", owner: job("j"), cached: objects{job("j", deleting, foreground), pod(ownedByJob("j"), blocking, deleting)}},
		{name: "an owner that has waited", owner: job("j"),
			cached: objects{job("j", deleting, finalizers(hold, metav1.FinalizerDeleteDependents)), pod(ownedByJob("j"), deleting)},
			live:   objects{job("j")}, want: []string{"patch j, UID j, version 7: [example.org/hold]"}},
		{name: "an owner that waits for something else", owner: job("j"), cached: objects{job("j", deleting, finalizers(hold)), pod(ownedByJob("j"))}},
		{name: "an owner that will wait", owner: job("j"), cached: objects{job("j", foreground), pod(ownedByJob("j"))}},

		{name: "an owner that orphans", owner: job("j"), cached: objects{job("j", deleting, orphan), pod(ownedByJob("j"))},
			live: objects{pod()}, want: []string{"patch p, UID p, version 7: []"}},
		{name: "an owner that has orphaned", owner: job("j"), cached: objects{job("j", deleting, orphan), pod(ownedByJob("j"), deleting)},
			live: objects{job("j")}, want: []string{"patch j, UID j, version 7: []"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, server, _ := newTest(t, activeNamespace(), test.live, test.cached)
			require.NoError(t, c.settle(t.Context(), of(test.owner).owner()))
			if diff := cmp.Diff(test.want, writes(t, server)); diff != "" {
				t.Errorf("writes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOnlyA404OfTheServerMeansThatAnOwnerDoesNotExist(t *testing.T) {
	jobs := schema.GroupResource{Group: "batch", Resource: "jobs"}
	for name, failure := range map[string]error{
		"503":                     apierrors.NewServiceUnavailable("starting"),
		"timeout":                 context.DeadlineExceeded,
		"a 404 of something else": apierrors.NewGenericServerResponse(404, "get", jobs, "j", "404 page not found", 0, true),
	} {
		t.Run(name, func(t *testing.T) {
			c, server, _ := newTest(t, activeNamespace(), nil, objects{pod(ownedByJob("j"))})
			server.PrependReactor("get", "jobs", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, failure })
			if err := c.settle(t.Context(), of(job("j")).owner()); err == nil {
				t.Error("no error, so the owner is not settled again")
			}
			if got := writes(t, server); got != nil {
				t.Errorf("sent %v", got)
			}
		})
	}
}

func TestAChangeConcernsTheObjectItsOwnersAndItsNamespace(t *testing.T) {
	c, _, _ := newTest(t, activeNamespace(), nil, nil)
	c.notice(of(pod(ownedByJob("j"), ownedBy("v1", "Namespace", "n", "n"), ownedBy("v1", "Event", "e", "e"), ownedBy("apps/v1", "ReplicaSet", "r", "r"))))
	cluster := named("v1", "Namespace", "n", func(o *metav1.PartialObjectMetadata) { o.Namespace = "" }, ownedByJob("j"))
	c.notice(of(cluster))
	var queued []string
	for range c.queue.Len() {
		of, _ := c.queue.Get()
		queued = append(queued, of.key())
	}
	want := []string{`Pod "ns" "p" "p"`, `Job.batch "ns" "j" "j"`, `Namespace "" "n" "n"`, `Namespace "" "ns" ""`, `Namespace "" "n" ""`}
	if diff := cmp.Diff(want, queued); diff != "" {
		t.Errorf("queued (-want +got):\n%s", diff)
	}
}

func TestANamespaceIsEmptiedAndThenFinalized(t *testing.T) {
	unavailable := func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewServiceUnavailable("starting")
	}
	held := pod(deleting, finalizers(hold))
	for _, test := range []struct {
		name       string
		active     bool
		live       objects
		fail       bool // events cannot be listed
		want       []string
		finalized  bool
		conditions []string
	}{
		{name: "one that was created again", active: true, live: objects{pod()}},
		{name: "an empty one", finalized: true},
		{name: "one with objects and events", live: objects{pod(), named("v1", "Event", "e", func(o *metav1.PartialObjectMetadata) { o.UID = "e" })},
			want: []string{"delete e Background, UID e, version 7", "delete p Background, UID p, version 7"}, finalized: true},
		{name: "one whose content is unknown", fail: true},
		{name: "one with a pod that ends", live: objects{pod(deleting)}, conditions: []string{
			"NamespaceContentRemaining True SomeResourcesRemain Some resources are remaining: pods has 1 resource instances",
		}},
		{name: "one with an object that a finalizer holds", live: objects{held, job("j", deleting)}, conditions: []string{
			"NamespaceContentRemaining True SomeResourcesRemain Some resources are remaining: jobs.batch has 1 resource instances, pods has 1 resource instances",
			"NamespaceFinalizersRemaining True SomeFinalizersRemain Some content in the namespace has finalizers remaining: example.org/hold in 1 resource instances",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			namespace, cached := activeNamespace(), named("v1", "Namespace", "ns", func(o *metav1.PartialObjectMetadata) { o.Namespace = "" })
			namespace.Spec.Finalizers = []corev1.FinalizerName{hold, corev1.FinalizerKubernetes}
			deleting(cached)
			if !test.active {
				namespace.DeletionTimestamp = cached.DeletionTimestamp
			}
			c, server, client := newTest(t, namespace, test.live, objects{cached})
			if test.fail {
				server.PrependReactor("list", "events", unavailable)
			}
			for range 2 { // the second time there is no news
				if err := c.settle(t.Context(), owner{kind: namespaceKind, name: "ns"}); (err != nil) != test.fail {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(test.want, writes(t, server)); diff != "" {
				t.Errorf("writes (-want +got):\n%s", diff)
			}
			var conditions []string
			finalized, updates := false, 0
			for _, action := range client.Actions() {
				switch action := action.(type) {
				case clienttesting.CreateActionImpl:
					sent, _ := action.Object.(*corev1.Namespace)
					finalized = slices.Equal(sent.Spec.Finalizers, []corev1.FinalizerName{hold})
				case clienttesting.UpdateActionImpl:
					updates++
					sent, _ := action.Object.(*corev1.Namespace)
					for _, condition := range sent.Status.Conditions {
						conditions = append(conditions, fmt.Sprint(condition.Type, " ", condition.Status, " ", condition.Reason, " ", condition.Message))
					}
				}
			}
			if diff := cmp.Diff(test.conditions, conditions); diff != "" || updates > 1 {
				t.Errorf("%d updates of the status, conditions (-want +got):\n%s", updates, diff)
			}
			if finalized != test.finalized {
				t.Errorf("finalized: %t", finalized)
			}
		})
	}
}

func TestObjectsOfANamespaceThatIsCreatedAnewStay(t *testing.T) {
	for name, change := range map[string]func(*corev1.Namespace){
		"it is active":         func(*corev1.Namespace) {},
		"it terminates itself": func(anew *corev1.Namespace) { anew.DeletionTimestamp = new(metav1.Now()) },
	} {
		t.Run(name, func(t *testing.T) {
			namespace, cached := activeNamespace(), named("v1", "Namespace", "ns", func(o *metav1.PartialObjectMetadata) { o.Namespace = "" }, deleting)
			namespace.DeletionTimestamp, namespace.Spec.Finalizers = cached.DeletionTimestamp, []corev1.FinalizerName{corev1.FinalizerKubernetes}
			c, server, client := newTest(t, namespace, objects{pod()}, objects{cached})
			server.PrependReactor("list", "*", func(clienttesting.Action) (bool, runtime.Object, error) {
				anew := namespace.DeepCopy()
				anew.UID, anew.DeletionTimestamp = "anew", nil
				change(anew)
				return false, nil, client.Tracker().Update(corev1.SchemeGroupVersion.WithResource("namespaces"), anew, "")
			})
			require.NoError(t, c.settle(t.Context(), owner{kind: namespaceKind, name: "ns"}))
			if got := writes(t, server); got != nil {
				t.Errorf("sent %v", got)
			}
		})
	}
}
