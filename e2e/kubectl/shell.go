// SPDX-License-Identifier: Apache-2.0

package kubectl

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	"k8s.io/apimachinery/pkg/util/rand"
)

const polling = 50 * time.Millisecond

// shell is where a user types, with a namespace for the present spec.
type shell struct {
	terminal
	environment Environment
	namespace   string
}

// newShell makes a namespace before each spec of the present container and closes it afterwards.
func newShell(environment func() Environment) *shell {
	s := &shell{}
	BeforeEach(func(ctx SpecContext) {
		s.environment = environment()
		s.namespace = "kubectl-" + rand.String(6)
		s.terminal = terminal{Kubectl: s.environment.Kubectl, Namespace: s.namespace, Patience: s.environment.Patience}
		s.Run(ctx, "", "create", "namespace", s.namespace)
	})
	AfterEach(func(ctx SpecContext) {
		if CurrentSpecReport().Failed() {
			AddReportEntry("objects", s.Try(ctx, "", "get", "goldsmith,jobs,pods", "-o", "yaml").Stdout, ReportEntryVisibilityFailureOrVerbose)
		}
		s.close(ctx)
	})
	return s
}

// close deletes the namespace, and does not wait until it is deleted. The spec may have deleted it. On a disposable server close
// deletes images and builds only, if it can, as workspaces do: their Jobs and pods are garbage-collected.
func (s *shell) close(ctx context.Context) {
	GinkgoHelper()
	if s.environment.Disposable && s.Try(ctx, "", "delete", "images,imagebuilds", "--all", "--wait=false").Code == 0 {
		return
	}
	s.Run(ctx, "", "delete", "namespace", s.namespace, "--wait=false", "--ignore-not-found")
}

// build applies an image with these parameters, each written as "name: value", and waits until it is ready.
func (s *shell) build(ctx context.Context, name string, parameters ...string) {
	GinkgoHelper()
	s.Run(ctx, manifest(name, parameters...), "apply", "-f", "-")
	s.waitFor(ctx, "condition=Ready", "image/"+name)
}

// waitFor waits until something is true of an object, which may still have to come.
func (s *shell) waitFor(ctx context.Context, what, object string) {
	GinkgoHelper()
	for _, condition := range []string{"create", what} {
		s.Run(ctx, "", "wait", "--for="+condition, object, "--timeout="+s.environment.Patience.String())
	}
}

// field returns the field of an object at a JSONPath.
func (s *shell) field(ctx context.Context, object, path string) string {
	GinkgoHelper()
	return s.Run(ctx, "", "get", object, "-o", "jsonpath={"+path+"}")
}

// withVariable is the terminal of a user with one more variable in the environment.
func (s *shell) withVariable(variable string) terminal {
	changed := s.terminal
	changed.Variables = append(slices.Clone(changed.Variables), variable)
	return changed
}

// suspended is an image of which nothing is built, with such metadata besides its name.
func suspended(name string, metadata ...string) string {
	var lines strings.Builder
	for _, line := range metadata {
		lines.WriteString("  " + line + "\n")
	}
	return "apiVersion: images.goldsmith.dev/v1alpha1\nkind: Image\nmetadata:\n  name: " + name + "\n" + lines.String() +
		"spec:\n  suspend: true\n  builder: {name: mock}\n  base: {reference: debian:bookworm}\n" +
		"  targets:\n  - {platform: linux/amd64, format: raw}\n---\n"
}

// manifest is an image that the mock builder makes at once.
func manifest(name string, parameters ...string) string {
	var text strings.Builder
	fmt.Fprintf(&text, `apiVersion: images.goldsmith.dev/v1alpha1
kind: Image
metadata:
  name: %s
spec:
  builder: {name: mock}
  base: {reference: debian:bookworm}
  targets:
  - {platform: linux/amd64, format: raw}
  parameters:
  - {name: duration, value: 0s}
  - {name: steps, value: "1"}
`, name)
	for _, parameter := range parameters {
		parameter, value, _ := strings.Cut(parameter, ": ")
		fmt.Fprintf(&text, "  - {name: %s, value: %q}\n", parameter, value)
	}
	return text.String()
}

// rows are the words of each line.
func rows(text string) [][]string {
	var rows [][]string
	for line := range strings.Lines(text) {
		rows = append(rows, strings.Fields(line))
	}
	return rows
}
