// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// noReferences are the texts in inputs that name no object of a namespace, with why. A field counts with all that is below it.
var noReferences = map[string]string{
	"builder":                                    "the operator registers builders, and nodes pull images",
	"base.reference":                             "the builder gives it a meaning",
	"base.imageRef.channel":                      "a channel of the Image that name selects",
	"source.inline":                              "the files themselves",
	"source.git.url":                             "a place outside",
	"source.git.ref":                             "a commit",
	"source.git.path":                            "a directory of the source",
	"source.oci.repository":                      "a place outside",
	"source.oci.tag":                             "a digest",
	"parameters":                                 "values for the builder",
	"targets":                                    "what to build",
	"template.resources":                         "quantities",
	"template.nodeSelector":                      "labels of nodes, which have no namespace",
	"template.tolerations":                       "taints of nodes",
	"template.affinity":                          "labels of nodes and of running pods, which a build gets nothing from",
	"template.env[0].name":                       "the name of the variable",
	"template.env[0].value":                      "the value itself",
	"output.repository":                          "a place outside",
	"output.tagTemplate":                         "a tag there",
	"output.attest":                              "a policy",
	"template.runtimeClassName":                  "a RuntimeClass has no namespace",
	"template.priorityClassName":                 "a PriorityClass has no namespace",
	"template.env[0].valueFrom.secretKeyRef.key": "a key of the Secret that name selects",
	"template.env[0].valueFrom.configMapKeyRef.key": "a key of the ConfigMap that name selects",
	"template.env[0].valueFrom.fieldRef":            "the server refuses it",
	"template.env[0].valueFrom.resourceFieldRef":    "the server refuses it",
	"template.env[0].valueFrom.fileKeyRef":          "the server refuses it",
}

// fill sets each text in a value to its path, and returns the paths.
func fill(value reflect.Value, path string) (paths []string) {
	switch value.Kind() {
	case reflect.Pointer:
		value.Set(reflect.New(value.Type().Elem()))
		return fill(value.Elem(), path)
	case reflect.Struct:
		for i := range value.NumField() {
			field := value.Type().Field(i)
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			switch {
			case !field.IsExported():
			case name == "": // inline
				paths = append(paths, fill(value.Field(i), path)...)
			default:
				paths = append(paths, fill(value.Field(i), strings.TrimPrefix(path+"."+name, "."))...)
			}
		}
	case reflect.Slice:
		value.Set(reflect.MakeSlice(value.Type(), 1, 1))
		return fill(value.Index(0), path+"[0]")
	case reflect.Map:
		value.Set(reflect.MakeMap(value.Type()))
		key, element := reflect.New(value.Type().Key()).Elem(), reflect.New(value.Type().Elem()).Elem()
		paths = append(fill(key, path+"[key]"), fill(element, path+"[value]")...)
		value.SetMapIndex(key, element)
	case reflect.String:
		value.SetString(path)
		return []string{path}
	}
	return paths
}

// TestEveryTextIsAReferenceOrNone walks the type of the API, so that nobody adds a field that References does not know.
func TestEveryTextIsAReferenceOrNone(t *testing.T) {
	of := &v1alpha1.BuildInputs{}
	paths := fill(reflect.ValueOf(of).Elem(), "")
	known := map[string]bool{}
	for _, reference := range References(of, nil) {
		if reference.Name != reference.Field.String() || !slices.Contains(paths, reference.Name) || known[reference.Name] {
			t.Errorf("%s has the name of %s, or is listed twice", reference.Field, reference.Name)
		}
		known[reference.Name] = true
	}
	used := map[string]bool{}
	for _, path := range paths {
		none := ""
		for prefix := range noReferences {
			if rest, below := strings.CutPrefix(path, prefix); below && (rest == "" || strings.ContainsAny(rest[:1], ".[")) {
				none, used[prefix] = prefix, true
			}
		}
		if known[path] == (none != "") {
			t.Errorf("%s: a reference: %t, no reference: %q. Add it to References, or else to noReferences with why it names no object of a namespace", path, known[path], none)
		}
	}
	for prefix := range noReferences {
		if !used[prefix] {
			t.Errorf("the API has no field %s", prefix)
		}
	}
}

func TestReferencesAreToObjectsOfTheNamespace(t *testing.T) {
	of := &v1alpha1.BuildInputs{}
	fill(reflect.ValueOf(of).Elem(), "")
	var got []string
	for _, reference := range References(of, nil) {
		got = append(got, fmt.Sprintf("%s %s %s", reference.Part, reference.Kind, reference.Name))
	}
	want := []string{
		"base Image base.imageRef.name", "files ConfigMap source.configMapRef.name", "git Secret source.git.secretRef.name", "oci Secret source.oci.secretRef.name",
		"output Secret output.secretRef.name", "account ServiceAccount template.serviceAccountName", "env Secret template.env[0].valueFrom.secretKeyRef.name",
		"env ConfigMap template.env[0].valueFrom.configMapKeyRef.name", "queue LocalQueue template.queueName",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, nothing := range []*v1alpha1.BuildInputs{
		{}, {Source: &v1alpha1.Source{Git: &v1alpha1.GitSource{}, OCI: &v1alpha1.OCISource{}}, Template: &v1alpha1.BuildTemplate{ServiceAccountName: "default"}, Output: &v1alpha1.Output{}},
	} {
		if got := References(nothing, nil); len(got) > 0 {
			t.Errorf("got %v", got)
		}
	}
}
