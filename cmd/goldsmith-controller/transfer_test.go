// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	imagesv1alpha1 "goldsmith.dev/goldsmith/apis/generated/clientset/versioned/typed/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

// TestOnlyAttestationsHaveTheTokenOfThePublisher sends requests with the token, which the kubelet replaces, and of a pod without it.
func TestOnlyAttestationsHaveTheTokenOfThePublisher(t *testing.T) {
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		got = append(got, request.Header.Get("Goldsmith-Publisher-Token"))
		writer.Header().Set("Content-Type", "application/json")
		_, _ = writer.Write([]byte("{}")) // a client that is lost fails the test
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "token")
	builds := require.Value(imagesv1alpha1.NewForConfig(&rest.Config{
		Host: server.URL, WrapTransport: func(next http.RoundTripper) http.RoundTripper { return publisherToken{file, next} },
	}))(t).ImageBuilds("team")
	attest := func() {
		t.Helper()
		_ = require.Value(builds.Attest(t.Context(), "web-1", &v1alpha1.BuildAttestation{}, metav1.CreateOptions{}))(t)
	}
	attest()
	require.NoError(t, os.WriteFile(file, []byte("first\n"), 0o600))
	attest()
	require.NoError(t, os.WriteFile(file, []byte("second"), 0o600))
	attest()
	_ = require.Value(builds.Report(t.Context(), "web-1", &v1alpha1.BuildReport{}, metav1.CreateOptions{}))(t)
	if want := []string{"", "first", "second", ""}; !slices.Equal(got, want) {
		t.Errorf("the requests have the tokens %q, want %q", got, want)
	}
}
