// SPDX-License-Identifier: Apache-2.0

package files

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"go.etcd.io/etcd/api/v3/mvccpb"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

// fieldManager owns the fields that are set by editing a file.
const fieldManager = "files"

// request sends an edit to the API: it creates an object, deletes it, or changes only the fields that were changed in its
// file. Unknown fields are refused.
func (e *editor) request(ctx context.Context, edit edit) error {
	place, err := placeOfFile(edit.path)
	if err != nil {
		return err
	}
	if edit.file == "" {
		return e.delete(ctx, place, edit)
	}
	object, err := parse(edit.content)
	if err != nil {
		return err
	}
	version, err := check(&unstructured.Unstructured{Object: object}, place)
	if err != nil {
		return err
	}
	place.name = (&unstructured.Unstructured{Object: object}).GetName()
	client := e.resource(place, version)
	if edit.base == nil {
		_, err := client.Create(ctx, &unstructured.Unstructured{Object: object},
			metav1.CreateOptions{FieldManager: fieldManager, FieldValidation: metav1.FieldValidationStrict})
		return explain(err)
	}
	base, err := shown(edit.base)
	if err != nil {
		return err
	}
	if base["apiVersion"] != object["apiVersion"] {
		if base, err = inVersion(ctx, client, place.name); err != nil {
			return err
		}
	}
	patch, err := json.Marshal(mergePatch(base, object))
	if err != nil || string(patch) == "{}" {
		return err
	}
	_, err = client.Patch(ctx, place.name, types.MergePatchType, patch,
		metav1.PatchOptions{FieldManager: fieldManager, FieldValidation: metav1.FieldValidationStrict})
	return explain(err)
}

// delete deletes the object of a file, but not a new object of the same name.
func (e *editor) delete(ctx context.Context, place place, edit edit) error {
	head := headOf(edit.stored)
	place.name = head.Metadata.Name
	background, uid := metav1.DeletePropagationBackground, head.Metadata.UID
	err := e.resource(place, head.version()).Delete(ctx, place.name, metav1.DeleteOptions{
		PropagationPolicy: &background, Preconditions: &metav1.Preconditions{UID: &uid},
	})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return explain(err)
}

func (e *editor) resource(place place, version string) dynamic.ResourceInterface {
	client := e.client.Resource(schema.GroupVersionResource{Group: place.group, Version: version, Resource: place.resource})
	if place.namespace == "" {
		return client
	}
	return client.Namespace(place.namespace)
}

// inVersion returns the fields of a stored object in the version that its file was moved to.
func inVersion(ctx context.Context, client dynamic.ResourceInterface, name string) (map[string]any, error) {
	stored, err := client.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, explain(err)
	}
	value, err := stored.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("read the object in its new version: %w", err)
	}
	return shown(value)
}

// check reports whether an object belongs in its file, completes its name and namespace, and returns its version.
func check(object *unstructured.Unstructured, place place) (version string, err error) {
	group, err := schema.ParseGroupVersion(object.GetAPIVersion())
	if err != nil || group.Version == "" || object.GetKind() == "" {
		return "", errors.New("apiVersion and kind: set both")
	}
	if group.Group != place.group {
		return "", fmt.Errorf("apiVersion is %s, but the directory is of group %q: correct apiVersion, or move the file", object.GetAPIVersion(), place.group)
	}
	if metadata, present := object.Object["metadata"]; present {
		if _, isObject := metadata.(map[string]any); !isObject {
			return "", errors.New("metadata: must be an object")
		}
	}
	name := object.GetName()
	if name == "" && !strings.HasPrefix(place.name, "~") {
		name = place.name
		object.SetName(name)
	}
	if fileName(name) != place.name+extension {
		return "", fmt.Errorf("metadata.name is %q: rename the file to %s", name, fileName(name))
	}
	if object.GetNamespace() == "" && place.namespace != "" {
		object.SetNamespace(place.namespace)
	}
	if object.GetNamespace() != place.namespace {
		return "", fmt.Errorf("metadata.namespace is %q, but the directory is of namespace %q: correct the namespace, or move the file", object.GetNamespace(), place.namespace)
	}
	return group.Version, nil
}

// explain turns an error of the API into an error about a file. Its test for a 404 of a missing API is the same as in
// apis/notfound, which the storages may not import.
func explain(err error) error {
	if apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse) {
		return fmt.Errorf("the server has no resource for the directory of the file: %w", err)
	}
	return err
}

// undecided reports whether an edit was neither accepted nor refused because of its content.
func undecided(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		// An error neither of the API nor of our own checks: the request did not reach the server.
		var unreachable interface{ Timeout() bool }
		return errors.As(err, &unreachable)
	}
	return status.Status().Code >= 500 || apierrors.IsTooManyRequests(err) || apierrors.IsTimeout(err)
}

// head is the version, kind, name and UID of a stored object.
type head struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name string    `json:"name"`
		UID  types.UID `json:"uid"`
	} `json:"metadata"`
}

// headOf reads the head of an object. It is empty for other values.
func headOf(version *mvccpb.KeyValue) head {
	var h head
	if err := json.Unmarshal(version.GetValue(), &h); err != nil {
		return head{}
	}
	return h
}

func (h head) isObject() bool { return h.APIVersion != "" && h.Kind != "" }

func (h head) version() string {
	if _, version, grouped := strings.Cut(h.APIVersion, "/"); grouped {
		return version
	}
	return h.APIVersion
}
