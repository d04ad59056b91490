// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/builders"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/datadir"
	"goldsmith.dev/goldsmith/cmd/goldsmith/up/registry"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/capability"
	"goldsmith.dev/goldsmith/jobs/local"
)

// mockName is the name of the builder that most tests use.
const mockName = "mock"

func TestBuildersAreExecutablesWithNames(t *testing.T) {
	directory := t.TempDir()
	tool, notes := filepath.Join(directory, "tool"), filepath.Join(directory, "notes")
	for path, mode := range map[string]os.FileMode{tool: 0o755, notes: 0o644} {
		require.NoError(t, os.WriteFile(path, nil, mode))
	}
	for _, test := range []struct {
		pairs []string
		err   string
	}{
		{pairs: nil},
		{pairs: []string{"one=" + tool, "two=" + tool}},
		{pairs: []string{tool}, err: "must be name=/absolute/path"},
		{pairs: []string{"Packer=" + tool}, err: "lower case"},
		{pairs: []string{"=" + tool}, err: `name ""`},
		{pairs: []string{"mock=" + tool}, err: "built in"},
		{pairs: []string{"debian=" + tool}, err: "built in"},
		{pairs: []string{"one=" + tool, "one=" + tool}, err: "twice"},
		{pairs: []string{"one=tool"}, err: "must be absolute"},
		{pairs: []string{"one=" + tool + "-missing"}, err: "no such file"},
		{pairs: []string{"one=" + notes}, err: "not an executable"},
		{pairs: []string{"one=" + directory}, err: "not an executable"},
	} {
		builders, err := parseBuilders(test.pairs)
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%q: got error %v, want %q", test.pairs, err, test.err)
			}
			continue
		}
		if err != nil || len(builders) != len(test.pairs) {
			t.Errorf("%q: got %v, error %v", test.pairs, builders, err)
		}
	}
}

