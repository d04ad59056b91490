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
	var begun, goOn = make(chan struct{}), make(chan struct{})
	handler := LimitUsers(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		if request.URL.Path == "/waits" {
			begun <- struct{}{}
			<-goOn
		}
	}), Limits{Streams: 3, Reads: 2, Writes: 1}, func(_ *http.Request, info *apirequest.RequestInfo) bool { return info.Verb == "watch" }, scheme.Codecs)
	ask := func(verb, name, path string, groups ...string) *httptest.ResponseRecorder {
		answer := httptest.NewRecorder()
		request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		ctx := apirequest.WithRequestInfo(apirequest.WithUser(request.Context(), &user.DefaultInfo{Name: name, Groups: groups}), &apirequest.RequestInfo{Verb: verb})
		handler.ServeHTTP(answer, request.WithContext(ctx))
		return answer
	}
	full := map[string]string{"watch": "has 3 watches and other streams at", "list": "has 2 requests to read at", "update": "has 1 requests to write at"}
	for _, verb := range []string{"watch", "watch", "watch", "get", "list", "create"} { // all together
		go ask(verb, "system:serviceaccount:team:"+verb, "/waits")
		<-begun
	}
	for verb, message := range full {
		answer := ask(verb, "system:serviceaccount:team:c", "/")
		if answer.Code != http.StatusTooManyRequests || answer.Header().Get("Retry-After") != "5" || !strings.Contains(answer.Body.String(), message) {
			t.Errorf("one more %s: got %d %v %s", verb, answer.Code, answer.Header(), answer.Body)
		}
		for name, groups := range map[string][]string{"ann": nil, "system:serviceaccount:other:a": nil, "system:serviceaccount:team:d": {user.AllUnauthenticated}} {
			if answer := ask(verb, name, "/", groups...); answer.Code != http.StatusOK {
				t.Errorf("%s of %s: got %d %s", verb, name, answer.Code, answer.Body)
			}
		}
		answer = ask(verb, "system:serviceaccount:team:root", "/", user.SystemPrivilegedGroup)
		if limited := answer.Code == http.StatusTooManyRequests; limited != (verb == "watch") {
			t.Errorf("%s of system:masters: got %d %s", verb, answer.Code, answer.Body)
		}
	}
	ended := make(chan struct{})
	go func() {
		ask("create", "ann", "/waits")
		close(ended)
	}()
	<-begun
	for range 7 {
		goOn <- struct{}{}
	}
	<-ended
	if answer := ask("create", "ann", "/"); answer.Code != http.StatusOK {
		t.Errorf("after its end: got %d %s", answer.Code, answer.Body)
	}
}

func TestAUserHasAQuarterOfTheServer(t *testing.T) {
	t.Parallel()
	for of, want := range map[[2]int]Limits{
		{400, 200}: {Streams: MaxStreams, Reads: 100, Writes: 50}, {1, 2}: {Streams: MaxStreams, Reads: 1, Writes: 1}, {0, 0}: {Streams: MaxStreams},
	} {
		if got := LimitsOf(of[0], of[1]); got != want {
			t.Errorf("of %v: got %+v, want %+v", of, got, want)
		}
	}
}
