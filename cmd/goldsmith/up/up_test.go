// SPDX-License-Identifier: Apache-2.0

package up

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/internal/retention"
	"goldsmith.dev/goldsmith/cmd/internal/sources"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/attestation"
)

func TestServesOnEveryLoopbackAddress(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(math.MaxInt64))
	for _, host := range []string{"127.0.0.2", "::1"} {
		listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			t.Logf("this machine has no %s: %v", host, err)
			continue
		}
		require.NoError(t, listener.Close())
		for _, memory := range []bool{true, false} {
			ctx, stop := context.WithTimeout(t.Context(), patience)
			ready, directory, out, notices := false, t.TempDir(), &bytes.Buffer{}, &bytes.Buffer{}
			err := Run(ctx, Options{DataDirectory: directory, Memory: memory, Listen: host, Out: out, Notices: notices, OnReady: func(config *rest.Config, _ string) {
				defer stop()
				ready = true
				if _, err := kubernetes.NewForConfigOrDie(config).Discovery().ServerVersion(); err != nil {
					t.Errorf("%s: %v", host, err)
				}
				checkLandingPage(ctx, t, config)
				address, code := consoleOf(t, config, out.String())
				signIn(ctx, t, address, code)
				if debug.SetMemoryLimit(-1) == math.MaxInt64 {
					t.Error("the program does not limit its memory")
				}
				long := []v1alpha1.Parameter{{Name: "duration", Value: "1h"}}
				if build := follow(ctx, t, versioned.NewForConfigOrDie(config), mockName, long, isRunning); !isRunning(build) {
					t.Errorf("%s: the build is %s", host, build.Status.Phase)
				}
			}})
			stop()
			if err != nil || !ready {
				t.Errorf("%s: ready: %t, error: %v", host, ready, err)
			}
			path := directory + "/kubeconfig"
			want := `\Adata: ` + directory + `, [0-9]+\.[0-9] MiB\nready\nserver: https://\S+:[0-9]+\nconsole: http://\S+:[0-9]+/ui/#code=[A-Z2-7]{26}\nIn a second terminal:\n  export KUBECONFIG=` + path + `\n(  goldsmith .*\n)+kubeconfig: ` + path + `\n\z`
			if !regexp.MustCompile(want).Match(out.Bytes()) {
				t.Errorf("%s: it printed %q, want %s", host, out, want)
			}
			if want := stopNotice(1, memory) + " Press Ctrl-C again to stop at once.\n"; notices.String() != want {
				t.Errorf("%s: it noticed %q, want %q", host, notices, want)
			}
		}
	}
}

// checkLandingPage opens a server's address as a browser does. The page is the same on every server, so there is no secret in it.
func checkLandingPage(ctx context.Context, t *testing.T, config *rest.Config) {
	t.Helper()
	client, err := rest.HTTPClientFor(rest.AnonymousClientConfig(config))
	if err != nil {
		t.Error(err)
		return
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, config.Host+"/", nil)
	if err != nil {
		t.Error(err)
		return
	}
	request.Header.Set("Accept", "text/html")
	response, err := client.Do(request)
	if err != nil {
		t.Error(err)
		return
	}
	page, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil || response.StatusCode != http.StatusOK || !bytes.Equal(page, landingPage) {
		t.Errorf("a browser gets %s and %q: %v", response.Status, page, err)
	}
}

func isRunning(build *v1alpha1.ImageBuild) bool { return build.Status.Phase == v1alpha1.BuildRunning }

func TestAStopTellsWhatBecomesOfRunningBuilds(t *testing.T) {
	for _, test := range []struct {
		running int
		memory  bool
		want    string
	}{
		{0, true, "stopping: no build is running."},
		{1, true, "stopping: ending 1 running build, whose data is lost, because the server stores all data in memory."},
		{2, false, `stopping: ending 2 running builds, which the next "goldsmith up" starts again.`},
	} {
		if got := stopNotice(test.running, test.memory); got != test.want {
			t.Errorf("%d builds: got %q", test.running, got)
		}
	}
}

