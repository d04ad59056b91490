// SPDX-License-Identifier: Apache-2.0

// Package schemas_test lets programs that check manifests without a server do so with the schemas of goldsmith schema, and compares
// what they say with the server's answer.
package schemas_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	kubeconform "github.com/yannh/kubeconform/pkg/validator"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/e2e/clients/server"
	"goldsmith.dev/goldsmith/e2e/require"
)

const (
	repository      = "../../.."
	kubectlValidate = "sigs.k8s.io/kubectl-validate"
	// kubectlValidateVersion requires libraries of Kubernetes 1.30, and does not compile with those of this module.
	kubectlValidateVersion = "v0.0.4"
)

// accepted are manifests that the server accepts, besides the examples.
var accepted = map[string]string{
	"whole":   whole,
	"nothing": "apiVersion: images.goldsmith.dev/v1alpha1\nkind: Image\nmetadata:\n  name: web\nspec:\n  builder: {name: mock}\n  base: {reference: a}\n  targets: [{platform: linux/amd64, format: oci}]\n",
	"null":    strings.NewReplacer("{inline: {files: {etc/motd: hello}}}", "", "{run: 1d12h, start: 0.5h}", "{run: null}", "1048576", "1Gi").Replace(whole),
}

// TestSchemas writes the schemas as a user does, and checks manifests against them.
func TestSchemas(t *testing.T) {
	s := server.Start(t)
	folder, manifests := t.TempDir(), t.TempDir()
	for _, format := range []string{"jsonschema", "openapi"} {
		runs(t, exec.CommandContext(t.Context(), s.Program, "schema", "--format", format, "-o", folder))
	}
	files := map[string]string{} // manifests by path
	write := func(name, manifest string) {
		files[filepath.Join(manifests, name)] = manifest
	}
	for what, manifest := range accepted {
		write(what+".yaml", manifest)
	}
	examples, err := filepath.Glob(filepath.Join(repository, "examples", "*.yaml"))
	if err != nil || len(examples) < 5 {
		t.Fatalf("got the examples %v, error %v", examples, err)
	}
	for _, example := range examples {
		content, err := os.ReadFile(example)
		require.NoError(t, err)
		for i, document := range strings.Split(string(content), "\n---\n") {
			if strings.Contains(document, "kind: Image\n") {
				write(fmt.Sprintf("%s-%d.yaml", filepath.Base(example), i), document)
			}
		}
	}
	for i, b := range allBroken {
		write(b.file(i), b.manifest(t))
	}
	for path, manifest := range files {
		require.NoError(t, os.WriteFile(path, []byte(manifest), 0o600))
	}

	offline := validateOffline(t, folder, manifests)
	conform, err := kubeconform.New([]string{filepath.Join(folder, "{{.Group}}", "{{.ResourceKind}}_{{.ResourceAPIVersion}}.json")}, kubeconform.Opts{Strict: true})
	require.NoError(t, err)
	validators := map[string]func(path string) problems{
		"kubeconform":      func(path string) problems { return conforms(conform, path, files[path]) },
		"kubectl-validate": func(path string) problems { return offline[path] },
		"the server":       func(path string) problems { return dryRun(t, s.Config, files[path]) },
	}
	for validator, check := range validators {
		wrong := map[string]broken{}
		for i, b := range allBroken {
			wrong[filepath.Join(manifests, b.file(i))] = b
		}
		for path := range files {
			b, isBroken := wrong[path]
			found := check(path)
			switch {
			case !isBroken && found.any():
				t.Errorf("%s refuses %s: %s", validator, filepath.Base(path), found)
			case isBroken && !found.any():
				t.Errorf("%s accepts %s", validator, b.what)
			case isBroken && !found.name(b.path):
				t.Errorf("%s: %s: got %s, want %s", validator, b.what, found, b.path)
			}
		}
	}
	t.Logf("%d manifests, %d of them broken", len(files), len(allBroken))
}

func (b broken) file(i int) string { return fmt.Sprintf("broken-%02d.yaml", i) }

// problems are what a validator says about a manifest.
type problems struct {
	paths   []string
	message string
}

func (p problems) any() bool { return p.message != "" }

// name reports whether the problems name a field, or one inside: kubectl-validate names an unknown field where it wants a list. The
// server names the fields that it cannot decode in the message alone.
func (p problems) name(field string) bool {
	last := field[strings.LastIndex(field, ".")+1:]
	return slices.ContainsFunc(p.paths, func(path string) bool { return path == field || strings.HasPrefix(path, field+".") }) ||
		len(p.paths) == 0 && strings.Contains(p.message, last)
}

