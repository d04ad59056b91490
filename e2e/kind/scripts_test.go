// SPDX-License-Identifier: Apache-2.0

package kind

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/e2e/require"
)

// checkout is a copy of the scripts, with a cache and a machine of its own: Docker, kind and kubectl are fakes. They give
// the test's answers, and record their arguments.
type checkout struct {
	directory string
	cache     string
	fakes     string
	asked     string
}

func newCheckout(t *testing.T) *checkout {
	t.Helper()
	c := &checkout{directory: filepath.Join(t.TempDir(), "checkout"), cache: t.TempDir(), fakes: t.TempDir()}
	c.asked = filepath.Join(c.fakes, "asked")
	require.NoError(t, os.CopyFS(c.directory, os.DirFS(".")))
	c.fake(t, "sudo", "")
	c.fake(t, "docker", "")
	return c
}

// fake puts a program onto the machine. It is a bash script that gets the arguments.
func (c *checkout) fake(t *testing.T, name, script string) {
	t.Helper()
	text := "#!/usr/bin/env bash\necho " + name + ` "$@" >>` + c.asked + "\n" + script + "\n"
	require.NoError(t, os.WriteFile(filepath.Join(c.fakes, name), []byte(text), 0o700))
}

// bash runs a script in the checkout.
func (c *checkout) bash(t *testing.T, script string) (out, complaints string, err error) {
	t.Helper()
	var stdout, stderr strings.Builder
	command := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script)
	command.Dir, command.Stdout, command.Stderr = c.directory, &stdout, &stderr
	command.Env = append(os.Environ(), "PATH="+c.fakes+":"+os.Getenv("PATH"), "XDG_CACHE_HOME="+c.cache, "TMPDIR="+c.fakes, "KIND_NODE=build")
	err = command.Run()
	return stdout.String(), stderr.String(), err
}

func (c *checkout) mustBash(t *testing.T, script string) string {
	t.Helper()
	out, complaints, err := c.bash(t, script)
	if err != nil {
		t.Fatalf("%v: %s", err, complaints)
	}
	return strings.TrimSpace(out)
}

// replace changes the text of one of the scripts.
func (c *checkout) replace(t *testing.T, file, old, changed string) {
	t.Helper()
	path := filepath.Join(c.directory, file)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	if !strings.Contains(string(text), old) {
		t.Fatalf("%s has no %q", file, old)
	}
	require.NoError(t, os.WriteFile(path, []byte(strings.ReplaceAll(string(text), old, changed)), 0o700))
}

const names = `source config.sh; built_node_image; for name in kubelet crictl pause; do echo "${path[$name]##*/}"; done`

func TestAnotherCheckoutWithTheSameRecipeFindsWhatWasBuilt(t *testing.T) {
	one, other := newCheckout(t), newCheckout(t)
	if first, second := one.mustBash(t, names), other.mustBash(t, names); first != second {
		t.Errorf("%s\nin another checkout: %s", first, second)
	}
}

func TestAChangeMakesThatAndTheNodeImageNew(t *testing.T) {
	for _, test := range []struct {
		name, file, old, changed string
		remain                   []string
	}{
		{"a version", "versions.env", "CRICTL=", "CRICTL=9", []string{"kubelet", "pause"}},
		{"flags", "build/binaries.sh", "gitTreeState=clean", "gitTreeState=dirty", []string{"crictl", "pause"}},
		{"how pause is built", "build/pause", "-Os", "-O2", []string{"kubelet", "crictl"}},
		{"a file of the node", "node/pod-network", "10.244", "10.245", []string{"kubelet", "crictl", "pause"}},
		{"a package", "build/rootfs", "ethtool", "ethtool-ng", []string{"kubelet", "crictl", "pause"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCheckout(t)
			before := strings.Fields(c.mustBash(t, names))
			c.replace(t, test.file, test.old, test.changed)
			after := strings.Fields(c.mustBash(t, names))
			if before[0] == after[0] {
				t.Errorf("the node image is still %s", after[0])
			}
			for i, name := range []string{"kubelet", "crictl", "pause"} {
				if same := before[i+1] == after[i+1]; same != slices.Contains(test.remain, name) {
					t.Errorf("%s was %s, and is %s", name, before[i+1], after[i+1])
				}
			}
		})
	}
}

