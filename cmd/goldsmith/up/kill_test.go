// SPDX-License-Identifier: Apache-2.0

package up

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/storage/etcd"
	"goldsmith.dev/goldsmith/e2e/require"
)

const killedBuilds = 20

// TestSIGKILLUnderTwentyBuildsLosesNothing kills the real program, again and again, while it works.
func TestSIGKILLUnderTwentyBuildsLosesNothing(t *testing.T) {
	program := executable(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	data := filepath.Join(t.TempDir(), strings.Repeat("long-", 20)) // too long for a socket, which is then in $TMPDIR
	t.Setenv("TMPDIR", t.TempDir())
	images := newMockImages()
	phases := func(builds []v1alpha1.ImageBuild, wanted ...v1alpha1.BuildPhase) (n int) {
		for _, build := range builds {
			for _, phase := range wanted {
				if build.Status.Phase == phase {
					n++
				}
			}
		}
		return n
	}
	moments := []struct {
		name string
		came func(builds []v1alpha1.ImageBuild) bool
	}{
		{"the first build is there", func(b []v1alpha1.ImageBuild) bool { return len(b) > 0 }},
		{"two builds run", func(b []v1alpha1.ImageBuild) bool { return phases(b, v1alpha1.BuildRunning) >= 2 }},
		{"five builds have finished", func(b []v1alpha1.ImageBuild) bool { return phases(b, v1alpha1.BuildSucceeded) >= 5 }},
		{"twelve builds have finished", func(b []v1alpha1.ImageBuild) bool { return phases(b, v1alpha1.BuildSucceeded) >= 12 }},
	}
	for i, moment := range moments {
		server := startProgram(t, program, data, "--workers", "3")
		if i == 0 {
			for _, image := range images {
				if _, err := server.images.ImagesV1alpha1().Images("default").Create(ctx, &image, metav1.CreateOptions{}); err != nil {
					t.Fatal(err)
				}
			}
		}
		server.await(ctx, t, moment.name, moment.came)
		server.kill(t)
		awaitNoProcess(ctx, t, data)
	}

	server := startProgram(t, program, data, "--workers", "3")
	server.await(ctx, t, "every build has finished", func(builds []v1alpha1.ImageBuild) bool {
		return phases(builds, v1alpha1.BuildSucceeded, v1alpha1.BuildFailed, v1alpha1.BuildCancelled) == killedBuilds
	})
	server.checkNothingLost(ctx, t)
	server.await(ctx, t, "every build is recorded", func(builds []v1alpha1.ImageBuild) bool {
		return !slices.ContainsFunc(builds, func(build v1alpha1.ImageBuild) bool {
			return !meta.IsStatusConditionTrue(build.Status.Conditions, v1alpha1.BuildRecorded)
		})
	})
	server.terminate(t)
	awaitNoProcess(ctx, t, data)
	if left, err := etcd.TemporaryDirectories(); err != nil || len(left) > 0 {
		t.Errorf("killed servers left %v: %v", left, err)
	}
}

func newMockImages() []v1alpha1.Image {
	images := make([]v1alpha1.Image, killedBuilds)
	for i := range images {
		images[i] = v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("image-%d", i)}, Spec: v1alpha1.ImageSpec{
			BuildInputs: inputsFor(mockName, parameter("duration", "500ms"), parameter("steps", "2")),
		}}
	}
	return images
}

// executable returns the program that a user runs, built with the flags of `make build`. With -short it returns the test binary,
// because linking takes longer than most tests, and go test would not know the dependencies of the program.
func executable(t testing.TB) string {
	t.Helper()
	if testing.Short() {
		path, err := os.Executable()
		require.NoError(t, err)
		return path
	}
	program := filepath.Join(t.TempDir(), "goldsmith")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, "goldsmith.dev/goldsmith/cmd/goldsmith")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

// program is a running `goldsmith up`.
type program struct {
	command *exec.Cmd
	errors  *bytes.Buffer
	images  versioned.Interface
	kube    kubernetes.Interface
}

func startProgram(t testing.TB, path, data string, flags ...string) *program {
	t.Helper()
	arguments := append([]string{"up", "--data-dir", data}, flags...)
	if _, err := os.Stat(filepath.Join(data, "server", "address")); err != nil {
		arguments = append(arguments, "--listen", require.FreeAddress(t)) // nobody gets the address between this program and the next
	}
	p := &program{command: exec.Command(path, arguments...), errors: &bytes.Buffer{}}
	p.command.Stderr = p.errors
	out, err := p.command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.command.Start())
	t.Cleanup(func() { _ = p.command.Process.Kill() }) // usually the process has ended before
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "ready" {
		t.Log(lines.Text())
	}
	if lines.Text() != "ready" {
		t.Fatalf("it ended before it was ready: %v: %s", p.command.Wait(), p.errors)
	}
	config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(data, "kubeconfig"))
	require.NoError(t, err)
	config.QPS = -1 // no limit
	p.images, p.kube = versioned.NewForConfigOrDie(config), kubernetes.NewForConfigOrDie(config)
	return p
}

