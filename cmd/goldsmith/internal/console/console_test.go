// SPDX-License-Identifier: Apache-2.0

package console

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"goldsmith.dev/goldsmith/e2e/require"
)

// patience is how long a test waits for the console.
const patience = time.Minute

// kubeconfigOf returns a kubeconfig of a user of a server.
func kubeconfigOf(t *testing.T, server string, authority []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	content := fmt.Sprintf(`{"apiVersion": "v1", "kind": "Config", "current-context": "other",
"contexts": [{"name": "other", "context": {"cluster": "s", "user": "other"}}, {"name": "production", "context": {"cluster": "s", "user": "ann", "namespace": "team"}}],
"users": [{"name": "ann", "user": {"token": "token of ann"}}, {"name": "other", "user": {"token": "token of another"}}],
"clusters": [{"name": "s", "cluster": {"server": %q, "certificate-authority-data": %q}}]}`, server, base64.StdEncoding.EncodeToString(authority))
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

// ask sends a request to a console, and reads the answer into an object.
func ask(t *testing.T, method, url, token, body string, into any) int {
	t.Helper()
	request := require.Value(http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body)))(t)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(require.Resolve(request))
	require.NoError(t, err)
	content, err := io.ReadAll(response.Body)
	require.NoError(t, errors.Join(err, response.Body.Close()))
	if err := json.Unmarshal(content, into); err != nil {
		t.Errorf("%s %s: got %s %s: %v", method, url, response.Status, content, err)
	}
	return response.StatusCode
}

// newServer starts a server that tells what it got.
func newServer(t *testing.T) *server {
	t.Helper()
	started := httptest.NewTLSServer(http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		_ = json.NewEncoder(writer).Encode(map[string]any{ // the client tells
			"info": map[string]string{"version": "v0.1.0"}, "user": request.Header.Get("Authorization"), "path": request.URL.Path,
		})
	}))
	t.Cleanup(started.Close)
	return &server{started}
}

type server struct{ *httptest.Server }

func (s *server) kubeconfig(t *testing.T) string {
	t.Helper()
	return kubeconfigOf(t, s.URL, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
}

func TestTheLinkSignsInAsTheUserOfTheKubeconfigUntilCtrlC(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	kubeconfig := server.kubeconfig(t)
	command := NewCommand()
	out, printed := io.Pipe()
	command.SetOut(printed)
	command.SetArgs([]string{"--kubeconfig", kubeconfig, "--context", "production"})
	ctx, interrupt := context.WithTimeout(t.Context(), patience)
	defer interrupt()
	ended := make(chan error, 1)
	go func() { ended <- errors.Join(command.ExecuteContext(ctx), printed.Close()) }()

	lines := bufio.NewScanner(out)
	lines.Scan()
	link, ok := strings.CutPrefix(lines.Text(), "console: ")
	address, code, hasCode := strings.Cut(link, "/ui/#code=")
	if !ok || !hasCode || !regexp.MustCompile(`^http://[a-z2-7]{26}\.localhost:[0-9]+$`).MatchString(address) {
		t.Fatalf("it printed %q", lines.Text())
	}
	if lines.Scan(); !strings.Contains(lines.Text(), "Ctrl-C") {
		t.Errorf("it does not tell how it ends: %q", lines.Text())
	}

	var session struct{ Token, Namespace, Command string }
	if status := ask(t, http.MethodPost, address+"/ui/session", "", `{"code": "`+code+`"}`, &session); status != http.StatusOK || session.Token == "" || session.Namespace != "team" {
		t.Errorf("the link: got %d %+v", status, session)
	}
	if want := "console --kubeconfig=" + kubeconfig + " --context=production"; session.Command != want {
		t.Errorf("a new link is printed by %q, want %q", session.Command, want)
	}
	var seen struct{ User, Path string }
	if status := ask(t, http.MethodGet, address+"/version", session.Token, "", &seen); status != http.StatusOK || seen.User != "Bearer token of ann" || seen.Path != "/version" {
		t.Errorf("the server got %d %+v", status, seen)
	}
	var refusal struct{ Message string }
	for _, token := range []string{"", "token of ann"} {
		if status := ask(t, http.MethodGet, address+"/version", token, "", &refusal); status != http.StatusUnauthorized || !strings.Contains(refusal.Message, "not signed in") {
			t.Errorf("the token %q: got %d %+v", token, status, refusal)
		}
	}
	server.Close()
	want := "cannot reach the server at " + server.URL + `; is "goldsmith up" running?`
	if status := ask(t, http.MethodGet, address+"/version", session.Token, "", &refusal); status != http.StatusBadGateway || refusal.Message != want {
		t.Errorf("a server that is down: got %d %+v, want %s", status, refusal, want)
	}

	interrupt()
	if lines.Scan() {
		t.Errorf("it also printed %q", lines.Text())
	}
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
	if _, err := net.Dial("tcp", "127.0.0.1:"+address[strings.LastIndex(address, ":")+1:]); err == nil {
		t.Error("somebody listens")
	}
}

func TestTheConsoleUsesThePortOfTheFlag(t *testing.T) {
	t.Parallel()
	_, port, err := net.SplitHostPort(require.FreeAddress(t))
	require.NoError(t, err)
	ctx, interrupt := context.WithTimeout(t.Context(), patience)
	defer interrupt()
	kubeconfig := newServer(t).kubeconfig(t)
	start := func(out io.Writer) error {
		command := NewCommand()
		command.SetOut(out)
		command.SetErr(io.Discard)
		command.SetArgs([]string{"--kubeconfig", kubeconfig, "--port", port})
		return command.ExecuteContext(ctx)
	}
	out, printed := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- errors.Join(start(printed), printed.Close()) }()
	lines := bufio.NewScanner(out)
	if lines.Scan(); !strings.Contains(lines.Text(), ".localhost:"+port+"/ui/#code=") {
		t.Fatalf("it printed %q", lines.Text())
	}
	lines.Scan()
	if err := start(io.Discard); err == nil || !strings.Contains(err.Error(), "listen on port "+port+" of this machine: ") || !strings.HasSuffix(err.Error(), ": set another --port") {
		t.Errorf("a second console at the port has error %v", err)
	}
	interrupt()
	require.NoError(t, <-ended)
}

// full is an output that fails each write, such as /dev/full.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestAConsoleWhoseLinkNobodyReadsEnds(t *testing.T) {
	t.Parallel()
	command := NewCommand()
	command.SetOut(full{})
	command.SetErr(io.Discard)
	command.SetArgs([]string{"--kubeconfig", newServer(t).kubeconfig(t)})
	if err := command.ExecuteContext(t.Context()); err == nil || err.Error() != "write the link: no space left on device" {
		t.Errorf("got error %v", err)
	}
}

func TestNoLinkIsPrintedIfTheServerIsDown(t *testing.T) {
	t.Parallel()
	command, out := NewCommand(), &bytes.Buffer{}
	command.SetOut(out)
	command.SetErr(io.Discard)
	command.SetArgs([]string{"--kubeconfig", kubeconfigOf(t, "https://127.0.0.1:1", nil)})
	const want = `cannot reach the server at https://127.0.0.1:1; is "goldsmith up" running?`
	if err := command.ExecuteContext(t.Context()); err == nil || !strings.HasSuffix(err.Error(), want) || strings.Contains(out.String(), "code=") {
		t.Errorf("got error %v, and %s", err, out)
	}
}
