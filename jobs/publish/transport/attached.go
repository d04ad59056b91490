// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"errors"

	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"

	"goldsmith.dev/goldsmith/apis/contents"
)

const (
	// maxReferrers and maxReferrerPages bound the list of a manifest's referrers, which anybody who can push to the repository extends.
	maxReferrers     = 1024
	maxReferrerPages = 64
)

// Find fetches the manifest or the index that a tag or a digest names, and verifies its digest. The error is an *Error or the context's. Its Status is
// that of http.StatusNotFound if the repository has no such manifest.
func (f *Fetcher) Find(ctx context.Context, reference string) (ociv1.Descriptor, []byte, error) {
	found, raw, err := f.find(ctx, reference)
	return found, raw, f.wrapError("fetch manifest "+contents.Abbreviate(reference), err)
}

// Referrers returns the descriptors of the manifests whose subject is a manifest, 1024 at most: those of the referrers API or, without it, those of
// the tag that takes its place. A registry that knows neither has none. The error is an *Error or the context's.
func (f *Fetcher) Referrers(ctx context.Context, of ociv1.Descriptor) ([]ociv1.Descriptor, error) {
	var all []ociv1.Descriptor
	errEnough := errors.New("enough")
	f.remote.ReferrerListMaxPages = maxReferrerPages
	list := func() error {
		all = nil
		return f.remote.Referrers(ctx, of, "", func(page []ociv1.Descriptor) error {
			all = append(all, page[:min(len(page), maxReferrers-len(all))]...)
			if len(all) == maxReferrers {
				return errEnough
			}
			return nil
		})
	}
	err := list()
	if noReferrersAPI(err) { // some registries answer so to an endpoint that they do not have
		if err = f.remote.SetReferrersCapability(false); err == nil {
			err = list()
		}
	}
	if errors.Is(err, errEnough) || noReferrersAPI(err) {
		err = nil
	}
	return all, f.wrapError("list referrers", err)
}
