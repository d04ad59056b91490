// SPDX-License-Identifier: Apache-2.0

package buildinfo

import (
	"bytes"
	"encoding/json"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	kubernetes "k8s.io/component-base/version"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestTheVersionIsPrintedForPeopleAndPrograms(t *testing.T) {
	want := information{
		Version: "v1.2.3", GoVersion: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
		KubernetesVersion: "v" + kubernetes.DefaultKubeBinaryVersion + ".0", // test binaries lack the versions of their modules
		APIGroupVersion:   "images.goldsmith.dev/v1alpha1",
	}
	for line, decode := range map[string]func([]byte, any) error{
		"version -o json": json.Unmarshal,
		"version -o yaml": func(text []byte, into any) error { return yaml.UnmarshalStrict(text, into) },
	} {
		out, err := typed(t, line)
		require.NoError(t, err)
		got := information{}
		if err := decode([]byte(out), &got); err != nil {
			t.Fatalf("%s: %v in\n%s", line, err, out)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", line, diff)
		}
	}
	if out, err := typed(t, "version"); err != nil || out != "goldsmith v1.2.3\n" {
		t.Errorf("got %q, error %v", out, err)
	}
	if _, err := typed(t, "version -o name"); err == nil || err.Error() != `-o "name": must be json or yaml` {
		t.Errorf("got error %v", err)
	}
	if out, err := typed(t, "__completeNoDesc version --output="); err != nil || !strings.HasPrefix(out, "json\nyaml\n") {
		t.Errorf("completes %q, error %v", out, err)
	}
}

// typed runs a command line of a program that has the verb.
func typed(t *testing.T, line string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	root := &cobra.Command{Use: "goldsmith", SilenceUsage: true, SilenceErrors: true}
	root.AddCommand(NewCommand("v1.2.3"))
	root.SetOut(&out)
	root.SetErr(&bytes.Buffer{})
	root.SetArgs(strings.Fields(line))
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}
