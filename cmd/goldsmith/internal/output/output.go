// SPDX-License-Identifier: Apache-2.0

// Package output prints for the verbs: objects in the format of the flag -o, tables for people, and untrusted text on one safe line.
package output

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/printers"
	"k8s.io/kubectl/pkg/cmd/get"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/scheme"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	_ "goldsmith.dev/goldsmith/cmd/goldsmith/internal/kubectl/translations" // before the commands of kubectl
)

// The formats of the flag -o. Without a format, a verb prints text for people. Wide adds details to that text.
const (
	JSON = "json"
	YAML = "yaml"
	Name = "name"
	Wide = "wide"
)

var (
	formats = []string{JSON, YAML, Name, Wide}
	// templates are the prefixes of the template formats, as in kubectl.
	templates = []string{"jsonpath=", "go-template=", "custom-columns="}
)

// Format is the value of the flag: JSON, YAML, Name, Wide, a template or, by default, empty.
type Format string

// ForPrograms reports whether Print prints the format. Any other output is for people.
func (f *Format) ForPrograms() bool {
	return *f != "" && *f != Wide
}

// Structured reports whether the format shows the contents of objects, and not only their names.
func (f *Format) Structured() bool {
	return f.ForPrograms() && *f != Name
}

// AddTo adds the flag to a verb.
func (f *Format) AddTo(command *cobra.Command) {
	command.Flags().VarP(f, "output", "o", "output format: "+strings.Join(formats, ", ")+", or a kubectl template")
	err := command.RegisterFlagCompletionFunc("output", completeFormat)
	if err != nil {
		panic(err) // cannot fail: the line above adds the flag
	}
}

// completeFormat completes a format. The shell adds no space after the beginning of a template.
func completeFormat(_ *cobra.Command, _ []string, begun string) (fitting []string, directive cobra.ShellCompDirective) {
	directive = cobra.ShellCompDirectiveNoFileComp
	for _, format := range slices.Concat(formats, templates) {
		if strings.HasPrefix(format, begun) {
			fitting = append(fitting, format)
		}
	}
	if len(fitting) == 1 && slices.Contains(templates, fitting[0]) {
		directive |= cobra.ShellCompDirectiveNoSpace
	}
	return fitting, directive
}

// Set refuses unknown formats and invalid templates.
func (f *Format) Set(value string) error {
	template := slices.ContainsFunc(templates, func(beginning string) bool { return strings.HasPrefix(value, beginning) })
	if !template && !slices.Contains(formats, value) {
		return fmt.Errorf("must be %s, jsonpath=TEMPLATE, go-template=TEMPLATE or custom-columns=COLUMNS", strings.Join(formats, ", "))
	}
	format := Format(value)
	if _, err := format.printer(); err != nil {
		return err
	}
	*f = format
	return nil
}

// printer returns the printer that kubectl uses for the format.
func (f *Format) printer() (printers.ResourcePrinter, error) {
	flags := get.NewGetPrintFlags()
	*flags.OutputFormat = string(*f)
	return flags.ToPrinter()
}

// String returns the format.
func (f *Format) String() string {
	return string(*f)
}

// Type returns the name of the value in the usage of the flag.
func (f *Format) Type() string {
	return "format"
}

// Print writes an object or a list in the format, which must be for programs. With Name, Print writes the name of each item of a
// list, and fails for an item without a name. Print sets apiVersion and kind, because typed clients omit them.
func (f *Format) Print(object runtime.Object, out io.Writer) error {
	if escaping, ok := out.(*Escaping); ok && !printers.IsTerminal(escaping.out) {
		out = escaping.out // the output for programs must not change
	}
	if !f.ForPrograms() {
		return fmt.Errorf("print %T: format %q is not for programs", object, *f)
	}
	printer, err := f.printer()
	if err != nil {
		return fmt.Errorf("print %T: %w", object, err)
	}
	object = object.DeepCopyObject()
	if isList(object) {
		if err := meta.EachListItem(object, setKind); err != nil {
			return fmt.Errorf("print %T: %w", object, err)
		}
		if *f == Name {
			return meta.EachListItem(object, func(item runtime.Object) error { return printName(item, out) })
		}
	}
	if err := setKind(object); err != nil {
		return fmt.Errorf("print %T: %w", object, err)
	}
	if *f == Name {
		return printName(object, out)
	}
	if _, columns := printer.(*get.CustomColumnsPrinter); columns {
		if object, err = untyped(object); err != nil {
			return fmt.Errorf("print %T: %w", object, err)
		}
	}
	return printer.PrintObj(object, out)
}

// untyped returns the object as JSON fields, because columns refer to JSON names. For an object with items, such as the builds of a
// history, untyped returns a list of the items. The items need not be Kubernetes objects.
func untyped(object runtime.Object) (runtime.Object, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, err
	}
	items, isList := content["items"].([]any)
	if !isList {
		return &unstructured.Unstructured{Object: content}, nil
	}
	list := &unstructured.UnstructuredList{}
	for _, item := range items {
		fields, isObject := item.(map[string]any)
		if !isObject {
			return nil, fmt.Errorf("an item is a %T", item)
		}
		list.Items = append(list.Items, unstructured.Unstructured{Object: fields})
	}
	return list, nil
}

// isList reports whether the value is a list of Kubernetes objects. For example, the items of an image's history are no
// objects.
func isList(object runtime.Object) bool {
	return meta.IsListType(object) && meta.EachListItem(object, func(runtime.Object) error { return nil }) == nil
}

func printName(object runtime.Object, out io.Writer) error {
	kind := object.GetObjectKind().GroupVersionKind()
	named, err := meta.Accessor(object)
	if err != nil || named.GetName() == "" {
		return fmt.Errorf("%s has no name to print: use -o %s or -o %s", kind.Kind, JSON, YAML)
	}
	only := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: named.GetName()}} // without items, which may be no objects
	only.SetGroupVersionKind(kind)
	return (&printers.NamePrinter{}).PrintObj(only, out)
}

// setKind sets apiVersion and kind of a Goldsmith object. Other objects have both already.
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

// OneLine replaces line ends and tabs with spaces, and escapes other unprintable characters, so that text stays on one line and
// cannot control a terminal.
func OneLine(text string) string {
	return v1alpha1.Escape(strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ", "\t", " ").Replace(text))
}

// Cut shortens a line to width characters. A shortened line ends with an ellipsis.
func Cut(line string, width int) string {
	runes := []rune(line)
	if len(runes) <= width {
		return line
	}
	return string(runes[:max(0, width-1)]) + "…"
}
