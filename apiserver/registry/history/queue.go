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
	"goldsmith.dev/goldsmith/apis/metrics"
	"goldsmith.dev/goldsmith/records"
)

const (
	// queueLength is the maximum number of edits that wait for the database.
	queueLength = 1000
	// retryInterval is the interval between two tries to write an edit.
	retryInterval = 10 * time.Second
	// maxFailures is how often writing an edit may fail while the database answers.
	maxFailures = 3
	// drainTimeout is how long a stopping server may take to write the edits that wait.
	drainTimeout = 3 * time.Second
)

// Edit is a user's change of an Image, in one generation.
type Edit struct {
	Image      records.ImageKey
	Generation int64
	Time       time.Time
	User       string
	Changes    []v1alpha1.InputChange
}

// Queue writes edits to the database in the background. A user's edit of an Image never waits for the database, or fails
// because of it. While the database is unavailable, up to a thousand edits wait. Further edits are dropped and counted.
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

// NewQueue creates a queue. The clock is for the intervals between tries, and defaults to the real clock.
func NewQueue(database *Database, clocked clock.Clock) *Queue {
	if clocked == nil {
		clocked = clock.RealClock{}
	}
	return &Queue{
		database: database, clock: clocked, edits: make(chan Edit, queueLength), closed: make(chan struct{}),
		recorded: metrics.NewCounter("goldsmith_image_changes_recorded_total"),
		dropped:  metrics.NewCounter("goldsmith_image_changes_dropped_total"),
	}
}

// Register registers the counters. Call it before Run. If another server of the process has registered its counters, the
// counters of this queue are not exposed. Only tests have several servers in one process.
func (q *Queue) Register(registerer prometheus.Registerer) error {
	for _, counter := range []prometheus.Counter{q.recorded, q.dropped} {
		err := registerer.Register(counter)
		if already := (prometheus.AlreadyRegisteredError{}); err != nil && !errors.As(err, &already) {
			return fmt.Errorf("register the metrics of recorded changes: %w", err)
		}
	}
	return nil
}

// Add queues an edit, and returns at once.
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

// Run writes the queued edits in order until Close is called. It uses only the values of ctx, because requests that are
// served while the server stops also add edits.
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

// Close ends Run, and tries once more to write the edits that wait, for a few seconds at most. It counts the edits that it
// cannot write. Call it when no request adds edits any more, while the database is open.
func (q *Queue) Close() {
	q.once.Do(func() { close(q.closed) })
	q.running.Lock()
	defer q.running.Unlock()
	q.drain(context.Background())
}

// record writes an edit or drops it. It returns false if ctx was done before.
func (q *Queue) record(ctx context.Context, edit Edit) bool {
	for failures := 0; ; {
		err := q.write(ctx, edit)
		switch {
		case err == nil:
			return true
		case ctx.Err() != nil:
			return false
		case q.database.ping(ctx) == nil: // the database answers, so this edit is the cause
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

// drain tries once to write each edit that waits.
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
