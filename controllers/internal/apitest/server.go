// SPDX-License-Identifier: Apache-2.0

// Package apitest serves objects of any kind over HTTP, for tests of controllers: Images, ImageBuilds, and the kinds of a
// cluster. It answers get, list, watch, create, update and delete, in JSON, with resource versions and conflicts. It
// validates nothing.
//
// The fakes of client-go and controller-runtime do not fit. Neither has the rest.Config that caches take, and the fake
// clientset of client-go does not answer an outdated write with a conflict, which reconciliation.SetCondition relies on.
package apitest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/client-go/rest"
)

// Call is a kind of request that was made. It has what RBAC looks at.
type Call struct {
	Verb, Group, Resource string
	// Name is empty for requests about several objects, and those that create.
	Name string
}

// Server serves objects. Its zero value is not usable.
type Server struct {
	http   *httptest.Server
	closed chan struct{}
	paths  request.RequestInfoFactory
	kinds  map[schema.GroupResource]schema.GroupVersionKind

	mutex   sync.Mutex
	objects map[key]*unstructured.Unstructured
	history []change
	more    chan struct{} // closed and replaced when there is more history
	calls   map[string]sets.Set[Call]
	refuse  func(Call) int
}

type key struct {
	resource        schema.GroupResource
	namespace, name string
}

// change is one version of one object. Versions are numbers from 1: the places in the history.
type change struct {
	key    key
	event  string
	object *unstructured.Unstructured
}

// New starts a server of some kinds, whose resources are their names with an s. It serves until it is closed.
func New(kinds ...schema.GroupVersionKind) *Server {
	s := &Server{
		kinds:   map[schema.GroupResource]schema.GroupVersionKind{},
		paths:   request.RequestInfoFactory{APIPrefixes: sets.NewString("api", "apis"), GrouplessAPIPrefixes: sets.NewString("api")},
		objects: map[key]*unstructured.Unstructured{},
		more:    make(chan struct{}),
		closed:  make(chan struct{}),
		calls:   map[string]sets.Set[Call]{},
	}
	for _, kind := range kinds {
		s.kinds[schema.GroupResource{Group: kind.Group, Resource: strings.ToLower(kind.Kind) + "s"}] = kind
	}
	s.http = httptest.NewServer(s)
	return s
}

// Close ends the server and all watches, including watches that clients still begin.
func (s *Server) Close() {
	close(s.closed)
	s.http.Close()
}

// Config reaches the server as a user.
func (s *Server) Config(user string) *rest.Config {
	return &rest.Config{Host: s.http.URL, UserAgent: user, QPS: -1, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}
}

// Calls are the kinds of requests that a user has made.
func (s *Server) Calls(user string) sets.Set[Call] {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.calls[user].Clone()
}

// Refuse answers requests with the HTTP status that a function returns, unless that is 0. nil refuses none. Watches that
// are open go on.
func (s *Server) Refuse(status func(Call) int) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.refuse = status
}

