// SPDX-License-Identifier: Apache-2.0

// Program chaos runs `goldsmith up` while users build, people delete what they should not, and the server crashes, freezes or is
// restored from a backup. Afterwards it checks what must be true whatever happened.
//
// The schedule depends on the seed and the duration only. What a step chooses among the objects that exist depends on what
// exists at that moment.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	var o options
	flag.StringVar(&o.program, "program", "bin/goldsmith", "goldsmith to run")
	flag.DurationVar(&o.duration, "duration", 5*time.Minute, "how long to interfere")
	flag.Uint64Var(&o.seed, "seed", rand.Uint64(), "seed of the schedule (default random)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := o.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

type options struct {
	program  string
	duration time.Duration
	seed     uint64
}

// patience is how long everything may take to end once nobody interferes any more.
const patience = 5 * time.Minute

func (o options) run(ctx context.Context) (err error) {
	fmt.Printf("seed %d, for %s\n", o.seed, o.duration)
	directory, err := os.MkdirTemp("", "goldsmith-chaos-")
	if err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	program, err := filepath.Abs(o.program)
	if err != nil {
		return fmt.Errorf("find the program: %w", err)
	}
	s := &server{program: program, directory: directory}
	if err := s.start(ctx); err != nil {
		return errors.Join(err, s.kill())
	}
	defer func() {
		err = errors.Join(err, s.kill())
		if err == nil {
			err = os.RemoveAll(directory)
		} else {
			err = fmt.Errorf("%w; the data directory is kept in %s", err, directory)
		}
	}()
	users, observer := newUsers(s), newObserver(s)
	observing, stopObserving := context.WithCancel(ctx)
	observed := make(chan struct{})
	go func() {
		defer close(observed)
		observer.run(observing)
	}()
	users.follow(ctx, plan(o.seed, o.duration), observer)
	users.printCounts()
	settled := s.resume(ctx)
	if settled == nil {
		settled = users.settle(ctx)
	}
	stopObserving()
	<-observed
	violations := observer.violations()
	if settled == nil {
		final, err := checkEnd(ctx, s)
		settled, violations = err, append(violations, final...)
	}
	fmt.Printf("%d builds, %d pods and %d restorations were observed\n", observer.builds(), observer.pods(), observer.restorations())
	for _, violation := range violations {
		fmt.Println("violated:", violation)
	}
	if len(violations) > 0 {
		settled = errors.Join(settled, fmt.Errorf("%d violations; repeat the schedule with -seed=%d -duration=%s", len(violations), o.seed, o.duration))
	}
	return settled
}
