// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/e2e/require"
)

// TestATokenIsReviewedForItsAudienceAndItsPod has a kube-apiserver that answers by the token.
func TestATokenIsReviewedForItsAudienceAndItsPod(t *testing.T) {
	const audience = "images.goldsmith.dev/publisher"
	of := func(uids ...string) authenticationv1.UserInfo {
		return authenticationv1.UserInfo{Username: "system:serviceaccount:team:default", Extra: map[string]authenticationv1.ExtraValue{"authentication.kubernetes.io/pod-uid": uids}}
	}
	answers := map[string]authenticationv1.TokenReviewStatus{
		"good":             {Authenticated: true, Audiences: []string{audience}, User: of("u-1")},
		"expired":          {Error: "token has expired"},
		"another audience": {Authenticated: true, Audiences: []string{"https://kubernetes.default.svc"}, User: of("u-1")},
		"no audience":      {Authenticated: true, User: of("u-1")},
		"no pod":           {Authenticated: true, Audiences: []string{audience}, User: of()},
	}
	var asked authenticationv1.TokenReview
	server := httptest.NewServer(http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		if err := json.NewDecoder(request.Body).Decode(&asked); err != nil {
			t.Error(err)
		}
		answer, ok := answers[asked.Spec.Token]
		if !ok {
			writer.WriteHeader(http.StatusForbidden)
			return
		}
		review := asked
		review.Status = answer
		writer.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(writer).Encode(review) // a client that is lost fails the test
	}))
	defer server.Close()
	client := require.Value(kubernetes.NewForConfig(&rest.Config{Host: server.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}))(t)
	for token := range answers {
		want := map[string]string{"good": "u-1"}[token]
		if got := require.Value(tokenReviews{client}.PodOf(t.Context(), token))(t); string(got) != want {
			t.Errorf("the token with %s is of the pod %q, want %q", token, got, want)
		}
		if len(asked.Spec.Audiences) != 1 || asked.Spec.Audiences[0] != audience {
			t.Errorf("the audiences are %v", asked.Spec.Audiences)
		}
	}
	if _, err := (tokenReviews{client}).PodOf(t.Context(), "secret"); err == nil || !strings.Contains(err.Error(), "create a TokenReview") || strings.Contains(err.Error(), "secret") {
		t.Errorf("a refused review gives %v", err)
	}
}
