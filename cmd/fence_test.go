// SPDX-License-Identifier: Apache-2.0

// Package cmd_test tests which layers of this module may import which. It is among the commands, because they may import everything.
package cmd_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/build"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

const (
	module = "goldsmith.dev/goldsmith/"
	// clients is a module in this one.
	clients = "e2e/clients"
)

// A layer is a folder with the folders of this module that it may import. Folders are relative to the module, and include all
// folders below them. A package is in the first layer that includes it.
type layer struct {
	folder string
	may    []string
}

var pureFunctions = []string{"jobs/advisories", "jobs/attestation", "jobs/capability", "jobs/catalog", "jobs/inputs", "jobs/lock", "jobs/probe", "jobs/queue", "jobs/render", "jobs/result", "jobs/sbom", "jobs/signing", "jobs/source/reference", "jobs/state",
	"jobs/trigger"}

var layers = slices.Concat([]layer{
	{"apis/images", []string{"apis/images"}},
	{"apis", []string{"apis"}},
}, pureLayers(), []layer{
	{"jobs/podlog", []string{"jobs", "apis", "archive"}},                          // its log lines have the archive's format, with timestamps
	{"jobs/local/jobcontroller", []string{"jobs/local/internal/reconcile"}},       // it knows the kubelet only by the API
	{"jobs/publish/transport", []string{"jobs/ocilayout", "jobs/render", "apis"}}, // it knows blobs, but no artifacts and no results
	{"jobs", []string{"jobs", "apis"}},
	{"builders", []string{"builders", "jobs", "apis"}},                                                                           // programs that follow the contract of builders
	{"apiserver/builder/buildertest", append([]string{"apiserver/corekinds", "apiserver/example", "e2e/require"}, libraries...)}, // runs servers for tests
}, serverLibraries(), []layer{
	{"apiserver/example", append([]string{"apiserver/example"}, libraries...)},
	{"apiserver/scaffold", []string{"apiserver/scaffold"}}, // an independent command, which knows no resource
	{"archive", []string{"archive"}},                       // an independent library, which knows streams of bytes but no builds
	{"records", []string{"records", "apis"}},
	{"apiserver", append([]string{"apiserver", "apis", "archive", "records", "jobs/podlog"}, pureFunctions...)},
	{"controllers/internal/records", append([]string{"controllers", "apis", "records"}, pureFunctions...)}, // alone: records decide nothing
	{"controllers", append([]string{"controllers", "apis", "archive", "jobs/podlog"}, pureFunctions...)},
	{"console", []string{"console"}},     // pages that know only the API, and what serves them
	{clients, []string{clients, "apis"}}, // a module of its own, whose clients know only the API
	{"e2e", []string{"e2e", "apis"}},
	{"kustomize", nil}, // manifests and their tests, which know only what a cluster knows
	{"examples", nil},  // manifests, which a program can carry
	{"docs", nil},      // pages and their tests
	{"cmd", []string{""}},
})

// libraries are the folders of which a server is assembled. They know no resource. Each imports only those before it.
var libraries = []string{
	"apiserver/storage", "apiserver/requesterrors", "apiserver/authentication", "apiserver/certificates", "apiserver/codecs",
	"apiserver/connections", "apiserver/dependencies", "apiserver/filters", "apiserver/locks", "apiserver/watches", "apiserver/resources", "apiserver/dynamic",
	"apiserver/builder",
}

func serverLibraries() []layer {
	var layers []layer
	for i, folder := range libraries {
		layers = append(layers, layer{folder, libraries[:i+1]})
	}
	return layers
}

// pureLayers returns a layer for each folder of pure functions. depguard checks only the direct imports of a folder. Without
// these layers a folder could import the clock, the API and files through jobs/podlog or jobs/local.
func pureLayers() []layer {
	var layers []layer
	for _, folder := range pureFunctions {
		layers = append(layers, layer{folder, append([]string{"apis"}, pureFunctions...)})
	}
	return layers
}

// publicTypesMay are the only modules that an importer of the public types gets besides them.
var publicTypesMay = []string{"k8s.io/apimachinery", "k8s.io/api"}

// everyTestMay are the folders that every test may import: the constants of the API, how long test suites wait, the rules that no
// fault may break, the permissions of users, and the end of a test whose preparation fails.
var everyTestMay = []string{"apis/constants", "e2e/deadline", "e2e/invariants", "e2e/permissions", "e2e/require"}

