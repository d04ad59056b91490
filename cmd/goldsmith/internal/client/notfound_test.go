// SPDX-License-Identifier: Apache-2.0

package client

import (
	"errors"
	"fmt"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func TestOnlyTheObjectItselfIsNotFound(t *testing.T) {
	images := v1alpha1.Resource("images")
	for _, test := range []struct {
		name string
		err  error
		want bool
	}{
		{"no error", nil, false},
		{"the image", apierrors.NewNotFound(images, "debian"), true},
		{"the image, wrapped", fmt.Errorf("ask: %w", apierrors.NewNotFound(images, "debian")), true},
		{"another image", apierrors.NewNotFound(images, "other"), false},
		{"another kind", apierrors.NewNotFound(v1alpha1.Resource("imagebuilds"), "debian"), false},
		{"another error", apierrors.NewForbidden(images, "debian", errors.New("no")), false},
		{"a server without the API", apierrors.NewGenericServerResponse(404, "GET", images, "debian", "404 page not found", 0, true), false},
	} {
		if got := IsNotFound(test.err, "images", "debian"); got != test.want {
			t.Errorf("%s: got %v", test.name, got)
		}
	}
}
