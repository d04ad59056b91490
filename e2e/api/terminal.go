// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// typed is what a command has shown, and its exit code.
type typed struct {
	out, complaints string
	code            int
}

// terminal is where a user types kubectl, in the namespace of the present spec.
type terminal struct {
	*world
	// environment variables, each written as "NAME=value", besides those of kubectl itself.
	variables []string
}

// try runs kubectl, however it ends.
func (s terminal) try(ctx context.Context, stdin string, args ...string) typed {
	GinkgoHelper()
	ctx, stop := context.WithTimeout(ctx, s.environment.Patience)
	defer stop()
	var out, complaints bytes.Buffer
	command := s.environment.Kubectl(ctx, append([]string{"--namespace=" + s.namespace}, args...)...)
	command.Env = append(command.Env, s.variables...)
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader(stdin), &out, &complaints
	err := command.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		Expect(err).NotTo(HaveOccurred())
	}
	Expect(ctx.Err()).NotTo(HaveOccurred(), "kubectl %v did not end:\n%s%s", args, &out, &complaints)
	return typed{out: out.String(), complaints: complaints.String(), code: command.ProcessState.ExitCode()}
}

// run runs kubectl, which must succeed, and returns what it shows.
func (s terminal) run(ctx context.Context, stdin string, args ...string) string {
	GinkgoHelper()
	result := s.try(ctx, stdin, args...)
	Expect(result.code).To(BeZero(), "kubectl %v:\n%s%s", args, result.out, result.complaints)
	return result.out
}

// fail runs kubectl, which must fail, and returns its complaints.
func (s terminal) fail(ctx context.Context, stdin string, args ...string) string {
	GinkgoHelper()
	result := s.try(ctx, stdin, args...)
	Expect(result.code).To(Equal(1), "kubectl %v:\n%s%s", args, result.out, result.complaints)
	return result.complaints
}

// withEditor is the terminal of a user whose editor is this script, which gets the file as its first argument.
func (s terminal) withEditor(script string) terminal {
	GinkgoHelper()
	path := filepath.Join(GinkgoT().TempDir(), "editor")
	Expect(os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o700)).To(Succeed())
	s.variables = append(s.variables[:len(s.variables):len(s.variables)], "KUBE_EDITOR="+path)
	return s
}

// plainImage is an Image of which nothing is built, with such metadata besides its name.
func plainImage(name string, metadata ...string) string {
	text := "apiVersion: images.goldsmith.dev/v1alpha1\nkind: Image\nmetadata:\n  name: " + name + "\n"
	for _, line := range metadata {
		text += "  " + line + "\n"
	}
	return text + "spec:\n  suspend: true\n  builder: {name: mock}\n  base: {reference: debian:bookworm}\n" +
		"  targets:\n  - {platform: linux/amd64, format: raw}\n---\n"
}
