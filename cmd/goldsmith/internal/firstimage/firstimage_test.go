// SPDX-License-Identifier: Apache-2.0

package firstimage

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/builders"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

func TestAFileIsNeverOverwritten(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("web.yaml", []byte("mine"), 0o600))
	out := &bytes.Buffer{}
	err := (&first{Name: "web"}).write(true, out)
	if err == nil || !strings.Contains(err.Error(), "web.yaml exists: delete the file") || out.Len() > 0 {
		t.Errorf("got %v and %q", err, out)
	}
	if left, _ := filepath.Glob("*"); len(left) != 1 {
		t.Errorf("there are %v, want what was there before", left)
	}
	if content, _ := os.ReadFile("web.yaml"); string(content) != "mine" {
		t.Errorf("the file is now %q", content)
	}
}

func TestTheSchemaThatTheImageNamesIsBesideIt(t *testing.T) {
	t.Chdir(t.TempDir())
	const wroteSchema = "wrote images.goldsmith.dev/image_v1alpha1.json: "
	out := &bytes.Buffer{}
	if err := (&first{Name: "web"}).write(true, out); err != nil || !strings.Contains(out.String(), wroteSchema) {
		t.Fatalf("got %v and %q", err, out)
	}
	manifest, err := os.ReadFile("web.yaml")
	require.NoError(t, err)
	modeline, _, _ := strings.Cut(string(manifest), "\n")
	name, isModeline := strings.CutPrefix(modeline, "# yaml-language-server: $schema=")
	if content, err := os.ReadFile(name); !isModeline || err != nil || !json.Valid(content) {
		t.Errorf("the first line is %q: %v, JSON: %t", modeline, err, json.Valid(content))
	}

	require.NoError(t, os.WriteFile(name, []byte("mine"), 0o600))
	out.Reset()
	if err := (&first{Name: "other"}).write(false, out); err != nil || strings.Contains(out.String(), wroteSchema) {
		t.Errorf("got %v and %q", err, out)
	}
	if content, _ := os.ReadFile(name); string(content) != "mine" {
		t.Errorf("the schema is now %.100q", content)
	}
}

// The server does not run the builders of this test: they only say what they take.
func TestAnImageFitsItsBuilder(t *testing.T) {
	t.Chdir(t.TempDir())
	taken := inputs.Builders{Registered: map[string]inputs.Builder{}}
	for _, shipped := range builders.Shipped() {
		taken.Registered[shipped.Name] = inputs.Builder{Capabilities: shipped.Capabilities}
	}
	for _, builder := range builders.Names() {
		command := NewCommand()
		command.SetArgs([]string{builder + "-image", "--builder", builder})
		command.SetOut(&bytes.Buffer{})
		require.NoError(t, command.Execute())
		image := &v1alpha1.Image{}
		require.NoError(t, yaml.UnmarshalStrict(require.Value(os.ReadFile(builder+"-image.yaml"))(t), image))
		if errs := taken.Validate(&image.Spec.BuildInputs, field.NewPath("spec")); len(errs) > 0 || image.Spec.Builder.Name != builder {
			t.Errorf("builder %s: %v", image.Spec.Builder.Name, errs)
		}
		image.Spec.Builder.Name, image.Spec.Parameters = "debian", nil // what a user changes first
		if errs := taken.Validate(&image.Spec.BuildInputs, field.NewPath("spec")); len(errs) > 0 {
			t.Errorf("%s with builder debian: %v", builder, errs)
		}
	}
	command := NewCommand()
	command.SetArgs([]string{"other", "--builder", "packer"})
	command.SetOut(&bytes.Buffer{})
	command.SetErr(&bytes.Buffer{})
	if err := command.Execute(); err == nil || !strings.HasPrefix(err.Error(), `builder "packer" is none of mock, debian: set one`) {
		t.Errorf("got %v", err)
	}
}

func TestAnImageHasTheNameOfAnImage(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"", "../web", "Web", "a.b"} {
		if err := (&first{Name: name}).write(false, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "image name ") {
			t.Errorf("%q: got %v", name, err)
		}
	}
	if left, _ := filepath.Glob("*"); len(left) > 0 {
		t.Errorf("there are %v", left)
	}
}

// The script calls sleep where a user's own steps would take time. Here its sleep takes no time.
func TestTheShellBuilderKeepsTheContract(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, (&first{Name: "web"}).write(true, &bytes.Buffer{}))
	script, err := os.ReadFile("web-builder.sh")
	require.NoError(t, err)
	if !bytes.Contains(script, []byte("sleep 1\n")) {
		t.Fatal("the script has no sleep to leave out")
	}
	require.NoError(t, os.WriteFile("web-builder.sh", bytes.ReplaceAll(script, []byte("sleep 1\n"), []byte(":\n")), 0o700))
	const input = `{"attempt":1,"base":{"reference":"debian:bookworm"},"build":{"name":"web-1","namespace":"team","uid":"a"},"files":{},` +
		`"parameters":{},"targets":[{"format":"raw","name":"linux/amd64/raw","platform":"linux/amd64"}],"version":1}`
	for path, content := range map[string]string{"input": input, "result": ""} {
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	}
	require.NoError(t, os.Mkdir("output", 0o700))
	builder := exec.CommandContext(t.Context(), "./web-builder.sh")
	builder.Env = []string{render.EnvInput + "=input", render.EnvOutput + "=output", render.EnvResult + "=result"}
	log, err := builder.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, log)
	}
	written, err := os.ReadFile("result")
	require.NoError(t, err)
	parsed := result.Parse(string(written), 0, []v1alpha1.Target{{Platform: "linux/amd64", Format: "raw"}}, result.Policy{})
	if parsed.Failure != nil || len(parsed.Artifacts) != 1 {
		t.Errorf("the result is %s: %+v", written, parsed)
	}
}
