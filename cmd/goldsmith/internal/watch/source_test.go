// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
	"goldsmith.dev/goldsmith/e2e/require"
)

// server answers requests in the order of a script. A request after the end of the script stops the verb, as Ctrl-C
// does.
type server struct {
	t      *testing.T
	script []step
	stop   context.CancelFunc
	asked  []string
}

// step is the answer to a list or a watch. If ends is set, the server ends the watch after the answer.
type step struct {
	wants  string // expected part of the query
	code   int
	answer string
	ends   bool
}

func (s *server) RoundTrip(request *http.Request) (*http.Response, error) {
	if accepts := request.Header.Get("Accept"); accepts != "application/json;as=Table;g=meta.k8s.io;v=v1" {
		s.t.Errorf("it accepts %q", accepts)
	}
	if path := request.URL.Path; path != "/apis/images.goldsmith.dev/v1alpha1/namespaces/team/imagebuilds" {
		s.t.Errorf("it asks for %s", path)
	}
	s.asked = append(s.asked, request.URL.RawQuery)
	recorder := httptest.NewRecorder()
	recorder.Header().Set("Content-Type", "application/json")
	if len(s.script) == 0 {
		s.stop()
		return nil, context.Canceled
	}
	step := s.script[0]
	s.script = s.script[1:]
	if !strings.Contains(request.URL.RawQuery, step.wants) {
		s.t.Errorf("it asks for %q, want %q in it", request.URL.RawQuery, step.wants)
	}
	if step.code == 0 {
		return nil, fmt.Errorf("connection refused")
	}
	recorder.WriteHeader(step.code)
	response := recorder.Result()
	answer := io.Reader(strings.NewReader(step.answer))
	if strings.Contains(request.URL.RawQuery, "watch=true") && !step.ends {
		answer = io.MultiReader(answer, untilDone{request.Context()})
	}
	response.Body = io.NopCloser(answer)
	return response, nil
}

// untilDone is a body without data. Reads wait until the request ends.
type untilDone struct{ context.Context }

func (u untilDone) Read([]byte) (int, error) {
	<-u.Done()
	return 0, u.Err()
}

func table(version string, builds ...string) string {
	shown := metav1.Table{
		TypeMeta: metav1.TypeMeta{APIVersion: "meta.k8s.io/v1", Kind: "Table"},
		ListMeta: metav1.ListMeta{ResourceVersion: version},
		ColumnDefinitions: []metav1.TableColumnDefinition{
			{Name: "Name", Type: "string"}, {Name: "Phase", Type: "string"}, {Name: "Attempt", Type: "integer"}, {Name: "Node", Type: "string", Priority: 1},
		},
	}
	for _, build := range builds { // each build has a name, a phase and a version
		words := strings.Fields(build)
		metadata := fmt.Sprintf(`{"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {"name": %q, "uid": %q, "resourceVersion": %q}}`,
			words[0], words[0], words[2])
		shown.Rows = append(shown.Rows, metav1.TableRow{Cells: []any{words[0], words[1], 1, "node"}, Object: runtime.RawExtension{Raw: []byte(metadata)}})
	}
	written, err := json.Marshal(shown)
	if err != nil {
		panic(err)
	}
	return string(written)
}

func event(kind, build string) string {
	return fmt.Sprintf(`{"type": %q, "object": %s}`, kind, strings.Replace(table("", build), `"columnDefinitions"`, `"ignored"`, 1)) + "\n"
}

func status(code int, reason metav1.StatusReason) string {
	return fmt.Sprintf(`{"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": %d, "reason": %q, "message": "no"}`, code, reason)
}

// played runs the verb against a script. It returns the output, the requests and the elapsed time of the synctest
// clock.
func played(t *testing.T, refresh time.Duration, script ...step) (out, told string, asked []string, took time.Duration, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		served := &server{t: t, script: script, stop: stop}
		connection := &client.Connection{Namespace: "team", Config: &rest.Config{Host: "http://here", Transport: served}}
		tables, failure := connection.Tables()
		if failure != nil {
			t.Fatal(failure)
		}
		source := &source{tables: tables, namespace: "team", selected: metav1.ListOptions{FieldSelector: "spec.imageRef.name=debian", LabelSelector: "a=b"},
			clock: clock.RealClock{}, refresh: refresh}
		var written, complaints bytes.Buffer
		began := time.Now()
		if len(script) > 0 && refresh == 0 && !script[len(script)-1].ends {
			time.AfterFunc(time.Hour, stop) // Ctrl-C
		}
		err = source.follow(ctx, newLines(&written, &complaints))
		out, told, asked, took = written.String(), complaints.String(), served.asked, time.Since(began)
	})
	return out, told, asked, took, err
}

