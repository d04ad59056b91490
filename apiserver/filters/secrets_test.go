// SPDX-License-Identifier: Apache-2.0

package filters_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"goldsmith.dev/goldsmith/apiserver/filters"
)

func TestOnlyTheContextOfARequestHasItsSecret(t *testing.T) {
	var secret, kept, other string
	chain := filters.TakeSecrets([]string{"Other-Token", "Some-Token"}, http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		secret, kept, other = filters.Secret(request.Context(), "Some-Token"), request.Header.Get("Some-Token"), filters.Secret(request.Context(), "Other-Token")
	}))
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
	request.Header.Set("some-token", "secret")
	chain.ServeHTTP(httptest.NewRecorder(), request)
	if secret != "secret" || kept != "" || other != "" {
		t.Errorf("the handler gets the secret %q, the header %q and another secret %q", secret, kept, other)
	}
}
