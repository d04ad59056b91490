// SPDX-License-Identifier: Apache-2.0

package buildinfo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	kubernetes "k8s.io/component-base/version"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/e2e/require"
)

// serve serves an OpenAPI document, and returns the kubeconfig of the server. Every other answer is 403, as of a cluster that lets users read
// little.
func serve(t *testing.T, status int, document string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/openapi/v3/apis/images.goldsmith.dev/v1alpha1":
			w.WriteHeader(status)
			_, _ = io.WriteString(w, document) // the test reports what is missing
		case "/version":
			_, _ = io.WriteString(w, `{"gitVersion":"v1.36.1"}`)
		default:
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	t.Cleanup(server.Close)
	path := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, os.WriteFile(path, fmt.Appendf(nil, `{"current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "c"}}],
		"clusters": [{"name": "c", "cluster": {"server": %q}}]}`, server.URL), 0o600))
	return path
}

func document(version string) string {
	return `{"openapi": "3.0.0", "info": {"title": "Goldsmith", "version": "` + version + `"}, "paths": `
}

func TestVersionsArePrintedForPeopleAndPrograms(t *testing.T) {
	want := information{
		ClientVersion: clientVersion{
			GitVersion: "v1.2.3", GoVersion: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
			KubernetesVersion: "v" + kubernetes.DefaultKubeBinaryVersion + ".0", // test binaries lack the versions of their modules
			APIGroupVersion:   "images.goldsmith.dev/v1alpha1",
		},
		ServerVersion: &serverVersion{GitVersion: "v1.3.0", KubernetesVersion: "v1.36.1"},
	}
	kubeconfig := serve(t, http.StatusOK, document("v1.3.0"))
	for line, decode := range map[string]func([]byte, any) error{
		"version -o json": json.Unmarshal,
		"version -o yaml": func(text []byte, into any) error { return yaml.UnmarshalStrict(text, into) },
	} {
		out, notice, err := typed(t, line+" --kubeconfig "+kubeconfig)
		require.NoError(t, err)
		got := information{}
		if err := decode([]byte(out), &got); err != nil || notice != "" {
			t.Fatalf("%s: %v, %q in\n%s", line, err, notice, out)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", line, diff)
		}
	}
	if out, notice, err := typed(t, "version --kubeconfig "+kubeconfig); err != nil || notice != "" || out != "Client Version: v1.2.3\nServer Version: v1.3.0\n" {
		t.Errorf("got %q, %q, error %v", out, notice, err)
	}
	if _, _, err := typed(t, "version -o name"); err == nil || err.Error() != `-o "name": must be json or yaml` {
		t.Errorf("got error %v", err)
	}
	if out, _, err := typed(t, "__completeNoDesc version --output="); err != nil || !strings.HasPrefix(out, "json\nyaml\n") {
		t.Errorf("completes %q, error %v", out, err)
	}
}