// Kueue, PostgreSQL and the S3 server run in clusters, but are no part of a node.
func TestAChangeOfAProgramForClustersIsAnotherImageAndTheSameNode(t *testing.T) {
	for _, test := range []struct{ program, name, file, old, changed string }{
		{"kueue", "a version", "versions.env", "KUEUE=", "KUEUE=9"},
		{"kueue", "how its program is built", "build/binaries.sh", "kueue/pkg/version.GitVersion", "kueue/pkg/version.Version"},
		{"kueue", "who it runs as", "kueue/Dockerfile", "65532", "1000"},
		{"s3", "a version", "versions.env", "VERSITYGW=", "VERSITYGW=9"},
		{"s3", "how an image is made", "build/program-image", "docker build", "docker build --pull"},
		{"postgres", "a package", "postgres/rootfs", "--include=postgresql", "--include=postgresql,postgresql-contrib"},
		{"postgres", "who it runs as", "postgres/image", "65532", "1000"},
	} {
		t.Run(test.program+" "+test.name, func(t *testing.T) {
			c, names := newCheckout(t), "source "+test.program+"/environment.sh; built_node_image; "+test.program+"_image"
			before := strings.Fields(c.mustBash(t, names))
			c.replace(t, test.file, test.old, test.changed)
			after := strings.Fields(c.mustBash(t, names))
			if before[0] != after[0] || before[1] == after[1] {
				t.Errorf("before: %q, after: %q", before, after)
			}
		})
	}
}

func TestAScriptThatNeedsAClusterAsksForIt(t *testing.T) {
	c := newCheckout(t)
	for _, script := range []string{"kueue/up", "kueue/down", "postgres/load", "s3/up"} {
		if _, complaints, err := c.bash(t, script); err == nil || !strings.Contains(complaints, "usage: "+script+" CLUSTER") {
			t.Errorf("%s without a name: %v: %s", script, err, complaints)
		}
	}
}

// configuration has the fields of kind's configuration that the tests check.
type configuration struct {
	Networking struct {
		APIServerAddress  string `json:"apiServerAddress"`
		DisableDefaultCNI bool   `json:"disableDefaultCNI"`
	}
	Nodes []struct {
		Role        string
		ExtraMounts []struct{ HostPath, ContainerPath string }
	}
	KubeadmConfigPatches         []string
	KubeadmConfigPatchesJSON6902 []struct{ Patch string }
}

func (c *checkout) configuration(t *testing.T, image, arguments string) (configuration, []map[string]any) {
	t.Helper()
	text := c.mustBash(t, "source config.sh; node_image="+image+"; configuration "+arguments)
	var parsed configuration
	if err := yaml.Unmarshal([]byte(text), &parsed); err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	var operations []map[string]any
	for _, patch := range parsed.KubeadmConfigPatchesJSON6902 {
		if err := yaml.Unmarshal([]byte(patch.Patch), &operations); err != nil {
			t.Fatalf("%v:\n%s", err, patch.Patch)
		}
	}
	return parsed, operations
}

func TestTheConfigurationSaysWhatWasAskedFor(t *testing.T) {
	c := newCheckout(t)
	one, operations := c.configuration(t, "goldsmith/node:v1", "0 false ''")
	if len(one.Nodes) != 1 || one.Nodes[0].Role != "control-plane" {
		t.Errorf("without workers the nodes are %+v", one.Nodes)
	}
	if one.Networking.APIServerAddress != "127.0.0.1" {
		t.Errorf("the API server listens on %q", one.Networking.APIServerAddress)
	}
	if !one.Networking.DisableDefaultCNI || len(operations) != 3 {
		t.Errorf("an image that was built has a network of its own: %+v, %v", one.Networking, operations)
	}

	three, operations := c.configuration(t, "goldsmith/node:v1", "2 true /users")
	if len(three.Nodes) != 3 || three.Nodes[2].Role != "worker" {
		t.Errorf("with two workers the nodes are %+v", three.Nodes)
	}
	mounts := three.Nodes[0].ExtraMounts
	if len(mounts) != 2 || mounts[0].HostPath != filepath.Join(c.directory, "audit-policy.yaml") || mounts[1].HostPath != "/users" || len(operations) != 10 {
		t.Errorf("the audit log needs a policy and flags, and so does the configuration of users: %+v, %v", mounts, operations)
	}

	pulled, operations := c.configuration(t, `"$KIND_NODE_IMAGE"`, "0 false ''")
	if pulled.Networking.DisableDefaultCNI || len(operations) != 2 {
		t.Errorf("kind's own image has kind's network: %+v, %v", pulled.Networking, operations)
	}
}