func (p *program) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, p.command.Process.Kill())
	_ = p.command.Wait() // the error reports that the process was killed
}

// terminate stops the program as Ctrl-C does.
func (p *program) terminate(t testing.TB) {
	t.Helper()
	require.NoError(t, p.command.Process.Signal(syscall.SIGTERM))
	if err := p.command.Wait(); err != nil {
		t.Errorf("stopped with %v: %s", err, p.errors)
	}
}

func (p *program) await(ctx context.Context, t *testing.T, what string, came func([]v1alpha1.ImageBuild) bool) {
	t.Helper()
	var seen []v1alpha1.ImageBuild
	err := wait.PollUntilContextCancel(ctx, 20*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		builds, err := p.images.ImagesV1alpha1().ImageBuilds("default").List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		seen = builds.Items
		return came(builds.Items), nil
	})
	if err != nil {
		for _, build := range seen {
			t.Logf("%s %s %+v", build.Name, build.Status.Phase, build.Status.Attempts)
		}
		t.Fatalf("waiting until %s: %v: %s", what, err, p.errors)
	}
}

// checkNothingLost checks that every Image has exactly one build, which succeeded, and that every Job belongs to an attempt.
func (p *program) checkNothingLost(ctx context.Context, t *testing.T) {
	t.Helper()
	images, err := p.images.ImagesV1alpha1().Images("default").List(ctx, metav1.ListOptions{})
	require.NoError(t, err)
	builds, err := p.images.ImagesV1alpha1().ImageBuilds("default").List(ctx, metav1.ListOptions{})
	require.NoError(t, err)
	if len(images.Items) != killedBuilds || len(builds.Items) != killedBuilds {
		t.Errorf("%d images and %d builds, want %d of each", len(images.Items), len(builds.Items), killedBuilds)
	}
	jobNames := map[string]bool{}
	for _, build := range builds.Items {
		if build.Status.Phase != v1alpha1.BuildSucceeded {
			t.Errorf("%s ended as %s: %+v", build.Name, build.Status.Phase, build.Status.Failure)
		}
		for _, artifact := range build.Status.Artifacts {
			content, err := p.images.ImagesV1alpha1().RESTClient().Get().AbsPath(artifact.Location).Do(ctx).Raw()
			if digest := fmt.Sprintf("sha256:%x", sha256.Sum256(content)); err != nil || digest != artifact.Digest {
				t.Errorf("%s: %s has a content with the digest %s, want %+v: %v", build.Name, artifact.Location, digest, artifact, err)
			}
		}
		for i, attempt := range build.Status.Attempts {
			jobNames[attempt.JobName] = true
			switch {
			case i+1 == len(build.Status.Attempts) && attempt.Outcome != v1alpha1.AttemptSucceeded,
				i+1 < len(build.Status.Attempts) && (attempt.Outcome != v1alpha1.AttemptDisrupted || attempt.Failure.Reason != v1alpha1.ReasonProcessLost):
				t.Errorf("%s: attempt %+v", build.Name, attempt)
			}
		}
	}
	jobs, err := p.kube.BatchV1().Jobs("default").List(ctx, metav1.ListOptions{})
	require.NoError(t, err)
	for _, job := range jobs.Items {
		if !jobNames[job.Name] {
			t.Errorf("Job %s belongs to no attempt", job.Name)
		}
	}
}

// awaitNoProcess waits until no process works in the data directory.
func awaitNoProcess(ctx context.Context, t *testing.T, data string) {
	t.Helper()
	var left []string
	err := wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, patience, true, func(context.Context) (bool, error) {
		left = processesOf(t, data)
		return len(left) == 0, nil
	})
	if err != nil {
		t.Fatalf("processes that outlived the server: %v", left)
	}
}

func processesOf(t *testing.T, data string) (found []string) {
	t.Helper()
	processes, err := filepath.Glob("/proc/[0-9]*")
	require.NoError(t, err)
	for _, process := range processes {
		// A process that ended meanwhile cannot be read, and does not count.
		directory, _ := os.Readlink(filepath.Join(process, "cwd"))
		arguments, _ := os.ReadFile(filepath.Join(process, "cmdline"))
		environment, _ := os.ReadFile(filepath.Join(process, "environ"))
		if strings.Contains(directory, data) || bytes.Contains(arguments, []byte(data)) || bytes.Contains(environment, []byte(data)) {
			found = append(found, fmt.Sprintf("%s %q", filepath.Base(process), arguments))
		}
	}
	return found
}
