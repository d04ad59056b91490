// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/local/process"
)

func TestABuilderReadsNoFileOfTheServer(t *testing.T) {
	t.Parallel()
	t.Run("confined", func(t *testing.T) { testSpy(t, nil, process.LandlockVersion() == 0) })
	t.Run("unconfined", func(t *testing.T) { testSpy(t, []string{"spy"}, true) })
}

func TestManyFilesBesideTheDataDirectoryAreTold(t *testing.T) {
	directory := t.TempDir()
	data := filepath.Join(directory, "data")
	for i := range 4 {
		require.NoError(t, errors.Join(os.MkdirAll(filepath.Join(data, fmt.Sprint(i)), 0o700), os.Mkdir(filepath.Join(directory, fmt.Sprint(i)), 0o700)))
	}
	hidden := []string{data, filepath.Join(data, "kubeconfig")}
	if notice := neighboursNotice(hidden, 1<<30); notice != "" {
		t.Errorf("got %q", notice)
	}
	if notice := neighboursNotice(hidden, 4); !strings.Contains(notice, directory+" has 5 files") {
		t.Errorf("got %q", notice)
	}
}

// testSpy runs a builder that tries what it may not, and checks whether it succeeds.
func testSpy(t *testing.T, unconfined []string, found bool) {
	t.Helper()
	directory := t.TempDir()
	data := filepath.Join(directory, "data")
	kubeconfig := filepath.Join(directory, "new", "kubeconfig")
	moved := filepath.Join(directory, "moved")
	require.NoError(t, errors.Join(os.MkdirAll(data, 0o700), os.Mkdir(moved, 0o700), os.Symlink(moved, filepath.Join(data, "builds"))))
	spy := filepath.Join(directory, "spy")
	script := `#!/bin/sh
for file in ` + kubeconfig + ` ` + data + `/server/token ` + data + `/server/apiserver.key ` + data + `/server/encryption.yaml ` + data + `/storage/tls.key ` + data + `/up.log; do
  [ -e "$file" ] && /bin/cat "$file" >/dev/null 2>&1 && echo "read $file"
done
for directory in ` + data + ` ` + data + `/builds ` + data + `/server ` + moved + ` ` + directory + `; do
  /bin/ls "$directory" >/dev/null 2>&1 && echo "listed $directory"
done
(echo >` + directory + `/written) 2>/dev/null && echo "wrote"
kill -CONT $PPID 2>/dev/null && echo "signalled"
echo temporary >"$TMPDIR/file"
printf '{"version":1,"outcome":"Succeeded","artifacts":[{"target":"linux/amd64/raw","location":"https://images.example/disk","digest":"sha256:%064d","sizeBytes":1}]}' 0 >"$GOLDSMITH_RESULT"
echo done
`
	require.NoError(t, os.WriteFile(spy, []byte(script), 0o700))
	options := Options{DataDirectory: data, Kubeconfig: kubeconfig, Builders: []string{"spy=" + spy}, Unconfined: unconfined, Log: processLog}
	withSystem(t, options, func(ctx context.Context, client versioned.Interface) {
		build := finish(ctx, t, client, "spy", nil)
		log, err := client.ImagesV1alpha1().RESTClient().Get().Namespace("default").Resource("imagebuilds").Name(build.Name).SubResource("log").DoRaw(ctx)
		require.NoError(t, err)
		if build.Status.Phase != v1alpha1.BuildSucceeded {
			t.Errorf("%s %+v: %s", build.Status.Phase, build.Status.Failure, log)
		}
		for _, finding := range []string{
			"read " + kubeconfig, "read " + data + "/server/token", "read " + data + "/server/apiserver.key", "read " + data + "/server/encryption.yaml", "read " + data + "/storage/tls.key", "read " + data + "/up.log",
			"listed " + data + "\n", "listed " + data + "/builds", "listed " + data + "/server", "listed " + moved, "wrote",
		} {
			if strings.Contains(string(log), finding) != found {
				t.Errorf("want %q: %t: %s", finding, found, log)
			}
		}
		if signalled := strings.Contains(string(log), "signalled"); signalled != (found || process.LandlockVersion() < process.LandlockSignals) {
			t.Errorf("it signalled its supervisor: %t", signalled)
		}
		if left, _ := filepath.Glob(filepath.Join(data, "builds", "*", "tmp", "*")); len(left) > 0 {
			t.Errorf("temporary files are left: %v", left)
		}
	})
}

func TestTheStartTellsWhatTheKernelCannotPrevent(t *testing.T) {
	t.Parallel()
	for version, want := range map[int]string{0: "not confined", 1: "in part", 2: "6.2", 5: "6.12", 6: "", 7: ""} {
		if got := confinementNotice(version); !strings.Contains(got, want) || (want == "") != (got == "") {
			t.Errorf("version %d: %q", version, got)
		}
	}
}