func TestTheNodeImageIsTheOneThatWasAskedFor(t *testing.T) {
	const asked = "kindest/node:v1.36.4@sha256:0123"
	c := newCheckout(t)
	choice := func(setting string) string {
		return "KIND_NODE=" + setting + `; source config.sh; choose_node_image; echo "$node_image"; built && echo built || echo pulled`
	}
	if got := c.mustBash(t, choice(asked)); got != asked+"\npulled" {
		t.Errorf("an image: %s", got)
	}
	if got := c.mustBash(t, choice("pull")); !strings.HasPrefix(got, "kindest/node:") || !strings.HasSuffix(got, "\npulled") {
		t.Errorf("pull: %s", got)
	}
	if got := c.mustBash(t, choice("build")); !strings.HasPrefix(got, "goldsmith/node:") || !strings.HasSuffix(got, "\nbuilt") {
		t.Errorf("build: %s", got)
	}
	if _, complaints, err := c.bash(t, choice("v1.36.4")); err == nil || !strings.Contains(complaints, "KIND_NODE is 'v1.36.4'") {
		t.Errorf("neither of them: %v: %s", err, complaints)
	}
}

func TestTheKubeletIsToldOfCgroupV1OnlyThere(t *testing.T) {
	for version, patches := range map[string]int{"1": 1, "2": 0} {
		c := newCheckout(t)
		c.fake(t, "docker", "echo "+version)
		if got, _ := c.configuration(t, "goldsmith/node:v1", "0 false ''"); len(got.KubeadmConfigPatches) != patches {
			t.Errorf("on cgroup v%s the patches are %q", version, got.KubeadmConfigPatches)
		}
	}
}

// everythingBuilt pretends that, and that Docker has a cluster of these nodes.
func (c *checkout) everythingBuilt(t *testing.T, nodes ...string) {
	t.Helper()
	image := c.mustBash(t, `source config.sh; mkdir -p "$cache/bin"; cp `+c.fakes+`/sudo "${path[kind]}"; cp `+c.fakes+`/sudo "${path[kubectl]}"; built_node_image`)
	c.fake(t, "docker", `case "$1 $*" in
  "ps "*status=*) ;;
  "ps "*) printf '%s\n' `+strings.Join(nodes, " ")+` ;;
  "inspect "*) echo `+image+` ;;
esac`)
}

func TestUpLeavesAHealthyClusterAsItIs(t *testing.T) {
	c := newCheckout(t)
	c.everythingBuilt(t, "one-control-plane", "one-worker")
	c.mustBash(t, "./cluster up one --workers 1")
	asked, err := os.ReadFile(c.asked)
	require.NoError(t, err)
	for _, verb := range []string{"create cluster", "docker start", "docker unpause", "delete"} {
		if strings.Contains(string(asked), verb) {
			t.Errorf("%s:\n%s", verb, asked)
		}
	}
}

func TestUpRefusesAClusterThatIsNotWhatWasAskedFor(t *testing.T) {
	c := newCheckout(t)
	c.everythingBuilt(t, "one-control-plane", "one-worker")
	_, complaints, err := c.bash(t, "./cluster up one --workers 2")
	if err == nil || !strings.Contains(complaints, "has 1 workers, not 2: run `./cluster down one` first") {
		t.Errorf("%v: %s", err, complaints)
	}
	c.replace(t, "versions.env", "CRICTL=", "CRICTL=9")
	c.fake(t, "docker", `case "$1" in ps) echo one-control-plane ;; inspect) echo goldsmith/node:older ;; esac`)
	_, complaints, err = c.bash(t, "./cluster up one")
	if err == nil || !strings.Contains(complaints, "was made from another node image") {
		t.Errorf("%v: %s", err, complaints)
	}
}

