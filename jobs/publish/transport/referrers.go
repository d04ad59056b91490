// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/errcode"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Referrer is a manifest with a subject.
type Referrer struct {
	ociv1.Descriptor
	// Raw is the manifest.
	Raw []byte
}

// ConfirmReferrers fails unless clients that list the referrers of a subject find all of some that were pushed. Clients ask the referrers API, and
// read the tag of the fallback only if the registry has no such API. A registry can list them late, lose one of two lists that are written at the
// same time, or announce the API, and not have it: so ConfirmReferrers lists, completes the list of the fallback, and lists again, during
// the patience at most.
func (p *Pusher) ConfirmReferrers(ctx context.Context, subject ociv1.Descriptor, pushed []Referrer) error {
	operation := "list the referrers of " + contents.Abbreviate(subject.Digest.String())
	for o := p.newOutage(); ; {
		missing, served, err := p.missing(ctx, subject, pushed)
		if err != nil {
			return p.wrapError(operation, err)
		}
		if len(missing) == 0 {
			return nil
		}
		if !served {
			if err := p.list(ctx, missing); err != nil {
				return p.wrapError(operation, err)
			}
		}
		dropped := p.fault(v1alpha1.ReasonRegistryUnavailable, fmt.Sprintf("the registry accepted %d referrers and does not list %d of them", len(pushed), len(missing)), "", nil)
		if err := o.wait(ctx, dropped); err != nil {
			return p.wrapError(operation, p.refusedReferrers(err))
		}
	}
}

// refusedReferrers returns the error of an outage that was none: the registry answers, and drops referrers.
func (p *Pusher) refusedReferrers(err error) error {
	dropped, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	refused := *dropped
	refused.Reason = v1alpha1.ReasonRegistryRefused
	refused.remedy = "nobody would find the signatures: publish in another registry, or set spec.output.attest to Never"
	return &refused
}

// missing returns those of some referrers that a list of the registry lacks, and whether the registry serves the list by the referrers API.
func (p *Pusher) missing(ctx context.Context, subject ociv1.Descriptor, pushed []Referrer) (missing []Referrer, served bool, err error) {
	missing = slices.Clone(pushed)
	remove := func(listed []ociv1.Descriptor) error {
		missing = slices.DeleteFunc(missing, func(one Referrer) bool {
			return slices.ContainsFunc(listed, func(found ociv1.Descriptor) bool { return found.Digest == one.Digest })
		})
		return nil
	}
	api, err := p.withReferrersAPI(true)
	if err != nil {
		return nil, false, err
	}
	if err = api.Referrers(ctx, subject, "", remove); err == nil || !noReferrersAPI(err) {
		return missing, true, err
	}
	tag, err := p.withReferrersAPI(false)
	if err != nil {
		return nil, false, err
	}
	return missing, false, tag.Referrers(ctx, subject, "", remove)
}

// noReferrersAPI reports whether an error is the answer of a registry without the referrers API. Clients take the fallback after these answers.
func noReferrersAPI(err error) bool {
	if errors.Is(err, errdef.ErrUnsupported) {
		return true
	}
	answer, ok := errors.AsType[*errcode.ErrorResponse](err)
	return ok && slices.Contains([]int{http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotAcceptable}, answer.StatusCode)
}

// list adds referrers to the list of the fallback.
func (p *Pusher) list(ctx context.Context, missing []Referrer) error {
	tag, err := p.withReferrersAPI(false)
	if err != nil {
		return err
	}
	for _, one := range missing {
		if err := tag.Manifests().Push(ctx, one.Descriptor, bytes.NewReader(one.Raw)); err != nil {
			return err
		}
	}
	return nil
}

// withReferrersAPI returns the repository for requests to the referrers API, or to its fallback, whatever the registry has announced.
func (p *Pusher) withReferrersAPI(served bool) (*remote.Repository, error) {
	other := &remote.Repository{Client: p.remote.Client, Reference: p.remote.Reference, PlainHTTP: p.remote.PlainHTTP, SkipReferrersGC: p.remote.SkipReferrersGC}
	return other, other.SetReferrersCapability(served)
}
