// SPDX-License-Identifier: Apache-2.0

package resources_test

import (
	"fmt"
	"slices"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/builder/buildertest"
	"goldsmith.dev/goldsmith/apiserver/corekinds"
	"goldsmith.dev/goldsmith/apiserver/example"
	hub "goldsmith.dev/goldsmith/apiserver/example/library"
	v2 "goldsmith.dev/goldsmith/apiserver/example/library/v2"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

func TestRatchet(t *testing.T) {
	t.Parallel()
	var scope *resources.Scope
	buildertest.Start(t, corekinds.Register(buildertest.Library(builder.Memory()), nil).WithResource(v2.SchemeGroupVersion, "scopes", func(of *resources.Scope) (resources.Storages, error) {
		scope = of
		return nil, nil
	}))
	author := func(name string, role hub.AuthorRole) hub.Author { return hub.Author{Name: name, Role: role} }
	book := func(authors ...hub.Author) runtime.Object {
		return &hub.Book{Spec: hub.BookSpec{Title: "T", Authors: authors, Copies: new(int32(1)), LoanDays: new(int32(1))}}
	}
	validBook := func(object runtime.Object) field.ErrorList { return example.ValidateBook(object.(*hub.Book)) }

	configMap := func(data map[string]string) runtime.Object { return &corev1.ConfigMap{Data: data} }
	noData := func(object runtime.Object) (errs field.ErrorList) {
		for key, value := range object.(*corev1.ConfigMap).Data {
			errs = append(errs, field.Invalid(field.NewPath("data").Key(key), value, "no"))
		}
		return errs
	}

	pod := func(limit string, tolerations ...corev1.Toleration) runtime.Object {
		limits := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(limit)}
		return &corev1.Pod{Spec: corev1.PodSpec{
			Containers:  []corev1.Container{{Name: "a"}, {Name: "b", Resources: corev1.ResourceRequirements{Limits: limits}}},
			Tolerations: tolerations,
		}}
	}
	noPod := func(object runtime.Object) (errs field.ErrorList) {
		spec := object.(*corev1.Pod).Spec
		for i := range spec.Containers {
			for name := range spec.Containers[i].Resources.Limits {
				path := field.NewPath("spec", "containers").Index(i).Child("resources", "limits").Key(string(name))
				errs = append(errs, field.Forbidden(path, "no"))
			}
		}
		for i := range spec.Tolerations {
			errs = append(errs, field.Forbidden(field.NewPath("spec", "tolerations").Index(i).Child("value"), "no"))
		}
		return append(errs, field.Required(field.NewPath("spec", "affinity", "podAffinity"), "set it"))
	}
	toleration := func(key, value string) corev1.Toleration { return corev1.Toleration{Key: key, Value: value} }

	const role, duplicate, affinity = "spec.authors[%d].role", "spec.authors[%d].name", "spec.affinity.podAffinity"
	for name, test := range map[string]struct {
		old, object runtime.Object
		validate    func(runtime.Object) field.ErrorList
		want        []string
	}{
		"an unchanged entry":            {book(author("a", "X")), book(author("a", "X")), validBook, nil},
		"an entry in another place":     {book(author("a", "X"), author("b", "Editor")), book(author("b", "Author"), author("a", "X")), validBook, nil},
		"another invalid value":         {book(author("a", "X")), book(author("a", "Y")), validBook, []string{fmt.Sprintf(role, 0)}},
		"another key of the same value": {book(author("a", "X")), book(author("b", "X")), validBook, []string{fmt.Sprintf(role, 0)}},
		"a further entry":               {book(author("a", "X")), book(author("b", "X"), author("a", "X")), validBook, []string{fmt.Sprintf(role, 0)}},
		"entries that are alike":        {book(author("a", "Editor"), author("a", "Editor")), book(author("a", "Editor"), author("a", "Author")), validBook, nil},
		"a third that is alike": {
			book(author("a", "Editor"), author("a", "Editor")), book(author("a", "Editor"), author("a", "Editor"), author("a", "Editor")),
			validBook, []string{fmt.Sprintf(duplicate, 2)},
		},
		"a valid object": {book(author("a", "Editor")), book(author("a", "X")), validBook, []string{fmt.Sprintf(role, 0)}},

		"a key of a map":                 {configMap(map[string]string{"a": "b"}), configMap(map[string]string{"a": "b"}), noData, nil},
		"another value of a key":         {configMap(map[string]string{"a": "b"}), configMap(map[string]string{"a": "c"}), noData, []string{"data[a]"}},
		"a key with the signs of a path": {configMap(map[string]string{"a].b[c": "d"}), configMap(map[string]string{"a].b[c": "d", "e": ""}), noData, []string{"data[e]"}},
		"such a key with another value":  {configMap(map[string]string{"a].b[c": "d", "a": "b"}), configMap(map[string]string{"a].b[c": "e", "a": "b"}), noData, []string{"data[a].b[c]"}},

		"another form of a quantity": {pod("1"), pod("1000m"), noPod, nil},
		"another quantity":           {pod("1"), pod("2"), noPod, []string{"spec.containers[1].resources.limits[cpu]"}},
		"a list without keys, in another order": {
			pod("1", toleration("a", "b"), toleration("c", "d")), pod("1", toleration("c", "d"), toleration("a", "b")), noPod, nil,
		},
		"another field of such an entry": {pod("1", toleration("a", "b")), pod("1", toleration("x", "b")), noPod, nil},
		"such a field":                   {pod("1", toleration("a", "b")), pod("1", toleration("a", "x")), noPod, []string{"spec.tolerations[0].value"}},
		"a parent of a missing field": {
			pod("1"), func() runtime.Object {
				changed := pod("1").(*corev1.Pod)
				changed.Spec.Affinity = &corev1.Affinity{PodAffinity: &corev1.PodAffinity{}}
				return changed
			}(), noPod, []string{affinity},
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			errs := scope.Ratchet(test.object, test.old, test.validate)
			paths := make([]string, 0, len(errs))
			for _, err := range errs {
				paths = append(paths, err.Field)
			}
			slices.Sort(paths)
			g.Expect(paths).To(HaveExactElements(test.want))
			g.Expect(scope.Ratchet(test.object.DeepCopyObject(), test.object, test.validate)).To(BeEmpty())
		})
	}
}
