// SPDX-License-Identifier: Apache-2.0

package apitest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/scheme"
)

func version(place int) string {
	return strconv.Itoa(place)
}

func (s *Server) exists(wanted key) *apierrors.StatusError {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.objects[wanted] == nil {
		return apierrors.NewNotFound(wanted.resource, wanted.name)
	}
	return nil
}

// write stores an object under its next version, unless nothing changes.
func (s *Server) write(of key, object *unstructured.Unstructured, create bool) *apierrors.StatusError {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	before, exists := s.objects[of]
	switch {
	case create && exists:
		return apierrors.NewAlreadyExists(of.resource, of.name)
	case !create && !exists:
		return apierrors.NewNotFound(of.resource, of.name)
	case exists && object.GetResourceVersion() != "" && object.GetResourceVersion() != before.GetResourceVersion():
		return apierrors.NewConflict(of.resource, of.name, fmt.Errorf("it is at version %s", before.GetResourceVersion()))
	}
	event := "MODIFIED"
	object.SetNamespace(of.namespace)
	if exists {
		object.SetUID(before.GetUID())
		object.SetResourceVersion(before.GetResourceVersion())
		if equality.Semantic.DeepEqual(object, before) {
			return nil
		}
	} else {
		event = "ADDED"
		object.SetUID(types.UID("uid-" + version(len(s.history)+1)))
	}
	s.objects[of] = object
	s.remember(of, event, object)
	return nil
}

// patch changes an object of Goldsmith by a strategic merge patch of a version.
func (s *Server) patch(of key, patch map[string]any) *apierrors.StatusError {
	s.mutex.Lock()
	before, exists := s.objects[of]
	s.mutex.Unlock()
	if !exists {
		return apierrors.NewNotFound(of.resource, of.name)
	}
	kind, err := scheme.Scheme.New(before.GroupVersionKind())
	if err != nil {
		return apierrors.NewInternalError(err)
	}
	after, err := strategicpatch.StrategicMergeMapPatch(before.DeepCopy().Object, patch, kind)
	if err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	return s.write(of, &unstructured.Unstructured{Object: after}, false)
}

func (s *Server) remove(of key) *apierrors.StatusError {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	object, exists := s.objects[of]
	if !exists {
		return apierrors.NewNotFound(of.resource, of.name)
	}
	delete(s.objects, of)
	s.remember(of, "DELETED", object.DeepCopy())
	return nil
}

func (s *Server) remember(of key, event string, object *unstructured.Unstructured) {
	object.SetResourceVersion(version(len(s.history) + 1))
	s.history = append(s.history, change{key: of, event: event, object: object.DeepCopy()})
	close(s.more)
	s.more = make(chan struct{})
}

// watch sends changes until the client has gone, after the objects that there are if the client asks for those.
func (s *Server) watch(out http.ResponseWriter, in *http.Request, wanted key, view view) {
	query := in.URL.Query()
	out.Header().Set("Content-Type", "application/json")
	out.WriteHeader(http.StatusOK)
	stream := json.NewEncoder(out)
	send := func(event string, object any) {
		_ = stream.Encode(map[string]any{"type": event, "object": object}) // the client has gone
	}
	after, _ := strconv.Atoi(query.Get("resourceVersion"))
	if query.Get("sendInitialEvents") == "true" {
		after = s.sendInitial(wanted, view, send)
	}
	for {
		changes, more := s.changes(after)
		for _, change := range changes {
			if wanted.includes(change.key) {
				send(change.event, view.of(change.object))
			}
		}
		after += len(changes)
		_ = http.NewResponseController(out).Flush() // the client has gone
		select {
		case <-more:
		case <-in.Context().Done():
			return
		case <-s.closed:
			return
		}
	}
}

// sendInitial sends the objects that there are, and the version that they are of.
func (s *Server) sendInitial(wanted key, view view, send func(string, any)) int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for found, object := range s.objects {
		if wanted.includes(found) {
			send("ADDED", view.of(object))
		}
	}
	send("BOOKMARK", map[string]any{
		"apiVersion": view.kind.GroupVersion().String(), "kind": view.kind.Kind,
		"metadata": map[string]any{
			"resourceVersion": version(len(s.history)),
			"annotations":     map[string]any{"k8s.io/initial-events-end": "true"},
		},
	})
	return len(s.history)
}

// view is how a client wants its objects.
type view struct {
	kind schema.GroupVersionKind
	of   func(object *unstructured.Unstructured) any
}

func fullView(kind schema.GroupVersionKind) view {
	return view{kind: kind, of: func(object *unstructured.Unstructured) any { return object.Object }}
}

func metadataView() view {
	kind := metav1.SchemeGroupVersion.WithKind("PartialObjectMetadata")
	return view{kind: kind, of: func(object *unstructured.Unstructured) any {
		return map[string]any{"apiVersion": kind.GroupVersion().String(), "kind": kind.Kind, "metadata": object.Object["metadata"]}
	}}
}
