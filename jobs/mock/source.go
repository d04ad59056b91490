// SPDX-License-Identifier: Apache-2.0

package mock

import (
	"context"
	"errors"
	"fmt"
	"io"

	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/sourcefiles"
)

// maxShownBytes is how much of a file of the source the log has.
const maxShownBytes = 64 << 10

// sourceFiles are the files of a source in an artifact.
type sourceFiles struct {
	Digest string `json:"digest"`
	Files  int    `json:"files"`
}

// readSource reads the files of the source, and logs how many there are, and one of them if a parameter names it. It returns nil without a source.
func (b *builder) readSource(ctx context.Context, input *render.Input) (made *sourceFiles, err error) {
	if input.Source == nil || input.Resolve {
		return nil, nil
	}
	source, err := sourcefiles.Open(b.getenv)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	b.logf("the source is %s of %s, %d files\n", input.Source.Revision, input.Source.URL, len(source.Files))
	if b.behaviour.sourceFile != "" {
		shown, err := source.Open(b.behaviour.sourceFile)
		if err != nil {
			return nil, fmt.Errorf("read the source: %w", err)
		}
		text, err := io.ReadAll(io.LimitReader(shown, maxShownBytes))
		if err := errors.Join(err, shown.Close()); err != nil {
			return nil, fmt.Errorf("read the source: %w", err)
		}
		b.logf("%s of the source: %q\n", b.behaviour.sourceFile, text)
	}
	digest, err := source.Digest(ctx, source.Files)
	return &sourceFiles{Digest: digest, Files: len(source.Files)}, err
}
