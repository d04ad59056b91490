// SPDX-License-Identifier: Apache-2.0

package completion

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestCompletesNames(t *testing.T) {
	serve(t)
	for _, test := range []struct {
		line, want string
	}{
		{"images ", "alpine debian"},
		{"images d", "debian"},
		{"images debian ", ""},
		{"images x", ""},
		{"builds ", "debian-1 debian-2 debian-3 once"},
		{"builds once ", ""},
		{"two debian-", "debian-1 debian-2 debian-3"},
		{"two debian-1 o", "once"},
		{"two debian-1 once ", ""},
		{"unfinished debian", "debian-3"},
		{"both d", "debian debian-1 debian-2 debian-3"},
		{"promote ", "debian-1 once"},
		{"promote debian-1 ", "stable staging"},
		{"promote debian-1 sta", "stable staging"},
		{"promote once ", ""}, // it has no image
		{"promote gone ", ""},
		{"promote debian-1 stable ", ""},
		{"images -n nowhere ", ""},
		{"images -n forbidden ", ""},
		{"images -n ", "other team"},
		{"images --namespace te", "team"},
		{"images --namespace=te", "team"},
		{"images debian -n te", "team"},
		{"images --context ", "c d"},
		{"images --context d", "d"},
		{"images --kubeconfig missing --context ", ""},
		{"images --kubeconfig missing -n ", ""},
		{"images --build debian-", "debian-1 debian-2 debian-3"},
		{"images alpine --build o", "once"},
	} {
		got, stderr := completed(t, test.line)
		if got != test.want || stderr != "" {
			t.Errorf("%q: got %q (%s), want %q", test.line, got, stderr, test.want)
		}
	}
}

func TestFilesAreCompletedIfNoNameFits(t *testing.T) {
	serve(t)
	verb := &cobra.Command{Use: "verb"}
	verb.SetContext(t.Context())
	client.AddFlags(verb)
	for begun, want := range map[string]string{"debian-1": "[debian-1\tSucceeded]", "./d": "[]"} {
		names, directive := ArtifactSourcesAndFiles(verb, nil, begun)
		if got := fmt.Sprint(names); got != want || directive != cobra.ShellCompDirectiveDefault {
			t.Errorf("%s: got %s with directive %d", begun, got, directive)
		}
	}
	if names, directive := ArtifactSourcesAndFiles(verb, []string{"debian"}, ""); len(names) > 0 || directive != cobra.ShellCompDirectiveNoFileComp {
		t.Errorf("a second argument: got %q with directive %d", names, directive)
	}
}

func TestAVerbMayCompleteItsFlagsItself(t *testing.T) {
	verb := &cobra.Command{Use: "verb"}
	client.AddFlags(verb)
	own := cobra.FixedCompletions([]string{"own"}, cobra.ShellCompDirectiveNoFileComp)
	require.NoError(t, verb.RegisterFlagCompletionFunc("namespace", own))
	require.NoError(t, Flags(verb))
	complete, _ := verb.GetFlagCompletionFunc("namespace")
	if names, _ := complete(verb, nil, ""); len(names) != 1 || names[0] != "own" {
		t.Errorf("got %q", names)
	}
}

func TestSaysNothingWithoutAServer(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("KUBECONFIG", "")
	if got, stderr := completed(t, "images "); got != "" || stderr != "" {
		t.Errorf("without a kubeconfig: got %q (%s)", got, stderr)
	}
	write(t, "kubeconfig", kubeconfig("http://127.0.0.1:1"))
	t.Setenv("KUBECONFIG", "kubeconfig")
	if got, stderr := completed(t, "images "); got != "" || stderr != "" {
		t.Errorf("without a server: got %q (%s)", got, stderr)
	}
}

// completed returns cobra's completions of a line, without descriptions and directives, and its other output.
func completed(t *testing.T, line string) (names, stderr string) {
	t.Helper()
	root := &cobra.Command{Use: "goldsmith"}
	for name, complete := range map[string]cobra.CompletionFunc{
		"images": Images, "builds": Arguments(all), "two": TwoImageBuilds, "unfinished": UnfinishedImageBuilds, "both": ImagesAndImageBuilds, "promote": ImageBuildAndChannel,
	} {
		verb := &cobra.Command{Use: name, Run: func(*cobra.Command, []string) {}, ValidArgsFunction: complete}
		client.AddFlags(verb)
		verb.Flags().String("build", "", "")
		require.NoError(t, verb.RegisterFlagCompletionFunc("build", ImageBuild))
		require.NoError(t, Flags(verb))
		root.AddCommand(verb)
	}
	var out, complaints bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&complaints)
	root.SetArgs(append([]string{"__completeNoDesc"}, strings.Split(line, " ")...))
	require.NoError(t, root.ExecuteContext(t.Context()))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if last := lines[len(lines)-1]; last != fmt.Sprintf(":%d", cobra.ShellCompDirectiveNoFileComp) {
		t.Errorf("%q: got the directive %q", line, last)
	}
	said := complaints.String()
	if strings.HasPrefix(said, "Completion ended with directive") { // cobra's own note for debugging
		said = ""
	}
	return strings.Join(lines[:len(lines)-1], " "), said
}

