// SPDX-License-Identifier: Apache-2.0

package builder_test

import (
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/builder/buildertest"
)

// TestNothingIsLeftOfAStorage is not parallel: no other test has goroutines meanwhile.
func TestNothingIsLeftOfAStorage(t *testing.T) { //nolint:paralleltest // as said
	root := t.TempDir()
	for name, backend := range map[string]builder.StorageBackend{"memory": builder.Memory(), "files": builder.Files(root)} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			running, stop := buildertest.Start(t, buildertest.CoreKinds(backend))
			client := configMapsOf(t, running)
			g.Expect(client.Watch(t.Context(), metav1.ListOptions{})).Error().NotTo(HaveOccurred())
			create(t, client, configMap("a"))
			g.Expect(goroutines()).NotTo(BeEmpty())
			stop()
			g.Eventually(goroutines).WithTimeout(buildertest.Patience).Should(BeEmpty())
		})
	}
	var left []string
	NewWithT(t).Expect(filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if entry.Type().IsRegular() {
			left = append(left, strings.TrimPrefix(path, root+"/"))
		}
		return err
	})).To(Succeed())
	NewWithT(t).Expect(left).To(ConsistOf("lock", "revision",
		"%2Fregistry%2Fconfigmaps%2Fdefault%2Fa.object", "%2Fregistry%2Fnamespaces%2Fdefault.object"))
}

// goroutines returns the stacks of those that serve a storage, or connect to one.
func goroutines() []string {
	stacks := make([]byte, 16<<20)
	all := strings.Split(string(stacks[:runtime.Stack(stacks, true)]), "\n\n")
	return slices.DeleteFunc(all, func(stack string) bool {
		return !strings.Contains(stack, "storage/memory.") && !strings.Contains(stack, "storage/files.") &&
			!strings.Contains(stack, "google.golang.org/grpc")
	})
}
