// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/builders"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/capability"
	"goldsmith.dev/goldsmith/jobs/local"
)

// script is a builder that does nothing.
const script = "#!/bin/sh\n"

func TestBuildersAreExecutablesWithNames(t *testing.T) {
	directory := t.TempDir()
	in := func(name string) string { return filepath.Join(directory, name) }
	tool, notes := in("tool"), in("notes")
	require.NoError(t, os.WriteFile(notes, nil, 0o600))
	for name, content := range map[string]string{
		"tool": script, "binary": "\x7fELF\x02\x01\x01\x00", "argument": "#! /bin/sh -e\necho", "no-line": "echo\n", "empty": "",
		"no-interpreter": "#!/bin/gone -x\n", "of-windows": "#!/bin/sh\r\n", "plain-interpreter": "#!" + notes + "\n",
	} {
		require.NoError(t, os.WriteFile(in(name), []byte(content), 0o700))
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
		{pairs: []string{"one=" + in("binary"), "two=" + in("argument")}},
		{pairs: []string{"one=" + in("no-line")}, err: "no-line is not a program: begin a script with a line such as #!/bin/sh"},
		{pairs: []string{"one=" + in("empty")}, err: "empty is not a program"},
		{pairs: []string{"one=" + in("no-interpreter")}, err: `an interpreter that cannot be executed, "/bin/gone": correct the line`},
		{pairs: []string{"one=" + in("of-windows")}, err: `cannot be executed, "/bin/sh\r": correct`},
		{pairs: []string{"one=" + in("plain-interpreter")}, err: "an interpreter that cannot be executed"},
	} {
		builders, err := parsePairs(test.pairs)
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
	require.NoError(t, os.WriteFile(tool, []byte(script), 0o700))
	secret := builder{Description: "Signs disks", Reports: true, Builder: local.Builder{Path: tool, Args: []string{"-v"}, Env: []local.EnvVar{
		{Name: "USER", Value: "hidden-value"}, {Name: "TOKEN", File: tool + "-token"},
	}}}
	registered := &Registry{setup: &setup{fixed: map[string]builder{"mock": {Builder: local.Builder{Path: tool, Args: []string{"mock-builder"}}}}}}
	registered.current.Store(registered.setup.with(map[string]builder{
		"shell": {Builder: local.Builder{Path: tool, Workers: 2}, Capabilities: capability.Capabilities{Targets: []capability.Target{{Format: "raw"}}}}, "secret": secret, "gone": {Builder: local.Builder{Path: tool + "-gone"}},
	}))
	allowed := registered.Allowed().Current()
	want := map[string]v1alpha1.BuilderExecutable{
		"mock":   {Path: tool, Args: []string{"mock-builder"}},
		"shell":  {Path: tool, Workers: new(int32(2))},
		"secret": {Path: tool, Args: []string{"-v"}, Problem: "read variable TOKEN from " + tool + "-token: no such file or directory"},
		"gone":   {Path: tool + "-gone", Problem: tool + "-gone: no such file or directory: correct the path"},
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
	directory := t.TempDir()
	options := Options{Documents: filepath.Join(directory, "builders.yaml"), Optional: true, Executable: "/proc/self/exe", Cache: directory, CacheMaxBytes: 5 << 30}
	registered, err := Read(options)
	require.NoError(t, err)
	for _, shipped := range builders.Shipped() {
		if diff := cmp.Diff(shipped.Capabilities, registered.current.Load().allowed[shipped.Name].Capabilities); diff != "" {
			t.Errorf("builder %s: %s", shipped.Name, diff)
		}
	}
	require.NoError(t, os.WriteFile(options.Documents, []byte("apiVersion: goldsmith.dev/v1alpha1\nkind: BuilderConfiguration\nbuilders: [{name: debian, path: /bin/true}]\n"), 0o600))
	if _, err := Read(options); err == nil || !strings.HasSuffix(err.Error(), "name: debian is built in: choose another name") {
		t.Errorf("a document has the name of a builder that ships: %v", err)
	}
	debian, _ := builders.Find("debian")
	var lacks error
	debian.Missing = func() func() error { return func() error { return lacks } }
	builder := options.register(debian)
	if problem := builder.describe().Problem; problem != "" {
		t.Errorf("problem %q", problem)
	}
	lacks = errors.New("missing on this machine: bubblewrap")
	if problem := builder.describe().Problem; problem != "missing on this machine: bubblewrap" || !builder.Unconfined || !builder.Reports {
		t.Errorf("problem %q of %+v", problem, builder)
	}
	for _, want := range []local.EnvVar{
		{Name: "http_proxy", Value: "http://proxy.example"},
		{Name: "DEBIAN_BUILDER_KEPT", Value: directory}, {Name: "DEBIAN_BUILDER_KEPT_MAX", Value: "5368709120"},
	} {
		if !slices.Contains(builder.Env, want) {
			t.Errorf("the environment has no %v: %v", want, builder.Env)
		}
	}
	options.Cache = ""
	if env := fmt.Sprint(options.register(debian).Env); strings.Contains(env, "DEBIAN_BUILDER_KEPT") {
		t.Errorf("packages are kept without a cache: %s", env)
	}
}

func TestTheAgentKnowsEachBuilderAsLongAsTheServerNamesIt(t *testing.T) {
	t.Parallel()
	r := &Registry{changed: make(chan struct{}, 1)}
	setup := &setup{}
	r.current.Store(setup.with(map[string]builder{"old": {Builder: local.Builder{Path: "/old"}}, "both": {Builder: local.Builder{Path: "/before"}}}))
	declared := map[string]builder{"new": {Builder: local.Builder{Path: "/new"}}, "both": {Builder: local.Builder{Path: "/after"}}}
	var steps []string
	var refusal error
	set := func(builders map[string]local.Builder) error {
		var agent []string
		for _, name := range slices.Sorted(maps.Keys(builders)) {
			agent = append(agent, name+"="+builders[name].Path)
		}
		server := slices.Sorted(maps.Keys(r.Allowed().Current()))
		steps = append(steps, fmt.Sprintf("agent %s, server %s", strings.Join(agent, " "), strings.Join(server, " ")))
		return refusal
	}
	refusal = errors.New("refused")
	if err := r.replace(setup.with(declared), set); !errors.Is(err, refusal) || len(r.changed) != 0 {
		t.Errorf("a refusal: %v, %d changes", err, len(r.changed))
	}
	refusal = nil
	if err := r.replace(setup.with(declared), set); err != nil || len(r.changed) != 1 {
		t.Errorf("a change: %v, %d changes", err, len(r.changed))
	}
	want := []string{"agent both=/after new=/new old=/old source.check=, server both old", "agent both=/after new=/new old=/old source.check=, server both old", "agent both=/after new=/new source.check=, server both new"}
	if !slices.Equal(steps, want) {
		t.Errorf("got %q, want %q", steps, want)
	}
}

// The program that finds out what a source names reaches servers as the server does.
func TestTheCheckerOfSourcesHasTheProxyOfTheServer(t *testing.T) {
	var want []local.EnvVar
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"} {
		t.Setenv(name, "user:s3cret@"+name)
		want = append(want, local.EnvVar{Name: name, Value: "user:s3cret@" + name})
	}
	r := require.Value(Read(Options{Documents: t.TempDir(), Executable: "/goldsmith", CheckSource: []string{"check-source"}}))(t)
	if diff := cmp.Diff(want, r.current.Load().local()[checkerName].Env); diff != "" {
		t.Error(diff)
	}
}

func TestADocumentThatTheUserNamesMustExist(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	path := filepath.Join(directory, "builders.yaml")
	for optional, want := range map[bool]string{true: "", false: "read the builders: " + directory + "/builders.yaml: no such file or directory"} {
		if _, err := Read(Options{Documents: path, Optional: optional}); (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("optional %t: got error %v, want %q", optional, err, want)
		}
	}
}

func TestOnlyARegisteredBuilderIsUnconfined(t *testing.T) {
	for _, name := range []string{"other", "mock"} {
		err := checkUnconfined([]string{name}, map[string]builder{"shell": {}, "mock": {}})
		if want := fmt.Sprintf("--unconfined %q: no builder has this name: register it with --builder %[1]s=/absolute/path", name); fmt.Sprint(err) != want {
			t.Error(err)
		}
	}
}