// ServeHTTP serves one request.
func (s *Server) ServeHTTP(out http.ResponseWriter, in *http.Request) {
	asked, err := s.paths.NewRequestInfo(in)
	if err != nil || !asked.IsResourceRequest {
		http.NotFound(out, in)
		return
	}
	resource := schema.GroupResource{Group: asked.APIGroup, Resource: asked.Resource}
	call := Call{Verb: asked.Verb, Group: asked.APIGroup, Resource: asked.Resource, Name: asked.Name}
	refuse := s.record(in, call)
	if refuse != nil {
		if status := refuse(call); status != 0 {
			refuseCall(out, status, resource, asked.Verb)
			return
		}
	}
	kind, served := s.kinds[resource]
	if !served {
		http.NotFound(out, in)
		return
	}
	wanted := key{resource: resource, namespace: asked.Namespace, name: asked.Name}
	if resource.String() == "namespaces" {
		wanted.namespace = "" // a Namespace is in none, whatever its path says
	}
	view := fullView(kind)
	if strings.Contains(in.Header.Get("Accept"), "as=PartialObjectMetadata") {
		view = metadataView()
	}
	switch asked.Verb {
	case "watch":
		s.watch(out, in, wanted, view)
	case "list":
		answer(out, http.StatusOK, s.list(wanted, view))
	case "get":
		s.answerObject(out, wanted, s.exists(wanted))
	case "create", "update":
		body := &unstructured.Unstructured{}
		if err := json.NewDecoder(in.Body).Decode(&body.Object); err != nil {
			answer(out, http.StatusBadRequest, apierrors.NewBadRequest(err.Error()).Status())
			return
		}
		if in.URL.Query().Get("dryRun") == metav1.DryRunAll {
			answer(out, http.StatusOK, body)
			return
		}
		wanted.name = body.GetName()
		s.answerObject(out, wanted, s.write(wanted, body, asked.Verb == "create"))
	case "patch":
		body := map[string]any{}
		if err := json.NewDecoder(in.Body).Decode(&body); err != nil {
			answer(out, http.StatusBadRequest, apierrors.NewBadRequest(err.Error()).Status())
			return
		}
		s.answerObject(out, wanted, s.patch(wanted, body))
	case "delete":
		s.answerObject(out, wanted, s.remove(wanted))
	default:
		answer(out, http.StatusMethodNotAllowed, apierrors.NewMethodNotSupported(resource, asked.Verb).Status())
	}
}

// record remembers a call, and returns what refuses calls now.
func (s *Server) record(in *http.Request, call Call) func(Call) int {
	user, _, _ := strings.Cut(in.UserAgent(), "/") // a client may add what it does
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.calls[user] == nil {
		s.calls[user] = sets.New[Call]()
	}
	s.calls[user].Insert(call)
	return s.refuse
}

// refuseCall answers as a kube-apiserver does: Forbidden is a Status in JSON, and an unavailable API is plain text.
func refuseCall(out http.ResponseWriter, status int, resource schema.GroupResource, verb string) {
	if status == http.StatusForbidden {
		answer(out, status, apierrors.NewForbidden(resource, "", fmt.Errorf("nobody may %s %s", verb, resource)).Status())
		return
	}
	http.Error(out, strings.ToLower(http.StatusText(status)), status)
}

func answer(out http.ResponseWriter, status int, object any) {
	if failure, ok := object.(metav1.Status); ok {
		failure.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
		object = failure
	}
	out.Header().Set("Content-Type", "application/json")
	out.WriteHeader(status)
	_ = json.NewEncoder(out).Encode(object) // the client has gone
}

// answerObject answers with a failure or, if there is none, the object.
func (s *Server) answerObject(out http.ResponseWriter, wanted key, failure *apierrors.StatusError) {
	s.mutex.Lock()
	object := s.objects[wanted]
	s.mutex.Unlock()
	switch {
	case failure == nil && object != nil:
		answer(out, http.StatusOK, object)
	case failure == nil:
		answer(out, http.StatusOK, metav1.Status{Status: metav1.StatusSuccess})
	default:
		answer(out, int(failure.ErrStatus.Code), failure.Status())
	}
}

func (s *Server) list(wanted key, view view) any {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	items := []any{}
	for found, object := range s.objects {
		if wanted.includes(found) {
			items = append(items, view.of(object))
		}
	}
	return map[string]any{
		"apiVersion": view.kind.GroupVersion().String(), "kind": view.kind.Kind + "List", "items": items,
		"metadata": map[string]any{"resourceVersion": version(len(s.history))},
	}
}

func (k key) includes(other key) bool {
	return k.resource == other.resource && (k.namespace == "" || k.namespace == other.namespace) && (k.name == "" || k.name == other.name)
}

// changes are those after a version, and a channel that is closed when there are more.
func (s *Server) changes(after int) ([]change, <-chan struct{}) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return slices.Clone(s.history[min(after, len(s.history)):]), s.more
}
