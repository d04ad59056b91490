// SPDX-License-Identifier: Apache-2.0

package krew

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/krew/pkg/index"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/release/metadata"
	"goldsmith.dev/goldsmith/release/tarball"
)

var release = &metadata.Release{Revision: metadata.Revision{Version: "v0.1.0", Time: time.Unix(1_700_000_000, 0)}, URL: "https://releases.example.com/goldsmith"}

// krew itself checks the manifest and installs the plugin of each platform, as `krew install --manifest --archive` does for users
// without access to the address.
func TestKrewInstallsEachPlatform(t *testing.T) {
	directory := t.TempDir()
	var archives []Archive
	for _, platform := range []struct{ os, architecture, program, file string }{
		{"linux", "amd64", "goldsmith", "goldsmith_v0.1.0_linux_amd64.tar.gz"},
		{"darwin", "arm64", "goldsmith", "goldsmith_v0.1.0_darwin_arm64.tar.gz"},
		{"windows", "amd64", "goldsmith.exe", "goldsmith_v0.1.0_windows_amd64.zip"},
	} {
		files := []tarball.File{
			{Name: platform.program, Mode: 0o755, Content: []byte(platform.os)},
			{Name: "LICENSE", Mode: 0o644}, {Name: "man/man1/goldsmith.1", Mode: 0o644},
		}
		write := tarball.WriteGzip
		if strings.HasSuffix(platform.file, ".zip") {
			write = tarball.WriteZip
		}
		var content bytes.Buffer
		if err := write(&content, files, release.Time); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(content.Bytes())
		writeFile(t, filepath.Join(directory, platform.file), content.Bytes())
		archives = append(archives, Archive{OS: platform.os, Architecture: platform.architecture, File: platform.file, SHA256: hex.EncodeToString(sum[:])})
	}
	var manifest bytes.Buffer
	if err := Write(&manifest, release, archives); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(directory, FileName), manifest.Bytes())
	var read index.Plugin
	if err := yaml.UnmarshalStrict(manifest.Bytes(), &read); err != nil {
		t.Fatalf("%v:\n%s", err, &manifest)
	}
	if got, want := read.Spec.Platforms[0].URI, "https://releases.example.com/goldsmith/v0.1.0/goldsmith_v0.1.0_linux_amd64.tar.gz"; got != want {
		t.Errorf("the address is %s, want %s", got, want)
	}

	for _, archive := range archives {
		root := t.TempDir()
		install := exec.CommandContext(t.Context(), "go", "tool", "krew", "install",
			"--manifest="+filepath.Join(directory, FileName), "--archive="+filepath.Join(directory, archive.File))
		install.Env = append(os.Environ(), "KREW_ROOT="+root, "KREW_OS="+archive.OS, "KREW_ARCH="+archive.Architecture, "KREW_NO_UPGRADE_CHECK=1")
		if out, err := install.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", archive.File, err, out)
		}
		name := "kubectl-goldsmith"
		if archive.OS == "windows" {
			name += ".exe"
		}
		if content, err := os.ReadFile(filepath.Join(root, "bin", name)); err != nil || string(content) != archive.OS {
			t.Errorf("%s: the plugin is %q, %v", archive.File, content, err)
		}
	}
}

func writeFile(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}
