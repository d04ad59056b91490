// SPDX-License-Identifier: Apache-2.0

package filters

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"k8s.io/apiserver/pkg/server/mux"
	"k8s.io/kube-openapi/pkg/handler3"
	"k8s.io/kube-openapi/pkg/spec3"
	"k8s.io/kube-openapi/pkg/validation/spec"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestADocumentThatHasChangedIsAnsweredAsItIsNow(t *testing.T) {
	t.Parallel()
	service, routes := handler3.NewOpenAPIService(), mux.NewPathRecorderMux("test")
	require.NoError(t, service.RegisterOpenAPIV3VersionedService("/openapi/v3", routes))
	publish := func(title string) {
		service.UpdateGroupVersion("apis/v1", &spec3.OpenAPI{Version: "3.0.0", Info: &spec.Info{InfoProps: spec.InfoProps{Title: title}}})
	}
	get := func(path string) *httptest.ResponseRecorder {
		answer := httptest.NewRecorder()
		AnswerOldHashes(routes).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
		return answer
	}
	publish("first")
	var index struct {
		Paths map[string]struct{ ServerRelativeURL string }
	}
	require.NoError(t, json.Unmarshal(get("/openapi/v3").Body.Bytes(), &index))
	url := index.Paths["apis/v1"].ServerRelativeURL
	for _, test := range []struct {
		title     string
		immutable bool
	}{{"first", true}, {"second", false}} {
		publish(test.title)
		answer := get(url)
		var document spec3.OpenAPI
		if err := json.Unmarshal(answer.Body.Bytes(), &document); err != nil || answer.Code != http.StatusOK || document.Info.Title != test.title {
			t.Errorf("%s: got %d %s: %v", test.title, answer.Code, answer.Body, err)
		}
		if cached := answer.Header().Get("Cache-Control") != ""; cached != test.immutable || answer.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: got headers %v", test.title, answer.Header())
		}
	}
}
