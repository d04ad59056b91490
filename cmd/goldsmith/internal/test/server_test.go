// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/exit"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestABuildIsTestedAgainOnTheServer(t *testing.T) {
	const builds = "/apis/images.goldsmith.dev/v1alpha1/namespaces/team/imagebuilds"
	first := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "web-1"}}
	first.Status.Phase, first.Status.Finished = v1alpha1.BuildSucceeded, true
	first.Status.Artifacts = []v1alpha1.Artifact{{Target: "linux/amd64/raw", Digest: "sha256:1"}}
	for name, test := range map[string]struct {
		phase   v1alpha1.BuildPhase
		failure *v1alpha1.BuildFailure
		code    int
	}{
		"passes":    {v1alpha1.BuildSucceeded, nil, exit.Success},
		"fails":     {v1alpha1.BuildFailed, v1alpha1.ReasonTestsFailed.Failure("test web: port 80"), exit.TestsFailed},
		"never ran": {v1alpha1.BuildFailed, v1alpha1.ReasonTestMachineFailed.Failure("it starved"), exit.BuildFailed},
	} {
		t.Run(name, func(t *testing.T) {
			again := first.DeepCopy()
			again.Name, again.Status.Phase, again.Status.Failure = "web-2", test.phase, test.failure
			var asked []byte
			server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
				answer := any(&v1alpha1.ImageBuildList{
					TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "ImageBuildList"},
					ListMeta: metav1.ListMeta{ResourceVersion: "1"}, Items: []v1alpha1.ImageBuild{*again},
				})
				switch {
				case in.URL.Path == builds+"/web-1" || in.URL.Path == builds+"/web-1/tests":
					build := first
					if in.Method == http.MethodPost {
						asked, build = require.Value(io.ReadAll(in.Body))(t), again
					}
					build.APIVersion, build.Kind = v1alpha1.SchemeGroupVersion.String(), "ImageBuild"
					answer = build
				case in.URL.Path != builds || in.URL.Query().Get("sendInitialEvents") != "" || in.URL.Query().Get("watch") != "":
					http.NotFound(out, in)
					return
				}
				out.Header().Set("Content-Type", "application/json")
				require.NoError(t, json.NewEncoder(out).Encode(answer))
			}))
			defer server.Close()
			clients := require.Value(versioned.NewForConfig(&rest.Config{Host: server.URL, QPS: -1, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}))(t)
			var out, stderr bytes.Buffer
			o := &options{out: &out, stderr: &stderr, only: []string{"web"}, message: "after the upgrade", requestID: "nightly-7", connect: func() (*client.Connection, error) {
				return &client.Connection{Interface: clients, Namespace: "team"}, nil
			}}
			err := o.test(t.Context(), "web-1")
			if code := exit.Code(t.Context(), err); code != test.code || out.String() != "web-2\n" {
				t.Errorf("got error %v, code %d, output %q", err, code, &out)
			}
			const want = `{"kind":"TestRequest","apiVersion":"images.goldsmith.dev/v1alpha1","metadata":{},"requestID":"nightly-7","message":"after the upgrade","tests":["web"]}`
			if strings.TrimSpace(string(asked)) != want {
				t.Errorf("asked for %s", asked)
			}
			o.junit = "report.xml"
			if err := o.test(t.Context(), "web-1"); err == nil || exit.Code(t.Context(), err) != max(test.code, exit.Failure) {
				t.Errorf("got error %v for a report that does not exist", err)
			}
		})
	}
}
