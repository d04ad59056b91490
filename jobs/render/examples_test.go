// SPDX-License-Identifier: Apache-2.0

package render

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/lock"
	"goldsmith.dev/goldsmith/jobs/result"
)

const (
	exampleBuilders = "../../examples/builders"
	// commonPath is where Debian has the tools that the examples need.
	commonPath = "/usr/sbin:/usr/bin:/sbin:/bin"
)

// trickyFiles are files whose paths need quotes in a shell.
var trickyFiles = map[string]string{
	"etc/motd":                       "welcome\n",
	`opt/it's "here"/$HOME * of \n`:  "quoted\n",
	"-rf":                            "",
	"größe":                          "no line break at the end",
	"usr/local/bin/run me":           "#!/bin/sh\necho run\n",
	"usr/local/share/not executable": " #!/bin/sh\n\n\n",
}

// exampleInput is an input of the contract with one target.
func exampleInput(platform string, format v1alpha1.ArtifactFormat, parameters map[string]string) Input {
	target := v1alpha1.Target{Platform: platform, Format: format}
	return Input{
		Version: InputVersion, Attempt: 1,
		Build:      InputBuild{Namespace: "team", Name: "web-7", UID: "0b5c1a52-0000-4000-8000-000000000007"},
		Base:       InputBase{Reference: "debian:bookworm"},
		Files:      trickyFiles,
		Parameters: parameters,
		Targets:    []InputTarget{{Name: result.TargetName(target), Platform: platform, Format: format}},
	}
}

// runExample runs an example and returns the outcome of its result, with the digest and the size that Goldsmith computes, and the
// path of each artifact.
func runExample(t *testing.T, name string, input Input, environment ...string) (outcome result.Outcome, files []string) {
	t.Helper()
	encoded := require.Value(inputs.CanonicalJSON(input))(t)
	path := require.Value(filepath.Abs(filepath.Join(exampleBuilders, name)))(t)
	outputDir, message, exitCode := runBuilder(t, path, string(encoded), environment...)
	var targets []v1alpha1.Target
	for _, target := range input.Targets {
		targets = append(targets, v1alpha1.Target{Platform: target.Platform, Format: target.Format})
	}
	read := result.Readable(message, targets, result.Policy{})
	if read == nil || exitCode != 0 {
		return result.Parse(message, exitCode, targets, result.Policy{}), nil
	}
	for _, content := range read.Contents() {
		if content.Digest != "" || content.SizeBytes != nil {
			t.Errorf("the builder computed the digest or the size of %s, which Goldsmith computes", content.File)
		}
		file := filepath.Join(outputDir, content.File)
		made := require.Value(os.ReadFile(file))(t)
		size := int64(len(made))
		content.Digest, content.SizeBytes = contents.Digest(made), &size
		files = append(files, file)
	}
	return result.Parse(require.Value(read.Message())(t), exitCode, targets, result.Policy{Checked: true}), files
}

// runExampleTwice runs an example as two attempts of two builds, and returns the only artifact of the second, with its path.
func runExampleTwice(t *testing.T, name string, input Input, environment ...string) (v1alpha1.Artifact, string) {
	t.Helper()
	first, _ := runExample(t, name, input, environment...)
	input.Attempt, input.Build.Name = 2, "web-8"
	second, files := runExample(t, name, input, environment...)
	for _, outcome := range []result.Outcome{first, second} {
		if outcome.Failure != nil {
			t.Fatal(outcome.Failure.Message)
		}
	}
	if diff := cmp.Diff(first.Artifacts, second.Artifacts); diff != "" {
		t.Errorf("the same inputs made two artifacts: %s", diff)
	}
	return second.Artifacts[0], files[0]
}

// tool runs a tool of the system on a file that a builder made.
func tool(t *testing.T, name string, arguments ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/" + name)
	}
	if err != nil {
		t.Fatalf("%v: the tests of the example builders need jq and e2fsprogs: apt-get install jq e2fsprogs", err)
	}
	command := exec.CommandContext(t.Context(), path, arguments...)
	out, err := command.Output()
	if exit, failed := errors.AsType[*exec.ExitError](err); failed {
		t.Fatalf("%s %q: %v: %s%s", name, arguments, err, out, exit.Stderr)
	}
	require.NoError(t, err)
	return string(out)
}

