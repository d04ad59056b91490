// SPDX-License-Identifier: Apache-2.0

package filters_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	restclient "k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/builder/buildertest"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestOnlyABrowserWithoutCredentialsGetsTheLandingPage(t *testing.T) {
	g := buildertest.Parallel(t)
	const page, browser = "<!DOCTYPE html><title>hello</title>", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"
	running, _ := buildertest.Start(t, buildertest.CoreKinds(builder.Memory()).WithLandingPage([]byte(page)))
	client := require.Value(restclient.HTTPClientFor(restclient.AnonymousClientConfig(running.ClientConfig())))(t)
	for name, test := range map[string]struct {
		method, path, accept, authorization string
		code                                int
		page                                bool
	}{
		"a browser": {http.MethodGet, "/", browser, "", http.StatusOK, true},
		"a browser that looks whether it is there": {http.MethodHead, "/", browser, "", http.StatusOK, false},
		"curl":                {http.MethodGet, "/", "*/*", "", http.StatusUnauthorized, false},
		"kubectl":             {http.MethodGet, "/", "application/json, */*", "", http.StatusUnauthorized, false},
		"no preference":       {http.MethodGet, "/", "", "", http.StatusUnauthorized, false},
		"a browser elsewhere": {http.MethodGet, "/api", browser, "", http.StatusUnauthorized, false},
		"a form":              {http.MethodPost, "/", browser, "", http.StatusUnauthorized, false},
		"a wrong token":       {http.MethodGet, "/", browser, "Bearer wrong", http.StatusUnauthorized, false},
		"a token":             {http.MethodGet, "/", browser, "Bearer " + buildertest.Token, http.StatusOK, false},
	} {
		request := require.Value(http.NewRequestWithContext(t.Context(), test.method, running.Address()+test.path, nil))(t)
		for header, value := range map[string]string{"Accept": test.accept, "Authorization": test.authorization} {
			if value != "" {
				request.Header.Set(header, value)
			}
		}
		response, err := client.Do(request)
		g.Expect(err).NotTo(HaveOccurred(), name)
		body, err := io.ReadAll(response.Body)
		g.Expect(err).NotTo(HaveOccurred(), name)
		g.Expect(response.Body.Close()).To(Succeed())
		g.Expect(response.StatusCode).To(Equal(test.code), name)
		if test.page {
			g.Expect(string(body)).To(Equal(page), name)
		} else {
			g.Expect(string(body)).NotTo(ContainSubstring("hello"), name)
		}
		g.Expect(strings.HasPrefix(response.Header.Get("Content-Type"), "text/html")).To(Equal(test.page || test.method == http.MethodHead), name)
	}
}
