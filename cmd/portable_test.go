// SPDX-License-Identifier: Apache-2.0

package cmd_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"

	"goldsmith.dev/goldsmith/e2e/require"
)

// linuxOnly are the folders of this module, and libraries, that goldsmith lacks on other systems, where it is only a client.
var linuxOnly = []string{
	module + "apiserver", module + "archive", module + "controllers", module + "records", module + "jobs/local", module + "jobs/mock",
	module + "builders/debian/program", module + "builders/debian/sandbox", module + "builders/debian/tools", module + "cmd/goldsmith/up",
	"go.etcd.io/etcd/server",
}

// everywhere are exceptions: small packages without a server.
var everywhere = []string{module + "apiserver/builder/kubeversion", module + "apiserver/requesterrors", module + "jobs/mock/schema"}

// TestGoldsmithIsAClientOnOtherSystems checks the types of everything that goldsmith consists of on macOS and Windows. A compiler would take
// minutes.
func TestGoldsmithIsAClientOnOtherSystems(t *testing.T) {
	if testing.Short() {
		t.Skip("reads every package of two more systems: make test-all")
	}
	openFolders(t)
	root := require.Value(filepath.Abs(".."))(t)
	for system, processor := range map[string]string{"darwin": "arm64", "windows": "amd64"} {
		programs, err := packages.Load(&packages.Config{
			Context: t.Context(), Dir: root, Env: append(os.Environ(), "GOOS="+system, "GOARCH="+processor, "CGO_ENABLED=0"),
			Mode: packages.NeedName | packages.NeedCompiledGoFiles | packages.NeedSyntax | packages.NeedTypes | packages.NeedImports | packages.NeedDeps,
			ParseFile: func(files *token.FileSet, name string, content []byte) (*ast.File, error) {
				file, err := parser.ParseFile(files, name, content, parser.SkipObjectResolution)
				if err == nil && !strings.HasPrefix(name, root+"/") {
					withoutBodies(file)
				}
				return file, err
			},
		}, module+"cmd/goldsmith")
		require.NoError(t, err)
		visited := 0
		packages.Visit(programs, nil, func(pkg *packages.Package) {
			visited++
			if withinAny(pkg.PkgPath, linuxOnly) && !withinAny(pkg.PkgPath, everywhere) {
				t.Errorf("goldsmith for %s has %s: are its commands in cmd/goldsmith/server_linux.go?", system, pkg.PkgPath)
			}
			for _, problem := range pkg.Errors {
				if problem.Kind != packages.TypeError || strings.HasPrefix(pkg.PkgPath, module) {
					t.Errorf("goldsmith for %s: %v", system, problem)
				}
			}
		})
		if visited < 100 {
			t.Errorf("goldsmith for %s has %d packages", system, visited)
		}
	}
}

// withoutBodies removes the bodies of functions, because packages of others need only fit together with those of this module.
func withoutBodies(file *ast.File) {
	for _, declaration := range file.Decls {
		if function, ok := declaration.(*ast.FuncDecl); ok {
			function.Body = nil
		}
	}
}
