// SPDX-License-Identifier: Apache-2.0

package resource

import (
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"goldsmith.dev/goldsmith/apiserver/scaffold/internal/gofiles"
	"goldsmith.dev/goldsmith/apiserver/scaffold/internal/templates"
)

// Scaffold writes a resource, runs the generators, and prints the written files and the next steps to out. If an option is
// wrong or a file exists already, Scaffold writes nothing.
func Scaffold(ctx context.Context, options Options, out io.Writer) error {
	if err := options.complete(); err != nil {
		return err
	}
	module, err := gofiles.FindModule(ctx, options.Directory)
	if err != nil {
		return fmt.Errorf("--directory %q: %w", options.Directory, err)
	}
	planned, err := plan(ctx, &options, module)
	if err != nil {
		return err
	}
	if err := gofiles.Write(module.Directory, planned.files); err != nil {
		return err
	}
	// The files count, not what is said about them: an output that is closed stops nothing.
	say := func(format string, arguments ...any) { _, _ = fmt.Fprintf(out, format+"\n", arguments...) }
	for _, file := range planned.files {
		verb := "wrote"
		if file.Replaces {
			verb = "changed"
		}
		say("%s %s", verb, file.Path)
	}
	say("generating deep copies and OpenAPI definitions of %s", options.typesDirectory())
	types := "./" + options.typesDirectory()
	for _, arguments := range [][]string{
		{"generate", types},
		{"list", "-deps", "-test", types + "/...", "./" + options.serverDirectory()}, // go.mod and go.sum get what is missing
	} {
		if _, err := module.Go(ctx, arguments...); err != nil {
			return fmt.Errorf("the files are written, but: %w", err)
		}
	}
	say("\nnext:\n  %s", strings.Join(planned.next, "\n  "))
	return nil
}

// scaffolded are the files to write, and the steps that are left to a person.
type scaffolded struct {
	files []gofiles.File
	next  []string
}

// fields are the values for the templates.
type fields struct {
	*Options
	Singular, ModelPackage                              string
	Module, TypesDirectory, TypesPackage, ServerPackage string
	Program                                             string
	CodeGeneratorVersion, OpenAPIVersion                string
}

func plan(ctx context.Context, options *Options, module *gofiles.Module) (*scaffolded, error) {
	data := fields{
		Options:        options,
		Singular:       options.singular(),
		ModelPackage:   options.modelPackage(),
		Module:         module.Package,
		TypesDirectory: options.typesDirectory(),
		TypesPackage:   path.Join(module.Package, options.typesDirectory()),
		ServerPackage:  path.Join(module.Package, options.serverDirectory()),
		Program:        path.Base(module.Package) + "-apiserver",
	}
	var err error
	if data.CodeGeneratorVersion, err = module.Version(ctx, "k8s.io/apimachinery"); err != nil {
		return nil, err
	}
	if data.OpenAPIVersion, err = module.Version(ctx, "k8s.io/kube-openapi"); err != nil {
		return nil, err
	}
	planned := &scaffolded{}
	add := func(template, file string) error {
		content, err := gofiles.Render(templates.Files, "resource/"+template+".tmpl", options.License, data)
		planned.files = append(planned.files, gofiles.File{Path: file, Content: content})
		return err
	}
	server := options.serverDirectory()
	for _, file := range []struct{ template, path string }{
		{"types/types.go", path.Join(data.TypesDirectory, data.Singular+"_types.go")},
		{"server/doc.go", path.Join(server, "doc.go")},
		{"server/register.go", path.Join(server, "register.go")},
		{"server/storage.go", path.Join(server, "storage.go")},
		{"server/strategy.go", path.Join(server, "strategy.go")},
		{"server/validation.go", path.Join(server, "validation.go")},
		{"server/table.go", path.Join(server, "table.go")},
		{"server/served_test.go", path.Join(server, "served_test.go")},
	} {
		if err := add(file.template, file.path); err != nil {
			return nil, err
		}
	}
	if err := planned.joinVersion(options, module, add); err != nil {
		return nil, err
	}
	if err := planned.joinServer(data, module, add); err != nil {
		return nil, err
	}
	planned.next = append(planned.next,
		"go mod tidy && go test ./...",
		fmt.Sprintf("write what %s really is into %s, then go generate ./%s", options.Kind, planned.files[0].Path, data.TypesDirectory),
		fmt.Sprintf("check it: go run goldsmith.dev/goldsmith/apiserver/scaffold validate-types ./%s", data.TypesDirectory))
	return planned, nil
}

// joinVersion adds the package of the group version or, where there is one already, adds the kind to it.
func (s *scaffolded) joinVersion(options *Options, module *gofiles.Module, add func(template, file string) error) error {
	register := path.Join(options.typesDirectory(), "register.go")
	source, err := os.ReadFile(filepath.Join(module.Directory, register))
	if os.IsNotExist(err) {
		for _, name := range []string{"doc.go", "register.go"} {
			if err := add("types/"+name, path.Join(options.typesDirectory(), name)); err != nil {
				return err
			}
		}
		return nil
	}
	if err != nil {
		return err
	}
	if !strings.Contains(string(source), fmt.Sprintf("%q", options.Group)) {
		return fmt.Errorf("--group %q: %s is of another group", options.Group, register)
	}
	changed, err := addKind(register, source, options.Kind)
	if err != nil {
		return err
	}
	s.files = append(s.files, gofiles.File{Path: register, Content: changed, Replaces: true})
	return nil
}

// joinServer adds a server and a program that runs it or, where there is a server already, adds the resource to it.
func (s *scaffolded) joinServer(data fields, module *gofiles.Module, add func(template, file string) error) error {
	const register = "apiserver/register.go"
	source, err := os.ReadFile(filepath.Join(module.Directory, register))
	if os.IsNotExist(err) {
		if err := add("program/register.go", register); err != nil {
			return err
		}
		return add("program/main.go", path.Join("cmd", data.Program, "main.go"))
	}
	if err != nil {
		return err
	}
	changed, err := addResource(register, source, data.ServerPackage)
	if err != nil {
		s.next = append(s.next, fmt.Sprintf("serve it: call %s.Register(server) in %s, which %v", data.Singular, register, err))
		return nil
	}
	s.files = append(s.files, gofiles.File{Path: register, Content: changed, Replaces: true})
	return nil
}
