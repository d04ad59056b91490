// SPDX-License-Identifier: Apache-2.0

package filters

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/client-go/kubernetes/scheme"
)

func TestTheHeadOfARequestIsShort(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		query, header, limit int
		code                 int
		message              string
	}{
		"the longest":    {query: MaxQuery, header: 90, limit: 100, code: http.StatusOK},
		"a longer query": {query: MaxQuery + 1, code: http.StatusRequestURITooLong, message: "the query of the URL has 8193 bytes, more than the limit of 8192"},
		"longer headers": {header: 95, limit: 100, code: http.StatusRequestHeaderFieldsTooLarge, message: "the headers have 102 bytes, more than the limit of 100"},
		"any headers":    {header: 1 << 20, code: http.StatusOK},
	} {
		answer := httptest.NewRecorder()
		request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/x?"+strings.Repeat("a", test.query), nil)
		request.Header.Set("X-Group", strings.Repeat("a", test.header))
		LimitHeads(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), test.limit, scheme.Codecs).ServeHTTP(answer, request)
		if answer.Code != test.code || !strings.Contains(answer.Body.String(), test.message) {
			t.Errorf("%s: got %d %s", name, answer.Code, answer.Body)
		}
	}
}
