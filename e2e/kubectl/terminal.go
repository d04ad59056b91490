// SPDX-License-Identifier: Apache-2.0

package kubectl

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// terminal runs kubectl in a namespace, as a user would, and captures its output.
type terminal struct {
	// Kubectl is a command that runs kubectl with these arguments, with the kubeconfig in its environment.
	Kubectl func(ctx context.Context, args ...string) *exec.Cmd
	// Namespace is that of all commands.
	Namespace string
	// Variables of the environment, each written as "NAME=value", besides those of kubectl itself.
	Variables []string
	// Patience is how long a command may take.
	Patience time.Duration
}

// result is the output of a command, and its exit code.
type result struct {
	Stdout, Stderr string
	Code           int
}

// Command is kubectl with arguments, for specs that read its output while it runs.
func (t terminal) Command(ctx context.Context, args ...string) *exec.Cmd {
	command := t.Kubectl(ctx, append([]string{"--namespace=" + t.Namespace}, args...)...)
	command.Env = append(command.Env, t.Variables...)
	return command
}

// Try runs kubectl, however it ends.
func (t terminal) Try(ctx context.Context, stdin string, args ...string) result {
	GinkgoHelper()
	ctx, stop := context.WithTimeout(ctx, t.Patience)
	defer stop()
	var stdout, stderr bytes.Buffer
	command := t.Command(ctx, args...)
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err := command.Run()
	if _, ok := errors.AsType[*exec.ExitError](err); !ok {
		Expect(err).NotTo(HaveOccurred())
	}
	Expect(ctx.Err()).NotTo(HaveOccurred(), "kubectl %v did not end:\n%s%s", args, &stdout, &stderr)
	return result{Stdout: stdout.String(), Stderr: stderr.String(), Code: command.ProcessState.ExitCode()}
}

// Run runs kubectl, which must succeed, and returns its standard output.
func (t terminal) Run(ctx context.Context, stdin string, args ...string) string {
	GinkgoHelper()
	done := t.Try(ctx, stdin, args...)
	Expect(done.Code).To(BeZero(), "kubectl %v:\n%s%s", args, done.Stdout, done.Stderr)
	return done.Stdout
}

// Fail runs kubectl, which must fail with exit code 1, and returns its standard error.
func (t terminal) Fail(ctx context.Context, stdin string, args ...string) string {
	GinkgoHelper()
	done := t.Try(ctx, stdin, args...)
	Expect(done.Code).To(Equal(1), "kubectl %v:\n%s%s", args, done.Stdout, done.Stderr)
	return done.Stderr
}