func (p problems) String() string { return fmt.Sprintf("%q: %s", p.paths, p.message) }

var (
	missing = regexp.MustCompile(`missing (?:property|properties) (.*)`)
	unknown = regexp.MustCompile(`additional properties (.*) not allowed`)
	quoted  = regexp.MustCompile(`'([^']*)'`)
)

// conforms returns the problems that kubeconform finds, with paths in the form of Kubernetes.
func conforms(conform kubeconform.Validator, path, manifest string) (found problems) {
	for _, result := range conform.Validate(path, io.NopCloser(strings.NewReader(manifest))) {
		if result.Err != nil {
			found.message += result.Err.Error()
		}
		for _, problem := range result.ValidationErrors {
			field := fieldOf(problem.Path)
			names := missing.FindStringSubmatch(problem.Msg)
			if names == nil {
				names = unknown.FindStringSubmatch(problem.Msg)
			}
			if names == nil {
				found.paths = append(found.paths, field)
				continue
			}
			for _, name := range quoted.FindAllStringSubmatch(names[1], -1) {
				found.paths = append(found.paths, strings.TrimPrefix(field+"."+name[1], "."))
			}
		}
	}
	return found
}

// fieldOf returns /spec/targets/0 as spec.targets[0].
func fieldOf(pointer string) (field string) {
	for element := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		if _, err := strconv.Atoi(element); err == nil {
			field += "[" + element + "]"
		} else {
			field += "." + element
		}
	}
	return strings.TrimPrefix(field, ".")
}

// validateOffline returns the problems that kubectl-validate finds in all files of a folder, by their path.
func validateOffline(t *testing.T, schemas, manifests string) map[string]problems {
	t.Helper()
	program := filepath.Join(t.TempDir(), "kubectl-validate")
	runs(t, exec.CommandContext(t.Context(), filepath.Join(repository, "e2e/kind/build/go-binary"),
		kubectlValidate+"@"+kubectlValidateVersion, kubectlValidate, program))
	validate := exec.CommandContext(t.Context(), program, "--local-schemas", schemas, "--output", "json", manifests)
	validate.Env = append(os.Environ(), "KUBECONFIG="+filepath.Join(t.TempDir(), "none"))
	output, err := validate.Output() // an error, because most are broken
	var statuses map[string][]metav1.Status
	if decodeErr := json.Unmarshal(output, &statuses); decodeErr != nil || err == nil {
		t.Fatalf("kubectl-validate: %v, %v: %.500s", err, decodeErr, output)
	}
	found := map[string]problems{}
	for path, each := range statuses {
		var all problems
		for i := range each {
			if each[i].Status == metav1.StatusSuccess {
				continue
			}
			all.message += each[i].Message
			if each[i].Details == nil {
				continue
			}
			for _, cause := range each[i].Details.Causes {
				all.paths = append(all.paths, cause.Field)
			}
		}
		found[path] = all
	}
	return found
}

// dryRun returns the server's problems with the creation of an Image.
func dryRun(t *testing.T, config *rest.Config, manifest string) (found problems) {
	t.Helper()
	client, err := rest.HTTPClientFor(config)
	require.NoError(t, err)
	address := config.Host + "/apis/images.goldsmith.dev/v1alpha1/namespaces/default/images?dryRun=All&fieldValidation=Strict"
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(manifest))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/yaml")
	request.Header.Set("Accept", "application/json")
	response, err := client.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode < http.StatusBadRequest {
		return found
	}
	var status metav1.Status
	require.NoError(t, json.NewDecoder(response.Body).Decode(&status))
	if response.StatusCode >= http.StatusInternalServerError {
		t.Errorf("the server answered %d: %s", response.StatusCode, status.Message)
	}
	found.message = status.Message
	if status.Details == nil {
		return found
	}
	for _, cause := range status.Details.Causes {
		found.paths = append(found.paths, cause.Field)
	}
	return found
}

func runs(t *testing.T, command *exec.Cmd) {
	t.Helper()
	var complaints bytes.Buffer
	command.Stderr = &complaints
	if err := command.Run(); err != nil {
		t.Fatalf("%s: %v: %s", command, err, &complaints)
	}
}
