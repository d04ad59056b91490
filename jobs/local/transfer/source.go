// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"context"
	"fmt"
	"os"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/jobs/transfer"
)

// provideSource fetches the files of the source of a build.
func (p *pod) provideSource(ctx context.Context, fetching func()) error {
	of := p.Input.Source
	if of == nil || of.Revision == "" {
		return nil
	}
	fetching()
	options := transfer.SourceOptions{Allowed: p.options.AllowedNetworks, PlainHTTP: p.options.PlainHTTPRegistries, Log: p.Say}
	if of.Secret != "" {
		secret, err := p.options.Secrets.Secrets(p.Ref.Namespace).Get(ctx, of.Secret, metav1.GetOptions{})
		switch {
		case err == nil:
			options.Secret = secret.Data
		case !apierrors.IsNotFound(err):
			return fmt.Errorf("read Secret %s/%s of the source: %w", p.Ref.Namespace, of.Secret, err)
		}
	}
	if err := os.MkdirAll(p.Source, 0o700); err != nil {
		return err
	}
	return transfer.FetchSource(ctx, of, p.Source, options)
}
