// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// fault is a way in which a write of a controller fails.
type fault uint8

const (
	// none : the write is carried out and answered.
	none fault = iota
	// crash : the write is carried out, and then the process crashes.
	crash
	// crashBefore : the process crashes, and the write is never sent.
	crashBefore
	// late : the process crashes, and the write arrives some time later.
	late
	// noAnswer : the write is carried out, but the process gets no answer.
	noAnswer
	// noRequest : the write is not carried out, and the process gets no answer.
	noRequest
	// serverCrash : of instantiate, after the request was recorded.
	serverCrash
	kindsOfFaults
)

var faultNames = [...]string{"", "crash after", "crash before", "crash, arrives late", "no answer", "no request", "server crash in"}

// faults are the faults that are still to happen.
type faults struct {
	kind fault
	in   int // writes
	// rare is the fault of rare writes, instead of kind.
	rare fault
	// read is the number of reads of a controller until one fails.
	read int
	// interject is the number of requests of a controller until another event happens between two of its requests.
	interject int
	// overtake is true if the object that a controller deletes or changes is deleted just before that.
	overtake bool
	// interjected is true once that event has happened during the current reconcile.
	interjected bool
}

// crashed ends a process in the middle.
type crashed struct{}

// write has the API carry out a write of a controller, unless there is a fault.
func (w *environment) write(point string, do func() error) error {
	w.request()
	kind := none
	if w.faults.kind != none {
		if w.faults.in == 0 {
			kind, w.faults.kind = w.faults.kind, none
		} else {
			w.faults.in--
		}
	}
	if rarely(point) {
		kind, w.faults.rare = w.faults.rare, none
	}
	if kind == serverCrash && point != "build asked for" {
		kind = crash
	}
	if kind != none && kind != serverCrash {
		w.cover.fault(kind, point)
		if w.tracing {
			w.note("fault: %s %s", faultNames[kind], point)
		}
	}
	switch kind {
	case crash:
		_ = do() // nobody is there to learn of its error
		panic(crashed{})
	case crashBefore:
		panic(crashed{})
	case late:
		w.late = append(w.late, lateWrite{point, w.now, do})
		panic(crashed{})
	case noAnswer:
		_ = do() // the process does not learn of the error
		return unanswered[w.version%len(unanswered)]
	case noRequest:
		return w.unserved(apiOf(point))
	case serverCrash:
		w.truth.serverCrash = true
		defer func() { w.truth.serverCrash = false }()
	}
	return do()
}

// api is one that a controller reads and writes.
type api bool

const ofKubernetes, ofGoldsmith api = false, true

// resultPassed is the write that passes the result of a builder to its publisher.
const resultPassed = "result passed"

// resultStored is the write of the result of a build that reproduces another build.
const resultStored = "result stored"

// The writes of checks of sources.
const sourceStored, checkCreated, checkDeleted = "source stored", "Job of check created", "Job of check deleted"

// apiOf is the API of a write.
func apiOf(point string) api {
	return !api(strings.HasPrefix(point, "Job ") || strings.HasPrefix(point, "pod ") || point == resultPassed)
}

// unanswered are errors after which the outcome of a request is unknown.
var unanswered = [...]error{
	errTimeout, apierrors.NewTimeoutError("the server was unable to return a response in time", 1), apierrors.NewInternalError(errors.New("etcdserver: request timed out")),
}

// unserved returns the error of a request that is not carried out. Goldsmith's API may not exist for a while.
func (w *environment) unserved(by api) error {
	errs := [...]error{
		errTimeout, apierrors.NewServiceUnavailable("the server is currently unable to handle the request"), apierrors.NewTooManyRequests("try again", 1),
		apierrors.NewGenericServerResponse(http.StatusNotFound, "get", anything, "object", "404 page not found", 0, true),
	}
	if by == ofGoldsmith {
		return errs[w.next%4]
	}
	return errs[w.next%3]
}

// read is a request of a controller that reads. It may fail.
func (w *environment) read(by api) error {
	w.request()
	if w.faults.read == 0 {
		return nil
	}
	if w.faults.read--; w.faults.read > 0 {
		return nil
	}
	w.cover.point("a read fails")
	return w.unserved(by)
}

// rarely reports whether a write comes so seldom that faults have to be aimed at it.
func rarely(point string) bool {
	return point == "build superseded" || point == "build pruned" || point == "build expired" || point == "channel moved" || point == "pod stopped" || point == "pod deleted" || point == resultPassed || point == resultStored || point == checkCreated || point == checkDeleted || point == "Retrying" || point == "Succeeded" || point == "Testing"
}

// request is a moment at which a controller waits for the API, and something else may happen.
func (w *environment) request() {
	if w.faults.interject == 0 {
		return
	}
	w.faults.interject--
	if w.faults.interject > 0 {
		return
	}
	if len(w.late) > 0 { // what is made between two requests may be worked on before the second
		w.faults.interjected = true
		w.arrive(w.next)
		w.workOnEverything(0, w.next)
	}
	if w.next < len(w.events) && w.events[w.next].outside() {
		w.faults.interjected = true
		w.step()
	}
}

// overtake deletes the object of a request just before the request.
func overtake[T stored](p *process, t *table[T], name string) {
	if object, ok := t.get(name); ok && p.faults.overtake {
		p.faults.overtake, p.faults.interjected = false, true
		p.cover.point(fmt.Sprintf("a %T is deleted just before a request", object))
		remove(p.environment, t, object)
	}
}

// requestTimeout is after which time kube-apiserver gives up a request: --request-timeout.
const requestTimeout = time.Minute

// arrive carries out a late write, unless it is too late.
func (w *environment) arrive(which int) {
	if len(w.late) == 0 {
		return
	}
	which %= len(w.late)
	write := w.late[which]
	w.late = append(w.late[:which:which], w.late[which+1:]...)
	if w.now.Sub(write.sent) > requestTimeout {
		return
	}
	w.arrivesLate = true
	err := write.do()
	w.arrivesLate = false
	if w.tracing {
		w.note("late: %s: %v", write.name, err)
	}
}

// look lets a controller reconcile an object. If the process crashes, another process takes over at once, with caches
// that are some changes old.
func (w *environment) look(p *process, at func(), ago int) {
	defer func() {
		w.faults = faults{}
		switch end := recover().(type) {
		case nil:
		case crashed:
			if p == w.process {
				w.start(ago)
			} else {
				w.former = nil
			}
		default:
			panic(end)
		}
	}()
	at()
}
