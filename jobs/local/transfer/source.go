// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"context"
	"fmt"
	"os"

	"goldsmith.dev/goldsmith/jobs/source"
	"goldsmith.dev/goldsmith/jobs/transfer"
)

// provideSource fetches the files of the source of a build.
func (p *pod) provideSource(ctx context.Context, fetching func()) error {
	of := p.Input.Source
	if of == nil || of.Revision == "" {
		return nil
	}
	fetching()
	options := source.Options{Allowed: p.options.AllowedNetworks, PlainHTTP: p.options.PlainHTTPRegistries, Log: p.Say}
	if of.Secret != "" {
		secret, err := p.secret(ctx, of.Secret)
		if err != nil {
			return fmt.Errorf("read Secret %s/%s of the source: %w", p.Ref.Namespace, of.Secret, err)
		}
		options.Secret = secret
	}
	if err := os.MkdirAll(p.Source, 0o700); err != nil {
		return err
	}
	free, err := p.sources.take(ctx, p.Ref.Namespace)
	if err != nil {
		return err
	}
	defer free()
	return transfer.FetchSource(ctx, of, p.Source, options)
}
