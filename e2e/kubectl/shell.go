// SPDX-License-Identifier: Apache-2.0

package kubectl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/util/rand"
)

const polling = 50 * time.Millisecond

// shell is where a user types, with a namespace for the present spec.
type shell struct {
	environment Environment
	namespace   string
}

// result is what a command has shown, and its exit code.
type result struct {
	out, complaints string
	code            int
}

// newShell makes a namespace before each spec of the present container and deletes it afterwards.
func newShell(environment func() Environment) *shell {
	s := &shell{}
	BeforeEach(func(ctx SpecContext) {
		s.environment = environment()
		s.namespace = "kubectl-" + rand.String(6)
		s.run(ctx, "", "create", "namespace", s.namespace)
	})
	AfterEach(func(ctx SpecContext) {
		if CurrentSpecReport().Failed() {
			AddReportEntry("objects", s.try(ctx, "", "get", "goldsmith,jobs,pods", "-o", "yaml").out, ReportEntryVisibilityFailureOrVerbose)
		}
		s.run(ctx, "", "delete", "namespace", s.namespace, "--wait=false", "--ignore-not-found")
	})
	return s
}

// command is kubectl in the namespace of the spec.
func (s *shell) command(ctx context.Context, args ...string) *exec.Cmd {
	return s.environment.Kubectl(ctx, append([]string{"--namespace=" + s.namespace}, args...)...)
}

// try runs kubectl, however it ends.
func (s *shell) try(ctx context.Context, stdin string, args ...string) result {
	GinkgoHelper()
	ctx, stop := context.WithTimeout(ctx, s.environment.Patience)
	defer stop()
	var out, complaints bytes.Buffer
	command := s.command(ctx, args...)
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader(stdin), &out, &complaints
	err := command.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		Expect(err).NotTo(HaveOccurred())
	}
	Expect(ctx.Err()).NotTo(HaveOccurred(), "kubectl %v did not end:\n%s%s", args, &out, &complaints)
	return result{out: out.String(), complaints: complaints.String(), code: command.ProcessState.ExitCode()}
}

// run runs kubectl, which must succeed, and returns what it shows.
func (s *shell) run(ctx context.Context, stdin string, args ...string) string {
	GinkgoHelper()
	result := s.try(ctx, stdin, args...)
	Expect(result.code).To(BeZero(), "kubectl %v:\n%s", args, result.complaints)
	return result.out
}

// fail runs kubectl, which must fail with exit code 1, and returns its complaints.
func (s *shell) fail(ctx context.Context, stdin string, args ...string) string {
	GinkgoHelper()
	result := s.try(ctx, stdin, args...)
	Expect(result.code).To(Equal(1), "kubectl %v:\n%s%s", args, result.out, result.complaints)
	return result.complaints
}

// build applies an image with these parameters, each written as "name: value", and waits until it is ready.
func (s *shell) build(ctx context.Context, name string, parameters ...string) {
	GinkgoHelper()
	s.run(ctx, manifest(name, parameters...), "apply", "-f", "-")
	s.waitFor(ctx, "condition=Ready", "image/"+name)
}

func (s *shell) waitFor(ctx context.Context, what, object string) {
	GinkgoHelper()
	s.run(ctx, "", "wait", "--for="+what, object, "--timeout="+s.environment.Patience.String())
}

// field is a field of an object, as a JSONPath says.
func (s *shell) field(ctx context.Context, object, path string) string {
	GinkgoHelper()
	return s.run(ctx, "", "get", object, "-o", "jsonpath={"+path+"}")
}

// manifest is an image that the mock builder makes at once.
func manifest(name string, parameters ...string) string {
	text := fmt.Sprintf(`apiVersion: images.goldsmith.dev/v1alpha1
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
		text += fmt.Sprintf("  - {name: %s, value: %q}\n", parameter, value)
	}
	return text
}

// rows are the words of each line.
func rows(text string) [][]string {
	var rows [][]string
	for line := range strings.Lines(text) {
		rows = append(rows, strings.Fields(line))
	}
	return rows
}
