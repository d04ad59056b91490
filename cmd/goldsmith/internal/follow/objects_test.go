// SPDX-License-Identifier: Apache-2.0

package follow

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	testclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/exit"
	"goldsmith.dev/goldsmith/e2e/require"
)

// TestABuildOfAnObjectIsFollowedToItsOutcome follows a build of a user who has the subresources of the object only, through a server that
// breaks the log off and is unavailable once.
func TestABuildOfAnObjectIsFollowedToItsOutcome(t *testing.T) {
	failure := &v1alpha1.BuildFailure{Class: v1alpha1.FailureUser, Reason: v1alpha1.ReasonBuilderFailed}
	for _, test := range []struct {
		phase   v1alpha1.BuildPhase
		failure *v1alpha1.BuildFailure
		code    int
		stderr  string
	}{
		{v1alpha1.BuildSucceeded, nil, exit.Success, "✓ build web-2 succeeded in 90s\n"},
		{v1alpha1.BuildFailed, failure, exit.BuildFailed, "✗ build web-2 failed after 90s: User/BuilderFailed\n  next: the log shows the cause: goldsmith logs server/web --build 2 -n=team\n"},
		{v1alpha1.BuildCancelled, nil, exit.BuildCancelled, "✗ build web-2 was cancelled after 90s\n"},
		{v1alpha1.BuildCancelled, v1alpha1.ReasonRevoked.Failure("it was wrong"), exit.BuildCancelled, "✗ build web-2 was cancelled after 90s: Cancelled/Revoked: it was wrong\n"},
	} {
		t.Run(string(test.phase), func(t *testing.T) {
			asked, logs := 0, 0
			running := build(v1alpha1.BuildRunning)
			running.Status.CurrentAttempt = 1
			done := finished(test.phase)
			done.Status.Failure, done.Status.CurrentAttempt = test.failure, 2
			object, connection := served(t, func(writer http.ResponseWriter, request *http.Request) {
				switch attempt := request.URL.Query().Get("attempt"); {
				case strings.HasSuffix(request.URL.Path, "/log") && attempt == "1" && logs == 0:
					logs++
					_, _ = io.WriteString(&flushing{writer}, "one\n")
					panic(http.ErrAbortHandler)
				case strings.HasSuffix(request.URL.Path, "/log"):
					logs++
					_, _ = io.WriteString(writer, map[string]string{"1": "one\ntwo\n", "2": "three\n"}[attempt])
				case asked == 0:
					asked++
					answer(t, writer, http.StatusOK, running)
				case asked == 1:
					asked++
					answer(t, writer, http.StatusServiceUnavailable, &apierrors.NewServiceUnavailable("the server starts").ErrStatus)
				default:
					answer(t, writer, http.StatusOK, done)
				}
			})
			var out, stderr bytes.Buffer
			build, err := ObjectBuild(limited(t), connection, object, second(), Options{
				Out: &out, Stderr: &stderr, Program: "goldsmith", Connection: " -n=team", Clock: impatient{testclock.NewFakeClock(start.Time)},
			})
			require.NoError(t, err)
			if code := exit.Code(t.Context(), Outcome(build)); code != test.code {
				t.Errorf("got exit code %d, want %d", code, test.code)
			}
			if out.String() != "one\ntwo\nthree\n" {
				t.Errorf("the log is %q", &out)
			}
			if !strings.HasPrefix(stderr.String(), "• build web-2, attempt 1\n• the connection to the server was lost") || !strings.HasSuffix(stderr.String(), "• build web-2, attempt 2\n"+test.stderr) {
				t.Errorf("stderr\n%s\nwant at the end\n%s", &stderr, test.stderr)
			}
		})
	}
}

func TestABuildOfAnObjectThatCannotBeFollowedIsAnError(t *testing.T) {
	missing := apierrors.NewNotFound(schema.GroupResource{Group: "catalog.goldsmith.dev", Resource: "servers/build"}, "web")
	forbidden := apierrors.NewForbidden(schema.GroupResource{Group: "catalog.goldsmith.dev", Resource: "servers"}, "web", nil)
	for want, respond := range map[string]func(http.ResponseWriter){
		"wait for build web-2: the kind Server is no longer served, but the build continues": func(writer http.ResponseWriter) {
			http.Error(writer, "404 page not found", http.StatusNotFound)
		},
		"wait for build web-2: the build was deleted":                                                        func(writer http.ResponseWriter) { answer(t, writer, http.StatusNotFound, &missing.ErrStatus) },
		`wait for build web-2: read a build of server/web: servers.catalog.goldsmith.dev "web" is forbidden`: func(writer http.ResponseWriter) { answer(t, writer, http.StatusForbidden, &forbidden.ErrStatus) },
	} {
		object, connection := served(t, func(writer http.ResponseWriter, _ *http.Request) { respond(writer) })
		if _, err := ObjectBuild(limited(t), connection, object, second(), Options{WithoutLog: true}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
}

// served returns an object of a server.
func served(t *testing.T, handle http.HandlerFunc) (*client.Object, *client.Connection) {
	server := httptest.NewServer(http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		if query := request.URL.Query(); !strings.HasPrefix(request.URL.Path, "/apis/catalog.goldsmith.dev/v1/namespaces/team/servers/web/") || query.Get("build") != "2" {
			t.Errorf("request for %s", request.URL)
		}
		handle(writer, request)
	}))
	t.Cleanup(server.Close)
	clients, err := versioned.NewForConfig(&rest.Config{Host: server.URL, QPS: -1})
	require.NoError(t, err)
	kind := client.CatalogKind{APIResource: metav1.APIResource{Name: "servers", SingularName: "server", Kind: "Server", Version: "v1"}}
	return &client.Object{Kind: kind, Namespace: "team", Name: "web"}, &client.Connection{Interface: clients, Namespace: "team"}
}

// second is the second build of the object.
func second() *v1alpha1.ImageBuild {
	return &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Name: "web-2"}, Spec: v1alpha1.ImageBuildSpec{Number: new(int64(2))}}
}

func answer(t *testing.T, writer http.ResponseWriter, code int, object any) {
	switch object := object.(type) {
	case *v1alpha1.ImageBuild:
		object.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "ImageBuild"}
		object.Name = "web-2"
		object.Spec, object.Status.Artifacts = second().Spec, nil
	case *metav1.Status:
		object.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
	}
	writer.Header().Set("Content-Type", "application/json")
	writer.WriteHeader(code)
	if err := json.NewEncoder(writer).Encode(object); err != nil {
		t.Error(err)
	}
}
