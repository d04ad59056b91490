// SPDX-License-Identifier: Apache-2.0

package requesterrors

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
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

// Patches explains the errors of patches of one kind.
type Patches struct {
	scheme *runtime.Scheme
	// kind is the kind of the patched object.
	kind string
}

// ForPatches returns the Patches of objects like the example.
func ForPatches(scheme *runtime.Scheme, example runtime.Object) (Patches, error) {
	kinds, _, err := scheme.ObjectKinds(example)
	if err != nil {
		return Patches{}, err
	}
	return Patches{scheme: scheme, kind: kinds[0].Kind}, nil
}

// Explain returns the same update, whose errors blame the client for its patch and name the fields.
func (p Patches) Explain(update rest.UpdatedObjectInfo) rest.UpdatedObjectInfo {
	return patchInfo{update, p}
}

type patchInfo struct {
	rest.UpdatedObjectInfo
	Patches
}

// UpdatedObject applies the request to the stored object.
func (i patchInfo) UpdatedObject(ctx context.Context, old runtime.Object) (runtime.Object, error) {
	object, err := i.UpdatedObjectInfo.UpdatedObject(ctx, old)
	if err == nil {
		if patch, kept := ctx.Value(patchKey{}).(*keptPatch); kept && patch.kind != types.MergePatchType {
			if cut := i.nameWrongTypes(ctx, errCutNumber); cut != nil {
				return object, cut
			}
		}
		return object, checkResourceVersion(object)
	}
	var status apierrors.APIStatus
	isStatus := errors.As(err, &status)
	if apierrors.IsBadRequest(err) && wrongForm.MatchString(err.Error()) {
		return object, apierrors.NewBadRequest(nameForm(err.Error()))
	}
	// Admission and the decoder of a patch have errors of their own, which stay.
	if !isStatus || apierrors.IsInvalid(err) || apierrors.IsConflict(err) || strings.HasPrefix(err.Error(), undecoded) {
		if named := i.nameWrongTypes(ctx, err); named != nil {
			return object, named
		}
	}
	if request, known := apirequest.RequestInfoFrom(ctx); known && isStatus {
		if fault := faultOfPatch(status); fault != "" {
			return object, i.cannotBeHandled(request, fault, apierrors.IsInvalid(err))
		}
	}
	if isStatus || ctx.Value(patchKey{}) == nil || strings.Contains(err.Error(), ofStoredObject) {
		return object, err
	}
	if patch, kept := ctx.Value(patchKey{}).(*keptPatch); kept && patch.kind == types.StrategicMergePatchType {
		return object, apierrors.NewBadRequest(strategicFault(err, patch.text.Bytes()))
	}
	return object, apierrors.NewBadRequest("the patch cannot be applied: " + explain(err.Error()))
}

const (
	// undecoded begins the error of the library for a patch that it cannot read.
	undecoded = "error decoding patch: "
	// ofStoredObject is in errors of the library about the stored object, which the client has not caused.
	ofStoredObject = "live obj"
	// ofPatch is the field that the library names in its errors for a patch.
	ofPatch = "patch"
)

// errCutNumber stands for a number that the library has cut to the size of its field, as it does with strategic merge patches
// and server-side apply. It decodes the result of a merge patch, and refuses such a number itself.
var errCutNumber = errors.New("a number does not fit into its field")

var (
	// ofAppliedObject begins the errors of server-side apply about the fields of the patch, which follow.
	ofAppliedObject = regexp.MustCompile(`^failed to create typed patch object \(.*?\): (errors:)?`)
	// ofGoValue is the end of an error of server-side apply, which shows the value with Go types.
	ofGoValue = regexp.MustCompile(`, got &?value\.\w+\{.*$`)
	// wrongForm is the error for a patch that is a list instead of an object, or the reverse.
	wrongForm = regexp.MustCompile(`json: cannot unmarshal (\w+) into Go value of type (map\[|\[\])\S+( \{\})?`)
	// otherElement is the error of a strategic merge patch with an element of the wrong type, which shows the stored list.
	otherElement = regexp.MustCompile(`(?s)^list element types are not identical: .*$`)
)

// explain returns the error of the library for a patch as the author of the patch understands it.
func explain(problem string) string {
	prefix := ofAppliedObject.FindString(problem)
	if prefix == "" {
		return problem
	}
	var faults []string
	for fault := range strings.Lines(strings.TrimPrefix(problem, prefix)) {
		fault = ofGoValue.ReplaceAllString(strings.TrimSpace(fault), "")
		if fault = strings.TrimPrefix(fault, "."); fault != "" {
			faults = append(faults, fault)
		}
	}
	return strings.Join(faults, "; ")
}