func TestAComponentThatEndsWhileTheOthersStartIsReported(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := Run(ctx, Options{
		DataDirectory: t.TempDir(),
		Memory:        true,
		Executable:    filepath.Join(t.TempDir(), "gone"),
		WrapTransport: neverLists,
		OnReady:       func(*rest.Config, string) { t.Error("it said that it is ready") },
	})
	if err == nil || !strings.Contains(err.Error(), "agent: ") || !strings.Contains(err.Error(), "gone: no such file") {
		t.Errorf("got error %v, want what is wrong with the agent", err)
	}
	if ctx.Err() != nil {
		t.Error("it hung")
	}
}

// neverLists lets a client discover resources, and read no object.
func neverLists(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		if strings.Count(request.URL.Path, "/") <= 3 && !strings.HasPrefix(request.URL.Path, "/api/v1/") {
			return next.RoundTrip(request)
		}
		<-request.Context().Done()
		return nil, request.Context().Err()
	})
}

func TestAMemoryRunLeavesWhatIsKeptAlone(t *testing.T) {
	directory := t.TempDir()
	marker := filepath.Join(directory, "builds", "2f1c0f5e-52a5-4d8f-9a3e-6d3a3f1f0b7a", "started")
	require.NoError(t, os.MkdirAll(filepath.Dir(marker), 0o700))
	for _, name := range []string{"input", "log", "started"} {
		require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(marker), name), nil, 0o600))
	}
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	if err := Run(ctx, Options{DataDirectory: directory, Memory: true, OnReady: func(*rest.Config, string) { stop() }}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(marker); err != nil {
		t.Error(err)
	}
	left, err := os.ReadDir(filepath.Join(directory, "run"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, error: %v", left, err)
	}
}

func TestABuildThatWasCreatedDirectlyIsDeletedAfterItsTTLAndBuiltAgainFromItsStatement(t *testing.T) {
	options := Options{DataDirectory: t.TempDir(), Memory: true, Retention: retention.Flags{BuildTTL: time.Nanosecond}}
	withSystem(t, options, func(ctx context.Context, client versioned.Interface) {
		config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(options.DataDirectory, "kubeconfig"))
		require.NoError(t, err)
		files, images, builds := kubernetes.NewForConfigOrDie(config).CoreV1().ConfigMaps("default"), client.ImagesV1alpha1().Images("default"), client.ImagesV1alpha1().ImageBuilds("default")
		declare := func(name string, inputs v1alpha1.BuildInputs) *v1alpha1.ImageBuild {
			t.Helper()
			image, err := images.Create(ctx, &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.ImageSpec{BuildInputs: inputs}}, metav1.CreateOptions{})
			require.NoError(t, err)
			image = awaited(ctx, t, images.Watch, image.Name, func(image *v1alpha1.Image) bool { return image.Status.LatestSuccessful != nil })
			return require.Value(builds.Get(ctx, image.Status.LatestSuccessful.Name, metav1.GetOptions{}))(t)
		}
		awaitDeletion := func(build *v1alpha1.ImageBuild) {
			t.Helper()
			changes := require.Value(builds.Watch(ctx, metav1.SingleObject(metav1.ObjectMeta{Name: build.Name, ResourceVersion: build.ResourceVersion})))(t)
			defer changes.Stop()
			for event := range changes.ResultChan() {
				if event.Type == watch.Deleted {
					return
				}
			}
			t.Fatalf("build %s was not deleted: %v", build.Name, ctx.Err())
		}
		require.Value(files.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "files"}, Data: map[string]string{"setup.sh": "echo <ready> && true\n"}}, metav1.CreateOptions{}))(t)
		golden := declare("golden", inputsFor(mockName, parameter("duration", "0s")))
		inputs := inputsFor(mockName, parameter("duration", "0s"), parameter("edition", "minimal"))
		inputs.Base = v1alpha1.Base{ImageRef: &v1alpha1.BaseImageReference{Name: "golden"}}
		inputs.Source = &v1alpha1.Source{ConfigMapRef: &v1alpha1.ConfigMapReference{Name: "files"}}
		web := declare("web", inputs)
		ofGolden, ofWeb := statementAbout(ctx, t, client, golden), statementAbout(ctx, t, client, web)
		require.NoError(t, files.Delete(ctx, "files", metav1.DeleteOptions{}))
		for _, build := range []*v1alpha1.ImageBuild{web, golden} {
			require.NoError(t, images.Delete(ctx, build.Spec.ImageRef.Name, metav1.DeleteOptions{}))
			awaitDeletion(build)
		}

		// From here on, there are only the statements. That about web names the base by its digest, and the statement about the base tells how to build it.
		base, child := provenanceIn(t, ofGolden), provenanceIn(t, ofWeb)
		if len(child.Base) != 1 || !require.Value(ofGolden.Content())(t).About(child.Base[0].Digest) {
			t.Fatalf("the base is %+v", child.Base)
		}
		declare(base.External.Image, require.Value(base.Inputs())(t))
		again := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Name: "again"}, Spec: v1alpha1.ImageBuildSpec{Inputs: require.Value(child.Inputs())(t)}}
		require.Value(builds.Create(ctx, again, metav1.CreateOptions{}))(t)
		again = awaited(ctx, t, builds.Watch, again.Name, func(build *v1alpha1.ImageBuild) bool { return build.Status.Finished })
		if len(again.Status.Artifacts) != 1 || !require.Value(ofWeb.Content())(t).About(again.Status.Artifacts[0].Digest) || again.Status.Resolved.InputsDigest != child.Internal.InputsDigest {
			t.Errorf("the build is %+v, not that of %s", again.Status, ofWeb.Payload)
		}
		awaitDeletion(again)
	})
}

