// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/history"
	"goldsmith.dev/goldsmith/jobs/lock"
	"goldsmith.dev/goldsmith/records"
)

// locks reads the locks of builds for one request, which the limiter admits: from the records or, if those do not have a lock, from the artifacts that
// the server keeps.
type locks struct {
	resource, name string // of the request, for errors
	database       *records.Store
	unavailable    error     // why the database cannot be read
	kept           Artifacts // nil if the server keeps none
	limiter        *limiter
	read           map[string]bool // by digest
	size           int64           // of those that were read
}

func (r reader) openLocks(resource, name string) *locks {
	l := &locks{resource: resource, name: name, kept: r.kept, limiter: r.limiter, read: map[string]bool{}}
	var err error
	if l.database, err = r.records.Store(); err != nil {
		l.unavailable = history.Error(err, resource, name)
	} else if l.database == nil {
		l.unavailable = history.NoDatabaseError(resource, name, "read")
	}
	return l
}

// lock reads a lock of a build. The error tells where else the lock can be had.
func (l *locks) lock(ctx context.Context, build string, document *v1alpha1.ArtifactDocument) (*v1alpha1.Lock, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if !l.read[document.Digest] {
		l.read[document.Digest] = true
		l.size += document.SizeBytes
	}
	if l.size > maxReadBytes {
		return nil, notServed(l.resource, http.StatusRequestEntityTooLarge, metav1.StatusReasonRequestEntityTooLarge, build,
			fmt.Sprintf("the locks of imagebuild %s have together more than %d MiB: select one artifact with the option target", build, maxReadBytes>>20))
	}
	return remember(l.limiter, "lock "+document.Digest, func() (*v1alpha1.Lock, int, error) {
		content, err := l.content(ctx, build, document)
		if err != nil {
			return nil, 0, err
		}
		found, err := lock.Read(content)
		if err != nil { // by a rule that did not exist when the lock was recorded
			return nil, 0, apierrors.NewInternalError(fmt.Errorf("lock %s of imagebuild %s %w: %s", document.Digest, build, err, source(build, document)))
		}
		return found, len(content) + len(found.Packages)*packageSize, nil
	})
}

// packageSize is about how many bytes a package of a lock needs besides its texts.
const packageSize = 256

// content returns the content of a lock.
func (l *locks) content(ctx context.Context, build string, document *v1alpha1.ArtifactDocument) ([]byte, error) {
	content, err := l.recorded(ctx, build, document)
	if err != nil {
		var kept bool
		if content, kept = l.keptContent(ctx, document.Digest); !kept {
			return nil, err
		}
	}
	return content, nil
}

// recorded reads a lock from the records. Once the database did not answer, recorded does not wait for it again.
func (l *locks) recorded(ctx context.Context, build string, document *v1alpha1.ArtifactDocument) ([]byte, error) {
	if l.unavailable != nil {
		return nil, l.unavailable
	}
	content, err := l.database.Lock(ctx, document.Digest)
	switch {
	case errors.Is(err, records.ErrNotFound):
		return nil, noPackages(l.resource, build, fmt.Sprintf("the database of records does not have lock %s of imagebuild %s: %s", document.Digest, build, source(build, document)))
	case errors.Is(err, records.ErrDamaged):
		return nil, apierrors.NewInternalError(fmt.Errorf("%w: %s", err, source(build, document)))
	case err != nil:
		l.unavailable = history.Error(err, l.resource, l.name)
		return nil, l.unavailable
	}
	return content, nil
}

// keptContent returns a lock that the server keeps as an artifact, if it is not damaged.
func (l *locks) keptContent(ctx context.Context, digest string) ([]byte, bool) {
	if l.kept == nil {
		return nil, false
	}
	file, err := l.kept.Open(ctx, digest)
	if err != nil {
		return nil, false
	}
	defer func() { _ = file.Close() }() // only read from
	content, err := io.ReadAll(io.LimitReader(file, v1alpha1.MaxLockBytes))
	return content, err == nil && contents.Digest(content) == digest
}

// source tells where a lock can be had, besides the records.
func source(build string, document *v1alpha1.ArtifactDocument) string {
	switch {
	case document.Location == "":
		return "build again"
	case strings.HasPrefix(document.Location, "/apis/"):
		return fmt.Sprintf("get it with goldsmith artifacts get %s --document lock", build)
	}
	return "get it from " + document.Location
}

// unreadLock returns why an artifact has no lock that ReadLock returns, and what to do. It does not name the builder, because a condition has the text, which
// tenants of the catalog read.
func unreadLock(artifact *v1alpha1.Artifact) string {
	if document := artifact.Document(v1alpha1.DocumentLock); document != nil && document.Location != "" {
		return fmt.Sprintf("its lock is at %s, which Goldsmith has not read", document.Location)
	}
	return "its builder writes none, or the image needs spec.output; see docs/builders.md"
}
