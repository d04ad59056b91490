// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/ptr"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/internal/builders/document"
	"goldsmith.dev/goldsmith/cmd/internal/documents"
	"goldsmith.dev/goldsmith/jobs/capability"
	"goldsmith.dev/goldsmith/jobs/local"
)

// maxDocument is the size of the largest document that is read, in MiB: more than a thousand builders need.
const maxDocument = 1

// builder is a builder that the operator registered.
type builder struct {
	local.Builder
	// Description is a line for users. Optional.
	Description string
	// Reports is whether the builder gets a token with which it can report its progress.
	Reports bool
	// Capabilities are the parameters that the builder takes, and the targets that it makes. Defaults to all.
	Capabilities capability.Capabilities
	// Lacks returns what this machine lacks for the builder, or nil. It is called each time that a user looks. Optional.
	Lacks func() error
}

// describe returns what users see of the program: no variables. It checks again whether the program can run, because files may have
// changed since the start.
func (b builder) describe() *v1alpha1.BuilderExecutable {
	described := &v1alpha1.BuilderExecutable{Path: b.Path, Args: b.Args}
	if b.Workers > 0 {
		described.Workers = new(int32(min(b.Workers, math.MaxInt32)))
	}
	if err := b.problem(); err != nil {
		described.Problem = err.Error()
	}
	return described
}

// problem returns why the builder cannot run, or nil. The agent would find the same at the start of the builder.
func (b builder) problem() error {
	problems := []error{checkExecutable(b.Path)}
	for _, variable := range b.Env {
		_, err := variable.Read()
		problems = append(problems, err)
	}
	if b.Lacks != nil {
		problems = append(problems, b.Lacks())
	}
	return cmp.Or(problems...)
}

// source is the place of the documents.
type source struct {
	// Path is the absolute path of a document, or of a directory. Each file NAME.yaml of the directory is a document.
	Path string
	// Optional is whether Path may be missing. There are no builders then.
	Optional bool
	// Taken are the names that no document can use, each with the reason, such as "is built in".
	Taken map[string]string
}

func (s source) place() documents.Place {
	return documents.Place{Path: s.Path, Optional: s.Optional, MaxMiB: maxDocument}
}

// watch reads the documents whenever they change until ctx is done. Current are the builders that it has read before. change gets the
// builders of changed documents, if there is no problem with any document, and gets them again until it succeeds. tell gets a line for each
// change of the builders, and a line for each new problem.
func (s source) watch(ctx context.Context, current map[string]builder, change func(map[string]builder) error, tell func(line string)) error {
	return documents.Watch[builder]{
		Place: s.place(), Subject: "builders", Read: s.read, Change: change, Tell: tell,
		Equal: equal,
	}.Run(ctx, current)
}

// equal reports whether two builders are the same. A function is the same for a builder that ships.
func equal(a, b builder) bool {
	a.Lacks, b.Lacks = nil, nil
	return reflect.DeepEqual(a, b)
}

