// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"goldsmith.dev/goldsmith/e2e/terminal"
)

// withEditor is the terminal of a user whose editor is this script, which gets the file as its first argument.
func (w *fixture) withEditor(script string) terminal.Terminal {
	GinkgoHelper()
	path := filepath.Join(GinkgoT().TempDir(), "editor")
	Expect(os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o700)).To(Succeed())
	return w.withVariable("KUBE_EDITOR=" + path)
}

// withVariable is the terminal of a user with one more variable in the environment.
func (w *fixture) withVariable(variable string) terminal.Terminal {
	changed := *w.terminal
	changed.Variables = append(slices.Clone(changed.Variables), variable)
	return changed
}

// withKubectl is the terminal of a user who has another kubectl.
func (w *fixture) withKubectl(kubectl func(ctx context.Context, args ...string) *exec.Cmd) terminal.Terminal {
	changed := *w.terminal
	changed.Kubectl = kubectl
	return changed
}

// plainImage is an Image of which nothing is built, with such metadata besides its name.
func plainImage(name string, metadata ...string) string {
	var lines strings.Builder
	for _, line := range metadata {
		lines.WriteString("  " + line + "\n")
	}
	return "apiVersion: images.goldsmith.dev/v1alpha1\nkind: Image\nmetadata:\n  name: " + name + "\n" + lines.String() +
		"spec:\n  suspend: true\n  builder: {name: mock}\n  base: {reference: debian:bookworm}\n" +
		"  targets:\n  - {platform: linux/amd64, format: raw}\n---\n"
}