// statementAbout returns the provenance of the artifact of a build, as the server keeps it.
func statementAbout(ctx context.Context, t *testing.T, client versioned.Interface, build *v1alpha1.ImageBuild) *attestation.Statement {
	t.Helper()
	document := build.Status.Artifacts[0].Document(v1alpha1.DocumentProvenance)
	if document == nil || document.MediaType != v1alpha1.MediaTypeProvenance {
		t.Fatalf("the artifact of build %s has the documents %+v", build.Name, build.Status.Artifacts[0].Documents)
	}
	payload := require.Value(client.ImagesV1alpha1().RESTClient().Get().AbsPath(document.Location).DoRaw(ctx))(t)
	return &attestation.Statement{Type: attestation.TypeProvenance, Payload: payload}
}

func provenanceIn(t *testing.T, statement *attestation.Statement) *attestation.Provenance {
	t.Helper()
	return require.Value(require.Value(statement.Content())(t).Provenance())(t)
}

func TestABuildLeavesVersionControlClean(t *testing.T) {
	manifests := t.TempDir()
	git := func(ctx context.Context, arguments ...string) string {
		t.Helper()
		command := exec.CommandContext(ctx, "git", append([]string{"-C", manifests, "-c", "user.name=x", "-c", "user.email=x@example.com"}, arguments...)...)
		output, err := command.CombinedOutput()
		if err != nil {
			t.Errorf("git %s: %v: %s", arguments, err, output)
		}
		return string(output)
	}
	git(t.Context(), "init", "--quiet")
	file := filepath.Join(manifests, "debian.yaml")
	const written = `# The defaults are left out.
apiVersion: images.goldsmith.dev/v1alpha1
kind: Image
metadata:
  name: debian
spec:
  builder: {name: mock}
  base: {reference: debian:bookworm}
  targets:
  - {platform: linux/amd64, format: raw}
  parameters:
  - {name: duration, value: 0s}
  timeouts: {run: 1h}
`
	require.NoError(t, os.WriteFile(file, []byte(written), 0o644))
	git(t.Context(), "add", ".")
	git(t.Context(), "commit", "--quiet", "--message", "an image")
	data := t.TempDir()
	for _, build := range []string{"debian-1", "debian-2"} { // with a restart between
		withSystem(t, Options{DataDirectory: data, Apply: manifests}, func(ctx context.Context, client versioned.Interface) {
			images := client.ImagesV1alpha1().Images("default")
			changes, err := images.Watch(ctx, metav1.SingleObject(metav1.ObjectMeta{Name: "debian"}))
			if err != nil {
				t.Errorf("watching an image: %v", err)
				return
			}
			defer changes.Stop()
			requested := build == "debian-1" // the image is built because it is new
			for event := range changes.ResultChan() {
				image, ok := event.Object.(*v1alpha1.Image)
				if !ok {
					continue
				}
				if image.Spec.RunPolicy == "" || image.Spec.Timeouts.Run.Duration != time.Hour {
					t.Errorf("the image has no defaults: %+v", image.Spec)
				}
				if !requested {
					if _, err := images.Instantiate(ctx, "debian", &v1alpha1.BuildRequest{}, metav1.CreateOptions{}); err != nil {
						t.Errorf("requesting a build: %v", err)
						return
					}
					requested = true
				}
				if latest := image.Status.LatestSuccessful; latest != nil && latest.Name == build {
					break
				}
			}
			if status := git(ctx, "status", "--porcelain"); status != "" || ctx.Err() != nil {
				t.Errorf("git status after %s: %v\n%s%s", build, ctx.Err(), status, git(ctx, "diff"))
			}
		})
	}
}

