// SPDX-License-Identifier: Apache-2.0

// Package config sets flags from a file. Its keys are the names of the flags, so that a new flag needs no code here. It knows no flag.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"goldsmith.dev/goldsmith/cmd/internal/documents"
	"goldsmith.dev/goldsmith/cmd/internal/flagvalue"
)

// maxFile is the size of the largest file that is read, in MiB.
const maxFile = 1

// File is a file that was read. Nil is no file.
type File struct {
	path     string
	settings []setting
}

// setting is the value of a key.
type setting struct {
	key    string
	line   int
	isList bool
	values []value
}

type value struct {
	text, tag string
}

// Read reads a YAML file with a mapping. The error has a line for each problem, with the file and the line.
func Read(path string) (*File, error) {
	content, err := documents.ReadFile(path, maxFile)
	if err != nil {
		return nil, fmt.Errorf("read the configuration %s: %w", path, err)
	}
	var root, next yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	err = decoder.Decode(&root)
	if errors.Is(err, io.EOF) { // comments alone
		return &File{path: path}, nil
	}
	if err == nil {
		if err = decoder.Decode(&next); errors.Is(err, io.EOF) {
			return parse(path, root.Content[0])
		}
	}
	if err == nil {
		return nil, fmt.Errorf("%s:%d: a second document begins: write all settings in one document", path, next.Line)
	}
	return nil, syntaxError(path, err)
}

// ofLine is how the library names the line of an error.
var ofLine = regexp.MustCompile(`^yaml: line (\d+): `)

func syntaxError(path string, err error) error {
	at, message := path, err.Error()
	if match := ofLine.FindStringSubmatch(message); match != nil {
		at, message = path+":"+match[1], message[len(match[0]):]
	}
	return fmt.Errorf("%s: %s: correct the YAML", at, strings.TrimPrefix(message, "yaml: "))
}

func parse(path string, top *yaml.Node) (*File, error) {
	file := &File{path: path}
	switch {
	case top.Kind == yaml.ScalarNode && top.Tag == "!!null":
		return file, nil
	case top.Kind != yaml.MappingNode:
		return nil, fmt.Errorf("%s:%d: must have settings as KEY: VALUE, such as workers: 4", path, top.Line)
	}
	var problems []error
	for i := 0; i+1 < len(top.Content); i += 2 {
		key, node := top.Content[i], top.Content[i+1]
		read := setting{key: key.Value, line: key.Line}
		if key.Kind != yaml.ScalarNode {
			problems = append(problems, fmt.Errorf("%s:%d: a key must be the name of a flag, such as workers", path, key.Line))
			continue
		}
		report := func(format string, arguments ...any) {
			problems = append(problems, fmt.Errorf("%s:%d: %s: %s", path, key.Line, key.Value, fmt.Sprintf(format, arguments...)))
		}
		if node.Kind == yaml.AliasNode {
			node = node.Alias
		}
		items := []*yaml.Node{node}
		if node.Kind == yaml.SequenceNode {
			read.isList, items = true, node.Content
		}
		for _, item := range items {
			switch {
			case item.Kind == yaml.AliasNode && item.Alias.Kind == yaml.ScalarNode:
				item = item.Alias
			case item.Kind != yaml.ScalarNode:
				report("must be a value, or a list of values")
			case item.Tag == "!!null":
				report("has no value: set one, or remove the key")
			}
			read.values = append(read.values, value{text: item.Value, tag: item.Tag})
		}
		if before := slices.IndexFunc(file.settings, func(other setting) bool { return other.key == read.key }); before >= 0 {
			report("is also set in line %d: remove one of the two", file.settings[before].line)
		}
		file.settings = append(file.settings, read)
	}
	return file, errors.Join(problems...)
}

// Apply sets the flags that the file has and that the command line has not set. The error has a line for each key that is no flag, and for
// each value that is not of the type of its flag.
func (f *File) Apply(flags *pflag.FlagSet) error {
	if f == nil {
		return nil
	}
	var problems []error
	for _, setting := range f.settings {
		flag := flags.Lookup(setting.key)
		if flag == nil {
			problems = append(problems, fmt.Errorf("%s:%d: unknown key %s: %s", f.path, setting.line, setting.key, suggest(setting.key, flags)))
			continue
		}
		if flag.Changed {
			continue
		}
		if err := set(flags, flag, setting); err != nil {
			problems = append(problems, fmt.Errorf("%s:%d: %s: %w", f.path, setting.line, setting.key, err))
		}
	}
	return errors.Join(problems...)
}

// set sets a flag whose value is of the right type.
func set(flags *pflag.FlagSet, flag *pflag.Flag, to setting) error {
	tag, what := map[string]string{"bool": "!!bool", "int": "!!int"}[flag.Value.Type()], flagvalue.Of(flag.Value.Type())
	list, repeatable := flag.Value.(pflag.SliceValue)
	if to.isList && !repeatable {
		return errors.New("must be one value, and not a list")
	}
	var texts []string
	for _, value := range to.values {
		if tag != "" && value.tag != tag {
			return fmt.Errorf("must be %s, and not %q", what, value.text)
		}
		if strings.HasPrefix(value.text, "~") {
			return fmt.Errorf("no shell expands the ~ of %s: write the whole path", value.text)
		}
		texts = append(texts, value.text)
	}
	if repeatable {
		flag.Changed = true
		return list.Replace(texts)
	}
	if err := flags.Set(flag.Name, texts[0]); err != nil {
		if what != "" {
			return fmt.Errorf("must be %s, and not %q", what, texts[0])
		}
		return err
	}
	return nil
}

// suggest returns what to write instead of an unknown key.
func suggest(key string, flags *pflag.FlagSet) string {
	key = strings.TrimLeft(key, "-")
	keys := &cobra.Command{SuggestionsMinimumDistance: 2} // it compares the names of commands
	flags.VisitAll(func(flag *pflag.Flag) {
		if min(len(key), len(flag.Name)) <= keys.SuggestionsMinimumDistance {
			return // everything short is similar
		}
		keys.AddCommand(&cobra.Command{Use: flag.Name, Run: func(*cobra.Command, []string) {}})
	})
	if similar := keys.SuggestionsFor(key); len(similar) > 0 {
		return "did you mean " + strings.Join(similar, " or ") + "?"
	}
	return "keys are the names of the flags that `goldsmith up --help` lists"
}

// of matches the flag that an error is about.
var of = regexp.MustCompile(`^--([a-z-]+)\b`)

// Locate puts the file, the line and the key in front of an error about a flag that the file has set.
func (f *File) Locate(err error) error {
	if f == nil || err == nil {
		return err
	}
	if match := of.FindStringSubmatch(err.Error()); match != nil {
		for _, setting := range f.settings {
			if setting.key == match[1] {
				return fmt.Errorf("%s:%d: %w", f.path, setting.line, err)
			}
		}
	}
	return err
}
