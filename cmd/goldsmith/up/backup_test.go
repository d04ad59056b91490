// SPDX-License-Identifier: Apache-2.0

package up

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/datadir"
	"goldsmith.dev/goldsmith/cmd/internal/catalog"
	"goldsmith.dev/goldsmith/e2e/require"
)

// laterBuilds is how many builds follow the backup.
const laterBuilds = 50

// TestABackupUnderLoadIsRestored backs the real program up while builds run and wait, lets more builds follow, and restores.
func TestABackupUnderLoadIsRestored(t *testing.T) {
	t.Parallel() // the test waits more than it computes
	program := executable(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	data, restored := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "restored")
	file := filepath.Join(t.TempDir(), "backup.tar.gz")
	builders := []string{"--builders", t.TempDir()}
	flags := append([]string{"--workers", "3", "--max-builds", "4"}, builders...)
	server := startProgram(t, program, data, flags...)
	for _, image := range newMockImages() {
		if _, err := server.images.ImagesV1alpha1().Images("default").Create(ctx, &image, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	finished := func(builds []v1alpha1.ImageBuild) (n int) {
		for _, build := range builds {
			if build.Status.Finished && meta.IsStatusConditionTrue(build.Status.Conditions, v1alpha1.BuildRecorded) {
				n++
			}
		}
		return n
	}
	server.await(ctx, t, "some builds have finished", func(b []v1alpha1.ImageBuild) bool { return finished(b) >= 5 })
	mustRun(t, program, "backup", "--artifacts", "--data-dir", data, file)
	server.await(ctx, t, "every build has finished", func(b []v1alpha1.ImageBuild) bool { return finished(b) == killedBuilds })
	var later []types.UID
	n := laterBuilds
	if testing.Short() {
		n /= 5
	}
	for i := range n {
		image := fmt.Sprintf("image-%d", i%killedBuilds)
		build, err := server.images.ImagesV1alpha1().Images("default").Instantiate(ctx, image,
			&v1alpha1.BuildRequest{Parameters: []v1alpha1.Parameter{{Name: "duration", Value: "0s"}}}, metav1.CreateOptions{})
		require.NoError(t, err)
		later = append(later, build.UID)
	}
	// Only the last three of each image are kept.
	server.await(ctx, t, "later builds have finished", func(builds []v1alpha1.ImageBuild) bool {
		return !slices.ContainsFunc(builds, func(build v1alpha1.ImageBuild) bool { return !build.Status.Finished }) && len(builds) > killedBuilds
	})
	server.terminate(t)
	awaitNoProcess(ctx, t, data)

	if out, err := exec.CommandContext(ctx, program, "restore", "--data-dir", data, file).CombinedOutput(); err == nil || !strings.Contains(string(out), "is not empty: move it away") {
		t.Errorf("restored over a data directory: %v: %s", err, out)
	}
	mustRun(t, program, "restore", "--data-dir", restored, file)
	if recalled := datadir.RecallFlags(restored); !slices.Equal(recalled, builders) {
		t.Errorf("the backed-up server ran with %v, and not with %v", builders, recalled)
	}
	server = startProgram(t, program, restored, flags...)
	server.await(ctx, t, "every restored build has finished", func(b []v1alpha1.ImageBuild) bool { return finished(b) == killedBuilds })
	server.checkNothingLost(ctx, t)
	server.checkRestored(ctx, t, later)
	server.terminate(t)
	awaitNoProcess(ctx, t, restored)
}

// checkRestored checks that each restored build has its log and a record that agrees with it, and that no later build exists.
func (p *program) checkRestored(ctx context.Context, t *testing.T, later []types.UID) {
	t.Helper()
	images := p.images.ImagesV1alpha1()
	builds, err := images.ImageBuilds("default").List(ctx, metav1.ListOptions{})
	require.NoError(t, err)
	for _, build := range builds.Items {
		if slices.Contains(later, build.UID) {
			t.Errorf("%s was made after the backup", build.Name)
		}
		log, err := images.RESTClient().Get().Namespace("default").Resource("imagebuilds").Name(build.Name).SubResource("log").DoRaw(ctx)
		if err != nil || !bytes.Contains(log, []byte("step 2/2")) {
			t.Errorf("log of %s: %v: %s", build.Name, err, log)
		}
		var history v1alpha1.ImageHistory
		require.NoError(t, images.RESTClient().Get().Namespace("default").Resource("images").Name(build.Spec.ImageRef.Name).SubResource("history").Do(ctx).Into(&history))
		recorded := slices.IndexFunc(history.Items, func(r v1alpha1.BuildRecord) bool { return r.UID == build.UID })
		if recorded < 0 || history.Items[recorded].Phase != build.Status.Phase || history.Items[recorded].DeletionTime != nil {
			t.Errorf("%s: recorded as %+v", build.Name, history.Items)
		}
	}
}

// TestTheConfigurationFlagsNameWhatIsNotInTheDataDirectory also holds that the documents of the data directory need no flag.
func TestTheConfigurationFlagsNameWhatIsNotInTheDataDirectory(t *testing.T) {
	for _, test := range []struct {
		options Options
		want    []string
	}{
		{Options{}, nil},
		{Options{Kinds: catalog.Flags{Path: "/kinds"}}, []string{"--kinds", "/kinds"}},
		{Options{BuilderDocuments: "/lab", Builders: []string{"shell=/tool"}, Unconfined: []string{"shell"}},
			[]string{"--builders", "/lab", "--builder", "shell=/tool", "--unconfined", "shell"}},
	} {
		test.options.DataDirectory = t.TempDir()
		require.NoError(t, test.options.complete())
		if got := test.options.configurationFlags(); !slices.Equal(got, test.want) {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

func mustRun(t *testing.T, program string, arguments ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), program, arguments...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", arguments[0], err, out)
	}
	t.Logf("%s", out)
}