// read returns the builders of all documents by name. The error has a line for each problem, with the file, the builder and the field.
func (s source) read() (map[string]builder, error) {
	files, problems := s.place().Read()
	found, declared := map[string]builder{}, map[string]string{}
	for _, read := range files {
		file := read.Path
		declarations, err := document.Decode(read.Content)
		if err != nil {
			problems = append(problems, documents.Within(file, err)...)
		}
		for _, declaration := range declarations {
			name := declaration.Name
			subject := fmt.Sprintf("%s: builder %q", file, name)
			other, twice := declared[name]
			switch {
			case s.Taken[name] != "":
				problems = append(problems, fmt.Errorf("%s: name: %s %s: choose another name", subject, name, s.Taken[name]))
			case twice:
				problems = append(problems, fmt.Errorf("%s: name: %s is also set in %s: choose another name", subject, name, other))
			default:
				declared[name] = file
				builder, err := fromDocument(declaration, filepath.Dir(file))
				if err != nil {
					problems = append(problems, documents.Within(subject, err)...)
				}
				found[name] = builder
			}
		}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return found, nil
}

// Files returns the absolute paths of what the builders of a document need: executables, and files with the values of variables. A document
// that cannot be read needs none, and a builder with mistakes is left out.
func Files(path string) []string {
	content, err := documents.ReadFile(path, maxDocument)
	if err != nil {
		return nil
	}
	var files []string
	add := func(file string) {
		if file = from(filepath.Dir(path), file); !slices.Contains(files, file) {
			files = append(files, file)
		}
	}
	declarations, _ := document.Decode(content) // the start of a server reports mistakes
	for _, declaration := range declarations {
		if declaration.Path != "" {
			add(declaration.Path)
		}
		for _, variable := range declaration.Env {
			if variable.ValueFrom != nil && variable.ValueFrom.File != "" {
				add(variable.ValueFrom.File)
			}
		}
	}
	return files
}

// fromDocument returns the builder that is declared. Relative paths begin at the directory of the document.
func fromDocument(d document.Builder, directory string) (builder, error) {
	declared := builder{Description: d.Description, Reports: ptr.Deref(d.Reports, true)}
	declared.Args, declared.Unconfined = d.Args, d.Unconfined
	problems := d.Check()
	report := func(err error) { problems = append(problems, err) }
	if d.Image != "" {
		report(errors.New("image: is for a cluster: set path"))
	}
	for _, field := range []struct {
		name string
		set  bool
	}{{"nodeSelector", d.NodeSelector != nil}, {"tolerations", d.Tolerations != nil}, {"resources", d.Resources != nil}} {
		if field.set {
			report(fmt.Errorf("%s: has no effect: it is for the pods of a cluster", field.name))
		}
	}
	if d.Path == "" {
		report(errors.New("path: set the path of the executable"))
	} else {
		declared.Path = from(directory, d.Path)
		if err := checkExecutable(declared.Path); err != nil {
			report(fmt.Errorf("path: %w", err))
		}
	}
	for i, argument := range d.Args {
		switch {
		case hasZero(argument):
			report(fmt.Errorf("args[%d]: has a zero byte", i))
		case len(argument) > local.MaxArgument:
			report(fmt.Errorf("args[%d]: is larger than %d KiB: write it to a file, and set the path of the file", i, local.MaxArgument>>10))
		}
	}
	if d.Workers != nil {
		if declared.Workers = int(*d.Workers); *d.Workers < 1 {
			report(fmt.Errorf("workers: must be 1 or greater, not %d", *d.Workers))
		}
	}
	for i, variable := range d.Env {
		read, err := readVariable(variable, directory)
		if err == nil && slices.ContainsFunc(declared.Env, func(other local.EnvVar) bool { return other.Name == read.Name }) {
			err = errors.New("is set twice")
		}
		if err != nil {
			report(fmt.Errorf("env[%d] %s: %w", i, variable.Name, err))
			continue
		}
		declared.Env = append(declared.Env, read)
	}
	var err error
	if declared.Capabilities, err = d.Capabilities(); err != nil {
		report(err)
	}
	return declared, errors.Join(problems...)
}

// readVariable returns the variable that is declared. Errors have no part of its value.
func readVariable(e document.EnvironmentVariable, directory string) (local.EnvVar, error) {
	variable := local.EnvVar{Name: e.Name}
	switch {
	case len(validation.IsCIdentifier(e.Name)) > 0:
		return variable, errors.New("name: must have letters, digits and underscores, and not begin with a digit")
	case local.Reserved(e.Name):
		return variable, errors.New("name: Goldsmith sets TMPDIR and the variables whose names begin with GOLDSMITH_: choose another name")
	case (e.Value == nil) == (e.ValueFrom == nil):
		return variable, errors.New("set either value or valueFrom")
	case e.Value != nil && hasZero(*e.Value):
		return variable, errors.New("value: has a zero byte, which no variable can have")
	case e.Value != nil && len(*e.Value) > local.MaxArgument:
		return variable, fmt.Errorf("value: is larger than %d KiB: write it to a file that the builder reads, and set the path of the file", local.MaxArgument>>10)
	case e.Value != nil:
		variable.Value = *e.Value
		return variable, nil
	case e.ValueFrom.File == "":
		return variable, errors.New("valueFrom.file: set the path of a file")
	}
	variable.File = from(directory, e.ValueFrom.File)
	if _, err := variable.Read(); err != nil {
		return variable, fmt.Errorf("valueFrom.file: %w", err)
	}
	return variable, nil
}

func hasZero(text string) bool { return strings.ContainsRune(text, 0) }

// from returns an absolute path for a path in a document.
func from(directory, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(directory, path)
}