func TestAServerWithoutAVersionIsNoFailure(t *testing.T) {
	t.Setenv("KUBECONFIG", "")
	t.Chdir(t.TempDir())
	damaged := filepath.Join(t.TempDir(), "damaged")
	require.NoError(t, os.WriteFile(damaged, []byte("{"), 0o600))
	gone := filepath.Join(t.TempDir(), "gone")
	require.NoError(t, os.WriteFile(gone, fmt.Appendf(nil, `{"current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "c"}}],
		"clusters": [{"name": "c", "cluster": {"server": "http://%s"}}]}`, require.FreeAddress(t)), 0o600))
	for flags, want := range map[string]string{
		"":                                              "no server version: kubeconfig ./.goldsmith/kubeconfig does not exist: start a server",
		"--client":                                      "",
		"--client --kubeconfig none":                    "",
		"--kubeconfig none":                             "no server version: kubeconfig none does not exist",
		"--kubeconfig " + damaged:                       "no server version: read kubeconfig " + damaged,
		"--kubeconfig " + gone:                          `; is "goldsmith up" running?`,
		"-o json --kubeconfig " + gone:                  `; is "goldsmith up" running?`,
		"--kubeconfig " + serve(t, 404, `{}`):           "does not serve images.goldsmith.dev: choose another server",
		"--kubeconfig " + serve(t, 403, `{}`):           "no server version: ",
		"--kubeconfig " + serve(t, 503, `x`):            "no server version: ",
		"--kubeconfig " + serve(t, 200, ``):             "no server version: read the version of the server at http://",
		"--kubeconfig " + serve(t, 200, `{`):            "no server version: read the version of the server at http://",
		"--kubeconfig " + serve(t, 200, `{"info": []}`): "no server version: read the version of the server at http://",
		"--kubeconfig " + serve(t, 200, `{"openapi": {}, "paths": {}}`):   "its OpenAPI document has no version",
		"--kubeconfig " + serve(t, 200, document("v1.1.7")):               "",
		"--kubeconfig " + serve(t, 200, document("v1.5.0")):               "warning: goldsmith v1.2.3 is too old for the server, v1.5.0: install goldsmith v1.4 to v1.6",
		"--kubeconfig " + serve(t, 200, document("v1alpha1")):             "",
		"-o yaml --kubeconfig " + serve(t, 200, document("v0.9.0+dirty")): "warning: the server, v0.9.0+dirty, is too old for goldsmith v1.2.3: upgrade the server to v1.1 or later, or install goldsmith v0.8 to v0.10",
	} {
		out, notice, err := typed(t, "version "+flags)
		if err != nil || !strings.Contains(out, "v1.2.3") || !strings.Contains(notice, want) || (notice == "") != (want == "") || strings.Count(notice, "\n") > 1 {
			t.Errorf("%s: got %q, %q, error %v, want %q", flags, out, notice, err, want)
		}
	}
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := run(interrupted, "version --kubeconfig "+gone, io.Discard, io.Discard); err == nil {
		t.Error("an interruption was no error")
	}
}

func TestWhichVersionsAreTooFarApart(t *testing.T) {
	for _, test := range []struct{ program, server, want string }{
		{"v0.1.0", "v0.1.9", ""},
		{"v0.1.0", "v0.2.0-rc.1", ""},
		{"v0.3.0", "v0.2.0", ""},
		{"v0.1.0", "v0.3.0", "is too old for the server, v0.3.0: install goldsmith v0.2 to v0.4"},
		{"v0.3.0", "v0.1.0-4-gabc", "upgrade the server to v0.2 or later, or install goldsmith v0.0 to v0.2"},
		{"v0.9.0", "v1.0.0", "install goldsmith v1.0 to v1.1"},
		{"v1.0.0", "v0.9.0", "upgrade the server to v1.0 or later, or install goldsmith v0.8 to v0.10"},
		{"devel", "v9.0.0", ""},
		{"v9.0.0", "4cb4f038", ""},
		{"v9.0.0", "v0.0.0-20261126110000-abcdef", ""},
	} {
		if got := skew(test.program, test.server); (got == "") != (test.want == "") || !strings.HasSuffix(got, test.want) {
			t.Errorf("%s with %s: got %q, want %q", test.program, test.server, got, test.want)
		}
	}
}

// typed runs a command line of a program that has the verb.
func typed(t *testing.T, line string) (out, notice string, err error) {
	t.Helper()
	var written, noticed bytes.Buffer
	_, err = run(t.Context(), line, &written, &noticed)
	return written.String(), noticed.String(), err
}

func run(ctx context.Context, line string, out, notices io.Writer) (*cobra.Command, error) {
	root := &cobra.Command{Use: "goldsmith", SilenceUsage: true, SilenceErrors: true}
	root.AddCommand(NewCommand("v1.2.3"))
	root.SetOut(out)
	root.SetErr(notices)
	root.SetArgs(strings.Fields(line))
	return root.ExecuteContextC(ctx)
}
