// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// step is something that happens at a time after the start.
type step struct {
	at     time.Duration
	action string
	// pick chooses among the objects that exist, and how exactly it happens.
	pick uint64
}

// Actions of users, who build, and of people who change or delete what they should not.
const (
	createImage  = "create an image"
	changeImage  = "change an image"
	deleteImage  = "delete an image"
	orphanBuilds = "delete an image, but not its builds"
	requestBuild = "request a build"
	rerunBuild   = "rerun a build"
	cancelBuild  = "cancel a build"
	promoteBuild = "promote a build"
	deleteBuild  = "delete a build"
	holdBuild    = "put a build under legal hold, or release it"
	addFinalizer = "add a finalizer to a build"
	removeHolds  = "remove all finalizers"
	deletePod    = "delete a pod"
	deleteJob    = "delete a Job"
	orphanPod    = "delete a Job, but not its pod"
)

// The names of the faults. Each kind of target has some of these faults.
const (
	backUp         = "back up"
	restore        = "restore the last backup"
	killServer     = "kill the server"
	freezeServer   = "freeze the server"
	killAPIServer  = "kill an API server"
	killEtcd       = "kill etcd"
	killController = "kill a controller"
	killBuilder    = "kill a builder"
	deleteServer   = "delete a pod of Goldsmith"
	cutPod         = "cut a pod of Goldsmith off the network"
	cutWorker      = "cut a worker off the network"
	freezeWorker   = "freeze a worker"
	restartWorker  = "restart a worker"
)

// pace is how often what happens: an action happens at random intervals with this mean, and is each time drawn by the weights.
type pace struct {
	mean    time.Duration
	weights map[string]int
}

// userWeights are how often users do something, relative to each other.
var userWeights = map[string]int{
	createImage: 12, changeImage: 20, deleteImage: 1, orphanBuilds: 1, requestBuild: 20, rerunBuild: 6, cancelBuild: 8, promoteBuild: 4,
	deleteBuild: 6, holdBuild: 3, addFinalizer: 4, removeHolds: 1, deletePod: 8, deleteJob: 6, orphanPod: 8,
}

// plan is the schedule of a seed for the users, and for the faults beside them.
func plan(seed uint64, duration time.Duration, users, faults pace) (userSteps, faultSteps []step) {
	return stream(rand.New(rand.NewPCG(seed, 1)), duration, users), stream(rand.New(rand.NewPCG(seed, 2)), duration, faults)
}

func stream(r *rand.Rand, duration time.Duration, p pace) []step {
	var choices []string
	for action, weight := range p.weights {
		for range weight {
			choices = append(choices, action)
		}
	}
	slices.Sort(choices) // the order of a map differs from run to run
	var steps []step
	for at := time.Duration(0); ; {
		at += time.Duration(-math.Log(1-r.Float64()) * float64(p.mean))
		if at >= duration {
			return steps
		}
		steps = append(steps, step{at: at, action: choices[r.IntN(len(choices))], pick: r.Uint64()})
	}
}
