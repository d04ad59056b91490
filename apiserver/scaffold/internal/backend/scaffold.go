// SPDX-License-Identifier: Apache-2.0

// Package backend scaffolds where a server keeps its objects: a builder.StorageBackend with a journal of its own, and
// tests of both.
package backend

import (
	"context"
	"fmt"
	"go/token"
	"io"
	"path"
	"regexp"

	"goldsmith.dev/goldsmith/apiserver/scaffold/internal/gofiles"
	"goldsmith.dev/goldsmith/apiserver/scaffold/internal/templates"
)

// Options describe the package to scaffold.
type Options struct {
	// Name is that of the package, such as ledger.
	Name string
	// Directory is the target directory, in a module that uses the builder.
	Directory string
	// License is named in the first line of each file, as an SPDX identifier. Optional.
	License string
}

// packageName matches the package names that are accepted. The names in taken would collide with an import or a variable.
var packageName = regexp.MustCompile(`^[a-z][a-z0-9]*$`)

var taken = map[string]bool{
	"backend": true, "bufio": true, "builder": true, "bytes": true, "clientv3": true, "context": true, "egressselector": true,
	"errors": true, "fmt": true, "grpc": true, "internal": true, "io": true, "json": true, "main": true, "memory": true,
	"net": true, "os": true, "filepath": true, "storagebackend": true, "syscall": true, "testdata": true, "testing": true, "vendor": true,
}

func (o Options) validate() error {
	switch {
	case !packageName.MatchString(o.Name):
		return fmt.Errorf("--name %q: must be letters and digits in lower case, such as ledger", o.Name)
	case token.IsKeyword(o.Name) || taken[o.Name]:
		return fmt.Errorf("--name %q: cannot be the name of this package", o.Name)
	}
	return nil
}

// Scaffold writes the storage, and prints the written files and the next steps to out. If an option is wrong or a file
// exists already, Scaffold writes nothing.
func Scaffold(ctx context.Context, options Options, out io.Writer) error {
	if err := options.validate(); err != nil {
		return err
	}
	module, err := gofiles.FindModule(ctx, options.Directory)
	if err != nil {
		return fmt.Errorf("--directory %q: %w", options.Directory, err)
	}
	directory := path.Join("apiserver", options.Name)
	data := struct{ Name, Package string }{options.Name, path.Join(module.Package, directory)}
	var planned []gofiles.File
	for _, name := range []string{"doc.go", "backend.go", "journal.go", "backend_test.go"} {
		content, err := gofiles.Render(templates.Files, "backend/"+name+".tmpl", options.License, data)
		if err != nil {
			return err
		}
		planned = append(planned, gofiles.File{Path: path.Join(directory, name), Content: content})
	}
	if err := gofiles.Write(module.Directory, planned); err != nil {
		return err
	}
	// The files count, not what is said about them: an output that is closed stops nothing.
	say := func(format string, arguments ...any) { _, _ = fmt.Fprintf(out, format+"\n", arguments...) }
	for _, file := range planned {
		say("wrote %s", file.Path)
	}
	if _, err := module.Go(ctx, "list", "-deps", "-test", "./"+directory); err != nil { // go.mod and go.sum get what is missing
		return fmt.Errorf("the files are written, but: %w", err)
	}
	say("\nnext:\n  go mod tidy && go test ./%s\n  use it: WithStorage(%s.New(file))", directory, options.Name)
	return nil
}
