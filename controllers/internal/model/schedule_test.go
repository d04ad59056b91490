// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/jobs/queue"
)

// kind of an event.
type kind uint8

const (
	deliverNews kind = iota
	lookAtImage      // of each controller, in the order of process.controllers
	lookAtBuild
	lookAtOrphan
	lookAtExpired
	workOnJob
	workOnPod
	passTime
	editImage
	askForBuild
	askAgain
	cancelBuild
	revokeBuild
	rerunBuild
	promoteBuild
	deleteBuild
	createDirectly
	recreateImage
	disruptPod
	deleteJob
	strangersJob
	strangersPod
	holdSomething
	kueue
	newPackage
	archiveCheck
	pushCommit
	gitServer
	hintSource
	editSource
	workOnAll
	changeOperator
	signerWorks
	keysChange
	loseNews
	repeatNews
	relistAll
	crashNow
	takeOver
	arriveLate
	backUp
	restore
	kinds
)

var kindNames = [...]string{
	"news arrive", "image controller looks", "build controller looks", "controller of orphans looks", "controller of expired builds looks", "Job controller works", "kubelet works", "time passes", "image is edited",
	"build is asked for", "request is repeated", "build is cancelled", "build is revoked or restored", "build is rerun", "build is promoted", "build is deleted", "build is created directly",
	"image is recreated", "pod is disrupted", "Job is deleted", "stranger makes a Job", "stranger makes a pod", "legal hold", "Kueue decides", "a package is published", "an archive is checked", "a branch is pushed", "a Git server fails or recovers", "a webhook comes", "a source is edited", "cluster works", "operator changes something", "signer works", "keys change", "news are lost",
	"news are repeated", "relist", "process crashes", "another process leads", "late write arrives", "backup", "restore",
}

// weights of the kinds of events.
var weights = [kinds]int{
	deliverNews: 130, lookAtBuild: 240, lookAtImage: 70, lookAtOrphan: 12, lookAtExpired: 80, takeOver: 8, workOnJob: 30, workOnPod: 60, workOnAll: 170, signerWorks: 30, keysChange: 8, passTime: 50, editImage: 30, askForBuild: 46,
	askAgain: 5, cancelBuild: 26, revokeBuild: 8, rerunBuild: 12, promoteBuild: 24, deleteBuild: 8, createDirectly: 24, recreateImage: 2, disruptPod: 22, deleteJob: 20,
	strangersJob: 6, strangersPod: 12, kueue: 60, changeOperator: 8, loseNews: 8, repeatNews: 6, relistAll: 6, crashNow: 4, arriveLate: 12, holdSomething: 12,
	backUp: 14, restore: 12, newPackage: 24, archiveCheck: 36,
}

// sourceWeights are the additional weights of the kinds of events if Images have sources.
var sourceWeights = [kinds]int{pushCommit: 90, gitServer: 40, hintSource: 60, editSource: 50, lookAtImage: 260, deliverNews: 100, workOnAll: 100, passTime: 50}

// event is one step of a schedule. The meaning of its numbers depends on the objects that exist when it happens.
type event struct {
	kind kind
	a, b uint16
}

func (e event) String() string { return fmt.Sprintf("%s (%d, %d)", kindNames[e.kind], e.a, e.b) }

// outside reports whether the event happens outside of the controllers.
func (e event) outside() bool { return e.kind >= workOnJob && e.kind <= workOnAll }

// schedule is an environment to begin with, and what happens in it.
type schedule struct {
	seed   uint64
	events []event
}

var epoch = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

// longestTurnBack is how far clocks are turned back.
const longestTurnBack = 5 * time.Second

// newSchedule makes the schedule of a seed.
func newSchedule(seed uint64) schedule {
	random := rand.New(rand.NewPCG(seed, 1))
	weights, total := weights, 0
	for kind := range weights {
		if hasSources(seed) {
			weights[kind] += sourceWeights[kind]
		}
		total += weights[kind]
	}
	events := make([]event, 24+random.IntN(24))
	for i := range events {
		at := random.IntN(total)
		kind := kind(0)
		for ; at >= weights[kind]; kind++ {
			at -= weights[kind]
		}
		bits := random.Uint32()
		events[i] = event{kind: kind, a: uint16(bits), b: uint16(bits >> 16)}
	}
	return schedule{seed: seed, events: events}
}

