// SPDX-License-Identifier: Apache-2.0

package history

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/records"
)

const (
	// queueLength is how many edits may wait for the database.
	queueLength = 1000
	// retryInterval is when an edit is written again that could not be written.
	retryInterval = 10 * time.Second
	// maxFailures is how often an edit may fail although the database answers.
	maxFailures = 3
	// drainTimeout is how long a server that stops may take to write what still waits.
	drainTimeout = 3 * time.Second
)

// Edit is what somebody changed in a generation of an Image.
type Edit struct {
	Image      records.ImageKey
	Generation int64
	Time       time.Time
	User       string
	Changes    []v1alpha1.InputChange
}

// Queue takes edits to the database in the background, as well as may be: no edit of an Image waits for the database or
// fails because of it. While the database is unavailable a thousand edits wait; more than those are dropped, and counted.
type Queue struct {
	database *Database
	clock    clock.Clock
	edits    chan Edit
	recorded prometheus.Counter
	dropped  prometheus.Counter

	running sync.Mutex // held by Run, and by the end of Close
	once    sync.Once
	closed  chan struct{}
}

// NewQueue makes a queue. The clock says when to try again; nil is the real one.
func NewQueue(database *Database, clocked clock.Clock) *Queue {
	if clocked == nil {
		clocked = clock.RealClock{}
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "goldsmith_image_changes_" + name, Help: help})
	}
	return &Queue{
		database: database, clock: clocked, edits: make(chan Edit, queueLength), closed: make(chan struct{}),
		recorded: counter("recorded_total", "Number of recorded changes of images."),
		dropped: counter("dropped_total",
			"Number of changes of images that were not recorded, because the records database was unavailable for too long, or refused them."),
	}
}

// Register registers the counters. It is to be called before Run. Where those of another server of the process are
// registered, what they count is not seen: a process has one server, but for tests.
func (q *Queue) Register(registerer prometheus.Registerer) error {
	for _, counter := range []prometheus.Counter{q.recorded, q.dropped} {
		err := registerer.Register(counter)
		if already := (prometheus.AlreadyRegisteredError{}); err != nil && !errors.As(err, &already) {
			return fmt.Errorf("register the metrics of recorded changes: %w", err)
		}
	}
	return nil
}

// Add has an edit recorded, and returns at once.
func (q *Queue) Add(ctx context.Context, edit Edit) {
	if q.database.None() {
		return
	}
	select {
	case q.edits <- edit:
	default:
		q.drop(ctx, edit, errors.New("too many edits wait for the database of records"))
	}
}

// Run records what is added, in its order, until Close is called. Of ctx it takes the values only: requests that are still
// served when a server begins to stop add edits, too.
func (q *Queue) Run(ctx context.Context) {
	q.running.Lock()
	defer q.running.Unlock()
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	go func() {
		defer cancel()
		select {
		case <-q.closed:
		case <-ctx.Done():
		}
	}()
	for {
		select {
		case edit := <-q.edits:
			if !q.record(ctx, edit) {
				q.drain(ctx, edit)
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// Close ends Run, and tries once more to write what waits, for a few seconds at most. What it cannot write is counted. It is
// to be called when no request adds edits any more, while the database is open.
func (q *Queue) Close() {
	q.once.Do(func() { close(q.closed) })
	q.running.Lock()
	defer q.running.Unlock()
	q.drain(context.Background())
}

// record writes an edit or drops it. It returns false if ctx was done before either.
func (q *Queue) record(ctx context.Context, edit Edit) bool {
	for failures := 0; ; {
		err := q.write(ctx, edit)
		switch {
		case err == nil:
			return true
		case ctx.Err() != nil:
			return false
		case q.database.ping(ctx) == nil: // so it is this edit
			failures++
		}
		if errors.Is(err, records.ErrInvalid) || failures == maxFailures {
			q.drop(ctx, edit, err)
			return true
		}
		select {
		case <-q.clock.After(retryInterval):
		case <-ctx.Done():
			return false
		}
	}
}

func (q *Queue) write(ctx context.Context, edit Edit) error {
	store, err := q.database.Store()
	if err != nil {
		return err
	}
	if err := store.AddChanges(ctx, edit.Image, edit.Generation, edit.Time, edit.User, edit.Changes); err != nil {
		return err
	}
	q.recorded.Inc()
	return nil
}

// drain writes what waits, without trying twice.
func (q *Queue) drain(ctx context.Context, first ...Edit) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	for _, edit := range first {
		if err := q.write(ctx, edit); err != nil {
			q.drop(ctx, edit, err)
		}
	}
	for {
		select {
		case edit := <-q.edits:
			if err := q.write(ctx, edit); err != nil {
				q.drop(ctx, edit, err)
			}
		default:
			return
		}
	}
}

func (q *Queue) drop(ctx context.Context, edit Edit, why error) {
	q.dropped.Inc()
	klog.FromContext(ctx).Error(why, "an edit of an image is not recorded",
		"namespace", edit.Image.Namespace, "image", edit.Image.Name, "generation", edit.Generation, "user", edit.User)
}
