// SPDX-License-Identifier: Apache-2.0

package notfound_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/notfound"
)

func TestAnObjectAndAnAPIAreToldApart(t *testing.T) {
	images := v1alpha1.Resource("images")
	for name, test := range map[string]struct {
		err         error
		object, api bool
	}{
		"no error":              {nil, false, false},
		"no such object":        {apierrors.NewNotFound(images, "web"), true, false},
		"no such API":           {apierrors.NewGenericServerResponse(http.StatusNotFound, "get", images, "web", "404 page not found", 0, true), false, true},
		"no such API, wrapped":  {fmt.Errorf("reading: %w", apierrors.NewGenericServerResponse(http.StatusNotFound, "get", images, "web", "", 0, true)), false, true},
		"something else failed": {apierrors.NewGenericServerResponse(http.StatusBadGateway, "get", images, "web", "", 0, true), false, false},
		"not of a server":       {errors.New("connection refused"), false, false},
	} {
		if object, api := notfound.Object(test.err), notfound.API(test.err); object != test.object || api != test.api {
			t.Errorf("%s: object %t, API %t", name, object, api)
		}
	}
}
