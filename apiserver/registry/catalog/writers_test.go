// SPDX-License-Identifier: Apache-2.0

package catalog_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	registry "goldsmith.dev/goldsmith/apiserver/registry/catalog"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/catalog"
)

// TestRandomWritersOfBothSidesAgreeWithAModel lets two managers write the same objects as objects of a kind and as Images, in all ways. After
// each write both sides have what the model has: values, owners, and a generation that moves only with the spec. Writers of other
// namespaces write at the same time.
func TestRandomWritersOfBothSidesAgreeWithAModel(t *testing.T) {
	t.Parallel()
	kind := readKind(t, "testdata/machines.yaml")
	client := require.Value(dynamic.NewForConfig(serve(t, registry.NewConfiguration([]*catalog.Kind{kind}))))(t)
	seeds, steps := 12, 150
	if testing.Short() {
		seeds, steps = 4, 80
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			namespace := fmt.Sprint("writers-", seed)
			w := &writers{TB: t, random: rand.New(rand.NewPCG(uint64(seed), 0)), objects: map[string]*written{}, outcomes: map[metav1.StatusReason]int{}}
			w.clients[ofKind] = client.Resource(kind.GroupVersionKind().GroupVersion().WithResource(kind.Name())).Namespace(namespace)
			w.clients[ofImages] = client.Resource(v1alpha1.SchemeGroupVersion.WithResource("images")).Namespace(namespace)
			w.watch()
			for step := range steps {
				w.step()
				if t.Failed() {
					t.Fatalf("in step %d: %s", step, w.did)
				}
			}
			w.expectEvents()
			if w.outcomes[""] < steps/3 || w.outcomes[conflict] == 0 {
				t.Errorf("the outcomes are %v", w.outcomes)
			}
		})
	}
}

// writers are two managers, and what they have written.
type writers struct {
	testing.TB
	random   *rand.Rand
	clients  [2]dynamic.ResourceInterface
	objects  map[string]*written
	outcomes map[metav1.StatusReason]int
	did      string // in the present step
	watched  [2]chan []event
	stored   []string // the resource versions of the objects that writes have made
}

// written is an object as it was last stored.
type written struct {
	*reference
	shown [2]*unstructured.Unstructured
	// others are what no property has: of the spec of the Image, of its status, and its owners.
	others string
	// copies are what managers have read before, for late updates.
	copies []copied
}

// copied is what a manager has read.
type copied struct {
	side   side
	object *unstructured.Unstructured
}

var (
	objectNames = []string{"a", "b"}
	managers    = []string{"ada", "bob"}
)

func choose[T any](w *writers, from []T) T { return from[w.random.IntN(len(from))] }

// often decides with a chance of n in 8.
func (w *writers) often(n int) bool { return w.random.IntN(8) < n }

// attempt is a request of a manager, and what the model expects of it.
type attempt struct {
	name    string
	side    side
	manager string
	applies bool
	next    *reference // nil if nothing is left
	reason  metav1.StatusReason
}

// step sends one write.
func (w *writers) step() {
	write := &attempt{name: choose(w, objectNames), side: choose(w, []side{ofKind, ofImages}), manager: choose(w, managers)}
	object := w.objects[write.name]
	shown := object != nil && object.shown[write.side] != nil
	switch kind := w.random.IntN(12); {
	case object == nil && w.often(5), kind == 0:
		w.create(write, object)
	case kind == 1:
		w.delete(write, object)
	case object != nil && kind == 2:
		w.adopt(write, object)
	case shown && kind == 3:
		w.touch(write, object)
	case shown && kind < 8, write.side == ofKind && kind < 6:
		w.apply(write, object)
	case object != nil && len(object.copies) > 0 && kind == 8:
		w.updateLate(write, object)
	case shown && kind == 9:
		w.update(write, object)
	default:
		w.patch(write, object)
	}
}

// perform sends a request, and checks its outcome and what is stored then.
func (w *writers) perform(write *attempt, request string, send func(dynamic.ResourceInterface) error) {
	w.Helper()
	w.did = fmt.Sprintf("%s: %s of %s as %s", write.manager, request, write.name, []string{"object", "Image"}[write.side])
	err := send(w.clients[write.side])
	w.outcomes[write.reason]++
	if got := apierrors.ReasonForError(err); got != write.reason || err != nil && got == "" {
		w.Errorf("the outcome is %q, want %q: %v", got, write.reason, err)
		return
	}
	if err == nil {
		w.expect(write, write.next)
	} else if object := w.objects[write.name]; object != nil {
		w.expect(write, object.reference)
	} else {
		w.expect(write, nil)
	}
}

// errorOf returns the error of a call that also returns a value.
func errorOf[T any](_ T, err error) error { return err }
