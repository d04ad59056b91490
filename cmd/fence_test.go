// SPDX-License-Identifier: Apache-2.0

// Package cmd_test holds the fence between the layers of this module. Commands may import everything, so it lives with them.
package cmd_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "goldsmith.dev/goldsmith/"

// A layer is a folder, and what it may import of this module. Folders are relative to the module; "x" stands for x and
// everything below it. The first layer that a package is in counts.
type layer struct {
	folder string
	may    []string
}

var pureFunctions = []string{"jobs/inputs", "jobs/queue", "jobs/render", "jobs/result", "jobs/state", "jobs/trigger"}

var layers = slices.Concat([]layer{
	{"apis/images", []string{"apis/images"}},
	{"apis", []string{"apis"}},
}, pureLayers(), []layer{
	{"jobs/podlog", []string{"jobs", "apis", "archive"}}, // its lines are the archive's: each has a timestamp
	{"jobs", []string{"jobs", "apis"}},
	{"apiserver/storage", []string{"apiserver/storage"}},                      // libraries of their own, which know no resource
	{"apiserver/builder", []string{"apiserver/builder", "apiserver/storage"}}, // a library of its own, which knows no resource
	{"apiserver/example", []string{"apiserver/example", "apiserver/builder"}},
	{"apiserver/scaffold", []string{"apiserver/scaffold"}}, // a command of its own, which knows no resource
	{"archive", []string{"archive"}},                       // a library of its own, which knows streams of bytes and nothing of builds
	{"records", []string{"records", "apis"}},
	{"apiserver", append([]string{"apiserver", "apis", "archive", "records", "jobs/podlog"}, pureFunctions...)},
	{"controllers/internal/records", append([]string{"controllers", "apis", "records"}, pureFunctions...)}, // the only one: what is recorded decides nothing
	{"controllers", append([]string{"controllers", "apis", "archive", "jobs/podlog"}, pureFunctions...)},
	{"e2e", []string{"e2e", "apis"}},
	{"kustomize", nil}, // manifests and their tests, which know only what a cluster would
	{"examples", nil},  // manifests, which a program can carry
	{"docs", nil},      // the page of reasons, which a program can carry
	{"cmd", []string{""}},
})

// pureLayers returns a layer for each folder of pure functions. depguard checks only what a folder imports itself: without
// these layers it could import the clock, the API and files by way of jobs/podlog or jobs/local.
func pureLayers() []layer {
	var layers []layer
	for _, folder := range pureFunctions {
		layers = append(layers, layer{folder, append([]string{"apis"}, pureFunctions...)})
	}
	return layers
}

// The public types are for everybody: whoever imports them gets these and nothing else.
var publicTypesMay = []string{"k8s.io/apimachinery", "k8s.io/api"}

// everyTestMay is what tests of every folder may import: the constants of the API, and how test suites wait and report.
var everyTestMay = []string{"apis/constants", "e2e/deadline", "e2e/junit"}

// testExceptions are imports that a folder's tests may have and its code may not.
var testExceptions = []layer{
	{"apiserver/builder", []string{"apiserver/corekinds", "apiserver/example"}}, // resources to serve
	{"jobs/local", []string{"apiserver/builder", "apiserver/corekinds"}},        // a server to run against
}

type listedPackage struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

func TestImportsRunOneWay(t *testing.T) {
	used := map[string]bool{}
	for _, pkg := range listPackages(t) {
		folder := strings.TrimPrefix(pkg.ImportPath, module)
		index := slices.IndexFunc(layers, func(l layer) bool { return within(folder, l.folder) })
		if index < 0 {
			t.Errorf("%s is in no layer: add its folder to the fence", folder)
			continue
		}
		for _, imported := range ours(pkg.Imports) {
			if !withinAny(imported, layers[index].may) {
				t.Errorf("%s imports %s", folder, imported)
			}
		}
		for _, imported := range ours(slices.Concat(pkg.TestImports, pkg.XTestImports)) {
			if withinAny(imported, layers[index].may) || withinAny(imported, everyTestMay) {
				continue
			}
			exception := slices.IndexFunc(testExceptions, func(l layer) bool {
				return within(folder, l.folder) && withinAny(imported, l.may)
			})
			if exception < 0 {
				t.Errorf("tests of %s import %s", folder, imported)
				continue
			}
			used[testExceptions[exception].folder] = true
		}
	}
	for _, exception := range testExceptions {
		if !used[exception.folder] {
			t.Errorf("nothing needs the exception for the tests of %s any more", exception.folder)
		}
	}
}

