// SPDX-License-Identifier: Apache-2.0

// Package output prints for the verbs: objects in the format of the flag -o, tables for people, and text that others wrote on one safe line.
package output

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/printers"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/scheme"
)

// The formats of the flag. Without one, a verb prints what people read.
const (
	JSON = "json"
	YAML = "yaml"
	Name = "name"
)

var formats = []string{JSON, YAML, Name}

// Format is the value of the flag: JSON, YAML, Name or, by default, empty.
type Format string

// AddTo adds the flag to a verb.
func (f *Format) AddTo(command *cobra.Command) {
	command.Flags().VarP(f, "output", "o", "print it for programs")
	err := command.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic(err) // there is such a flag: the line above adds it
	}
}

// Set refuses what is no format.
func (f *Format) Set(value string) error {
	if !slices.Contains(formats, value) {
		return fmt.Errorf("it must be %s, %s or %s", JSON, YAML, Name)
	}
	*f = Format(value)
	return nil
}

// String is the format.
func (f *Format) String() string {
	return string(*f)
}

// Type is the formats, for the usage of the flag.
func (f *Format) Type() string {
	return strings.Join(formats, "|")
}

// Print writes an object, or a list of them, in the format, which must not be empty. Of a list, a name is written for each item;
// what has no name is an error then. The kinds are filled in, which a typed client leaves out.
func (f *Format) Print(object runtime.Object, out io.Writer) error {
	if escaping, ok := out.(*Escaping); ok && !printers.IsTerminal(escaping.out) {
		out = escaping.out // programs read it: nothing in it may change
	}
	var printer printers.ResourcePrinter
	switch *f {
	case JSON:
		printer = &printers.JSONPrinter{}
	case YAML:
		printer = &printers.YAMLPrinter{}
	case Name:
		printer = printers.ResourcePrinterFunc(printName)
	default:
		return fmt.Errorf("print %T: there is no format %q", object, *f)
	}
	object = object.DeepCopyObject()
	if isList(object) {
		if err := meta.EachListItem(object, setKind); err != nil {
			return fmt.Errorf("print %T: %w", object, err)
		}
		if *f == Name {
			return meta.EachListItem(object, func(item runtime.Object) error { return printer.PrintObj(item, out) })
		}
	}
	if err := setKind(object); err != nil {
		return fmt.Errorf("print %T: %w", object, err)
	}
	return (&printers.OmitManagedFieldsPrinter{Delegate: printer}).PrintObj(object, out)
}

// isList says whether something is a list of objects. The history of an image, say, has items that are none.
func isList(object runtime.Object) bool {
	return meta.IsListType(object) && meta.EachListItem(object, func(runtime.Object) error { return nil }) == nil
}

func printName(object runtime.Object, out io.Writer) error {
	kind := object.GetObjectKind().GroupVersionKind()
	named, err := meta.Accessor(object)
	if err != nil || named.GetName() == "" {
		return fmt.Errorf("%s has no name: use -o %s or -o %s", kind.Kind, JSON, YAML)
	}
	only := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: named.GetName()}} // its items may be no objects
	only.SetGroupVersionKind(kind)
	return (&printers.NamePrinter{}).PrintObj(only, out)
}

// setKind fills in apiVersion and kind of an object of ours. Any other object has them already.
func setKind(object runtime.Object) error {
	if !object.GetObjectKind().GroupVersionKind().Empty() {
		return nil
	}
	kinds, _, err := scheme.Scheme.ObjectKinds(object)
	if err != nil {
		return err
	}
	object.GetObjectKind().SetGroupVersionKind(kinds[0])
	return nil
}

// OneLine is a text without what would end a line, or tell a terminal what to do.
func OneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return ' '
		}
		return r
	}, text)
}