func TestTheQueueAdmitsNoMoreBuildsThanThereAreWorkers(t *testing.T) {
	for name, test := range map[string]struct {
		flags []string
		want  int
	}{
		"no flag":        {nil, runtime.NumCPU()},
		"one worker":     {[]string{"--workers=1"}, 1},
		"fewer builds":   {[]string{"--workers=4", "--max-builds=3"}, 3},
		"more builds":    {[]string{"--workers=4", "--max-builds=5"}, 4},
		"no limit asked": {[]string{"--workers=4", "--max-builds=0"}, 4},
	} {
		options, flags := &Options{}, pflag.NewFlagSet("", pflag.ContinueOnError)
		options.addTo(flags)
		if err := errors.Join(flags.Parse(test.flags), options.complete()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if limits, err := options.Limits.Read(); err != nil || limits.Builds != test.want {
			t.Errorf("%s: %d builds at a time, want %d: %v", name, limits.Builds, test.want, err)
		}
	}
}

func TestTestsAndChecksHaveWorkersOfTheirOwn(t *testing.T) {
	for name, test := range map[string]struct {
		flags         []string
		tests, checks int
	}{
		"no flag":   {[]string{"--workers=3"}, 3, DefaultCheckWorkers},
		"all flags": {[]string{"--workers=3", "--test-workers=1", "--check-workers=2"}, 1, 2},
	} {
		options, flags := &Options{}, pflag.NewFlagSet("", pflag.ContinueOnError)
		options.addTo(flags)
		if err := errors.Join(flags.Parse(test.flags), options.complete()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if options.TestWorkers != test.tests || options.CheckWorkers != test.checks {
			t.Errorf("%s: %d tests and %d checks at a time, want %d and %d", name, options.TestWorkers, options.CheckWorkers, test.tests, test.checks)
		}
	}
}

func TestInvalidFlagsAreRefusedBeforeAnythingIsWritten(t *testing.T) {
	for _, test := range []struct{ flag, refusal string }{
		{"--workers=0", "--workers must be 1 or greater"},
		{"--apply=/nowhere", "--apply /nowhere: no such file or directory: create the directory, or correct the path"},
		{"--plain-http-registries=localhost,http://registry", `--plain-http-registries: registry "http://registry": must be HOST or HOST:PORT`},
		{"--source-webhook-address=:0", "--source-webhook-address and --source-webhook-secret-file need each other: set both, or none"},
		{"--workers=-1", "--workers must be 1 or greater"},
		{"--test-workers=-1", "--test-workers -1: must be 0 (the value of --workers) or greater"},
		{"--check-workers=0", "--check-workers must be 1 or greater"},
		{"--cors-allowed-origins=https://example.com", `use '^https://example\.com$'`},
	} {
		command := NewCommand()
		directory := filepath.Join(t.TempDir(), "data")
		command.SetArgs([]string{test.flag, "--data-dir", directory})
		command.SilenceUsage, command.SilenceErrors = true, true
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		if err := command.ExecuteContext(ctx); err == nil || !strings.Contains(err.Error(), test.refusal) {
			t.Errorf("%s: got error %v", test.flag, err)
		}
		cancel()
		if _, err := os.Stat(directory); !os.IsNotExist(err) {
			t.Errorf("%s: the data directory is there", test.flag)
		}
	}
}

func TestWebhooksOfSourcesAreReceived(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(math.MaxInt64))
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("a secret of webhooks"), 0o600))
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	notices, printed := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := Run(ctx, Options{DataDirectory: t.TempDir(), Memory: true, Listen: "127.0.0.1", Out: io.Discard, Notices: printed,
			Sources: sources.Flags{Webhook: "127.0.0.1:0", WebhookSecret: secret}})
		ended <- errors.Join(err, printed.Close())
	}()
	lines, url := bufio.NewScanner(notices), ""
	for url == "" && lines.Scan() {
		url, _ = strings.CutPrefix(lines.Text(), "webhooks: ")
	}
	go io.Copy(io.Discard, notices) //nolint:errcheck // so that the server can print more
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, http.NoBody)
	require.NoError(t, err)
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	if answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("an unsigned webhook for %s is answered with %s", url, answer.Status)
	}
	stop()
	require.NoError(t, <-ended)
}

func TestACheckTellsAllMistakesOfAFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "server.yaml")
	content := "workers: 0\nrecords: garbage://x\nlog-archive: garbage://x\nlisten: 192.0.2.1\nartifacts-max: many\n"
	require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
	command := NewCommand()
	command.SetArgs([]string{"--check", "--config", file, "--data-dir", t.TempDir()})
	command.SilenceUsage, command.SilenceErrors = true, true
	err := command.ExecuteContext(t.Context())
	for _, want := range []string{
		":1: --workers must be 1 or greater", ":2: --records: open the records: ", ":3: --log-archive: open the log archive garbage://x: unknown scheme",
		`:4: --listen "192.0.2.1": `, ":5: --artifacts-max",
	} {
		if err == nil || !strings.Contains(err.Error(), file+want) {
			t.Errorf("no %q: %v", want, err)
		}
	}
}

func TestACheckUsesEachFileAsTheServerWould(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	in := func(name string) string { return filepath.Join(directory, name) }
	require.NoError(t, errors.Join(os.MkdirAll(in("manifests"), 0o700), os.MkdirAll(in("broken"), 0o700), os.MkdirAll(in("newer"), 0o700), unix.Mkfifo(in("pipe"), 0o600)))
	for name, content := range map[string]string{
		"tracker.json": `{"openssl": {"CVE-2026-1": {"releases": {}}}}`, "text": "no advisories", "secret": "a secret of webhooks", "short": "short",
		"manifests/web.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n", "broken/web.yaml": "kind: {", "newer/version.json": `{"format": 99}`,
		"records.db": "SQLite format 3\x00...",
	} {
		require.NoError(t, os.WriteFile(in(name), []byte(content), 0o600))
	}
	const correct = ""
	for _, test := range []struct{ flags, want string }{
		{"--advisories " + in("tracker.json"), correct},
		{"--advisories " + in("gone"), "--advisories " + in("gone") + ": no such file or directory: correct the path"},
		{"--advisories " + in("text"), "--advisories " + in("text") + ": "},
		{"--advisories " + in("pipe"), "--advisories " + in("pipe") + ": it is not a regular file"},
		{"--builder x=" + in("text"), "text is not an executable file"},
		{"--apply " + in("manifests"), correct},
		{"--apply " + in("broken"), "--apply " + in("broken/web.yaml:1") + ": "},
		{"--source-webhook-address :0 --source-webhook-secret-file " + in("secret"), correct},
		{"--source-webhook-address :0 --source-webhook-secret-file " + in("short"), "needs at least 16"},
		{"--source-webhook-address :0 --source-webhook-secret-file " + in("pipe"), "it is not a regular file: correct the path"},
		{"--log-archive file://" + in("new/logs"), correct},
		{"--log-archive file://" + in("text"), "--log-archive: write to " + in("text") + ": not a directory: let"},
		{"--records sqlite://" + in("new.db"), correct},
		{"--records sqlite://" + in("records.db"), correct},
		{"--records sqlite://" + in("text"), "--records: read " + in("text") + ": it is not a database of SQLite"},
		{"--records sqlite://" + in("manifests"), "it is not a regular file"},
		{"--records sqlite://" + in("gone/new.db"), "gone: no such file or directory"},
		{"--kubeconfig " + in("text") + "/kubeconfig", "text/kubeconfig: not a directory"},
		{"--data-dir " + in("text"), "--data-dir: write to " + in("text") + ": not a directory: set another directory"},
		{"--data-dir " + in("newer"), "is newer than this program"},
		{"--kinds " + in("gone"), "gone: no such file"},
		{"--builders " + in("gone"), "gone: no such file"},
	} {
		command := NewCommand()
		command.SetArgs(append([]string{"--check", "--data-dir", in("data")}, strings.Fields(test.flags)...))
		command.SilenceUsage, command.SilenceErrors = true, true
		command.SetOut(io.Discard)
		switch err := command.ExecuteContext(t.Context()); {
		case test.want == correct && err != nil, test.want != correct && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: got error %v, want %q", test.flags, err, test.want)
		}
	}
	if _, err := os.Stat(in("data")); !os.IsNotExist(err) {
		t.Errorf("a check makes the data directory: %v", err)
	}
}

