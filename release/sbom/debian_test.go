// SPDX-License-Identifier: Apache-2.0

package sbom

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPackagesOfDebianAreInTheBill(t *testing.T) {
	root := t.TempDir()
	list := filepath.Join(root, "var/lib/dpkg/status.d")
	if err := os.MkdirAll(list, 0o700); err != nil {
		t.Fatal(err)
	}
	if got, err := Debian(root); err == nil {
		t.Errorf("got %v without packages", got)
	}
	write := func(name, content string) {
		if err := os.WriteFile(filepath.Join(list, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("attr", "Package: attr\nVersion: 1:2.5.2-3\nArchitecture: amd64\nDescription: utilities\n Version: none\n")
	got, err := Debian(root)
	if want := (Component{Name: "attr", Version: "1:2.5.2-3", PackageURL: "pkg:deb/debian/attr@1%3A2.5.2-3?arch=amd64"}); err != nil || len(got) != 1 || got[0] != want {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	write("dpkg", "Package: dpkg\n")
	if _, err := Debian(root); err == nil || !strings.Contains(err.Error(), "dpkg") {
		t.Errorf("got %v", err)
	}
}
