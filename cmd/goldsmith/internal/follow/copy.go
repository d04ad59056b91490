// SPDX-License-Identifier: Apache-2.0

package follow

import (
	"context"
	"errors"
	"fmt"
	"io"

	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

// Copy copies the log that a request returns, until the log ends. With lines, it copies only these lines. Colours pass through an escaping
// writer. what names the log in errors.
func Copy(ctx context.Context, request *rest.Request, what string, lines *TestLines, out io.Writer) error {
	stream, err := request.Stream(ctx)
	if err != nil {
		return fmt.Errorf("open the log of %s: %w", what, err)
	}
	flush := func() error { return nil }
	if escaping, ok := out.(*output.Escaping); ok {
		log := escaping.ForLog()
		out, flush = log, log.Flush
	}
	_, err = io.Copy(out, &reader{Reader: stream, lines: lines})
	if err = errors.Join(err, flush(), stream.Close()); err != nil {
		return fmt.Errorf("read the log of %s: %w", what, err)
	}
	return nil
}
