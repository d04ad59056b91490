// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"

	"goldsmith.dev/goldsmith/cmd/internal/documents"
)

// TestWhatIsReadOnceIsNotApplied moves a file while the directory is read, so that it is nowhere. The set has no server.
func TestWhatIsReadOnceIsNotApplied(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	root := t.TempDir()
	before, after := filepath.Join(root, "b", "x.yaml"), filepath.Join(root, "a", "x.yaml")
	g.Expect(os.Mkdir(filepath.Dir(before), 0o700)).To(Succeed())
	g.Expect(os.Mkdir(filepath.Dir(after), 0o700)).To(Succeed())
	g.Expect(os.WriteFile(before, []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"), 0o600)).To(Succeed())
	a := &applier{set: &set{directory: root}, delay: firstDelay}
	a.watch = func(directory string) {
		if directory == filepath.Dir(before) {
			_ = os.Rename(before, after) // once
		}
	}
	g.Expect(a.pass(t.Context())).To(Equal(documents.SettleTime), "the file is nowhere")
	g.Expect(a.pass(t.Context())).To(Equal(documents.SettleTime), "the file is read for the first time")
	a.done = a.seen
	g.Expect(a.pass(t.Context())).To(Equal(longestDelay))
	g.Expect(os.Remove(after)).To(Succeed())
	g.Expect(a.pass(t.Context())).To(Equal(documents.SettleTime), "no file")
	g.Expect(os.RemoveAll(root)).To(Succeed())
	g.Expect(a.pass(t.Context())).To(Equal(documents.SettleTime), "an error")
}
