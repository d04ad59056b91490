// SPDX-License-Identifier: Apache-2.0

package requesterrors_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/intstr"

	"goldsmith.dev/goldsmith/apiserver/requesterrors"
)

type part struct {
	Name  string           `json:"name"`
	Wait  *metav1.Duration `json:"wait,omitempty"`
	Count *int32           `json:"count,omitempty"`
}

type whole struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	part              `json:",inline"`
	Parts             []part             `json:"parts"`
	ByName            map[string]part    `json:"byName"`
	On                bool               `json:"on"`
	Size              resource.Quantity  `json:"size"`
	Port              intstr.IntOrString `json:"port"`
	Data              []byte             `json:"data"`
	Hidden            string             `json:"-"`
}

func TestUnknownFieldsNameTheNearest(t *testing.T) {
	for unknown, want := range map[string]string{
		"naem":                           `did you mean "name"?`,
		"Name":                           `did you mean "name"?`,
		"siz":                            `did you mean "size"?`,
		"part":                           `did you mean "parts"?`,
		"parts[0].waits":                 `did you mean "parts[0].wait"?`,
		"parts[12].conut":                `did you mean "parts[12].count"?`,
		"parts[0].name.let":              "",
		"colour":                         "",
		"wait.wait":                      `did you mean "wait"?`,
		"metadata.lables":                `did you mean "metadata.labels"?`,
		"labels":                         "",
		"parts[0].port":                  `did you mean "port"?`,
		strings.Repeat("nam", 1_000_000): "",
	} {
		strict := runtime.NewStrictDecodingError([]error{fmt.Errorf("unknown field %q", unknown)})
		got := requesterrors.NameUnknownFields(strict, requesterrors.FieldsOf(&whole{})).Error()
		text := strict.Error()
		if want != "" {
			text += ": " + want
		}
		if got != text {
			t.Errorf("got %.200s, want %.200s", got, text)
		}
	}
	other := errors.New("another error")
	if err := requesterrors.NameUnknownFields(other, requesterrors.FieldsOf(&whole{})); !errors.Is(err, other) {
		t.Errorf("got %v, want %v", err, other)
	}
}

func TestAKindThatDoesNotExistHasNoCodeInItsError(t *testing.T) {
	scheme := runtime.NewScheme()
	version := schema.GroupVersion{Group: "example.com", Version: "v1"}
	scheme.AddKnownTypeWithName(version.WithKind("Pod"), &metav1.PartialObjectMetadata{})
	info, _ := runtime.SerializerInfoForMediaType(serializer.NewCodecFactory(scheme).SupportedMediaTypes(), runtime.ContentTypeJSON)
	decoder := requesterrors.Serializer(info.StrictSerializer, scheme)
	for kind, want := range map[string]string{
		"pod":  "kind: must be Pod, not pod",
		"Pods": "kind: must be Pod, not Pods",
	} {
		defaults := version.WithKind("Pod")
		_, _, err := decoder.Decode(fmt.Appendf(nil, `{"apiVersion":"example.com/v1","kind":%q}`, kind), &defaults, nil)
		if err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", kind, err, want)
		}
	}
	if _, _, err := decoder.Decode([]byte(`{"apiVersion":"example.com/v1","kind":"pod"}`), nil, nil); err == nil || strings.Contains(err.Error(), "scheme") {
		t.Errorf("got %v, want an error without the name of the scheme", err)
	}
}

func TestValuesOfTheWrongTypeAreNamed(t *testing.T) {
	given := errors.New("json: cannot unmarshal number into Go struct field whole.part of type string")
	for data, want := range map[string]string{
		`{"name": 5}`:                                "name: must be a string, not a number",
		"name: 5\n":                                  "name: must be a string, not a number",
		`{"on": {}}`:                                 "on: must be true or false, not an object",
		`{"parts": {"name": "a"}}`:                   "parts: must be a list, not an object",
		`{"parts": [{"name": "a"}, "b"]}`:            "parts[1]: must be an object, not a string",
		`{"parts": [{"wait": "1d"}]}`:                `parts[0].wait: unknown unit "d"; use h, m or s`,
		`{"parts": [{"wait": "90"}]}`:                "parts[0].wait: missing unit; use h, m or s",
		`{"parts": [{"wait": "soon"}]}`:              `parts[0].wait: invalid duration "soon"; use a form such as 1h30m`,
		`{"parts": [{"wait": 90}]}`:                  "parts[0].wait: must be a duration such as 1h30m, not a number",
		`{"byName": {"a": {"count": "1"}}}`:          "byName[a].count: must be a whole number, not a string",
		`{"byName": {"a": {"count": 1.5}}}`:          "byName[a].count: must be a whole number that fits in 32 bits, not 1.5",
		`{"count": 9999999999}`:                      "count: must be a whole number that fits in 32 bits, not 9999999999",
		`{"metadata": {"creationTimestamp": "now"}}`: `metadata.creationTimestamp: must be a time such as 2030-01-02T03:04:05Z, not "now"`,
		`{"metadata": {"labels": {"a": true}}}`:      "metadata.labels[a]: must be a string, not true or false",
		`{"size": "4 gigs"}`:                         `size: must be a quantity such as 500m or 4Gi, not "4 gigs"`,
		`{"size": {}}`:                               "size: must be a quantity such as 500m or 4Gi, not an object",
		`{"port": []}`:                               "port: must be a whole number or a string, not a list",
		`{"data": 1}`:                                "data: must be a string of base64, not a number",
		`{"name": 5, "parts": [{"name": false}]}`:    "name: must be a string, not a number; parts[0].name: must be a string, not true or false",
		`["a"]`: "must be an object, not a list",
		`{"unknown": 5, "name": null, "port": 8080, "size": 5, "count": 1, "Hidden": 1}`: given.Error(),
		`{"name": `: given.Error(),
	} {
		if err := requesterrors.NameWrongTypes(given, []byte(data), &whole{}); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", data, err, want)
		}
	}
	strict := runtime.NewStrictDecodingError([]error{errors.New(`unknown field "colour"`)})
	if err := requesterrors.NameWrongTypes(strict, []byte(`{"name": 5}`), &whole{}); !errors.Is(err, strict) && err.Error() != strict.Error() {
		t.Errorf("got %v, want the error of the strict decoder", err)
	}
}
