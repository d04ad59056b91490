// SPDX-License-Identifier: Apache-2.0

package render

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/result"
)

const buildersPage = "../../docs/builders.md"

// shellBuilder is the builder that the page shows, as an executable file.
func shellBuilder(t *testing.T) string {
	t.Helper()
	page := require.Value(os.ReadFile(buildersPage))(t)
	_, rest, found := strings.Cut(string(page), "```sh\n")
	script, _, closed := strings.Cut(rest, "```\n")
	if !found || !closed {
		t.Fatalf("%s shows no shell builder", buildersPage)
	}
	if lines := strings.Count(script, "\n"); lines > 20 {
		t.Errorf("the shell builder of 20 lines is %d lines long", lines)
	}
	path := filepath.Join(t.TempDir(), "builder.sh")
	require.NoError(t, os.WriteFile(path, []byte(script), 0o700))
	return path
}

// runBuilder runs a builder with nothing but the contract, and with further variables.
func runBuilder(t *testing.T, builder, input string, environment ...string) (outputDir, message string, exitCode int32) {
	t.Helper()
	dir := t.TempDir()
	inputPath, resultPath := filepath.Join(dir, "in put.json"), filepath.Join(dir, "result")
	outputDir = filepath.Join(dir, "out put")
	require.NoError(t, os.WriteFile(inputPath, []byte(input), 0o400))
	require.NoError(t, os.Mkdir(outputDir, 0o700))
	command := exec.CommandContext(t.Context(), builder)
	command.Dir = "/"
	command.Env = append([]string{EnvInput + "=" + inputPath, EnvOutput + "=" + outputDir, EnvResult + "=" + resultPath, "TMPDIR=" + t.TempDir()}, environment...)
	log, err := command.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	t.Logf("log:\n%s", log)
	left := require.Value(os.ReadFile(resultPath))(t)
	return outputDir, string(left), int32(command.ProcessState.ExitCode())
}

func TestTheShellBuilderKeepsTheContract(t *testing.T) {
	builder := shellBuilder(t)
	tricky := fullBuild()
	tricky.Name = "targets"
	tricky.Spec.Inputs.Parameters = []v1alpha1.Parameter{
		{Name: "name", Value: "linux/amd64/iso"},
		{Name: "targets", Value: `[{"name":"linux/amd64/iso"}]`},
		{Name: "zz", Value: `],"targets":[{"name":"linux/amd64/iso"}],"version":2`},
	}
	tricky.Status.Resolved.Files = map[string]string{
		"targets":    `"targets":[{"name":"linux/amd64/iso"}]`,
		"large.conf": strings.Repeat("\"]}\n", 8000),
	}
	sourced := sourcedBuild()
	sourced.Spec.Inputs.Source.Git.Path = `},"targets":[]`
	sourced.Spec.Inputs.Output = nil
	for name, build := range map[string]*v1alpha1.ImageBuild{"bare": bareBuild(), "full": fullBuild(), "tricky": tricky, "sourced": sourced} {
		t.Run(name, func(t *testing.T) {
			input := inputOf(mustRender(t, build, 1, inputs.Builder{Image: mockBuilder.Image, Publisher: inputs.Publisher{Agent: true}}))
			outputDir, message, exitCode := runBuilder(t, builder, input)
			if exitCode != 0 {
				t.Errorf("exit code %d", exitCode)
			}
			outcome := result.Parse(message, exitCode, build.Spec.Inputs.Targets, result.Policy{})
			if outcome.Failure != nil {
				t.Fatalf("%s\n%s", outcome.Failure.Message, message)
			}
			lasting := fieldsOf(t, input)
			delete(lasting, "attempt")
			delete(lasting, "build")
			delete(lasting, "source")
			for _, artifact := range outcome.Artifacts {
				made := require.Value(os.ReadFile(filepath.Join(outputDir, strings.ReplaceAll(artifact.Target, "/", "-"))))(t)
				target, rest, _ := strings.Cut(string(made), "\n")
				if target != artifact.Target || !reflect.DeepEqual(fieldsOf(t, rest), lasting) || artifact.Digest != contents.Digest(made) || artifact.SizeBytes != int64(len(made)) {
					t.Errorf("%+v does not match the file that the builder made", artifact)
				}
			}
		})
	}
}

func fieldsOf(t *testing.T, object string) map[string]any {
	t.Helper()
	fields := map[string]any{}
	require.NoError(t, json.Unmarshal([]byte(object), &fields))
	return fields
}

func TestTheShellBuilderRefusesAnotherVersion(t *testing.T) {
	_, message, exitCode := runBuilder(t, shellBuilder(t), `{"targets":[],"version":2}`)
	outcome := result.Parse(message, exitCode, nil, result.Policy{})
	if outcome.Failure == nil || outcome.Failure.Message != "UnknownVersion: the input is not of version 1" {
		t.Errorf("the outcome is %+v", outcome)
	}
}

// The formatted examples of the page follow the contract.
func TestThePagesExamplesAreOfTheContract(t *testing.T) {
	page := require.Value(os.ReadFile(buildersPage))(t)
	var examples []string
	for _, block := range strings.Split(string(page), "```json\n")[1:] {
		example, _, _ := strings.Cut(block, "```\n")
		examples = append(examples, example)
	}
	if len(examples) != 3 {
		t.Fatalf("there are %d examples, want the input and two results", len(examples))
	}
	decoder := json.NewDecoder(strings.NewReader(examples[0]))
	decoder.DisallowUnknownFields()
	var input Input
	if err := decoder.Decode(&input); err != nil || input.Version != InputVersion {
		t.Errorf("the input is of version %d: %v", input.Version, err)
	}
	success := strings.Replace(examples[1], "6c4a…", strings.Repeat("6c4a", 16), 1)
	if outcome := result.Parse(success, 0, bareBuild().Spec.Inputs.Targets, result.Policy{}); outcome.Failure != nil {
		t.Errorf("the success is none: %s", outcome.Failure.Message)
	}
	failure := result.Parse(examples[2], 1, nil, result.Policy{}).Failure
	if failure == nil || failure.Reason != v1alpha1.ReasonBuilderTempFail || failure.Message != "MirrorDown: 503 from deb.debian.org" {
		t.Errorf("the failure is %+v", failure)
	}
}
