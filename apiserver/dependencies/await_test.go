// SPDX-License-Identifier: Apache-2.0

package dependencies

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
)

func TestAServerThatWaitsForNothingAnyMoreIsNotReadyYet(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	scheme := runtime.NewScheme()
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	handler := newStartup(Server{Name: "waiting", Codecs: serializer.NewCodecFactory(scheme)}, nil).handler()
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
	startup := newStartup(Server{Name: "waiting", Out: &log}, []Dependency{{Name: "etcd", Check: func(context.Context) error { return reason }}})
	for _, reason = range []error{errors.New("no such file"), errors.New("no such file"), errors.New("deadline exceeded"), nil} {
		g.Expect(startup.check(t.Context())).To(Equal(reason == nil))
	}
	g.Expect(log.String()).To(Equal("waiting waits for etcd: no such file\nwaiting waits for etcd: deadline exceeded\n"))
}