// serve starts a server, and a kubeconfig that selects the server.
func serve(t *testing.T) {
	t.Helper()
	builds := []v1alpha1.ImageBuild{
		build("debian-1", "debian", v1alpha1.BuildSucceeded), build("debian-2", "debian", v1alpha1.BuildFailed),
		build("debian-3", "debian", v1alpha1.BuildRunning), build("once", "", v1alpha1.BuildSucceeded),
	}
	answer := func(writer http.ResponseWriter, kind string, object runtime.Object) {
		object.GetObjectKind().SetGroupVersionKind(v1alpha1.Kind(kind))
		writer.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(writer).Encode(object)
	}
	mux := http.NewServeMux()
	team := "/apis/images.goldsmith.dev/v1alpha1/namespaces/team"
	mux.HandleFunc("GET "+team+"/images", func(writer http.ResponseWriter, _ *http.Request) {
		answer(writer, "ImageList", &v1alpha1.ImageList{Items: []v1alpha1.Image{
			{ObjectMeta: metav1.ObjectMeta{Name: "alpine"}}, {ObjectMeta: metav1.ObjectMeta{Name: "debian"}}}})
	})
	mux.HandleFunc("GET "+team+"/imagebuilds", func(writer http.ResponseWriter, request *http.Request) {
		list := &v1alpha1.ImageBuildList{}
		for _, build := range builds {
			switch selector := request.URL.Query().Get("fieldSelector"); {
			case selector == "status.finished=false" && build.Status.Finished:
			case selector == "status.phase=Succeeded" && build.Status.Phase != v1alpha1.BuildSucceeded:
			default:
				list.Items = append(list.Items, build)
			}
		}
		answer(writer, "ImageBuildList", list)
	})
	for i := range builds {
		mux.HandleFunc("GET "+team+"/imagebuilds/"+builds[i].Name, func(writer http.ResponseWriter, _ *http.Request) {
			answer(writer, "ImageBuild", &builds[i])
		})
	}
	mux.HandleFunc("GET "+team+"/images/debian/channels", func(writer http.ResponseWriter, _ *http.Request) {
		answer(writer, "ImageChannels", &v1alpha1.ImageChannels{Channels: []v1alpha1.ImageChannel{
			{Name: "stable", Build: "debian-1"}, {Name: "staging", Build: "debian-1"}}})
	})
	mux.HandleFunc("GET /apis/images.goldsmith.dev/v1alpha1/namespaces/forbidden/images", func(writer http.ResponseWriter, _ *http.Request) {
		http.Error(writer, "no", http.StatusForbidden)
	})
	mux.HandleFunc("GET /api/v1/namespaces", func(writer http.ResponseWriter, _ *http.Request) {
		writer.Header().Set("Content-Type", "application/json")
		_, _ = writer.Write([]byte(`{"kind":"NamespaceList","apiVersion":"v1","items":[{"metadata":{"name":"other"}},{"metadata":{"name":"team"}}]}`))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	path := filepath.Join(t.TempDir(), "kubeconfig")
	write(t, path, kubeconfig(server.URL))
	t.Setenv("KUBECONFIG", path)
}

func build(name, image string, phase v1alpha1.BuildPhase) v1alpha1.ImageBuild {
	build := v1alpha1.ImageBuild{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "team"},
		Status:     v1alpha1.ImageBuildStatus{Phase: phase, Finished: phase.Finished()},
	}
	if image != "" {
		build.Spec.ImageRef = &v1alpha1.ImageReference{Name: image}
	}
	return build
}

func kubeconfig(server string) string {
	return `{"apiVersion": "v1", "kind": "Config", "current-context": "c", "clusters": [{"name": "s", "cluster": {"server": "` + server + `"}}],
"contexts": [{"name": "d", "context": {"cluster": "s"}}, {"name": "c", "context": {"cluster": "s", "namespace": "team"}}]}`
}

func write(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
}
