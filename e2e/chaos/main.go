// SPDX-License-Identifier: Apache-2.0

// Program chaos simulates users who build, and who delete objects that they should keep, while the system under test crashes,
// freezes, loses its network or is restored from a backup. The system is `goldsmith up`, or Goldsmith in a kind cluster that
// the program creates. At the end the program checks the invariants.
//
// The schedule depends only on the target, the seed and the duration. Which objects a step chooses depends on the objects
// that exist at that moment. A process that was frozen sees its clock jump forward. No clock jumps backward: processes share
// the clock of the machine, because time namespaces have only the monotonic and the boot clock (time_namespaces(7)).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

func main() {
	var o options
	flag.StringVar(&o.program, "program", "bin/goldsmith", "goldsmith to run")
	flag.StringVar(&o.version, "version", "", "tag of the container images to run in a kind cluster instead")
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
	program, version string
	duration         time.Duration
	seed             uint64
}

// start starts what users build with.
func (o options) start(ctx context.Context) (target, error) {
	if o.version != "" {
		return newCluster(ctx, o.version)
	}
	return newServer(ctx, o.program)
}

func (o options) run(ctx context.Context) (err error) {
	fmt.Printf("seed %d, for %s\n", o.seed, o.duration)
	t, err := o.start(ctx)
	if err != nil {
		return err
	}
	defer func() {
		interrupted := ctx.Err() != nil
		err = errors.Join(err, t.end(context.WithoutCancel(ctx), err != nil && !interrupted))
	}()
	users, observer := newUsers(t.reach()), newObserver(t.reach())
	observing, stopObserving := context.WithCancel(ctx)
	observed := make(chan struct{})
	go func() {
		defer close(observed)
		observer.run(observing)
	}()
	o.interfere(ctx, t, users, observer)
	settled := t.resume(ctx)
	if settled == nil {
		settled = users.settle(ctx, t.patience())
	}
	stopObserving()
	<-observed
	violations := observer.violations()
	if settled == nil {
		final, err := checkEnd(ctx, t.reach())
		settled, violations = err, append(violations, final...)
	}
	fmt.Printf("%d builds, %d pods and %d restorations were observed\n", observer.builds(), observer.pods(), observer.restorations())
	for _, violation := range violations {
		fmt.Println("violated:", violation)
	}
	if len(violations) > 0 {
		settled = errors.Join(settled, fmt.Errorf("%d violations; repeat the schedule with the same target, -seed=%d and -duration=%s", len(violations), o.seed, o.duration))
	}
	return settled
}

// interfere runs the users and the faults until the schedule has ended.
func (o options) interfere(ctx context.Context, t target, users *users, observer *observer) {
	usersPace, faultsPace := t.paces()
	userSteps, faultSteps := plan(o.seed, o.duration, usersPace, faultsPace)
	start, faults := time.Now(), outcomes{}
	var both sync.WaitGroup
	both.Go(func() {
		follow(ctx, start, userSteps, users.actions, func(taken step, err error) { users.counts.count(taken.action, err) })
	})
	both.Go(func() {
		follow(ctx, start, faultSteps, t.faults(), func(taken step, err error) {
			fmt.Printf("%8s %s, over at %s\n", taken.at.Round(100*time.Millisecond), taken.action, time.Since(start).Round(100*time.Millisecond))
			faults.count(taken.action, err)
			if err != nil && !errors.Is(err, errNothing) && ctx.Err() == nil {
				observer.violate("%s: %v", taken.action, err)
			}
		})
	})
	both.Wait()
	users.counts.print()
	faults.print()
}
