// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/publish/transport"
	"goldsmith.dev/goldsmith/jobs/result"
)

// MissingError reports that a registry does not have a content where it should be.
type MissingError struct {
	// Text says what is missing where.
	Text string
}

func (e *MissingError) Error() string { return e.Text }

// FetchFile fetches a content as Fetch does, and writes it to a file once, from its beginning. It compares the size and the digest with those of
// the content: after an error the file may have a part of it, or other bytes. The error is a *MissingError if the content is not there, a *transport.Error for
// any other failure of the registry, or that of the file or of the context.
func FetchFile(ctx context.Context, location, contentDigest string, sizeBytes int64, file io.Writer, o transport.Options) error {
	o = o.WithDefaults()
	began := o.Clock.Now()
	from, part, err := find(ctx, location, contentDigest, o)
	if err != nil {
		return missing(err)
	}
	defer from.Close()
	if part.SizeBytes != sizeBytes {
		return &MissingError{fmt.Sprintf("fetch from %s: the registry has %d bytes, and the artifact %d", location, part.SizeBytes, sizeBytes)}
	}
	if err := from.Copy(ctx, part, file); err != nil {
		return missing(err)
	}
	o.Log("fetched %s in %s", describe(contentDigest, sizeBytes), took(o.Clock, began))
	return nil
}

// missing returns what an error of Fetch or of reading what it fetched means for FetchFile.
func missing(err error) error {
	failure, answered := errors.AsType[*transport.Error](err)
	if answered && failure.Status == http.StatusNotFound {
		return &MissingError{failure.Error()}
	}
	return err
}

// NotFetchedOf returns what an error of FetchFile or of WithSecret tells about the base of a build. It is nil for a fault of the machine, such as a
// full disk.
func NotFetchedOf(err error) *result.NotFetched {
	if failure, ok := errors.AsType[*transport.Error](err); ok {
		return &result.NotFetched{Reason: failure.Reason, Message: err.Error()}
	}
	if _, ok := errors.AsType[*MissingError](err); ok {
		return &result.NotFetched{Reason: v1alpha1.ReasonBaseNotFound, Message: err.Error()}
	}
	return nil
}
