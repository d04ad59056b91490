// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/builders"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/datadir"
	"goldsmith.dev/goldsmith/e2e/require"
)

// mockName is the name of the builder that most tests use.
const mockName = "mock"

// notices collects lines.
type notices struct {
	mu    sync.Mutex
	lines strings.Builder
}

// Write implements io.Writer.
func (n *notices) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.lines.Write(p)
}

// String returns all lines so far.
func (n *notices) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.lines.String()
}

// await waits until a condition holds. Controllers read everything again after a minute, so a longer wait would not tell whether they
// learned of a change.
func (n *notices) await(ctx context.Context, t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, stop := context.WithTimeout(ctx, 45*time.Second)
	defer stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("%s: %s", what, n)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// awaitLine waits for a line.
func (n *notices) awaitLine(ctx context.Context, t *testing.T, line string) {
	t.Helper()
	n.await(ctx, t, line, func() bool { return strings.Contains(n.String(), line) })
}

// document returns a document of builders whose items are in JSON.
func document(builders ...string) string {
	return "apiVersion: goldsmith.dev/v1alpha1\nkind: BuilderConfiguration\nbuilders: [" + strings.Join(builders, ", ") + "]\n"
}

func TestBuildersAreReloadedAndTheirVariablesShownNowhere(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	file, script, token := filepath.Join(data, datadir.BuildersFile), filepath.Join(data, "shell.sh"), filepath.Join(data, "token")
	require.NoError(t, os.Mkdir(data, 0o700))
	require.NoError(t, os.WriteFile(script, []byte(`#!/bin/sh
[ "$GREETING $TOKEN" = "hello s3cret" ] || { echo "wrong variables"; exit 3; }
printf '{"version":1,"outcome":"Succeeded","artifacts":[{"target":"linux/amd64/raw","location":"https://images.example/disk","digest":"sha256:%064d","sizeBytes":1}]}' 0 >"$GOLDSMITH_RESULT"
`), 0o700))
	require.NoError(t, os.WriteFile(token, []byte("s3cret\n"), 0o600))
	write := func(content string) {
		t.Helper()
		require.NoError(t, errors.Join(os.WriteFile(file+".new", []byte(content), 0o600), os.Rename(file+".new", file)))
	}
	told := &notices{}
	options := Options{DataDirectory: data, Memory: true, Notices: told, Workers: 2}
	kubeconfig := filepath.Join(data, "kubeconfig")
	withSystem(t, options, func(ctx context.Context, client versioned.Interface) {
		images := client.ImagesV1alpha1().Images("default")
		_, err := images.Create(ctx, &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Name: "disk"}, Spec: v1alpha1.ImageSpec{BuildInputs: inputsFor("shell")}}, metav1.CreateOptions{})
		require.NoError(t, err)
		image := func() *v1alpha1.Image {
			image, err := images.Get(ctx, "disk", metav1.GetOptions{})
			require.NoError(t, err)
			return image
		}
		stalledBy := func(reason v1alpha1.FailureReason) func() bool {
			return func() bool {
				stalled := meta.FindStatusCondition(image().Status.Conditions, v1alpha1.ImageStalled)
				return stalled != nil && stalled.Status == metav1.ConditionTrue && stalled.Reason == string(reason)
			}
		}
		stalled := stalledBy(v1alpha1.ReasonBuilderNotFound)
		told.await(ctx, t, "the builder is not registered", stalled)

		const shellDocument = `{name: shell, path: shell.sh, env: [{name: GREETING, value: hello}, {name: TOKEN, valueFrom: {file: token}}]}`
		write(document(shellDocument))
		told.awaitLine(ctx, t, "builders: registered shell\n")
		shell, err := client.ImagesV1alpha1().Builders().Get(ctx, "shell", metav1.GetOptions{})
		require.NoError(t, err)
		shown := []any{shell}
		told.await(ctx, t, "the image is built", func() bool { return image().Status.LatestSuccessful != nil })

		// One build of lab runs, one waits for its worker, and one for the queue, while lab is removed and registered again.
		released := filepath.Join(t.TempDir(), "released")
		require.NoError(t, os.WriteFile(filepath.Join(data, "lab.sh"), []byte("#!/bin/sh\nuntil [ -e "+released+` ]; do sleep 0.05; done
printf '{"version":1,"outcome":"Succeeded","artifacts":[{"target":"linux/amd64/raw","location":"https://images.example/disk","digest":"sha256:%064d","sizeBytes":1}]}' 0 >"$GOLDSMITH_RESULT"
`), 0o700))
		const labDocument = `{name: lab, path: lab.sh, workers: 1, unconfined: true}`
		write(document(shellDocument, labDocument))
		told.awaitLine(ctx, t, "registered lab")
		builds := client.ImagesV1alpha1().ImageBuilds("default")
		awaitBuild := func(name string, holds func(*v1alpha1.ImageBuild) bool) {
			t.Helper()
			told.await(ctx, t, name, func() bool {
				build, err := builds.Get(ctx, name, metav1.GetOptions{})
				return err == nil && holds(build)
			})
		}
		for _, waits := range []struct {
			name  string
			until func(*v1alpha1.ImageBuild) bool
		}{
			{"runs", func(build *v1alpha1.ImageBuild) bool { return build.Status.Phase == v1alpha1.BuildRunning }},
			{"worker", func(build *v1alpha1.ImageBuild) bool {
				admitted := meta.FindStatusCondition(build.Status.Conditions, v1alpha1.BuildAdmitted)
				return admitted != nil && admitted.Reason == v1alpha1.ReasonWaitingForWorker
			}},
			{"queue", func(build *v1alpha1.ImageBuild) bool {
				return build.Status.Phase == v1alpha1.BuildQueued && build.Status.Resolved != nil
			}},
		} {
			_, err := images.Create(ctx, &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Name: waits.name}, Spec: v1alpha1.ImageSpec{BuildInputs: inputsFor("lab")}}, metav1.CreateOptions{})
			require.NoError(t, err)
			awaitBuild(waits.name+"-1", waits.until)
		}
		write(document(shellDocument))
		told.awaitLine(ctx, t, "removed lab")
		require.NoError(t, os.WriteFile(released, nil, 0o600))
		awaitBuild("runs-1", func(build *v1alpha1.ImageBuild) bool { return build.Status.Phase == v1alpha1.BuildSucceeded })
		for _, name := range []string{"worker-1", "queue-1"} {
			awaitBuild(name, func(build *v1alpha1.ImageBuild) bool {
				return build.Status.Failure != nil && build.Status.Failure.Reason == v1alpha1.ReasonBuilderNotFound
			})
		}
		write(document(shellDocument, labDocument))
		for _, name := range []string{"worker-2", "queue-2"} {
			awaitBuild(name, func(build *v1alpha1.ImageBuild) bool { return build.Status.Phase == v1alpha1.BuildSucceeded })
		}

		write(document(`{name: shell, path: shell.sh, argv: []}`))
		told.awaitLine(ctx, t, "builders: "+file+`: builder "shell": unknown field "argv": the registered builders stay as they were`)
		if stalled() {
			t.Error("the broken document counts")
		}
		write(document(`{name: shell, path: shell.sh, targets: [{format: iso}]}`))
		told.awaitLine(ctx, t, "builders: changed shell; removed lab\n")
		told.await(ctx, t, "the builder no longer makes the target", stalledBy(v1alpha1.ReasonTargetNotSupported))
		write(document())
		told.awaitLine(ctx, t, "builders: removed shell\n")
		told.await(ctx, t, "the builder was removed", stalled)
		config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
		require.NoError(t, err)
		everything := []any{told.String(), shown}
		pods, err := kubernetes.NewForConfigOrDie(config).CoreV1().Pods("").List(ctx, metav1.ListOptions{})
		require.NoError(t, err)
		builders, err := client.ImagesV1alpha1().Builders().List(ctx, metav1.ListOptions{})
		require.NoError(t, err)
		everything = append(everything, pods, builders, image())
		if shown, err := json.Marshal(everything); err != nil || strings.Contains(string(shown), "s3cret") || len(pods.Items) == 0 {
			t.Errorf("the value of a variable is shown, or there are no pods: %s (%v)", shown, err)
		}
	})
}

func TestTheHiddenSubcommandsRunTheBuildersThatShip(t *testing.T) {
	for _, shipped := range builders.Shipped() {
		if code, ok := RunChild([]string{"/bin/goldsmith", shipped.Command, "argument"}); !ok || code != 2 {
			t.Errorf("goldsmith %s: exit code %d, %t, want that of a wrong argument", shipped.Command, code, ok)
		}
		code, ok := RunChild([]string{"/" + shipped.Command, "argument"})
		if ok != (shipped.Inside != nil) || ok && code != 2 {
			t.Errorf("%s in its sandbox: exit code %d, %t", shipped.Command, code, ok)
		}
	}
	for _, args := range [][]string{{"/bin/goldsmith"}, {"/bin/goldsmith", "up"}} {
		if _, ok := RunChild(args); ok {
			t.Errorf("%v is a hidden subcommand", args)
		}
	}
}
