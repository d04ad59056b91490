// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/image-spec/specs-go"
	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/errcode"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Referrer is a manifest with a subject.
type Referrer struct {
	ociv1.Descriptor
	// Raw is the manifest.
	Raw []byte
}

// Settle calls write until nothing is missing any more, during the patience at most. write writes tags that other pushes extend at the same time, and
// returns what was missing before. No registry compares before it writes, so that the last of two pushes wins: Settle waits after a write for longer than
// another push takes from its read to its write, and calls write again.
func (p *Pusher) Settle(ctx context.Context, operation string, write func() (missing string, err error)) error {
	pause, o := p.settle, p.newOutage()
	for {
		missing, err := write()
		if missing == "" || err != nil {
			return p.wrapError(operation, err)
		}
		if err := pause(ctx); err != nil {
			return p.wrapError(operation, err)
		}
		pause = func(ctx context.Context) error {
			return p.refusedReferrers(o.wait(ctx, p.fault(v1alpha1.ReasonRegistryUnavailable, missing, "", nil)))
		}
	}
}

// settled is how long another push takes at most from its read of a tag to its write, if its registry is not slow.
const settled = 500 * time.Millisecond

func (p *Pusher) settle(ctx context.Context) error {
	timer := p.clock.NewTimer(wait.Jitter(settled, 1))
	defer timer.Stop()
	select {
	case <-timer.C():
		return nil
	case <-ctx.Done():
		return ctx.Err()
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

// Referrers returns the referrers of a subject as clients find them: they ask the referrers API, and read the tag of the fallback only if the registry
// has no such API, or announces it and does not have it. served is whether the registry has it.
func (p *Pusher) Referrers(ctx context.Context, subject ociv1.Descriptor) (listed []ociv1.Descriptor, served bool, err error) {
	add := func(page []ociv1.Descriptor) error {
		listed = append(listed, page...)
		return nil
	}
	api, err := p.withReferrersAPI(true)
	if err != nil {
		return nil, false, err
	}
	if err = api.Referrers(ctx, subject, "", add); err == nil || !noReferrersAPI(err) {
		return listed, true, err
	}
	tag, err := p.withReferrersAPI(false)
	if err != nil {
		return nil, false, err
	}
	listed = nil
	return listed, false, tag.Referrers(ctx, subject, "", add)
}

// noReferrersAPI reports whether an error is the answer of a registry without the referrers API. Clients take the fallback after these answers.
func noReferrersAPI(err error) bool {
	if errors.Is(err, errdef.ErrUnsupported) {
		return true
	}
	answer, ok := errors.AsType[*errcode.ErrorResponse](err)
	return ok && slices.Contains([]int{http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotAcceptable}, answer.StatusCode)
}

// Lists reports whether a list has a referrer.
func (r *Referrer) Lists(listed []ociv1.Descriptor) bool {
	return slices.ContainsFunc(listed, func(found ociv1.Descriptor) bool { return found.Digest == r.Digest })
}

// ListReferrers adds referrers to the list of the fallback, which has some already. It writes the tag once, because a registry can refuse to write it
// again.
func (p *Pusher) ListReferrers(ctx context.Context, subject ociv1.Descriptor, listed []ociv1.Descriptor, added []Referrer) error {
	index := ociv1.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ociv1.MediaTypeImageIndex, Manifests: slices.Clone(listed)}
	for _, one := range added {
		var its ociv1.Manifest
		if err := json.Unmarshal(one.Raw, &its); err != nil {
			return err
		}
		one.ArtifactType, one.Annotations = its.ArtifactType, its.Annotations
		index.Manifests = append(index.Manifests, one.Descriptor)
	}
	raw, err := json.Marshal(index)
	if err != nil {
		return err
	}
	of := content.NewDescriptorFromBytes(index.MediaType, raw)
	return p.remote.Manifests().PushReference(ctx, of, bytes.NewReader(raw), strings.Replace(subject.Digest.String(), ":", "-", 1))
}

// RefusesTag reports whether an error is the answer of a registry that does not let a user change a tag, such as one with immutable tags.
func RefusesTag(err error) bool {
	status := 0
	if answer, ok := errors.AsType[*errcode.ErrorResponse](err); ok {
		status = answer.StatusCode
	} else if failure, ok := errors.AsType[*Error](err); ok {
		status = failure.Status
	}
	return status >= 400 && status < 500 && !transient(status) && status != http.StatusUnauthorized && status != http.StatusNotFound
}

// RefusedTag returns an error for which RefusesTag is true with a remedy.
func (p *Pusher) RefusedTag(err error) error {
	failure, ok := errors.AsType[*Error](p.wrapError("", err))
	if !ok {
		return err
	}
	refused := *failure
	refused.remedy = cmp.Or(refused.remedy, "exempt tags that begin with sha256- from immutability")
	return &refused
}

// withReferrersAPI returns the repository for requests to the referrers API, or to its fallback, whatever the registry has announced.
func (p *Pusher) withReferrersAPI(served bool) (*remote.Repository, error) {
	other := &remote.Repository{Client: p.remote.Client, Reference: p.remote.Reference, PlainHTTP: p.remote.PlainHTTP, SkipReferrersGC: p.remote.SkipReferrersGC}
	return other, other.SetReferrersCapability(served)
}