// testExceptions are further imports of a folder's tests, which its code may not have.
var testExceptions = []layer{
	{"apiserver/builder", []string{"apiserver/corekinds", "apiserver/example"}},                        // resources to serve
	{"console", []string{"e2e/oidctest"}},                                                              // a provider that signs users in
	{"e2e/clients/oidc", []string{"console"}},                                                          // which users of a provider sign in to
	{"e2e/clients/sbom", []string{"jobs/lock", "jobs/sbom"}},                                           // what the libraries of scanners read
	{"jobs/publish/transport", []string{"jobs/publish/registrytest"}},                                  // a registry to speak to
	{"jobs/state", []string{"jobs/internal/states"}},                                                   // what clients take each state for
	{"jobs/trigger", []string{"jobs/internal/states"}},                                                 // the same
	{"apiserver/dynamic", []string{"apiserver/builder"}},                                               // a server
	{"apiserver/filters", []string{"apiserver/builder"}},                                               // the same
	{"apiserver/resources", []string{"apiserver/builder", "apiserver/corekinds", "apiserver/example"}}, // the same, and resources to serve
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

// TestOnlyProgramsOfClustersHaveTheClientsOfEveryCloud holds docs/decisions/programs.md: people compile goldsmith themselves. Programs in a
// container image bring the certificate authorities, which the image does not have.
func TestOnlyProgramsOfClustersHaveTheClientsOfEveryCloud(t *testing.T) {
	openFolders(t)
	for program, want := range map[string]bool{"goldsmith": false, "goldsmith-console": false, "goldsmith-apiserver": true, "goldsmith-controller": true} {
		command := exec.CommandContext(t.Context(), "go", "list", "-deps", "./"+program)
		out, err := command.Output()
		if err != nil {
			t.Fatalf("list what %s is made of: %v", program, err)
		}
		for client, want := range map[string]bool{
			"gocloud.dev/": want, "cloud.google.com/": want, "github.com/Azure/": want, "github.com/aws/": false,
			"golang.org/x/crypto/x509roots/fallback\n": program != "goldsmith",
		} {
			if has := strings.Contains("\n"+string(out), "\n"+client); has != want {
				t.Errorf("%s has packages of %s: %t, want %t", program, client, has, want)
			}
		}
	}
}

// TestWhatTheLinkerLeavesOut holds the size of goldsmith. The linker keeps every method of a type that the program uses, so one call of
// a constructor links what belongs to it: the informers of all kinds of Kubernetes, or the plugins of a cluster's admission.
func TestWhatTheLinkerLeavesOut(t *testing.T) {
	if testing.Short() {
		t.Skip("links goldsmith once more: make test-all")
	}
	openFolders(t)
	file := filepath.Join(t.TempDir(), "goldsmith")
	command := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-o", file, "./goldsmith")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("build: %v: %s", err, out)
	}
	content := require.Value(os.ReadFile(file))(t)
	for function, want := range map[string]bool{
		"main.main": true,
		"k8s.io/client-go/informers.(*sharedInformerFactory).Apps":              false,
		"k8s.io/apiserver/pkg/server/options.NewAdmissionOptions":               false,
		"k8s.io/apiserver/pkg/admission/plugin/policy/validating.NewPlugin":     false,
		"goldsmith.dev/goldsmith/apiserver/builder.(*Server).WithDelegatedAuth": false,
	} {
		if has := bytes.Contains(content, []byte(function)); has != want {
			t.Errorf("goldsmith has %s: %t, want %t", function, has, want)
		}
	}
}

// TestTheModuleRequiresNoClient keeps the programs of others out of what people compile, and out of its vulnerabilities.
func TestTheModuleRequiresNoClient(t *testing.T) {
	for _, client := range []string{"helm.sh/helm", "sigs.k8s.io/kubectl-validate", "github.com/yuin/gopher-lua", "github.com/zitadel/oidc"} {
		if strings.Contains(readFile(t, "go.mod"), client) {
			t.Errorf("go.mod requires %s, which belongs in %s", client, clients)
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
	packages := clientPackages(t)
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

// clientPackages reads the packages of the module of clients from their files, because go list would first download what they import.
func clientPackages(t *testing.T) (packages []listedPackage) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join("..", clients), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() || entry.Name() == "testdata" {
			return err
		}
		pkg, err := build.ImportDir(path, 0)
		if errors.As(err, new(*build.NoGoError)) {
			return nil
		}
		folder, _ := filepath.Rel("..", path)
		packages = append(packages, listedPackage{module + filepath.ToSlash(folder), pkg.Imports, pkg.TestImports, pkg.XTestImports})
		return err
	})
	if err != nil || len(packages) == 0 {
		t.Fatalf("read %d packages of clients: %v", len(packages), err)
	}
	return packages
}

// openFolders opens each folder of the layers. go test ignores a cached result after an entry changes in a folder that the test
// opened. It does not know which files go list reads.
func openFolders(t *testing.T) {
	t.Helper()
	for _, layer := range layers {
		top, _, _ := strings.Cut(layer.folder, "/")
		err := filepath.WalkDir(filepath.Join("..", top), func(_ string, _ fs.DirEntry, err error) error { return err })
		require.NoError(t, err)
	}
}

// ours returns the folders of the imports that belong to this module.
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

// within reports whether a folder is the parent or below the parent. The parent "" is the whole module.
func within(folder, parent string) bool {
	return parent == "" || folder == parent || strings.HasPrefix(folder, parent+"/")
}
