// SPDX-License-Identifier: Apache-2.0

package requesterrors

import (
	"errors"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Serializer returns a serializer of requests whose errors name the fields of objects instead of Go types.
func Serializer(of runtime.Serializer, scheme *runtime.Scheme) runtime.Serializer {
	return serializer{of, scheme}
}

type serializer struct {
	runtime.Serializer
	scheme *runtime.Scheme
}

// Decode reads the object of a request.
func (e serializer) Decode(data []byte, defaults *schema.GroupVersionKind, into runtime.Object) (runtime.Object, *schema.GroupVersionKind, error) {
	object, kind, err := e.Serializer.Decode(data, defaults, into)
	if err == nil || runtime.IsStrictDecodingError(err) && object != nil {
		if other := e.otherKind(kind, into); other != nil {
			return nil, kind, other
		}
	}
	if err == nil {
		return object, kind, nil
	}
	if kind != nil && runtime.IsNotRegisteredError(err) {
		return nil, kind, e.unknownKind(kind, defaults, into, err)
	}
	if kind == nil {
		return object, nil, NameWrongTypes(err, data, &metav1.TypeMeta{}) // nothing but these fields was read
	}
	if example, unknown := e.scheme.New(*kind); unknown == nil {
		err = NameUnknownFields(NameWrongTypes(err, data, example), FieldsOf(example))
	}
	return object, kind, err
}

// unknownKind returns the error of a request whose object has a kind that the version lacks. That of the library names the Go code that made the
// scheme.
func (e serializer) unknownKind(kind, defaults *schema.GroupVersionKind, into runtime.Object, err error) error {
	if other := e.otherKind(kind, into); other != nil {
		return other
	}
	if defaults != nil && defaults.Kind != "" && defaults.Kind != kind.Kind {
		return errors.New("kind: must be " + defaults.Kind + ", not " + kind.Kind)
	}
	message, _, _ := strings.Cut(err.Error(), " in scheme ")
	return errors.New(message)
}

// otherKind returns the error of a request whose object has another kind than the handler takes. The conversion that follows
// would show Go types. A kind of another group has an error of its own.
func (e serializer) otherKind(kind *schema.GroupVersionKind, into runtime.Object) error {
	if kind == nil || into == nil {
		return nil
	}
	wanted, _, _ := e.scheme.ObjectKinds(into) // none for a type without a kind, such as the options of a request
	if len(wanted) == 0 || slices.ContainsFunc(wanted, func(known schema.GroupVersionKind) bool { return known.Kind == kind.Kind }) {
		return nil
	}
	return errors.New("kind: must be " + wanted[0].Kind + ", not " + kind.Kind)
}