// newEnvironment returns the environment in which a schedule begins.
func newEnvironment(s schedule, memo *memo, cover *coverage) *environment {
	random := rand.New(rand.NewPCG(s.seed, 2))
	w := &environment{ctx: memo.ctx, memo: memo, cover: cover, now: epoch, installs: installed, events: s.events, refusals: map[types.UID]string{}, forbids: map[types.UID]bool{}}
	w.cluster = s.seed%2 == 0
	w.limits = queue.Limits{Builds: random.IntN(4), PerNamespace: random.IntN(3), Automatic: random.IntN(3), AutomaticPerNamespace: random.IntN(3)}
	if w.limits.Builds == 3 {
		w.limits.Builds = 1
	}
	w.truth = truth{
		byHand: map[types.UID]bool{}, digests: map[types.UID]string{}, ended: map[numbered]ended{}, jobs: map[types.UID]string{}, owners: map[types.UID]types.UID{}, pods: map[types.UID]*podTruth{}, passed: map[passedTest]bool{},
		checks: map[sourceCheck]moment{}, since: map[types.UID]moment{}, founds: map[types.UID][]string{}, startedBy: map[types.UID]string{},
		moved: map[string]int{}, strangers: map[string]bool{}, contents: map[string]*content{}, held: map[types.UID]string{}, fixes: map[numbered]bool{}, rejected: map[string]bool{}, uncompared: map[string]bool{}, forbidden: map[string]bool{}, restoredAway: map[types.UID]bool{}, scheduledAt: map[string]time.Time{},
	}
	images := [...][]string{{"a", "c"}, {"a", "b"}, {"a"}, {"a", "b"}}
	names := images[random.IntN(len(images))]
	if s.seed%packageSchedules == 1 {
		w.openMirrors()
		names = [...][]string{{"a", "b"}, {"a", "b", "d"}, {"a"}}[random.IntN(3)]
	}
	if hasSources(s.seed) {
		w.openRepositories()
	}
	for _, name := range names {
		w.createImage(name, map[string]string{"a": "x", "b": "x", "c": "y", "d": "x"}[name], random.Uint32())
	}
	for range random.IntN(3) {
		w.changeKeys(random.IntN(4))
	}
	w.nodeClock = [...]time.Duration{0, 0, -time.Hour, time.Hour}[random.IntN(4)]
	w.start(0)
	if random.IntN(earlySuccess) == 0 || len(w.mirrors) > 0 || len(w.repositories) > 0 && s.seed/sourceSchedules%3 > 0 {
		w.beginWithBuilds()
	}
	return w
}

// earlySuccess is of how many schedules one begins with builds that have ended. In the others a build seldom succeeds before all faults end.
const earlySuccess = 5

// packageSchedules is of how many schedules one has archives of packages. It is even, because they need an agent, and not a cluster.
const packageSchedules = 12

// sourceSchedules is of how many schedules two have sources from Git: one in a cluster, and one with an agent.
const sourceSchedules = 24

// hasSources reports whether Images of a schedule have sources from Git.
func hasSources(seed uint64) bool { return seed%sourceSchedules == 4 || seed%sourceSchedules == 19 }

// beginWithBuilds lets the controllers and the cluster work without faults for a while. Then the Images get other tests, and rules of
// channels, which the builds may meet.
func (w *environment) beginWithBuilds() {
	for _, image := range slices.Clone(w.images.all) {
		w.setRule(image, false)
	}
	w.peace = true
	for range 20 {
		w.lookAtAll()
		w.clusterWorks()
		w.deliverAll()
		w.now = w.now.Add(time.Second)
	}
	w.peace = false
	w.checkMirrors()
	for i, image := range slices.Clone(w.images.all) {
		image = w.setTests(image, 4+i+len(w.events)) // so that artifacts are tested again
		w.setRule(image, true)
	}
}

// step has the next event happen.
func (w *environment) step() {
	e := w.events[w.next]
	w.next++
	if w.tracing {
		w.note("%3d %s", w.next-1, e)
	}
	w.cover.events++
	w.now = w.now.Add(100 * time.Millisecond)
	a, b := int(e.a), int(e.b)
	if len(w.promotions) > 0 && (a+b)%3 == 0 {
		w.finishPromotion()
	}
	switch e.kind {
	case deliverNews:
		w.either(b).deliver(a%5, 1+b%8)
	case loseNews:
		w.process.caches()[a%5].lose()
	case repeatNews:
		w.process.caches()[a%5].repeat(w.process)
	case relistAll:
		w.process.relist()
	case lookAtImage, lookAtBuild, lookAtOrphan, lookAtExpired:
		w.lookAtSomething(e.kind, a, b)
	case crashNow:
		w.start(a)
	case takeOver:
		w.former = w.process
		w.former.left = 1 + b%16
		w.cover.point("two processes lead")
		w.start(a)
	case arriveLate:
		w.arrive(a)
	case passTime:
		w.pass(a)
	case changeOperator:
		w.changeOperator(a)
	case signerWorks:
		w.sign(b % 4)
	case keysChange:
		w.changeKeys(a)
	case backUp:
		w.backUp()
	case restore:
		w.restore()
	default:
		w.happen(e.kind, a, b)
	}
}
