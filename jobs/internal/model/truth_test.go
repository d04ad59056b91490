// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// truth is what really happened, which no controller can know. The invariants are held against it.
type truth struct {
	given   []given
	created []*v1alpha1.ImageBuild // every build that ever was, as it was created
	byHand  map[types.UID]bool     // builds that somebody deleted
	digests map[types.UID]string   // what builds resolved their inputs to
	asked   []asked
	jobs    map[types.UID]string // names of Jobs of ours
	pods    map[types.UID]*podTruth
	results int // how many pods have made something

	moved       map[string]int // how often what an Image is made from has changed
	anew        int
	strangers   map[string]bool      // Jobs that are not ours
	rejected    map[string]bool      // Jobs that admission has refused
	scheduledAt map[string]time.Time // since when an Image has had its schedule
	serverCrash bool
	excused     bool // the request that is carried out was decided on before something else happened
	lateStarts  int  // builds that were started by a process that was gone
	endedAt     time.Time
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

// asked is a request by a person, who asks again until there is an answer.
type asked struct {
	request
	answer types.UID
}

// nodeState is whether anything is heard of a node.
type nodeState uint8

const (
	nodeUp nodeState = iota
	nodeLost
	nodeHangs // its kubelet does nothing any more, and nobody notices
)

type podTruth struct {
	job    types.UID
	node   nodeState
	digest string // of what it made
	killed bool   // because it was deleted
	// startedAt is when its container started, and overdue says that the kubelet ended it because of its deadline.
	startedAt time.Time
	overdue   bool
}
