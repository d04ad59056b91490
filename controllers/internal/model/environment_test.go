// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/queue"
)

// environment is everything outside of the controllers: what the API stores, the cluster, and what really happened in it.
// Objects in it are never changed, only replaced.
type environment struct {
	ctx     context.Context
	memo    *memo
	cover   *coverage
	trace   []string
	tracing bool

	now time.Time
	// nodeClock is how far the clocks of the nodes are ahead of that of the API server.
	nodeClock time.Duration
	version   int
	uids      int

	// cluster is true if the pods of builds with an output publish. Otherwise an agent checks all results, and no build has an output.
	cluster bool

	images table[*v1alpha1.Image]
	builds table[*v1alpha1.ImageBuild]
	jobs   table[*batchv1.Job]
	pods   table[*corev1.Pod]
	// archives are the Archives, as checks have found the mirrors.
	archives table[*v1alpha1.Archive]
	// mirrors have the packages of Images, if builds have locks.
	mirrors []*mirror
	// installs are the packages that Images install besides those of their bases.
	installs map[string][]string
	// repositories have the sources of Images. Few schedules have any.
	repositories []*gitRepository
	// troubled is true while builders fail, although all else is in peace.
	troubled bool
	// refusals are the messages of events about Jobs without a pod. Some are forged.
	refusals map[types.UID]string
	// forbids are the Jobs whose pods admission refuses.
	forbids map[types.UID]bool
	// builderGone is true while the operator does not register the builder.
	builderGone bool
	// backup is the newest backup, or nil before the first backup.
	backup *backup
	// queueGone is true once the queue of Kueue is deleted: no Job is resumed any more.
	queueGone bool
	// refused is the name of a build whose status admission refuses.
	refused string
	// rejecting is true while admission refuses Jobs.
	rejecting bool

	// keys are the SigningKeys. Each signs the builds of all namespaces.
	keys []*v1alpha1.SigningKey

	limits  queue.Limits
	process *process
	// former is a process that led before, and does not know of the new one yet.
	former *process
	events []event
	next   int // of events
	faults faults
	// late are writes of a crashed process that have not arrived yet.
	late []lateWrite
	// arrivesLate is true while such a write is carried out.
	arrivesLate bool
	// promotions are those that have not written the channel yet.
	promotions []promotion
	// peace is true once no faults happen any more.
	peace bool

	truth truth
}

// lateWrite is a write that arrives after its process has gone.
type lateWrite struct {
	name string
	sent time.Time
	do   func() error
}

// stored is an object of the API.
type stored interface {
	comparable
	client.Object
}

// table is the objects of a kind, and all that ever happened to them.
type table[T stored] struct {
	all []T
	log []change[T]
}

// change is a watch event. was is nil for a new object, and is is nil for a deleted object.
type change[T stored] struct{ was, is T }

// get is the object of a name. Names are unique among all namespaces here.
func (t *table[T]) get(name string) (object T, ok bool) {
	for _, object := range t.all {
		if object.GetName() == name {
			return object, true
		}
	}
	return object, false
}

// put stores a new object, or a new version of an object.
func put[T stored](w *environment, t *table[T], object T) {
	w.version++
	object.SetResourceVersion(strconv.Itoa(w.version))
	for i, known := range t.all {
		if known.GetName() == object.GetName() {
			t.log = append(t.log, change[T]{was: known, is: object})
			t.all[i] = object
			return
		}
	}
	t.log = append(t.log, change[T]{is: object})
	t.all = append(t.all, object)
}

// remove takes an object out.
func remove[T stored](w *environment, t *table[T], object T) {
	w.version++
	t.all = slices.DeleteFunc(t.all, func(other T) bool { return other.GetName() == object.GetName() })
	t.log = append(t.log, change[T]{was: object})
}

// uid returns a new UID.
func (w *environment) uid() types.UID {
	w.uids++
	return types.UID("u" + strconv.Itoa(w.uids))
}

func (w *environment) time() metav1.Time { return metav1.NewTime(w.now.Truncate(time.Second)) }

// note adds an event to the trace, for people.
func (w *environment) note(format string, args ...any) {
	if w.tracing {
		w.trace = append(w.trace, fmt.Sprintf("%s  ", w.now.Format("02 15:04:05"))+fmt.Sprintf(format, args...))
	}
}

// violation is a broken invariant.
type violation struct{ text string }

// broken ends the schedule: an invariant does not hold.
func (w *environment) broken(format string, args ...any) {
	panic(violation{fmt.Sprintf(format, args...)})
}

// active reports whether an unfinished build has an attempt.
func active(build *v1alpha1.ImageBuild) bool {
	return !build.Status.Phase.Finished() && len(build.Status.Attempts) > 0
}

func lastAttempt(build *v1alpha1.ImageBuild) *v1alpha1.BuildAttempt {
	if n := len(build.Status.Attempts); n > 0 {
		return &build.Status.Attempts[n-1]
	}
	return nil
}

func numberOf(build *v1alpha1.ImageBuild) int64 {
	if build.Spec.Number == nil {
		return 0
	}
	return *build.Spec.Number
}

func external(build *v1alpha1.ImageBuild) bool {
	return build.Spec.Inputs.Template != nil && build.Spec.Inputs.Template.QueueName != ""
}
