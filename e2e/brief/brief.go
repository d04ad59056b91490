// SPDX-License-Identifier: Apache-2.0

// Package brief keeps the messages of failed assertions short. Gomega writes each field of an object: hundreds of lines for an
// ImageBuild or a Pod. Whole objects are in the files that are kept of a failed spec.
package brief

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/onsi/gomega/format"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Register makes gomega write each object of Kubernetes that has a status like Object. Two objects that differ in a field may then
// look the same: a spec compares whole objects with BeComparableTo, which writes the difference.
func Register() {
	format.RegisterCustomFormatter(func(value any) (string, bool) {
		o, ok := value.(object)
		if structure := reflect.ValueOf(value); !ok && structure.Kind() == reflect.Struct { // in a list
			pointer := reflect.New(structure.Type())
			pointer.Elem().Set(structure)
			o, ok = reflect.TypeAssert[object](pointer)
		}
		if !ok || !reflect.ValueOf(o).Elem().FieldByName("Status").IsValid() {
			return "", false
		}
		return Object(o), true
	})
}

type object interface {
	metav1.Object
	runtime.Object
}

// longestMessage limits the message of a condition and the failure of a build to so many characters.
const longestMessage = 200

// Object returns the kind, name and versions of an object, the fields of its status that are no structures, its conditions and its
// failure, in one line.
func Object(o object) string {
	if value := reflect.ValueOf(o); !value.IsValid() || value.IsNil() {
		return "no object"
	}
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return err.Error()
	}
	kind := cmp.Or(o.GetObjectKind().GroupVersionKind().Kind, reflect.TypeOf(o).Elem().Name())
	parts := []string{fmt.Sprintf("%s %s", kind, strings.TrimPrefix(o.GetNamespace()+"/"+o.GetName(), "/"))}
	add := func(name string, value any) {
		parts = append(parts, fmt.Sprintf("%s=%v", name, value))
	}
	add("resourceVersion", o.GetResourceVersion())
	add("generation", o.GetGeneration())
	if o.GetDeletionTimestamp() != nil {
		add("deletionTimestamp", o.GetDeletionTimestamp().UTC().Format("15:04:05"))
	}
	status, _ := fields["status"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(status)) {
		switch value := status[name].(type) {
		case map[string]any:
			if name == "failure" {
				text, _ := json.Marshal(value)
				add(name, cut(string(text)))
			}
		case []any:
			if name == "conditions" {
				parts = append(parts, conditions(value)...)
			}
		default:
			add(name, value)
		}
	}
	return strings.Join(parts, " ")
}

// conditions writes conditions of any kind as Type=Status(Reason: message).
func conditions(list []any) []string {
	var parts []string
	for _, item := range list {
		condition, _ := item.(map[string]any)
		field := func(name string) string {
			text, _ := condition[name].(string)
			return text
		}
		why := strings.Trim(field("reason")+": "+cut(field("message")), ": ")
		if why != "" {
			why = "(" + why + ")"
		}
		parts = append(parts, field("type")+"="+field("status")+why)
	}
	return parts
}

func cut(text string) string {
	if runes := []rune(text); len(runes) > longestMessage {
		return string(runes[:longestMessage]) + "…"
	}
	return text
}