func TestTheExampleBuildersAreShort(t *testing.T) {
	scripts := require.Value(filepath.Glob(filepath.Join(exampleBuilders, "*.sh")))(t)
	if len(scripts) != 3 {
		t.Errorf("the examples are %q, want three", scripts)
	}
	for _, script := range scripts {
		if lines := strings.Count(string(require.Value(os.ReadFile(script))(t)), "\n"); lines >= 80 {
			t.Errorf("%s has %d lines", script, lines)
		}
	}
}

func TestTheExt4ExampleMakesAFileSystem(t *testing.T) {
	t.Parallel()
	artifact, image := runExampleTwice(t, "ext4.sh", exampleInput("linux/amd64", v1alpha1.ArtifactFormatRaw, map[string]string{"size": "8M"}))
	if artifact.SizeBytes != 8<<20 || artifact.MediaType != "application/x-raw-disk-image" || artifact.Annotations["uuid"] == "" {
		t.Errorf("the artifact is %+v", artifact)
	}
	tool(t, "e2fsck", "-fn", image) // fails for an image that needs a repair
	for path, content := range trickyFiles {
		quoted := `"/` + strings.ReplaceAll(path, `"`, `""`) + `"`
		if got := tool(t, "debugfs", "-R", "cat "+quoted, image); got != content {
			t.Errorf("%s has %q, want %q", path, got, content)
		}
		mode := "0644"
		if path == "usr/local/bin/run me" {
			mode = "0755"
		}
		stat := tool(t, "debugfs", "-R", "stat "+quoted, image)
		for _, want := range []string{"Mode:  " + mode, "User:     0   Group:     0", "ctime: 0x65920080:00000000"} {
			if !strings.Contains(stat, want) {
				t.Errorf("%s has no %q: %s", path, want, stat)
			}
		}
	}
}

func TestTheOCIExamplePacksAnImage(t *testing.T) {
	t.Parallel()
	rootfs := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(rootfs, "base"), []byte("base\n"), 0o600))
	archive := filepath.Join(t.TempDir(), "rootfs.tar")
	tool(t, "tar", "--create", "--file", archive, "--directory", rootfs, "base")
	for what, c := range map[string]struct {
		platform    string
		environment []string
		layers      int
	}{
		"of files alone": {"linux/amd64", nil, 1},
		"of a directory": {"linux/arm/v7", []string{"ROOTFS=" + rootfs}, 2},
		"of a tar":       {"linux/arm64", []string{"ROOTFS=" + archive}, 2},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			input := exampleInput(c.platform, v1alpha1.ArtifactFormatOCI, map[string]string{"entrypoint": `["/usr/local/bin/run me"]`})
			artifact, file := runExampleTwice(t, "oci.sh", input, c.environment...)
			if artifact.MediaType != "application/vnd.oci.image.layout.v1+tar" {
				t.Errorf("the media type is %s", artifact.MediaType)
			}
			layout := layoutOf(t, file)
			var index struct{ Manifests []descriptor }
			layout.decode(t, "index.json", &index)
			var manifest struct {
				Config descriptor
				Layers []descriptor
			}
			layout.decode(t, index.Manifests[0].blob(), &manifest)
			var config struct {
				OS, Architecture, Variant string
				Config                    struct{ Entrypoint []string }
				Rootfs                    struct {
					DiffIDs []string `json:"diff_ids"`
				}
			}
			layout.decode(t, manifest.Config.blob(), &config)
			platform := strings.TrimSuffix(strings.Join([]string{config.OS, config.Architecture, config.Variant}, "/"), "/")
			if platform != c.platform || !slices.Equal(config.Config.Entrypoint, []string{"/usr/local/bin/run me"}) {
				t.Errorf("the configuration is %+v", config)
			}
			if len(manifest.Layers) != c.layers || len(config.Rootfs.DiffIDs) != c.layers {
				t.Fatalf("there are %d layers and %d diff_ids, want %d", len(manifest.Layers), len(config.Rootfs.DiffIDs), c.layers)
			}
			for i, d := range slices.Concat(manifest.Layers, index.Manifests, []descriptor{manifest.Config}) {
				blob := layout[d.blob()]
				if contents.Digest(blob) != d.Digest || len(blob) != d.Size || i < c.layers && d.Digest != config.Rootfs.DiffIDs[i] {
					t.Errorf("%+v does not match its blob", d)
				}
			}
			if c.layers > 1 && len(untar(t, layout[manifest.Layers[0].blob()])) != 1 {
				t.Error("the root file system is not the first layer")
			}
			files := untar(t, layout[manifest.Layers[c.layers-1].blob()])
			got := map[string]string{}
			for name, content := range files {
				got[strings.TrimPrefix(name, "./")] = string(content)
			}
			if diff := cmp.Diff(trickyFiles, got); diff != "" {
				t.Errorf("the files differ: %s", diff)
			}
		})
	}
}

