// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
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

// Actions of users, who build; of people who change or delete what they should not; and faults of the server.
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
	killServer   = "kill the server"
	freezeServer = "freeze the server"
	backUp       = "back up"
	restore      = "restore the last backup"
)

// weights are how often an action happens, relative to the others of its map. Those of users and of faults follow each other at
// random intervals with these means.
var (
	userMean    = 150 * time.Millisecond
	userWeights = map[string]int{
		createImage: 12, changeImage: 20, deleteImage: 1, orphanBuilds: 1, requestBuild: 20, rerunBuild: 6, cancelBuild: 8, promoteBuild: 4,
		deleteBuild: 6, holdBuild: 3, addFinalizer: 4, removeHolds: 1, deletePod: 8, deleteJob: 6, orphanPod: 8,
	}
	faultMean    = 8 * time.Second
	faultWeights = map[string]int{killServer: 6, freezeServer: 3, backUp: 3, restore: 2}
)

// plan is the schedule of a seed.
func plan(seed uint64, duration time.Duration) []step {
	all := slices.Concat(
		stream(rand.New(rand.NewPCG(seed, 1)), duration, userMean, userWeights),
		stream(rand.New(rand.NewPCG(seed, 2)), duration, faultMean, faultWeights),
	)
	slices.SortStableFunc(all, func(a, b step) int { return cmp.Compare(a.at, b.at) })
	return all
}

func stream(r *rand.Rand, duration, mean time.Duration, weights map[string]int) []step {
	var choices []string
	for action, weight := range weights {
		for range weight {
			choices = append(choices, action)
		}
	}
	slices.Sort(choices) // the order of a map differs from run to run
	var steps []step
	for at := time.Duration(0); ; {
		at += time.Duration(-math.Log(1-r.Float64()) * float64(mean))
		if at >= duration {
			return steps
		}
		steps = append(steps, step{at: at, action: choices[r.IntN(len(choices))], pick: r.Uint64()})
	}
}
