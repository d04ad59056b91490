// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/documents"
	"goldsmith.dev/goldsmith/jobs/publish"
	"goldsmith.dev/goldsmith/jobs/result"
)

// attest returns what gets the statements, or nil if artifacts are not attested.
func (p *pod) attest(locks []documents.Lock) publish.Statements {
	if p.options.Attest == nil {
		return nil
	}
	build := types.NamespacedName{Namespace: p.Ref.Namespace, Name: p.Input.Build.Name}
	attester := &publish.Attester{
		Locks: documents.Compressed(locks), Clock: p.options.Clock, Log: p.Say, Waiting: p.Waiting,
		Post: func(ctx context.Context, request *v1alpha1.BuildAttestation) (*v1alpha1.BuildAttestation, error) {
			return p.options.Attest(ctx, p.Newest(), build, request)
		},
	}
	return attester
}

// attestStored attests artifacts that are only in the store.
func (p *pod) attestStored(ctx context.Context, reported *result.Result, from publish.Statements) *result.Check {
	err := publish.AttestResult(ctx, reported, p.openStored, from, p.Say)
	if ctx.Err() != nil && err != nil {
		return &result.Check{NotStored: notInTime(err).Error()}
	}
	check := publish.CheckOf(err)
	if check.NotStored != "" {
		p.Say("not attested: %s", check.NotStored)
	}
	return check
}

// notInTime tells why artifacts were not published or attested before the end of the pod.
func notInTime(err error) error {
	if waited, ok := errors.AsType[*publish.WaitError](err); ok {
		return fmt.Errorf("%w; the agent was %s", errNotInTime, waited.Waiting)
	}
	return errNotInTime
}

// keepProofs adds the documents that were made of statements to the store, and records them.
func (p *pod) keepProofs(ctx context.Context, reported *result.Result) *result.Check {
	added, err := p.addMade(reported, func(made *result.Document) bool { return made.Type == v1alpha1.DocumentProvenance })
	defer p.options.Store.Release(added...)
	if len(added) == 0 && err == nil {
		return &result.Check{}
	}
	var build *v1alpha1.ImageBuild
	if err == nil {
		build, err = p.build(ctx)
	}
	if err == nil {
		err = p.record(stored(build), reported)
	}
	if err != nil {
		p.Say("not stored: %v", err)
		p.options.Logger.Error(err, "The statements about the artifacts of a pod cannot be stored", "pod", p.Ref.String())
		return &result.Check{NotStored: err.Error()}
	}
	return &result.Check{}
}
