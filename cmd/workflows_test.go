// SPDX-License-Identifier: Apache-2.0

package cmd_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/e2e/require"
)

// workflow has the fields of a GitHub Actions workflow that the tests read.
type workflow struct {
	Jobs map[string]struct {
		Strategy struct {
			Matrix struct{ Node []string }
		}
		Steps []workflowStep
	}
}

type workflowStep struct {
	Run, Uses string
	With      map[string]any
}

func readWorkflow(t *testing.T, name string) workflow {
	t.Helper()
	var parsed workflow
	if err := yaml.Unmarshal([]byte(readFile(t, ".github", "workflows", name)), &parsed); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return parsed
}

func readFile(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{".."}, path...)...))
	require.NoError(t, err)
	return string(text)
}

func TestEveryChangeIsCheckedByTheScriptThatPeopleRun(t *testing.T) {
	for file, script := range map[string]string{"ci.yml": ".ci/run", "full.yml": ".ci/full"} {
		if !slices.ContainsFunc(readWorkflow(t, file).Jobs["run"].Steps, func(step workflowStep) bool { return step.Run == script }) {
			t.Errorf("no step of %s is %s", file, script)
		}
	}
}

// TestTheNewestPatchReleaseIsCheckedForVulnerabilities holds that the vulnerability check uses the standard library of the newest
// patch release of the Go in go.mod. go.mod names the first patch release, whose vulnerabilities later patch releases correct.
func TestTheNewestPatchReleaseIsCheckedForVulnerabilities(t *testing.T) {
	release := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(readFile(t, "go.mod"))
	if release == nil {
		t.Fatal("go.mod names no release of Go")
	}
	for _, step := range readWorkflow(t, "compatibility.yml").Jobs["vulnerabilities"].Steps {
		if !strings.HasPrefix(step.Uses, "actions/setup-go@") {
			continue
		}
		if got := step.With["go-version"]; got != release[1] {
			t.Errorf("the job vulnerabilities of compatibility.yml has go-version %v, and go.mod is for %q", got, release[1])
		}
		if step.With["check-latest"] != true {
			t.Error("the job vulnerabilities of compatibility.yml does not look for the newest patch release: set check-latest")
		}
		return
	}
	t.Error("the job vulnerabilities of compatibility.yml sets up no Go")
}

// TestEveryPromisedVersionOfKubernetesIsTested compares the matrix with the oldest version that the docs promise and the newest
// node image of kind.
func TestEveryPromisedVersionOfKubernetesIsTested(t *testing.T) {
	nodes := readWorkflow(t, "compatibility.yml").Jobs["kubernetes"].Strategy.Matrix.Node
	if len(nodes) == 0 {
		t.Fatal("compatibility.yml has no matrix of node images")
	}
	image := regexp.MustCompile(`^kindest/node:v(\d+\.\d+)\.\d+@sha256:[0-9a-f]{64}$`)
	var minors []string
	for _, node := range nodes {
		found := image.FindStringSubmatch(node)
		if found == nil {
			t.Fatalf("%s is no node image of kind with a digest", node)
		}
		minors = append(minors, found[1])
	}
	if !slices.IsSorted(minors) {
		t.Errorf("the versions are not in their order: %s", strings.Join(minors, ", "))
	}
	if promise := "Kubernetes " + minors[0] + " or later"; !strings.Contains(readFile(t, "docs", "cluster.md"), promise) {
		t.Errorf("docs/cluster.md does not promise %q, and the oldest version that is tested is that", promise)
	}
	if newest := nodes[len(nodes)-1]; !strings.Contains(readFile(t, "e2e", "kind", "versions.env"), "KIND_NODE_IMAGE="+newest+"\n") {
		t.Errorf("e2e/kind/versions.env does not name %s: list the images of the release of kind that it names", newest)
	}
}
