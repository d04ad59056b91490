// SPDX-License-Identifier: Apache-2.0

package image

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/validation/validationtest"
)

func TestAnImageIsNotBasedOnItself(t *testing.T) {
	image := validationtest.Image()
	image.Spec.Base = baseImage(image.Name, "stable")
	validationtest.ExpectPaths(t, Validate(image), []string{"spec.base.imageRef.name"})
	validationtest.ExpectPaths(t, ValidateUpdate(image, validationtest.Image()), []string{"spec.base.imageRef.name"})
}

func TestBaseCycle(t *testing.T) {
	broken := errors.New("broken")
	chain := map[string]string{} // of 40 Images, the last without a base
	for i := range 40 {
		chain[fmt.Sprint("i", i)] = fmt.Sprint("i", i+1)
	}
	chain["i40"] = ""
	tooDeep := "at most 32 other Images, directly and through each other: a → i8 → i9 → … → i40 → …;"
	for what, test := range map[string]struct {
		bases map[string]string // by Image; "" is a base that is no Image
		base  string
		want  string
	}{
		"no Image":            {nil, "", ""},
		"one that is missing": {nil, "b", ""},
		"a chain":             {map[string]string{"b": "c", "c": ""}, "b", ""},
		"a chain into nothing": {
			map[string]string{"b": "c", "c": "d"}, "b", "",
		},
		"itself":              {nil, "a", "a → a;"},
		"a circle of two":     {map[string]string{"b": "a"}, "b", "a → b → a;"},
		"a circle of three":   {map[string]string{"b": "c", "c": "a", "a": "x"}, "b", "a → b → c → a;"},
		"a circle of others":  {map[string]string{"b": "c", "c": "b"}, "b", ""},
		"32 bases":            {chain, "i9", ""},
		"33 bases":            {chain, "i8", tooDeep},
		"an unreadable image": {map[string]string{"b": "broken"}, "b", "read image broken"},
	} {
		t.Run(what, func(t *testing.T) {
			imageOf := func(name, base string) *v1alpha1.Image {
				image := validationtest.Image()
				if image.Name = name; base != "" {
					image.Spec.Base = baseImage(base, "")
				}
				return image
			}
			errs := ValidateBases(imageOf("a", test.base), func(name string) (*v1alpha1.Image, error) {
				if name == "broken" {
					return nil, broken
				}
				base, known := test.bases[name]
				if !known {
					return nil, apierrors.NewNotFound(v1alpha1.Resource("images"), name)
				}
				return imageOf(name, base), nil
			})
			if test.want == "" {
				validationtest.ExpectPaths(t, errs, nil)
				return
			}
			validationtest.ExpectPaths(t, errs, []string{"spec.base.imageRef.name"})
			if !strings.Contains(errs[0].Detail, test.want) {
				t.Errorf("the message is %q, want %q in it", errs[0].Detail, test.want)
			}
		})
	}
}
