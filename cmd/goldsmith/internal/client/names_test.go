// SPDX-License-Identifier: Apache-2.0

package client

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestArgumentsAreNamesOfTheirKinds(t *testing.T) {
	t.Chdir(t.TempDir()) // no kubeconfig
	t.Setenv("KUBECONFIG", "")
	const fqn = ".images.goldsmith.dev/"
	for _, test := range []struct {
		least     int
		kinds     []Kind
		args, err string
		want      []string
	}{
		{least: 1, kinds: []Kind{Image}, args: "web", want: []string{"web"}},
		{least: 1, kinds: []Kind{Image}, args: "image/web", want: []string{"web"}},
		{least: 1, kinds: []Kind{Image}, args: "Images/web", want: []string{"web"}},
		{least: 1, kinds: []Kind{Image}, args: "image" + fqn + "web", want: []string{"web"}},
		{least: 1, kinds: []Kind{Image}, args: "images.v1alpha1" + fqn + "web", want: []string{"web"}},
		{least: 1, kinds: []Kind{Image}, args: "img/web", want: []string{"web"}},
		{least: 1, kinds: []Kind{Image}, args: "imagebuild/web-1", err: "imagebuild/web-1 is a build, but verb takes an image: see `verb --help`"},
		{least: 2, kinds: []Kind{ImageBuild, ImageBuild}, args: "imagebuild/web-1 imgb/web-2", want: []string{"web-1", "web-2"}},
		{least: 2, kinds: []Kind{ImageBuild, Text}, args: "imagebuild" + fqn + "web-1 image/web", want: []string{"web-1", "image/web"}},
		{least: 1, kinds: []Kind{ImageBuild}, args: "image/web", err: "image/web is an image, but verb takes a build: see"},
		{least: 1, kinds: []Kind{Either}, args: "image/web", want: []string{"image/web"}},
		{least: 1, kinds: []Kind{Either}, args: "pod/web", err: `"pod/web": must be NAME, image/NAME or imagebuild/NAME`},
		{least: 1, kinds: []Kind{Image}, args: "image/", err: "must be NAME, image/NAME"},
		{least: 1, kinds: []Kind{Image}, args: "image/a/b", err: `"image/a/b": must be NAME`},
		{least: 1, kinds: []Kind{Image}, args: "kiosk/", err: `"kiosk/": must be NAME, image/NAME or imagebuild/NAME, or KIND/NAME with a kind of the catalog`},
		{least: 1, kinds: []Kind{Either}, args: "/web", err: `"/web": must be NAME, image/NAME or imagebuild/NAME, or KIND/NAME with`},
		{least: 1, kinds: []Kind{Image}, args: "kiosk/a/b", err: "or KIND/NAME with a kind of the catalog"},
		{least: 1, kinds: []Kind{Image}, args: "image.example.com/web", err: "must be NAME"},
		{least: 0, kinds: []Kind{Image}, args: "", want: []string{}},
		{least: 1, kinds: []Kind{Image}, args: "", err: "takes a NAME, but got 0"},
		{least: 1, kinds: []Kind{Image}, args: `""`, err: "got an empty argument"},
		{least: 1, kinds: []Kind{Image}, args: "a b", err: "takes a NAME, but got 2"},
	} {
		var got []string
		command := &cobra.Command{Use: "verb", Args: Names("a NAME", test.least, test.kinds...), SilenceErrors: true, SilenceUsage: true,
			Run: func(_ *cobra.Command, args []string) { got = args }}
		args := strings.Fields(test.args)
		for i := range args {
			args[i] = strings.Trim(args[i], `"`)
		}
		command.SetArgs(args)
		err := command.ExecuteContext(t.Context())
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%q: got %q, error %v, want %q", test.args, got, err, test.err)
			}
			continue
		}
		if err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%q: got %q, error %v, want %q", test.args, got, err, test.want)
		}
	}
}

func TestAFileIsNoName(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("web.yaml", nil, 0o600))
	require.NoError(t, os.Mkdir("folder.yaml", 0o700))
	for argument, want := range map[string]string{
		"web.yaml":   "web.yaml is a file, but plan takes a name here: use -f FILE",
		"./web.yaml": "./web.yaml is a file, but plan takes a name here: use -f FILE",
		"other.yaml": "", "folder.yaml": "", "web": "",
	} {
		if err := fileError(argument, "plan"); (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("%s: got %v, want %q", argument, err, want)
		}
	}
	command := &cobra.Command{Use: "build"}
	if err := Names("an image", 1, Image)(command, []string{"web.yaml"}); err == nil || !strings.Contains(err.Error(), "kubectl apply -f FILE") {
		t.Errorf("got %v, want how to use a file", err)
	}
}
