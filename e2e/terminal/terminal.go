// SPDX-License-Identifier: Apache-2.0

// Package terminal runs kubectl for specs, as a user would, and captures its output.
package terminal

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

// Terminal runs kubectl in a namespace.
type Terminal struct {
	// Kubectl is a command that runs kubectl with these arguments, with the kubeconfig in its environment.
	Kubectl func(ctx context.Context, args ...string) *exec.Cmd
	// Namespace is that of all commands.
	Namespace string
	// Variables of the environment, each written as "NAME=value", besides those of kubectl itself.
	Variables []string
	// Patience is how long a command may take.
	Patience time.Duration
}

// Result is the output of a command, and its exit code.
type Result struct {
	Stdout, Stderr string
	Code           int
}

// Command is kubectl with arguments, for specs that read its output while it runs.
func (t Terminal) Command(ctx context.Context, args ...string) *exec.Cmd {
	command := t.Kubectl(ctx, append([]string{"--namespace=" + t.Namespace}, args...)...)
	command.Env = append(command.Env, t.Variables...)
	return command
}

// Try runs kubectl, however it ends.
func (t Terminal) Try(ctx context.Context, stdin string, args ...string) Result {
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
	return Result{Stdout: stdout.String(), Stderr: stderr.String(), Code: command.ProcessState.ExitCode()}
}

// Run runs kubectl, which must succeed, and returns its standard output.
func (t Terminal) Run(ctx context.Context, stdin string, args ...string) string {
	GinkgoHelper()
	result := t.Try(ctx, stdin, args...)
	Expect(result.Code).To(BeZero(), "kubectl %v:\n%s%s", args, result.Stdout, result.Stderr)
	return result.Stdout
}

// Fail runs kubectl, which must fail with exit code 1, and returns its standard error.
func (t Terminal) Fail(ctx context.Context, stdin string, args ...string) string {
	GinkgoHelper()
	result := t.Try(ctx, stdin, args...)
	Expect(result.Code).To(Equal(1), "kubectl %v:\n%s%s", args, result.Stdout, result.Stderr)
	return result.Stderr
}