func TestWritesALineForEveryBuildAndEveryChange(t *testing.T) {
	out, told, asked, _, err := played(t, 0,
		step{code: 200, answer: table("7", "debian-1 Failed 3", "debian-2 Running 7")},
		step{wants: "watch=true", code: 200, answer: event("MODIFIED", "debian-2 Succeeded 8") + event("DELETED", "debian-1 Failed 9") + event("ADDED", "debian-3 Pending 10")},
	)
	want := `NAME       PHASE     ATTEMPT
debian-1   Failed    1
debian-2   Running   1
debian-2   Succeeded   1
debian-3   Pending     1
`
	if err != nil || out != want || told != "" {
		t.Errorf("got error %v, told %q, and\n%s\nwant\n%s", err, told, out, want)
	}
	for i, part := range []string{"fieldSelector=spec.imageRef.name%3Ddebian&labelSelector=a%3Db", "resourceVersion=7"} {
		if !strings.Contains(asked[i], part) {
			t.Errorf("request %d is %q: no %q", i, asked[i], part)
		}
	}
}

func TestBuildsOfAllNamespacesHaveTheirNamespace(t *testing.T) {
	read := &metav1.Table{}
	require.NoError(t, json.Unmarshal([]byte(strings.ReplaceAll(table("7", "debian-1 Failed 3"), `"metadata":{"name"`, `"metadata":{"namespace":"team","name"`)), read))
	var out bytes.Buffer
	require.NoError(t, (&source{}).show(read, newLines(&out, io.Discard)))
	if want := "NAMESPACE   NAME       PHASE    ATTEMPT\nteam        debian-1   Failed   1\n"; out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
}

func TestOutlivesTheServerAndWritesOnlyWhatHasChangedMeanwhile(t *testing.T) {
	out, told, _, took, err := played(t, 0,
		step{code: 200, answer: table("7", "debian-1 Running 3", "debian-2 Running 7")},
		step{wants: "watch=true", code: 200, answer: event("MODIFIED", "debian-1 Failed 8"), ends: true},
		step{}, step{}, // the server is unreachable
		step{code: 200, answer: table("10", "debian-1 Failed 8", "debian-2 Succeeded 10")},
		step{wants: "watch=true", code: 200, answer: `{"type": "ERROR", "object": ` + status(410, metav1.StatusReasonExpired) + "}\n"},
		step{code: 200, answer: table("10", "debian-1 Failed 8", "debian-2 Succeeded 10")},
		step{wants: "watch=true", code: 200, answer: "", ends: true},
	)
	want := `NAME       PHASE     ATTEMPT
debian-1   Running   1
debian-2   Running   1
debian-1   Failed    1
debian-2   Succeeded   1
`
	if err != nil || out != want {
		t.Errorf("got error %v and\n%s\nwant\n%s", err, out, want)
	}
	if lines := strings.Split(strings.TrimSpace(told), "\n"); len(lines) != 2 ||
		!strings.Contains(lines[0], "connection refused; trying again") || !strings.Contains(lines[1], "watch builds: no; trying again") {
		t.Errorf("told %q", told)
	}
	if want := 5 * again; took != want {
		t.Errorf("it took %v, want %v", took, want)
	}
}

func TestATableIsReadAgainAsOftenAsAsked(t *testing.T) {
	whole := step{code: 200, answer: table("7", "debian-1 Running 3")}
	watched := step{wants: "watch=true", code: 200}
	_, told, asked, took, err := played(t, refresh, whole, watched, whole, watched, whole, watched)
	if err != nil || told != "" || len(asked) != 7 || took != 3*refresh {
		t.Errorf("got error %v, told %q, %d requests in %v", err, told, len(asked), took)
	}
}

func TestEndsWhereThereIsNothingToWaitFor(t *testing.T) {
	shown := step{code: 200, answer: table("7")}
	for _, test := range []struct {
		name   string
		script []step
		want   string
	}{
		{"no server at first", []step{{}}, "list builds: "},
		{"an answer that is no table", []step{{code: 200, answer: `{"kind": "ImageBuildList", "apiVersion": "images.goldsmith.dev/v1alpha1"}`}}, "list builds: "},
		{"a server that makes no tables", []step{{code: 406, answer: status(406, metav1.StatusReasonNotAcceptable)}}, "list builds: no"},
		{"forbidden to list", []step{{code: 403, answer: status(403, metav1.StatusReasonForbidden)}}, "list builds: no"},
		{"forbidden to watch", []step{shown, {code: 403, answer: status(403, metav1.StatusReasonForbidden)}}, "watch builds: no"},
		{"not known any more", []step{shown, {code: 401, answer: status(401, metav1.StatusReasonUnauthorized)}}, "watch builds: no"},
	} {
		test.script[len(test.script)-1].ends = true
		_, _, _, _, err := played(t, 0, test.script...)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got error %v, want %q", test.name, err, test.want)
		}
	}
}

// full is a writer that fails as if the disk were full.
type full struct{}

func (full) Write([]byte) (int, error) {
	return 0, io.ErrShortWrite
}

func TestAFailureToWriteEndsIt(t *testing.T) {
	one := row{cells: []any{"debian-1"}}
	columns := []metav1.TableColumnDefinition{{Name: "Name"}}
	if err := newLines(full{}, io.Discard).replace(columns, []row{one}); err == nil {
		t.Error("lines: no error")
	}
	if err := newScreen(full{}, "team", output.Style{}).replace(columns, []row{one}); err == nil {
		t.Error("screen: no error")
	}
}