func TestImportsOfThePublicTypesAreKubernetesTypes(t *testing.T) {
	found := false
	for _, pkg := range listPackages(t) {
		if !within(strings.TrimPrefix(pkg.ImportPath, module), "apis/images") {
			continue
		}
		found = true
		for _, imported := range pkg.Imports {
			first, _, _ := strings.Cut(imported, "/")
			standard := !strings.Contains(first, ".")
			if !standard && !strings.HasPrefix(imported, module) && !withinAny(imported, publicTypesMay) {
				t.Errorf("%s imports %s", pkg.ImportPath, imported)
			}
		}
	}
	if !found {
		t.Error("found no public types to look at")
	}
}

// TestOnlyProgramsOfClustersHaveTheClientsOfEveryCloud holds docs/decisions/programs.md: people compile goldsmith themselves.
func TestOnlyProgramsOfClustersHaveTheClientsOfEveryCloud(t *testing.T) {
	openFolders(t)
	for program, want := range map[string]bool{"goldsmith": false, "goldsmith-apiserver": true, "goldsmith-controller": true} {
		command := exec.CommandContext(t.Context(), "go", "list", "-deps", "./"+program)
		out, err := command.Output()
		if err != nil {
			t.Fatalf("list what %s is made of: %v", program, err)
		}
		for _, client := range []string{"gocloud.dev/blob/gcsblob", "gocloud.dev/blob/azureblob"} {
			if has := slices.Contains(strings.Fields(string(out)), client); has != want {
				t.Errorf("%s has %s: %t, want %t", program, client, has, want)
			}
		}
	}
}

func listPackages(t *testing.T) []listedPackage {
	t.Helper()
	openFolders(t)
	command := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", module+"...")
	var complaints bytes.Buffer
	command.Stderr = &complaints
	out, err := command.Output()
	if err != nil {
		t.Fatalf("list the packages: %v\n%s", err, &complaints)
	}
	var packages []listedPackage
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var pkg listedPackage
		err := decoder.Decode(&pkg)
		if errors.Is(err, io.EOF) {
			return packages
		}
		if err != nil {
			t.Fatalf("read the list of packages: %v", err)
		}
		packages = append(packages, pkg)
	}
}

// openFolders opens each folder of the layers. go test takes no result from its cache after a change of an entry of a folder that a
// test opens. It does not know what go list reads.
func openFolders(t *testing.T) {
	t.Helper()
	for _, layer := range layers {
		top, _, _ := strings.Cut(layer.folder, "/")
		err := filepath.WalkDir(filepath.Join("..", top), func(_ string, _ fs.DirEntry, err error) error { return err })
		if err != nil {
			t.Fatal(err)
		}
	}
}

// ours returns the folders of those imports that are of this module.
func ours(imports []string) []string {
	var folders []string
	for _, imported := range imports {
		if folder, ok := strings.CutPrefix(imported, module); ok {
			folders = append(folders, folder)
		}
	}
	return folders
}

func withinAny(folder string, parents []string) bool {
	return slices.ContainsFunc(parents, func(parent string) bool { return within(folder, parent) })
}

// within says whether a folder is the parent or below it. The parent "" is the whole module.
func within(folder, parent string) bool {
	return parent == "" || folder == parent || strings.HasPrefix(folder, parent+"/")
}
