// SPDX-License-Identifier: Apache-2.0

// Package catalog reads the kinds of images that an operator configures, and reads them again when their documents change. A document is an
// ImageKind in YAML.
package catalog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	kjson "sigs.k8s.io/json"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/wrongtype"
	"goldsmith.dev/goldsmith/cmd/internal/documents"
	"goldsmith.dev/goldsmith/jobs/catalog"
	"goldsmith.dev/goldsmith/jobs/catalog/names"
)

const (
	// MaxMiB is the size of the largest file that is read, in MiB: more than 100 kinds of 100 fields need.
	MaxMiB = 4
	// kind is the kind of each document.
	kind = "ImageKind"
)

// Source reads kinds. It is safe for concurrent use.
type Source struct {
	place   documents.Place
	compile Compile

	mu      sync.Mutex
	last    reading
	correct reading // the last one without a problem
}

// reading is what the files had at a moment. The same files are not read twice.
type reading struct {
	files    []documents.File
	problems []error // of files that cannot be read
	kinds    map[string]*catalog.Kind
	err      error
	// documents has the results by the JSON of their documents. So a kind whose document did not change is the same pointer.
	documents map[string]result
}

// Compile returns the kind that is declared, or what is wrong with it.
type Compile func(ctx context.Context, declared *v1alpha1.ImageKind) (*catalog.Kind, field.ErrorList)

type result struct {
	name string // of the declared kind, or "" if it is unknown
	kind *catalog.Kind
	err  error // joins all problems
}

// NewSource returns the source of the kinds in a file, or in the files NAME.yaml of a directory. Path is absolute. If it is optional it may
// be missing, and there are no kinds then.
func NewSource(path string, optional bool, compile Compile) *Source {
	return &Source{place: documents.Place{Path: path, Optional: optional, MaxMiB: MaxMiB}, compile: compile}
}

// Read returns the kinds of all documents by name. The error has a line for each problem, with the file, the line in which the document
// begins, the kind and the path of the field.
func (s *Source) Read(ctx context.Context) (map[string]*catalog.Kind, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := reading{}
	now.files, now.problems = s.place.Read()
	if !reflect.DeepEqual(now.files, s.last.files) || !reflect.DeepEqual(now.problems, s.last.problems) {
		s.readFiles(ctx, &now)
		if s.last = now; now.err == nil {
			s.correct = now
		}
	}
	return s.last.kinds, s.last.err
}

func (s *Source) readFiles(ctx context.Context, now *reading) {
	now.documents = map[string]result{}
	problems := slices.Clone(now.problems)
	var found []declaration
	for _, file := range now.files {
		if len(bytes.TrimSpace(file.Content)) == 0 {
			problems = append(problems, fmt.Errorf("%s: it is empty, as while it is being written: write kinds or a comment, or delete it", file.Path))
		}
		for _, document := range documents.Split(file.Content) {
			subject := fmt.Sprintf("%s:%d", file.Path, document.Line)
			text, err := document.JSON()
			if err != nil {
				problems = append(problems, documents.Within(subject, err)...)
				continue
			}
			if string(text) == "null" { // comments alone
				continue
			}
			declared := declaration{result: s.read(ctx, text), at: subject}
			now.documents[string(text)] = declared.result
			problems = append(problems, declared.problems(found)...)
			found = append(found, declared)
		}
	}
	if len(problems) > 0 {
		now.err = errors.Join(problems...)
		return
	}
	now.kinds = map[string]*catalog.Kind{}
	for _, declared := range found {
		now.kinds[declared.name] = declared.kind
	}
}

// read compiles a document, unless the last reading had it, or the last one without a problem.
func (s *Source) read(ctx context.Context, text []byte) (read result) {
	for _, reading := range []*reading{&s.last, &s.correct} {
		if known, ok := reading.documents[string(text)]; ok {
			return known
		}
	}
	var header struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Metadata   struct {
			Name string `json:"name"`
		} `json:"metadata"`
	}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(text, &header); err != nil {
		return result{err: wrongtype.Explain(err)}
	}
	if header.APIVersion != v1alpha1.SchemeGroupVersion.String() || header.Kind != kind {
		return result{err: fmt.Errorf("apiVersion %q and kind %q must be %s and %s", header.APIVersion, header.Kind, v1alpha1.SchemeGroupVersion, kind)}
	}
	if len(validation.IsDNS1123Label(header.Metadata.Name)) == 0 {
		read.name = header.Metadata.Name
	}
	declared := &v1alpha1.ImageKind{}
	if read.err = documents.Strict(text, declared); read.err != nil {
		return read
	}
	var problems field.ErrorList
	read.kind, problems = s.compile(ctx, declared)
	read.err = join(problems)
	return read
}

// join returns an error with a line for each problem.
func join(problems field.ErrorList) error {
	var lines []error
	for _, problem := range problems {
		lines = append(lines, errors.New(strings.Join(strings.Fields(problem.Error()), " "))) // messages of CEL have several lines
	}
	return errors.Join(lines...)
}

// declaration is a kind that a document declares.
type declaration struct {
	result
	at string // the file and the line of the document
}

// problems returns what is wrong with the kind, alone and with the kinds of other documents.
func (d declaration) problems(others []declaration) []error {
	subject := d.at
	if d.name != "" {
		subject += ": " + d.name
	}
	var problems []error
	for _, err := range append([]error{d.err}, d.conflicts(others)...) {
		if err != nil {
			problems = append(problems, documents.Within(subject, err)...)
		}
	}
	return problems
}

// conflicts returns which names other kinds have already.
func (d declaration) conflicts(others []declaration) (problems []error) {
	for _, other := range others {
		switch {
		case d.name != "" && d.name == other.name:
			problems = append(problems, fmt.Errorf("metadata.name: %s is also set in %s: choose another name", d.name, other.at))
		case d.kind != nil && other.kind != nil:
			for _, problem := range names.Conflicts(d.kind.Declared(), other.kind.Declared()) {
				problems = append(problems, fmt.Errorf("%w in %s: choose another name", problem, other.at))
			}
		}
	}
	return problems
}

// Watch reads the documents whenever they change until ctx is done. Current are the kinds that were read before. change gets all kinds,
// and only if there is no problem with any document. tell gets a line for each change, and for each new problem.
func (s *Source) Watch(ctx context.Context, current map[string]*catalog.Kind, change func(map[string]*catalog.Kind), tell func(line string)) error {
	return documents.Watch[*catalog.Kind]{
		Place: s.place, Subject: "kinds", Read: func() (map[string]*catalog.Kind, error) { return s.Read(ctx) }, Tell: tell,
		Equal:  same,
		Change: func(kinds map[string]*catalog.Kind) error { change(kinds); return nil },
	}.Run(ctx, current)
}

// Sorted returns kinds in the order of their names.
func Sorted(kinds map[string]*catalog.Kind) []*catalog.Kind {
	sorted := make([]*catalog.Kind, 0, len(kinds))
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		sorted = append(sorted, kinds[name])
	}
	return sorted
}