// TestRootChecksAsTheUserOfTheServer is of root: only it can act as another user.
func TestRootChecksAsTheUserOfTheServer(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can act as another user")
	}
	data, secret := t.TempDir(), filepath.Join(t.TempDir(), "secret")
	require.NoError(t, errors.Join(os.WriteFile(secret, []byte("builders: [{name: secret-of-root}]"), 0o600), os.Symlink(secret, filepath.Join(data, "builders.yaml"))))
	const service = 4711
	require.NoError(t, os.Chown(data, service, service))
	for parent := filepath.Dir(data); parent != os.TempDir(); parent = filepath.Dir(parent) {
		require.NoError(t, os.Chmod(parent, 0o711)) // the service has to reach the directory
	}
	require.NoError(t, os.WriteFile(secret+".sh", []byte("#!/bin/sh\n"), 0o700))
	for arguments, want := range map[string]string{
		"--check": "builders.yaml: permission denied", "--check --advisories " + secret: "--advisories " + secret + ": permission denied",
		"--check --source-webhook-address :0 --source-webhook-secret-file " + secret: "-file " + secret + ": permission denied",
		"--check --builder x=" + secret + ".sh":                                      "secret.sh cannot be executed by the user of the server: allow it",
		"--check --log-archive file://" + filepath.Dir(secret):                       "-archive: write to " + filepath.Dir(secret) + ": permission denied: ",
		"": "belongs to user 4711: run the command as that user",
	} {
		command := NewCommand()
		command.SetArgs(append(strings.Fields(arguments), "--data-dir", data))
		command.SilenceUsage, command.SilenceErrors = true, true
		err := command.ExecuteContext(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret-of-root") {
			t.Errorf("%q: got error %v, want %s", arguments, err, want)
		}
	}
	if left, err := os.ReadDir(data); err != nil || len(left) != 1 {
		t.Errorf("left %v, %v", left, err)
	}
}