func TestTheListOfBuildersTellsWhichCanRunAndNoValueOfAVariable(t *testing.T) {
	tool := filepath.Join(t.TempDir(), "tool")
	require.NoError(t, os.WriteFile(tool, nil, 0o700))
	secret := registry.Builder{Description: "Signs disks", Reports: true, Builder: local.Builder{Path: tool, Args: []string{"-v"}, Env: []local.EnvVar{
		{Name: "USER", Value: "hidden-value"}, {Name: "TOKEN", File: tool + "-token"},
	}}}
	registered := &registrations{fixed: map[string]registry.Builder{mockName: {Builder: local.Builder{Path: tool, Args: []string{"mock-builder"}}}}}
	registered.current.Store(registered.with(map[string]registry.Builder{
		"shell": {Builder: local.Builder{Path: tool, Workers: 2}, Capabilities: capability.Capabilities{Targets: []capability.Target{{Format: "raw"}}}}, "secret": secret, "gone": {Builder: local.Builder{Path: tool + "-gone"}},
	}))
	allowed := registered.allowed().Current()
	want := map[string]v1alpha1.BuilderExecutable{
		"mock":   {Path: tool, Args: []string{"mock-builder"}},
		"shell":  {Path: tool, Workers: new(int32(2))},
		"secret": {Path: tool, Args: []string{"-v"}, Problem: "read variable TOKEN from " + tool + "-token: no such file or directory"},
		"gone":   {Path: tool + "-gone", Problem: "stat " + tool + "-gone: no such file or directory"},
	}
	got := map[string]v1alpha1.BuilderExecutable{}
	for name, builder := range allowed {
		got[name] = *builder.Executable()
		if builder.Reports != (name == "secret") {
			t.Errorf("builder %s reports: %t", name, builder.Reports)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	require.NoError(t, os.WriteFile(tool+"-token", nil, 0o600))
	if problem := allowed["secret"].Executable().Problem; problem != "" || allowed["secret"].Description != "Signs disks" {
		t.Errorf("the file is there, but the problem is %q (%+v)", problem, allowed["secret"])
	}
	if allowed := allowed["shell"].Capabilities; len(allowed.Targets) != 1 {
		t.Errorf("controllers and server check %+v", allowed)
	}
}

func TestTheBuildersThatShipAreRegisteredAndTellWhatTheMachineLacks(t *testing.T) {
	t.Setenv("http_proxy", "http://proxy.example")
	options := Options{DataDirectory: t.TempDir()}
	require.NoError(t, options.complete())
	registered, err := options.readBuilders()
	require.NoError(t, err)
	for _, shipped := range builders.Shipped() {
		if diff := cmp.Diff(shipped.Capabilities, registered.current.Load().allowed[shipped.Name].Capabilities); diff != "" {
			t.Errorf("builder %s: %s", shipped.Name, diff)
		}
	}
	require.NoError(t, os.WriteFile(filepath.Join(options.DataDirectory, datadir.BuildersFile), []byte("apiVersion: goldsmith.dev/v1alpha1\nkind: BuilderConfiguration\nbuilders: [{name: debian, path: /bin/true}]\n"), 0o600))
	if _, err := options.readBuilders(); err == nil || !strings.HasSuffix(err.Error(), "name: debian is built in: choose another name") {
		t.Errorf("a document has the name of a builder that ships: %v", err)
	}
	debian, _ := builders.Find("debian")
	var lacks error
	debian.Missing = func() func() error { return func() error { return lacks } }
	builder := options.register(debian)
	if problem := builder.Describe().Problem; problem != "" {
		t.Errorf("problem %q", problem)
	}
	lacks = errors.New("missing on this machine: bubblewrap")
	if problem := builder.Describe().Problem; problem != "missing on this machine: bubblewrap" || !builder.Unconfined || !builder.Reports {
		t.Errorf("problem %q of %+v", problem, builder)
	}
	for _, want := range []local.EnvVar{
		{Name: "http_proxy", Value: "http://proxy.example"},
		{Name: "DEBIAN_BUILDER_KEPT", Value: filepath.Join(options.DataDirectory, "cache")}, {Name: "DEBIAN_BUILDER_KEPT_MAX", Value: "5368709120"},
	} {
		if !slices.Contains(builder.Env, want) {
			t.Errorf("the environment has no %v: %v", want, builder.Env)
		}
	}
	options.Memory = true
	if env := fmt.Sprint(options.register(debian).Env); strings.Contains(env, "DEBIAN_BUILDER_KEPT") {
		t.Errorf("packages are kept with --memory: %s", env)
	}
}

func TestTheAgentKnowsEachBuilderAsLongAsTheServerNamesIt(t *testing.T) {
	t.Parallel()
	r := &registrations{changed: make(chan struct{}, 1)}
	r.current.Store(r.with(map[string]registry.Builder{"old": {Builder: local.Builder{Path: "/old"}}, "both": {Builder: local.Builder{Path: "/before"}}}))
	declared := map[string]registry.Builder{"new": {Builder: local.Builder{Path: "/new"}}, "both": {Builder: local.Builder{Path: "/after"}}}
	var steps []string
	var refusal error
	set := func(builders map[string]local.Builder) error {
		var agent []string
		for _, name := range slices.Sorted(maps.Keys(builders)) {
			agent = append(agent, name+"="+builders[name].Path)
		}
		server := slices.Sorted(maps.Keys(r.allowed().Current()))
		steps = append(steps, fmt.Sprintf("agent %s, server %s", strings.Join(agent, " "), strings.Join(server, " ")))
		return refusal
	}
	refusal = errors.New("refused")
	if err := r.replace(declared, set); !errors.Is(err, refusal) || len(r.changed) != 0 {
		t.Errorf("a refusal: %v, %d changes", err, len(r.changed))
	}
	refusal = nil
	if err := r.replace(declared, set); err != nil || len(r.changed) != 1 {
		t.Errorf("a change: %v, %d changes", err, len(r.changed))
	}
	want := []string{"agent both=/after new=/new old=/old, server both old", "agent both=/after new=/new old=/old, server both old", "agent both=/after new=/new, server both new"}
	if !slices.Equal(steps, want) {
		t.Errorf("got %q, want %q", steps, want)
	}
}

func TestADocumentThatTheUserNamesMustExist(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	for _, test := range []struct{ documents, want string }{
		{"", ""}, {filepath.Join(directory, datadir.BuildersFile), "read the builders: " + directory + "/builders.yaml: no such file or directory"},
	} {
		options := Options{DataDirectory: directory, BuilderDocuments: test.documents}
		require.NoError(t, options.complete())
		if _, err := options.readBuilders(); (err == nil) != (test.want == "") || err != nil && err.Error() != test.want {
			t.Errorf("--builders %q: got error %v, want %q", test.documents, err, test.want)
		}
	}
}

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
