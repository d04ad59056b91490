// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// truth records all events, which no controller can know. The invariants are checked against the truth.
type truth struct {
	given    []given
	created  []*v1alpha1.ImageBuild // every build that ever was, as it was created
	byHand   map[types.UID]bool     // builds that somebody deleted
	digests  map[types.UID]string   // the resolved inputs of builds that did not lack their builder
	ended    map[numbered]ended     // how builds of Images ended
	asked    []asked
	jobs     map[types.UID]string    // names of Jobs of ours
	owners   map[types.UID]types.UID // builds of Jobs of ours
	pods     map[types.UID]*podTruth
	contents map[string]*content  // what artifacts are made of, by their digests
	held     map[types.UID]string // the package that an Image holds back
	fixes    map[numbered]bool    // builds that were reported as fixes
	results  int                  // the number of pods that have made an artifact

	passed map[passedTest]bool

	checks    map[sourceCheck]moment // when checks of sources began
	since     map[types.UID]moment   // when somebody asked for a build that waits for a check
	founds    map[types.UID][]string // what the source of an Image was found to name, one after the other
	startedBy map[types.UID]string   // the commit that started a build

	moved        map[string]int // how often the inputs of an Image have changed
	anew         int
	strangers    map[string]bool      // Jobs that are not ours
	rejected     map[string]bool      // Jobs that admission has refused
	uncompared   map[string]bool      // Jobs whose dry runs admission has refused
	forbidden    map[string]bool      // Jobs whose pods admission has refused
	checkDelayed bool                 // a check of a source has failed, or time has passed before it could begin
	restoredAway map[types.UID]bool   // builds that a restore has lost
	scheduledAt  map[string]time.Time // since when an Image has had its schedule
	serverCrash  bool
	excused      bool // the request that is carried out was decided on before something else happened
	lateStarts   int  // builds that a late write of a crashed process has started
	endedAt      time.Time
	turnedBack   time.Duration // by how much clocks were turned back in all
}

// given is a number that was given to a request.
type given struct {
	image  types.UID
	name   string
	record v1alpha1.BuildRequestRecord
	moved  int
	// overtaken is true if it was asked for before something else happened.
	overtaken bool
}

// numbered is a build of an Image.
type numbered struct {
	image  types.UID
	number int64
}

// ended is how a build ended.
type ended struct {
	phase  v1alpha1.BuildPhase
	reason v1alpha1.FailureReason
	counts bool
	// generation of the Image that the build has its spec from.
	generation int64
	class      v1alpha1.FailureClass
	at         time.Time
	name       string
	artifact   string // its digest, of a success
}

// asked is a request by a person, who asks again until there is an answer.
type asked struct {
	request
	answer types.UID
}

// nodeState tells whether a node responds.
type nodeState uint8

const (
	nodeUp nodeState = iota
	nodeLost
	nodeHangs // its kubelet does nothing any more, and nobody notices
)

// endedPod returns the pod of a UID as it was when its container ended, or nil.
func (t *truth) endedPod(uid types.UID) *corev1.Pod {
	if pod := t.pods[uid]; pod != nil {
		return pod.ended
	}
	return nil
}

type podTruth struct {
	job       types.UID
	node      nodeState
	made      bool                            // an artifact
	tested    map[string]v1alpha1.TestOutcome // by the names of tests
	manifest  string                          // of what the publisher has pushed by its digest
	unsigned  v1alpha1.FailureReason          // why the publisher could not have it signed
	published v1alpha1.Artifact               // the digest and the location of what the publisher has published
	ended     *corev1.Pod                     // as it was when its container ended
	killed    bool                            // because it was deleted
	suspended bool                            // deleted because its Job was suspended
	// startedAt is the start time of the container. overdue is true if the kubelet ended the container because of its deadline.
	startedAt time.Time
	overdue   bool
	content   *content               // what the builder installs
	answer    *end                   // of a check of a source
	question  string                 // the input of a check of a source
	unfetched v1alpha1.FailureReason // why the fetcher failed
}
