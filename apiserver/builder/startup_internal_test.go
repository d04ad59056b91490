// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"net/http"
	"net/http/httptest"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apiserver/pkg/authentication/user"
)

func TestAServerThatWaitsForNothingAnyMoreIsNotReadyYet(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	options, err := New("waiting").WithBearerToken("token", &user.DefaultInfo{Name: "admin"}).ToServerOptions()
	g.Expect(err).NotTo(HaveOccurred())
	handler := options.startupHandler(newStartup("waiting", nil, nil))
	for path, code := range map[string]int{"/livez": http.StatusOK, "/readyz": http.StatusInternalServerError, "/apis": http.StatusServiceUnavailable} {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		g.Expect(answer.Code).To(Equal(code), "%s: %s", path, answer.Body)
	}
}
