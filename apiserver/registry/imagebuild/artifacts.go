// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/filters"
	"goldsmith.dev/goldsmith/apiserver/registry/store"
	"goldsmith.dev/goldsmith/apiserver/registry/subresource"
	"goldsmith.dev/goldsmith/jobs/result"
)

const artifactsResource = "imagebuilds/artifacts"

// Artifacts reads the artifacts that the server keeps.
type Artifacts interface {
	// Open opens the content of a digest. The error is fs.ErrNotExist, possibly wrapped, if the content is not kept. The caller
	// closes the content.
	Open(ctx context.Context, digest string) (io.ReadSeekCloser, error)
	// Has reports whether the content of a digest is kept.
	Has(digest string) bool
}

// artifactsREST serves the subresource artifacts: GET of imagebuilds/NAME/artifacts/DIGEST answers the content of an artifact, or of a
// document about it. It is a Connecter, because only a Connecter sees the header Range and can answer HEAD. A GET and a HEAD
// are authorized as the verb get.
type artifactsREST struct {
	subresource.Base
	builds *Store
	images Images
	kept   Artifacts // nil if the server keeps none
}

var (
	_ rest.Connecter       = &artifactsREST{}
	_ rest.StorageMetadata = &artifactsREST{}
)

func newArtifacts(builds *Store, images Images, kept Artifacts) *artifactsREST {
	return &artifactsREST{Base: subresource.Base{Answer: ""}, builds: builds, images: images, kept: kept}
}

// New returns an empty build, whose kind the discovery document names.
func (*artifactsREST) New() runtime.Object { return &v1alpha1.ImageBuild{} }

// ConnectMethods returns the methods of HTTP that are served.
func (*artifactsREST) ConnectMethods() []string { return []string{http.MethodGet, http.MethodHead} }

// NewConnectOptions returns no query parameters, and that the digest is a part of the path.
func (*artifactsREST) NewConnectOptions() (options runtime.Object, subpath bool, subpathName string) {
	return nil, true, ""
}

// Connect returns the handler of a request about a build of the name.
func (a *artifactsREST) Connect(ctx context.Context, name string, _ runtime.Object, responder rest.Responder) (http.Handler, error) {
	built, tests, err := a.artifactsOf(ctx, name)
	if err != nil {
		return nil, err
	}
	digest := requestedDigest(ctx)
	switch {
	case digest == "":
		return nil, apierrors.NewBadRequest(fmt.Sprintf("get %s needs a digest at the end of its path: %s", artifactsResource, listed(name, built)))
	case !result.ValidDigest(digest):
		return nil, apierrors.NewBadRequest(fmt.Sprintf("the digest %q must be sha256: and 64 hex digits: %s", digest, listed(name, built)))
	}
	wanted := find(name, built, digest)
	if wanted == nil {
		wanted = findReport(name, tests, digest)
	}
	if wanted == nil {
		return nil, notServed(artifactsResource, http.StatusNotFound, metav1.StatusReasonNotFound, name, fmt.Sprintf("no artifact has the digest %s: %s", digest, listed(name, built)))
	}
	content, err := a.open(ctx, name, wanted)
	if err != nil {
		return nil, err
	}
	return &contentHandler{served: *wanted, content: content, responder: responder}, nil
}

// requestedDigest returns the path of a request below the subresource.
func requestedDigest(ctx context.Context) string {
	const before = 3 // imagebuilds, the name and artifacts
	info, ok := apirequest.RequestInfoFrom(ctx)
	if !ok || len(info.Parts) <= before {
		return ""
	}
	return strings.Join(info.Parts[before:], "/")
}

// artifactsOf returns the artifacts of a build, and the results of its tests. The artifacts of a deleted build are known as long as it is the
// latest successful build of its Image, or as a channel of the Image names it.
func (a *artifactsREST) artifactsOf(ctx context.Context, name string) ([]v1alpha1.Artifact, []v1alpha1.TestStatus, error) {
	build, err := store.Get[*v1alpha1.ImageBuild](ctx, a.builds, name)
	if err == nil {
		return build.Status.Artifacts, build.Status.Tests, nil
	}
	if apierrors.IsNotFound(err) {
		recorded, failure := a.images.Recorded(ctx, name)
		if failure != nil || recorded != nil {
			return recorded, nil, failure
		}
	}
	return nil, nil, err
}

// served is a content of a build.
type served struct {
	v1alpha1.ArtifactDocument
	name     string // of the content, for errors
	fileName string
}

// find returns the content with a digest, or nil.
func find(build string, artifacts []v1alpha1.Artifact, digest string) *served {
	for i := range artifacts {
		artifact := &artifacts[i]
		file := artifact.FileName(build)
		if artifact.Digest == digest {
			return &served{v1alpha1.ArtifactDocument{
				Digest: artifact.Digest, SizeBytes: artifact.SizeBytes, MediaType: artifact.MediaType, Location: artifact.Location, Verified: artifact.Verified,
			}, "artifact " + artifact.Target, file}
		}
		for j := range artifact.Documents {
			if document := &artifact.Documents[j]; document.Digest == digest {
				return &served{*document, document.Name() + " of artifact " + artifact.Target, file + "." + document.Name()}
			}
		}
	}
	return nil
}

// findReport returns the report about tests with a digest, or nil.
func findReport(build string, tests []v1alpha1.TestStatus, digest string) *served {
	for i := range tests {
		if report := tests[i].Report; report != nil && report.Digest == digest {
			return &served{*report, "report about test " + tests[i].Name, build + "-tests.xml"}
		}
	}
	return nil
}

