// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/mergepatch"
	"k8s.io/apimachinery/pkg/util/validation/field"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
)

// objectPatches are the patches that have the form of an object, with some of its fields.
var objectPatches = []string{string(types.MergePatchType), string(types.StrategicMergePatchType), string(types.ApplyYAMLPatchType)}

// patchKey is the key of a patch in the context of its request.
type patchKey struct{}

// keptPatch is the patch of a request.
type keptPatch struct {
	kind types.PatchType
	text bytes.Buffer
}

// keepPatches keeps the text of a patch in the context of its request. Library code decodes and applies patches, and its
// errors show Go types. With the text, the error can name the fields instead.
func keepPatches(api http.Handler) http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		media, _, err := mime.ParseMediaType(request.Header.Get("Content-Type"))
		if err == nil && request.Method == http.MethodPatch && slices.Contains(objectPatches, media) {
			patch := &keptPatch{kind: types.PatchType(media)}
			request = request.WithContext(context.WithValue(request.Context(), patchKey{}, patch))
			request.Body = struct {
				io.Reader
				io.Closer
			}{io.TeeReader(request.Body, &patch.text), request.Body}
		}
		api.ServeHTTP(writer, request)
	})
}

// patchInfo explains the errors of a patch.
type patchInfo struct {
	rest.UpdatedObjectInfo
	scheme *runtime.Scheme
	// kind is the kind of the patched object.
	kind    string
	renamed map[string]string
}

// newPatchInfo returns the patchInfo for all patches of objects like the example.
func newPatchInfo(scheme *runtime.Scheme, example runtime.Object) (patchInfo, error) {
	kinds, _, err := scheme.ObjectKinds(example)
	if err != nil {
		return patchInfo{}, err
	}
	return patchInfo{scheme: scheme, kind: kinds[0].Kind, renamed: renamedFieldsOfResource(scheme, example)}, nil
}

// of returns how a request changes an object.
func (i patchInfo) of(request rest.UpdatedObjectInfo) patchInfo {
	i.UpdatedObjectInfo = request
	return i
}

// UpdatedObject applies the request to the stored object.
func (i patchInfo) UpdatedObject(ctx context.Context, old runtime.Object) (runtime.Object, error) {
	object, err := i.UpdatedObjectInfo.UpdatedObject(ctx, old)
	if err == nil {
		return object, nil
	}
	var status apierrors.APIStatus
	isStatus := errors.As(err, &status)
	// Admission and the decoder of a patch have errors of their own, which stay.
	if !isStatus || apierrors.IsInvalid(err) || apierrors.IsConflict(err) {
		if named := i.nameWrongTypes(ctx, err); named != nil {
			return object, named
		}
	}
	if isStatus {
		return object, err
	}
	if patch, kept := ctx.Value(patchKey{}).(*keptPatch); kept && patch.kind == types.StrategicMergePatchType {
		return object, apierrors.NewBadRequest(strategicFault(err, patch.text.Bytes()))
	}
	// Server-side apply passes no decoder, which would name a field that was renamed.
	for former, current := range i.renamed {
		if strings.Contains(err.Error(), "."+former+": field not declared in schema") {
			return object, apierrors.NewBadRequest(fmt.Sprintf("%v: use %q", err, current))
		}
	}
	return object, err
}

// nameWrongTypes returns the error that a created object with such values gets; nil if the patch has no value of the wrong
// type. A patch that was refused as invalid stays so, as for the kinds of Kubernetes.
func (i patchInfo) nameWrongTypes(ctx context.Context, err error) error {
	patch, kept := ctx.Value(patchKey{}).(*keptPatch)
	request, known := apirequest.RequestInfoFrom(ctx)
	if !kept || !known {
		return nil
	}
	version := schema.GroupVersion{Group: request.APIGroup, Version: request.APIVersion}
	if !i.scheme.Recognizes(version.WithKind(i.kind)) {
		return nil
	}
	example, failure := i.scheme.New(version.WithKind(i.kind))
	if failure != nil {
		return failure
	}
	named := NameWrongTypes(err, patch.text.Bytes(), example)
	if named == err { //nolint:errorlint // the same error says that there is nothing to name
		return nil
	}
	explained := apierrors.NewBadRequest(fmt.Sprintf("%s in version %q cannot be handled as a %s: %v", i.kind, version.Version, i.kind, named))
	if apierrors.IsInvalid(err) {
		explained.ErrStatus.Code, explained.ErrStatus.Reason = http.StatusUnprocessableEntity, metav1.StatusReasonInvalid
	}
	return explained
}

// strategicFault returns the message of a strategic merge patch that the library could not apply. The library's error shows a
// part of the patch: the message names the path of that part.
func strategicFault(err error, patch []byte) string {
	var content any
	if json.Unmarshal(patch, &content) == nil {
		if fault := faultIn(content, nil, err.Error()); fault != nil {
			return fault.Error()
		}
	}
	return "the strategic merge patch cannot be applied: " + strings.NewReplacer("map[string]interface {}", "object", "[]interface {}", "list").Replace(err.Error())
}

func faultIn(part any, path *field.Path, problem string) error {
	switch part := part.(type) {
	case map[string]any:
		_, key, _ := strings.Cut(problem, " does not contain declared merge key: ")
		if problem == mergepatch.ErrNoMergeKey(part, key).Error() {
			return fmt.Errorf("%s: set %s, by which a strategic merge patch finds the element", path, key)
		}
		if directive := part["$patch"]; problem == mergepatch.ErrBadPatchType(directive, part).Error() {
			return fmt.Errorf("%s: must be replace or delete, not %q", path.Child("$patch"), fmt.Sprint(directive))
		}
		for _, name := range slices.Sorted(maps.Keys(part)) {
			if fault := faultIn(part[name], path.Child(name), problem); fault != nil {
				return fault
			}
		}
	case []any:
		for i, element := range part {
			if fault := faultIn(element, path.Index(i), problem); fault != nil {
				return fault
			}
		}
	}
	return nil
}
