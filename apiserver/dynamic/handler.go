// SPDX-License-Identifier: Apache-2.0

package dynamic

import (
	"errors"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/endpoints/handlers/responsewriters"
	"k8s.io/apiserver/pkg/endpoints/metrics"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"

	"goldsmith.dev/goldsmith/apiserver/requesterrors"
)

// retryAfter is when clients try again while the kinds are not known, in seconds.
const retryAfter = 1

// ServeHTTP answers a request of the group.
func (g *Group) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	info, found := apirequest.RequestInfoFrom(request.Context())
	if !found {
		g.fail(apierrors.NewInternalError(errors.New("the request has no RequestInfo")), writer, request)
		return
	}
	current := g.current.Load()
	switch {
	case current == nil:
		message := "the kinds of the group " + g.name + " are not known yet: try again"
		g.fail(requesterrors.Unavailable(message, metav1.StatusDetails{RetryAfterSeconds: retryAfter}), writer, request)
	case info.IsResourceRequest:
		g.serveResource(info, writer, request)
	default:
		g.serveDiscovery(current, strings.Split(strings.Trim(info.Path, "/"), "/"), writer, request)
	}
}

// serveResource answers a request for objects of a kind.
func (g *Group) serveResource(info *apirequest.RequestInfo, writer http.ResponseWriter, request *http.Request) {
	kind := g.acquire(schema.GroupVersionResource{Group: info.APIGroup, Version: info.APIVersion, Resource: info.Resource})
	if kind == nil {
		g.notFound(writer, request)
		return
	}
	defer kind.requests.Done()
	endpoint := kind.endpoints[info.Subresource]
	if endpoint == nil || !kind.isIn(info) {
		g.notFound(writer, request)
		return
	}
	verb, handler := strings.ToUpper(info.Verb), endpoint.handler(info.Verb)
	if changes := info.Verb == "update" || info.Verb == "patch"; changes && info.Name == "" || info.Verb == "create" && info.Name != "" && info.Subresource == "" {
		handler = nil // neither all objects at once, nor one that has a name already
	}
	if info.Subresource != "" && endpoint.connects(request.Method) {
		verb, handler = apirequest.MethodConnect, endpoint.connect()
	}
	if handler == nil {
		resource := schema.GroupResource{Group: info.APIGroup, Resource: info.Resource}
		g.fail(apierrors.NewMethodNotSupported(resource, info.Verb), writer, request)
		return
	}
	metrics.InstrumentHandlerFunc(verb, info.APIGroup, info.APIVersion, info.Resource, info.Subresource, metrics.CleanScope(info),
		metrics.APIServerComponent, false, "", handler)(writer, request)
}

// acquire returns the kind that is served under a name, or nil. The caller calls requests.Done.
func (g *Group) acquire(resource schema.GroupVersionResource) *served {
	for {
		current := g.current.Load()
		if current == nil {
			return nil // the server has stopped
		}
		kind := current.kinds[resource]
		if kind == nil || kind.requests.Add(1) == nil {
			return kind
		}
		// The kind was replaced after it was loaded.
	}
}

// isIn reports whether the kind has objects where the request looks for them. Only lists and watches span all namespaces.
func (s *served) isIn(info *apirequest.RequestInfo) bool {
	if !s.namespaced() {
		return info.Namespace == ""
	}
	return info.Namespace != "" || info.Verb == "list" || info.Verb == "watch"
}

// notFound answers a request for a resource or subresource that the group lacks.
func (g *Group) notFound(writer http.ResponseWriter, request *http.Request) {
	g.fail(apierrors.NewGenericServerResponse(http.StatusNotFound, "", schema.GroupResource{}, "", "", 0, false), writer, request)
}

// fail answers a request with an error.
func (g *Group) fail(err error, writer http.ResponseWriter, request *http.Request) {
	responsewriters.ErrorNegotiated(err, g.codecs, schema.GroupVersion{Version: "v1"}, writer, request)
}