// open opens a content that the server keeps. A content that the server has not read itself is not the build's: whoever reported its digest
// may not be allowed to read what the server keeps for others.
func (a *artifactsREST) open(ctx context.Context, build string, wanted *served) (io.ReadSeekCloser, error) {
	err := fs.ErrNotExist
	var content io.ReadSeekCloser
	if a.kept != nil && wanted.Verified == v1alpha1.ArtifactVerifiedContent {
		content, err = a.kept.Open(ctx, wanted.Digest)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, notKept(build, wanted)
	case err != nil:
		return nil, apierrors.NewInternalError(fmt.Errorf("open the %s of imagebuild %s: %w", wanted.name, build, err))
	}
	size, err := content.Seek(0, io.SeekEnd)
	if err == nil && size != wanted.SizeBytes {
		err = fmt.Errorf("its size is %d bytes, not %d: the kept file is damaged; build again", size, wanted.SizeBytes)
	}
	if err != nil {
		return nil, apierrors.NewInternalError(fmt.Errorf("open the %s of imagebuild %s: %w", wanted.name, build, errors.Join(err, content.Close())))
	}
	return content, nil
}

// notKept returns the error for a content that the server does not keep. It names the place of the content, as far as it is known.
func notKept(build string, wanted *served) error {
	switch {
	case wanted.Location == "":
		return notServed(artifactsResource, http.StatusNotFound, metav1.StatusReasonNotFound, build,
			fmt.Sprintf("the %s is not kept by this server, and its builder reported no location", wanted.name))
	case strings.HasPrefix(wanted.Location, "/apis/"):
		return notServed(artifactsResource, http.StatusGone, metav1.StatusReasonGone, build, fmt.Sprintf("the %s is no longer kept: build again", wanted.name))
	}
	return notServed(artifactsResource, http.StatusNotFound, metav1.StatusReasonNotFound, build,
		fmt.Sprintf("the %s is not kept by this server: get it from %s", wanted.name, wanted.Location))
}

// listed is a phrase that lists the artifacts of a build.
func listed(build string, artifacts []v1alpha1.Artifact) string {
	if len(artifacts) == 0 {
		return fmt.Sprintf("imagebuild %s has no artifacts", build)
	}
	var all []string
	for _, artifact := range artifacts {
		all = append(all, artifact.Target+" "+artifact.Digest)
	}
	return fmt.Sprintf("imagebuild %s has %s", build, strings.Join(all, ", "))
}

func notServed(resource string, code int32, reason metav1.StatusReason, build, message string) *apierrors.StatusError {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: code, Reason: reason, Message: message,
		Details: &metav1.StatusDetails{Group: v1alpha1.GroupName, Kind: resource, Name: build},
	}}
}

// contentHandler answers one request with a content, or with the part of it that the request wants.
type contentHandler struct {
	served
	content   io.ReadSeekCloser
	responder rest.Responder
}

// ServeHTTP implements http.Handler. The digest is the strong entity tag, so that a client can continue with Range and If-Range.
func (h *contentHandler) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	defer func() { _ = h.content.Close() }() // was only read
	header := writer.Header()
	header.Set("Content-Type", mediaType(h.MediaType))
	header.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": h.fileName}))
	header.Set("X-Content-Type-Options", "nosniff") // a builder chooses the content
	header.Set("ETag", `"`+h.Digest+`"`)
	if digest := reprDigest(h.Digest); digest != "" {
		header.Set("Repr-Digest", digest) // RFC 9530
	}
	ctx := request.Context()
	stream := &servedStream{ReadCloser: filters.Stream(ctx, contextReader{ctx, h.content}), Seeker: h.content}
	http.ServeContent(&statusWriter{ResponseWriter: writer, handler: h}, request, "", time.Time{}, stream)
}

// mediaType returns a media type that a builder reported, if it is one.
func mediaType(reported string) string {
	if v1alpha1.ValidMediaType(reported) {
		return reported
	}
	return "application/octet-stream"
}

// reprDigest returns a digest in the form of the header Repr-Digest.
func reprDigest(digest string) string {
	sum, err := hex.DecodeString(strings.TrimPrefix(digest, "sha256:"))
	if err != nil {
		return ""
	}
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum) + ":"
}

// servedStream is a content whose failed reads abort the answer.
type servedStream struct {
	io.ReadCloser
	io.Seeker
}

// contextReader reads until ctx is done.
type contextReader struct {
	ctx context.Context
	io.ReadCloser
}

// Read implements io.Reader.
func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.ReadCloser.Read(p)
}

// statusWriter answers a range that the content does not have with a Status object, as the API answers every error. http.ServeContent
// answers it with text.
type statusWriter struct {
	http.ResponseWriter
	handler *contentHandler
	refused bool
}

// Unwrap returns the writer of the answer.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(code int) {
	if code != http.StatusRequestedRangeNotSatisfiable {
		w.ResponseWriter.WriteHeader(code)
		return
	}
	w.refused = true
	for _, name := range []string{"Content-Type", "Content-Disposition", "Repr-Digest"} {
		w.Header().Del(name) // those of the content
	}
	w.handler.responder.Error(&apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusRequestedRangeNotSatisfiable, Reason: metav1.StatusReasonUnknown,
		Message: fmt.Sprintf("the header Range asks for bytes that the %s does not have: its size is %d bytes", w.handler.name, w.handler.SizeBytes),
	}})
}

// Write implements http.ResponseWriter.
func (w *statusWriter) Write(data []byte) (int, error) {
	if w.refused {
		return len(data), nil
	}
	return w.ResponseWriter.Write(data)
}
