// SPDX-License-Identifier: Apache-2.0

package progress

import (
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/render"
)

// environment is that of a builder that reports to a server.
func environment(t *testing.T, server *httptest.Server) map[string]string {
	t.Helper()
	directory := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(directory, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return map[string]string{
		render.EnvReportURL:   server.URL + "/report",
		render.EnvReportToken: write("token", "first\n"),
		render.EnvReportCA:    write("ca.crt", string(authority)),
	}
}

func newTestSender(t *testing.T, variables map[string]string) *sender {
	t.Helper()
	sender, ok := newSender(func(name string) string { return variables[name] })
	if !ok {
		t.Fatalf("%v is not enough to report", variables)
	}
	return sender
}

func TestAReportIsABuildReportWithTheTokenOfThatTime(t *testing.T) {
	var got []string
	server := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			t.Error(err)
		}
		got = append(got, strings.Join([]string{request.Method, request.URL.Path, request.Header.Get("Authorization"), request.Header.Get("Content-Type"), string(body)}, " "))
	}))
	defer server.Close()
	variables := environment(t, server)
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1") // nobody is there
	sender := newTestSender(t, variables)

	percent := 40
	said := sender.send(t.Context(), report{APIVersion: "v", Kind: "k", Stage: "packages", Percent: &percent, Message: "vim"})
	if said != (verdict{}) {
		t.Errorf("the verdict is %+v", said)
	}
	require.NoError(t, os.WriteFile(variables[render.EnvReportToken], []byte("second"), 0o600))
	sender.send(t.Context(), report{})
	want := []string{
		`POST /report Bearer first application/json {"apiVersion":"v","kind":"k","stage":"packages","percent":40,"message":"vim"}`,
		`POST /report Bearer second application/json {"apiVersion":"","kind":""}`,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestWhatAnAnswerMeans(t *testing.T) {
	for _, test := range []struct {
		code       int
		retryAfter string
		want       verdict
	}{
		{code: http.StatusCreated},
		{code: http.StatusUnprocessableEntity},
		{code: http.StatusTooManyRequests, retryAfter: "1", want: verdict{again: true, after: time.Second}},
		{code: http.StatusServiceUnavailable, retryAfter: "3", want: verdict{again: true, after: 3 * time.Second}},
		{code: http.StatusServiceUnavailable, retryAfter: "9999999999999", want: verdict{again: true, after: maxWait}},
		{code: http.StatusBadGateway, retryAfter: "-1", want: verdict{again: true}},
		{code: http.StatusUnauthorized, want: verdict{never: true}},
		{code: http.StatusForbidden, want: verdict{never: true}},
		{code: http.StatusNotFound, want: verdict{never: true}},
		{code: http.StatusConflict, want: verdict{never: true}},
	} {
		response := &http.Response{StatusCode: test.code, Header: http.Header{}}
		response.Header.Set("Retry-After", test.retryAfter)
		if got := classify(response); got != test.want {
			t.Errorf("%d %q: got %+v, want %+v", test.code, test.retryAfter, got, test.want)
		}
	}
}

func TestAServerThatCannotBeReachedOrIsAnotherIsTriedAgain(t *testing.T) {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	sender := newTestSender(t, environment(t, server))
	sender.url = "https://127.0.0.1:1"
	if got := sender.send(t.Context(), report{}); got != (verdict{again: true}) {
		t.Errorf("nobody is there: %+v", got)
	}

	other := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was sent") }))
	defer other.Close()
	sender.url, sender.tokenFile = other.URL, "/no/such/file"
	if got := sender.send(t.Context(), report{}); got != (verdict{again: true}) {
		t.Errorf("there is no token: %+v", got)
	}
}

func TestWithoutEverythingThatItTakesNothingIsReported(t *testing.T) {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	complete := environment(t, server)
	notPEM := complete[render.EnvReportToken]
	for name, change := range map[string]map[string]string{
		"no URL":            {render.EnvReportURL: ""},
		"no CA":             {render.EnvReportCA: ""},
		"no such CA":        {render.EnvReportCA: "/no/such/file"},
		"CA is not a chain": {render.EnvReportCA: notPEM},
	} {
		if _, ok := newSender(func(variable string) string {
			if value, changed := change[variable]; changed {
				return value
			}
			return complete[variable]
		}); ok {
			t.Errorf("%s: it would report", name)
		}
	}
}

func TestReportsKeepTheLimitsOfTheServer(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"plain", "plain"}, {"two\nlines\x1b", "two lines "}, {"caf\xff", "caf?"}, {"a\u200bb\ufe0fc\u3164d", "a b c d"}, {strings.Repeat("ü", 70), strings.Repeat("ü", maxStage)},
	} {
		if got := truncate(test.text, maxStage); got != test.want {
			t.Errorf("%q became %q", test.text, got)
		}
	}
}

func TestEveryCharacterOfAReportIsPrintable(t *testing.T) {
	for character := range rune(unicode.MaxRune) {
		if sent := truncate(string(character), maxStage); !v1alpha1.Printable(sent) {
			t.Errorf("%+q is sent", sent)
		}
	}
}

func TestTheReportIsOneOfTheAPI(t *testing.T) {
	for percent, want := range map[int]string{-1: "", 0: `"percent":0,`, 40: `"percent":40,`, 300: `"percent":100,`} {
		client := &Client{newer: make(chan struct{}, 1)}
		client.Report("s", percent, "m")
		got, err := json.Marshal(client.pending)
		require.NoError(t, err)
		if want := `{"apiVersion":"images.goldsmith.dev/v1alpha1","kind":"BuildReport","stage":"s",` + want + `"message":"m"}`; string(got) != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