// descriptor is a descriptor of OCI.
type descriptor struct {
	Digest string
	Size   int
}

func (d descriptor) blob() string { return "blobs/" + strings.Replace(d.Digest, ":", "/", 1) }

// layout is the files of an OCI image layout.
type layout map[string][]byte

func layoutOf(t *testing.T, file string) layout {
	t.Helper()
	files := untar(t, require.Value(os.ReadFile(file))(t))
	if got := string(files["oci-layout"]); got != `{"imageLayoutVersion":"1.0.0"}`+"\n" {
		t.Errorf("the file oci-layout is %q; there are %q", got, slices.Sorted(maps.Keys(files)))
	}
	return files
}

func (l layout) decode(t *testing.T, name string, into any) {
	t.Helper()
	require.NoError(t, json.Unmarshal(l[name], into))
}

// untar returns the regular files of a tar, and checks that root owns them, and that those that begin with #! are executable.
func untar(t *testing.T, archive []byte) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	reader := tar.NewReader(bytes.NewReader(archive))
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		require.NoError(t, err)
		if header.Typeflag != tar.TypeReg {
			continue
		}
		content := require.Value(io.ReadAll(reader))(t)
		if script, executable := bytes.HasPrefix(content, []byte("#!")), header.Mode&0o111 != 0; header.Uid != 0 || header.Gid != 0 || script != executable {
			t.Errorf("%s has owner %d:%d and mode %o", header.Name, header.Uid, header.Gid, header.Mode)
		}
		files[header.Name] = content
	}
}

// standIn returns a PATH whose mmdebstrap is a script.
func standIn(t *testing.T, script string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "mmdebstrap"), []byte("#!/bin/sh\n"+script), 0o700))
	return "PATH=" + dir + ":" + commonPath
}

func TestTheMmdebstrapExampleWrapsTheTool(t *testing.T) {
	t.Parallel()
	const tool = `for argument; do case $argument in */*.tar) output=$argument ;; esac; done
printf '%s\n' "$@" | grep -v '\.tar$' >"$TMPDIR/arguments"
mkdir -p "$HOME/var/lib/dpkg"
cat >"$HOME/var/lib/dpkg/status" <<'end'
Package: vim
Status: install ok installed
Architecture: armhf
Version: 2:9.0.1378-2+deb12u2
Description: Vi IMproved - enhanced vi editor
 Version: none

Package: cron
Status: deinstall ok config-files
Architecture: armhf
Version: 3.0pl1-162

end
tar --create --file "$output" --owner 0 --group 0 --mtime "@$SOURCE_DATE_EPOCH" --directory "$HOME" arguments ./var/lib/dpkg/status
`
	input := exampleInput("linux/arm/v7", v1alpha1.ArtifactFormatOCI, map[string]string{"packages": "vim,g++", "mirror": "https://mirror.example.org/debian"})
	artifact, file := runExampleTwice(t, "mmdebstrap.sh", input, standIn(t, tool))
	if artifact.MediaType != "application/vnd.oci.image.layer.v1.tar" {
		t.Errorf("the media type is %s", artifact.MediaType)
	}
	const want = "--mode=fakechroot\n--variant=minbase\n--format=tar\n--architectures=armhf\n--include=vim,g++\nbookworm\nhttps://mirror.example.org/debian\n"
	if got := string(untar(t, require.Value(os.ReadFile(file))(t))["arguments"]); got != want {
		t.Errorf("the arguments of the tool are %q, want %q", got, want)
	}
	got := require.Value(lock.Read(require.Value(os.ReadFile(file + ".lock.json"))(t)))(t)
	packages := &v1alpha1.Lock{Version: 1, Distribution: &v1alpha1.Distribution{ID: "debian"}, Packages: []v1alpha1.Package{
		{Name: "vim", Version: "2:9.0.1378-2+deb12u2", Architecture: "armhf"},
	}}
	if diff := cmp.Diff(packages, got); diff != "" {
		t.Errorf("the lock differs: %s", diff)
	}
}