func TestDownThawsWhatKeepsANodeFromEnding(t *testing.T) {
	c, cgroups := newCheckout(t), t.TempDir()
	c.everythingBuilt(t, "one-control-plane")
	c.fake(t, "sudo", `"$@"`)
	states := map[string]string{
		"freezer/docker/one-control-plane/kubelet.slice/pod/freezer.state": "THAWED",
		"freezer/docker/another/kubelet.slice/pod/freezer.state":           "FROZEN",
	}
	for file := range states {
		path := filepath.Join(cgroups, file)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte("FROZEN\n"), 0o600))
	}
	c.replace(t, "cluster", "/sys/fs/cgroup", cgroups)
	c.fake(t, "kind", "if grep -rq FROZEN "+cgroups+"/freezer/docker/one-control-plane; then echo did not receive an exit event; exit 1; fi")
	c.mustBash(t, `source config.sh; ln -sf `+c.fakes+`/kind "${path[kind]}"`)
	c.mustBash(t, "./cluster down one")
	for file, state := range states {
		text, err := os.ReadFile(filepath.Join(cgroups, file))
		if err != nil || strings.TrimSpace(string(text)) != state {
			t.Errorf("%s is %q (%v), not %s", file, text, err, state)
		}
	}

	c.fake(t, "kind", "echo no route to Docker; exit 1")
	if _, complaints, err := c.bash(t, "./cluster down one"); err == nil || !strings.Contains(complaints, "no route to Docker") {
		t.Errorf("%v: %s", err, complaints)
	}
}

func TestAFailedStepShowsWhatItSaid(t *testing.T) {
	c := newCheckout(t)
	out, complaints, err := c.bash(t, `source build/environment.sh; step first true; step second sh -c 'echo broken; exit 3'; echo on`)
	if err == nil || out != "" {
		t.Errorf("it went on: %v %q", err, out)
	}
	if !regexp.MustCompile(`(?s)^first \.\.\. \d+ s\nsecond \.\.\. failed .*broken`).MatchString(complaints) {
		t.Error(complaints)
	}
}

func TestTheBoundedRuntimeTakesOneCapabilityOut(t *testing.T) {
	c := newCheckout(t)
	c.fake(t, "runc", "")
	for _, test := range []struct{ file, arguments, before, after string }{
		{"config.json", "--root /run/runc create --bundle BUNDLE --pid-file x id",
			`{"process":{"capabilities":{"bounding":["CAP_A","CAP_SYS_RESOURCE","CAP_B"],"permitted":["CAP_SYS_RESOURCE","CAP_A"]},"args":["create"]}}`,
			`{"process":{"capabilities":{"bounding":["CAP_A","CAP_B"],"permitted":["CAP_A"]},"args":["create"]}}`},
		{"process.json", "exec --process BUNDLE/process.json id",
			`{"capabilities":{"bounding":["CAP_A","CAP_SYS_RESOURCE"],"permitted":["CAP_SYS_RESOURCE"]}}`,
			`{"capabilities":{"bounding":["CAP_A"],"permitted":[]}}`},
		{"config.json", "delete id", `["CAP_SYS_RESOURCE"]`, `["CAP_SYS_RESOURCE"]`},
	} {
		bundle := t.TempDir()
		file := filepath.Join(bundle, test.file)
		require.NoError(t, os.WriteFile(file, []byte(test.before), 0o600))
		arguments := strings.ReplaceAll(test.arguments, "BUNDLE", bundle)
		c.mustBash(t, "docker/runc-bounded "+arguments)
		after, err := os.ReadFile(file)
		require.NoError(t, err)
		if !json.Valid(after) || string(after) != test.after {
			t.Errorf("%s: %s", test.arguments, after)
		}
		asked, err := os.ReadFile(c.asked)
		require.NoError(t, err)
		if !strings.HasSuffix(string(asked), "runc "+arguments+"\n") {
			t.Errorf("runc was asked %s", asked)
		}
	}
}
