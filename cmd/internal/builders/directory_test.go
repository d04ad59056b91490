// SPDX-License-Identifier: Apache-2.0

package builders

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// mount lays out files the way a kubelet mounts a ConfigMap: links through a hidden directory.
func mount(t *testing.T, files map[string]string) string {
	t.Helper()
	directory := t.TempDir()
	version := filepath.Join(directory, "..2026_11_20")
	require.NoError(t, os.Mkdir(version, 0o700))
	require.NoError(t, os.Symlink(filepath.Base(version), filepath.Join(directory, "..data")))
	for name, content := range files {
		require.NoError(t, os.WriteFile(filepath.Join(version, name), []byte(content), 0o600))
		require.NoError(t, os.Symlink(filepath.Join("..data", name), filepath.Join(directory, name)))
	}
	return directory
}

func TestABuilderIsAFileOfAMountedConfigMap(t *testing.T) {
	directory := mount(t, map[string]string{"mock": "mock-builder:v1\n", "disk": " registry.example.com:5000/disk@sha256:abc ", ".hidden": "x y"})
	builders, err := read(directory)
	require.NoError(t, err)
	expected := map[string]inputs.Builder{"mock": {Image: "mock-builder:v1"}, "disk": {Image: "registry.example.com:5000/disk@sha256:abc"}}
	if !reflect.DeepEqual(builders, expected) {
		t.Errorf("read %v", builders)
	}
}

func TestWithoutADirectoryThereAreNoBuilders(t *testing.T) {
	if builders, err := read(""); err != nil || len(builders) > 0 {
		t.Errorf("read %v: %v", builders, err)
	}
}

func TestWhatIsNotABuilderIsNamed(t *testing.T) {
	directory := mount(t, map[string]string{"Mock": "mock-builder", "empty": "\n", "two": "one two", "fine": "fine"})
	require.NoError(t, os.Mkdir(filepath.Join(directory, "folder"), 0o700))
	_, err := read(directory)
	if err == nil {
		t.Fatal("it was read")
	}
	for _, part := range []string{
		`builder "Mock": the name: a lowercase RFC 1123 label`, `builder "empty": the file is empty`,
		`builder "two": the content "one two" is not the reference of one container image`, `builder "folder": read `,
	} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in the error:\n%v", part, err)
		}
	}
	if strings.Contains(err.Error(), "fine") {
		t.Errorf("a good builder is named: %v", err)
	}
	if _, err := read(filepath.Join(directory, "missing")); err == nil || !strings.Contains(err.Error(), "--builders-directory") {
		t.Errorf("a missing directory: %v", err)
	}
}
