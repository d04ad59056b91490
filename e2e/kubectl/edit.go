// SPDX-License-Identifier: Apache-2.0

package kubectl

import (
	"os"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

func describeEdit(s *shell) {
	// editor is the terminal of a user whose editor is this script, which gets the file as its first argument.
	editor := func(script string) terminal {
		GinkgoHelper()
		path := filepath.Join(GinkgoT().TempDir(), "editor")
		Expect(os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o700)).To(Succeed())
		return s.withVariable("KUBE_EDITOR=" + path)
	}

	It("edit saves a change, and shows what is wrong in the editor", func(ctx SpecContext) {
		s.Run(ctx, suspended("web"), "apply", "-f", "-")
		s.waitFor(ctx, "jsonpath={.status.observedGeneration}=1", "image/web")
		refused := editor(`grep "^#" "$1"; sed -i "s/debian:bookworm/two words/" "$1"`).Try(ctx, "", "edit", "image", "web")
		Expect(refused.Code).To(Equal(1))
		Expect(refused.Stdout).To(And(ContainSubstring(`images.images.goldsmith.dev "web" was not valid`), ContainSubstring("spec.base.reference")))
		Expect(refused.Stderr).To(ContainSubstring("Edit cancelled, no valid changes were saved."))
		Expect(editor(`sed -i s/bookworm/trixie/ "$1"`).Run(ctx, "", "edit", "image", "web")).To(Equal("image.images.goldsmith.dev/web edited\n"))
		Expect(s.field(ctx, "image/web", ".spec.base.reference")).To(Equal("debian:trixie"))
	})
}
