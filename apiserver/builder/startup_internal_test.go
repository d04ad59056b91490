// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"bytes"
	"context"
	"errors"
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
		if code == http.StatusServiceUnavailable {
			g.Expect(answer.Header().Get("Retry-After")).To(Equal("1"), path)
		}
	}
}

func TestAServerLogsEachReasonToWaitOnce(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	var reason error
	var log bytes.Buffer
	startup := newStartup("waiting", []dependency{{name: "etcd", check: func(context.Context) error { return reason }}}, &log)
	for _, reason = range []error{errors.New("no such file"), errors.New("no such file"), errors.New("deadline exceeded"), nil} {
		g.Expect(startup.check(t.Context())).To(Equal(reason == nil))
	}
	g.Expect(log.String()).To(Equal("waiting waits for etcd: no such file\nwaiting waits for etcd: deadline exceeded\n"))
}
