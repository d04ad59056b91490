// SPDX-License-Identifier: Apache-2.0

package outages

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/client-go/rest"
)

// maxReasonBytes of an answer are read for its reason.
const maxReasonBytes = 4096

// logs come from a node, so their failure does not mean that an API is unavailable.
const logs = "log"

// Wrap returns the configuration of a client whose requests the monitor sees.
func (m *Monitor) Wrap(config *rest.Config) *rest.Config {
	scheme := runtime.NewScheme()
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	decoder := serializer.NewCodecFactory(scheme).UniversalDeserializer()
	paths := request.RequestInfoFactory{APIPrefixes: sets.NewString("api", "apis"), GrouplessAPIPrefixes: sets.NewString("api")}
	config = rest.CopyConfig(config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return &transport{next: next, monitor: m, paths: paths, decoder: decoder}
	})
	return config
}

type transport struct {
	next    http.RoundTripper
	monitor *Monitor
	paths   request.RequestInfoFactory
	decoder runtime.Decoder
}

// WrappedRoundTripper lets client-go find the transport below.
func (t *transport) WrappedRoundTripper() http.RoundTripper {
	return t.next
}

// RoundTrip passes on the request and its answer.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	response, err := t.next.RoundTrip(req)
	asked, pathErr := t.paths.NewRequestInfo(req)
	if pathErr != nil || !asked.IsResourceRequest || asked.Subresource == logs || req.Context().Err() != nil {
		return response, err
	}
	resource := schema.GroupVersionResource{Group: asked.APIGroup, Version: asked.APIVersion, Resource: asked.Resource}
	switch {
	case err != nil:
		t.monitor.recordFailure(resource, err.Error())
	case response.StatusCode < http.StatusBadRequest:
		t.monitor.recordAnswer(resource)
	default:
		if reason := t.failure(asked, response); reason != "" {
			t.monitor.recordFailure(resource, reason)
		}
	}
	return response, err
}

// failure is the reason of an answer which means that the API is unavailable, or that it forbids reading, or writing our own
// objects. Other refusals are about a single object, and the caller handles them.
func (t *transport) failure(asked *request.RequestInfo, response *http.Response) string {
	reading := asked.Verb == "get" || asked.Verb == "list" || asked.Verb == "watch"
	ours := asked.Resource == "leases" || asked.Resource == "secrets" || asked.Resource == "apiservices"
	status, text := t.read(response)
	switch code := response.StatusCode; {
	case code == http.StatusNotFound && status == nil: // a server that knows no such API
		return "the server has no such API"
	case code == http.StatusForbidden && (reading || ours), code == http.StatusUnauthorized:
	case code >= http.StatusInternalServerError:
	default:
		return ""
	}
	switch {
	case status != nil && status.Message != "":
		return status.Message
	case text != "":
		return fmt.Sprintf("the server answers %s: %s", response.Status, text)
	default:
		return fmt.Sprintf("the server answers %s", response.Status)
	}
}

// read reads the API's own status from an answer or, if it has none, its text, and leaves the answer unchanged. The text of a proxy
// has the cause why the proxy cannot reach the server.
func (t *transport) read(response *http.Response) (status *metav1.Status, text string) {
	start, err := io.ReadAll(io.LimitReader(response.Body, maxReasonBytes))
	left := io.Reader(response.Body)
	if err != nil {
		left = failedReader{err}
	}
	response.Body = &body{Reader: io.MultiReader(bytes.NewReader(start), left), Closer: response.Body}
	object, _, err := t.decoder.Decode(start, nil, nil)
	if status, ok := object.(*metav1.Status); ok && err == nil {
		return status, ""
	}
	if kind, _, err := mime.ParseMediaType(response.Header.Get("Content-Type")); err != nil || kind != "text/plain" {
		return nil, ""
	}
	text, _, _ = strings.Cut(string(start), "\n")
	return nil, text
}

// body is a body of which the start has been read.
type body struct {
	io.Reader
	io.Closer
}

// failedReader repeats the error with which reading failed before.
type failedReader struct {
	err error
}

func (f failedReader) Read([]byte) (int, error) {
	return 0, f.err
}