func TestTheExampleBuildersRefuseBadInputs(t *testing.T) {
	t.Parallel()
	raw, oci := v1alpha1.ArtifactFormatRaw, v1alpha1.ArtifactFormatOCI
	// Without a tool that an example needs: all others are there.
	without := func(missing string) string {
		dir := t.TempDir()
		for _, from := range filepath.SplitList(commonPath) {
			for _, entry := range require.Value(os.ReadDir(from))(t) {
				if entry.Name() != missing {
					_ = os.Symlink(filepath.Join(from, entry.Name()), filepath.Join(dir, entry.Name())) // the first of a name counts
				}
			}
		}
		return "PATH=" + dir
	}
	for name, c := range map[string]struct {
		script      string
		format      v1alpha1.ArtifactFormat
		parameters  map[string]string
		change      func(*Input)
		environment []string
		reason      v1alpha1.FailureReason // by default BuilderFailed
		message     string                 // how it begins
	}{
		"ext4, no number":          {script: "ext4.sh", format: raw, parameters: map[string]string{"size": "-1M"}, message: `InvalidSize: size is "-1M"`},
		"ext4, a command as size":  {script: "ext4.sh", format: raw, parameters: map[string]string{"size": "$(id)M"}, message: "InvalidSize: size is"},
		"ext4, another parameter":  {script: "ext4.sh", format: raw, parameters: map[string]string{"sizes": "1M"}, message: "UnknownParameter: sizes; "},
		"ext4, another format":     {script: "ext4.sh", format: oci, message: "UnknownFormat: oci; "},
		"ext4, another version":    {script: "ext4.sh", format: raw, change: func(i *Input) { i.Version = 2 }, message: "UnknownVersion: "},
		"ext4, files do not fit":   {script: "ext4.sh", format: raw, parameters: map[string]string{"size": "1M"}, change: func(i *Input) { i.Files = map[string]string{"a": strings.Repeat("x", 1<<20)} }, message: "NotMade: mke2fs: "},
		"ext4, no jq":              {script: "ext4.sh", format: raw, environment: []string{without("jq")}, message: "ToolMissing: the builder needs jq"},
		"oci, no JSON":             {script: "oci.sh", format: oci, parameters: map[string]string{"entrypoint": "/bin/app"}, message: "InvalidEntrypoint: "},
		"oci, no root file system": {script: "oci.sh", format: oci, environment: []string{"ROOTFS=/etc/passwd"}, message: "NoRootFileSystem: /etc/passwd is neither"},
		"mmdebstrap, no tool":      {script: "mmdebstrap.sh", format: oci, environment: []string{without("mmdebstrap")}, message: "ToolMissing: the builder needs mmdebstrap"},
		"mmdebstrap, another base": {script: "mmdebstrap.sh", format: oci, change: func(i *Input) { i.Base.Reference = "debian:bookworm --hook" }, environment: []string{standIn(t, "")}, message: "UnknownBase: "},
		"mmdebstrap, an option":    {script: "mmdebstrap.sh", format: oci, parameters: map[string]string{"packages": "--setup-hook=id"}, environment: []string{standIn(t, "")}, message: "InvalidPackages: "},
		"mmdebstrap, no mirror":    {script: "mmdebstrap.sh", format: oci, parameters: map[string]string{"mirror": "file:///etc"}, environment: []string{standIn(t, "")}, message: "InvalidMirror: "},
		"mmdebstrap, no package":   {script: "mmdebstrap.sh", format: oci, environment: []string{standIn(t, "echo 'E: Unable to locate package vmi'; exit 25")}, message: "NotInstalled: E: Unable to locate package vmi"},
		"mmdebstrap, no answer":    {script: "mmdebstrap.sh", format: oci, environment: []string{standIn(t, "echo 'E: Could not connect to mirror'; exit 25")}, reason: v1alpha1.ReasonBuilderTempFail, message: "MirrorUnavailable: E: Could not connect"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			input := exampleInput("linux/amd64", c.format, c.parameters)
			if c.parameters == nil {
				input.Parameters = map[string]string{}
			}
			if c.change != nil {
				c.change(&input)
			}
			outcome, _ := runExample(t, c.script, input, c.environment...)
			want := c.reason
			if want == "" {
				want = v1alpha1.ReasonBuilderFailed
			}
			if outcome.Failure == nil || outcome.Failure.Reason != want || !strings.HasPrefix(outcome.Failure.Message, c.message) {
				t.Errorf("the outcome is %+v %+v, want %s: %s", outcome, outcome.Failure, want, c.message)
			}
		})
	}
}
