// SPDX-License-Identifier: Apache-2.0

package gofiles_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"goldsmith.dev/goldsmith/apiserver/scaffold/internal/gofiles"
)

func TestNothingIsWrittenWhereOneFileIsThere(t *testing.T) {
	directory := t.TempDir()
	if err := os.WriteFile(filepath.Join(directory, "second.go"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	planned := []gofiles.File{{Path: "a/first.go"}, {Path: "second.go"}, {Path: "third.go"}}
	if err := gofiles.Write(directory, planned); err == nil || !strings.HasSuffix(err.Error(), "already:\n\tsecond.go") {
		t.Errorf("error: %v", err)
	}
	entries, err := os.ReadDir(directory)
	if err != nil || len(entries) != 1 {
		t.Errorf("there is now %v, %v", entries, err)
	}
	planned[1].Replaces, planned[1].Content = true, []byte("ours")
	if err := gofiles.Write(directory, planned); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"a/first.go": "", "second.go": "ours", "third.go": ""} {
		if got, err := os.ReadFile(filepath.Join(directory, path)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
}

func TestARenderedFileIsFormattedAndNamesItsLicense(t *testing.T) {
	templates := fstest.MapFS{
		"good.tmpl":  {Data: []byte("package {{.}}\nvar   x=1\n")},
		"wrong.tmpl": {Data: []byte("package {{.Missing}}\n")},
		"nogo.tmpl":  {Data: []byte("package {{.}} {\n")},
	}
	for license, want := range map[string]string{
		"":           "package widget\n\nvar x = 1\n",
		"Apache-2.0": "// SPDX-License-Identifier: Apache-2.0\n\npackage widget\n\nvar x = 1\n",
	} {
		if got, err := gofiles.Render(templates, "good.tmpl", license, "widget"); err != nil || string(got) != want {
			t.Errorf("%q: %q, %v", license, got, err)
		}
	}
	for _, name := range []string{"none.tmpl", "wrong.tmpl", "nogo.tmpl"} {
		if got, err := gofiles.Render(templates, name, "", "widget"); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestADirectoryWithoutTheLibraryIsRefused(t *testing.T) {
	directory := t.TempDir()
	if _, err := gofiles.FindModule(t.Context(), directory); err == nil || !strings.Contains(err.Error(), "go mod init") {
		t.Errorf("without a module: %v", err)
	}
	if err := os.WriteFile(filepath.Join(directory, "go.mod"), []byte("module example.com/x\n\ngo 1.26\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := gofiles.FindModule(t.Context(), directory); err == nil || !strings.Contains(err.Error(), "module example.com/x does not use goldsmith.dev/goldsmith") {
		t.Errorf("without the library: %v", err)
	}
}

func TestAFolderOfAModuleIsAPackage(t *testing.T) {
	module, err := gofiles.FindModule(t.Context(), ".")
	if err != nil {
		t.Fatal(err)
	}
	if module.Package != "goldsmith.dev/goldsmith/apiserver/scaffold/internal/gofiles" {
		t.Errorf("the package is %s", module.Package)
	}
}