// nameForm names the form that a patch must have in JSON, instead of the Go type.
func nameForm(problem string) string {
	return wrongForm.ReplaceAllStringFunc(problem, func(text string) string {
		found, form := wrongForm.FindStringSubmatch(text), "a list"
		if found[2] == "map[" {
			form = "an object"
		}
		article := "a "
		if strings.ContainsAny(found[1][:1], "aeiou") {
			article = "an "
		}
		return "must be " + form + ", not " + strings.Replace(article+found[1], "an array", "a list", 1)
	})
}

// checkResourceVersion refuses a version that no server has assigned, which the storage could not read.
func checkResourceVersion(object runtime.Object) error {
	accessor, err := meta.Accessor(object)
	if err != nil {
		return err
	}
	return validVersion("metadata.resourceVersion", accessor.GetResourceVersion())
}

func validVersion(path, version string) error {
	if version == "" {
		return nil
	}
	if _, err := strconv.ParseUint(version, 10, 64); err != nil {
		return apierrors.NewBadRequest(fmt.Sprintf("%s: %q is no version of an object: use the one that the server returned, or none", path, version))
	}
	return nil
}

// nameWrongTypes returns the error that a created object with such values gets; nil if the patch has no value of the wrong
// type. A patch that was refused as invalid stays so, as for the kinds of Kubernetes.
func (p Patches) nameWrongTypes(ctx context.Context, err error) error {
	patch, kept := ctx.Value(patchKey{}).(*keptPatch)
	request, known := apirequest.RequestInfoFrom(ctx)
	if !kept || !known {
		return nil
	}
	version := schema.GroupVersion{Group: request.APIGroup, Version: request.APIVersion}
	if !p.scheme.Recognizes(version.WithKind(p.kind)) {
		return nil
	}
	example, failure := p.scheme.New(version.WithKind(p.kind))
	if failure != nil {
		return failure
	}
	named := NameWrongTypes(err, patch.text.Bytes(), example)
	if named == err { //nolint:errorlint // the same error says that there is nothing to name
		return nil
	}
	return p.cannotBeHandled(request, named.Error(), apierrors.IsInvalid(err))
}

// cannotBeHandled returns the error that a created object with such a fault gets. For an invalid object it has a cause, because
// kubectl prints the whole patch in front of an error without a cause.
func (p Patches) cannotBeHandled(request *apirequest.RequestInfo, fault string, invalid bool) error {
	explained := apierrors.NewBadRequest(fmt.Sprintf("%s in version %q cannot be handled as a %s: %s", p.kind, request.APIVersion, p.kind, fault))
	if invalid {
		explained.ErrStatus.Code, explained.ErrStatus.Reason = http.StatusUnprocessableEntity, metav1.StatusReasonInvalid
		explained.ErrStatus.Details = &metav1.StatusDetails{
			Group: request.APIGroup, Kind: p.kind, Name: request.Name,
			Causes: []metav1.StatusCause{{Type: metav1.CauseTypeFieldValueInvalid, Field: ofPatch, Message: fault}},
		}
	}
	return explained
}

// faultOfPatch returns the fault in the library's error for a patch whose result it cannot decode. The error shows the whole
// patch or object before the fault. faultOfPatch returns an empty text for other errors.
func faultOfPatch(err apierrors.APIStatus) string {
	details := err.Status().Details
	if details == nil || len(details.Causes) != 1 || details.Causes[0].Field != ofPatch {
		return ""
	}
	shown, _ := strings.CutPrefix(details.Causes[0].Message, field.ErrorTypeInvalid.String()+": ")
	quoted, failure := strconv.QuotedPrefix(shown)
	if failure != nil {
		return ""
	}
	fault, _, _ := strings.Cut(strings.TrimPrefix(shown[len(quoted):], ": "), " in scheme ") // which names a Go file
	return fault
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
	if otherElement.MatchString(err.Error()) {
		return "the strategic merge patch cannot be applied: a list has elements of several types, such as an object and null"
	}
	return "the strategic merge patch cannot be applied: " + typesInJSON.Replace(err.Error())
}

// typesInJSON replaces the Go types in the errors of the library.
var typesInJSON = strings.NewReplacer("map[string]interface {}", "object", "[]interface {}", "list", "int64", "number", "float64", "number", "bool", "boolean")

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
