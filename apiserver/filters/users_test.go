// SPDX-License-Identifier: Apache-2.0

package filters

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/apiserver/pkg/authentication/user"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/client-go/kubernetes/scheme"
)

func TestAUserHasFewRequestsAtTheSameTime(t *testing.T) {
	t.Parallel()
	const limit = 2
	var begun, goOn = make(chan struct{}), make(chan struct{})
	handler := LimitUsers(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		if request.URL.Path == "/watch" {
			begun <- struct{}{}
			<-goOn
		}
	}), limit, scheme.Codecs)
	ask := func(name, path string, groups ...string) *httptest.ResponseRecorder {
		answer := httptest.NewRecorder()
		request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		handler.ServeHTTP(answer, request.WithContext(apirequest.WithUser(request.Context(), &user.DefaultInfo{Name: name, Groups: groups})))
		return answer
	}
	ended := make(chan struct{})
	for _, account := range []string{"a", "b"} {
		go func() {
			ask("system:serviceaccount:team:"+account, "/watch")
			ended <- struct{}{}
		}()
		<-begun
	}
	answer := ask("system:serviceaccount:team:c", "/")
	if answer.Code != http.StatusTooManyRequests || answer.Header().Get("Retry-After") != "5" || !strings.Contains(answer.Body.String(), "has 2 requests at the same time") {
		t.Errorf("a third request: got %d %v %s", answer.Code, answer.Header(), answer.Body)
	}
	for name, groups := range map[string][]string{"ann": nil, "system:serviceaccount:other:a": nil, "system:serviceaccount:team:d": {user.AllUnauthenticated}} {
		if answer := ask(name, "/", groups...); answer.Code != http.StatusOK {
			t.Errorf("%s: got %d %s", name, answer.Code, answer.Body)
		}
	}
	for range limit {
		goOn <- struct{}{}
		<-ended
	}
	if answer := ask("system:serviceaccount:team:c", "/"); answer.Code != http.StatusOK {
		t.Errorf("after their end: got %d %s", answer.Code, answer.Body)
	}
}
