// SPDX-License-Identifier: Apache-2.0

package kinds

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/jobs/catalog/examples"
)

// example writes a manifest of a kind.
func example(ctx context.Context, connection *client.Connection, kind *client.CatalogKind, out io.Writer) error {
	documents := documents{connection: connection}
	object, err := documents.schemaOf(kind)
	if err != nil {
		return err
	}
	schema, err := structuralOf(object)
	if err != nil {
		return fmt.Errorf("read the schema of %s: %w", kind.Name, err)
	}
	manifest := &manifest{}
	manifest.line("", "apiVersion: "+kind.Resource().GroupVersion().String())
	manifest.line("", "kind: "+kind.Kind)
	manifest.line("", "metadata:")
	manifest.line("", "  name: example")
	start, full := examples.Of(ctx, schema, nil)
	manifest.line("", "spec:") // null if all fields are comments: {} could have none below it
	if err := manifest.fields("  ", schema, start, full); err != nil {
		return fmt.Errorf("write an example of %s: %w", kind.Name, err)
	}
	_, err = io.WriteString(out, manifest.text.String())
	return err
}

// manifest is a YAML document with comments.
type manifest struct{ text strings.Builder }

func (m *manifest) line(indent, line string) {
	m.text.WriteString(strings.TrimRight(indent+line, " ") + "\n")
}

// fields writes the fields of an object: first those that are set, and then the others as comments, with values that they can have.
func (m *manifest) fields(indent string, schema *structuralschema.Structural, set, full map[string]any) error {
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		if value, ok := set[name]; ok {
			property := schema.Properties[name]
			m.describe(indent, &property)
			if err := m.field(indent, name, &property, value, full[name]); err != nil {
				return err
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		if _, ok := set[name]; ok {
			continue
		}
		property := schema.Properties[name]
		m.describe(indent, &property)
		text, err := yaml.Marshal(map[string]any{name: full[name]})
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(text)) {
			m.line(indent, "# "+strings.TrimRight(line, "\n"))
		}
	}
	return nil
}

func (m *manifest) field(indent, name string, schema *structuralschema.Structural, value, full any) error {
	if object, ok := value.(map[string]any); ok && len(schema.Properties) > 0 && len(object) > 0 {
		all, _ := full.(map[string]any)
		m.line(indent, name+":")
		return m.fields(indent+"  ", schema, object, all)
	}
	text, err := yaml.Marshal(map[string]any{name: value})
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		m.line(indent, strings.TrimRight(line, "\n"))
	}
	return nil
}

// describe writes the description of a field, its values and its default as a comment.
func (m *manifest) describe(indent string, schema *structuralschema.Structural) {
	text := strings.TrimSpace(schema.Description)
	add := func(sentence string) { text = strings.TrimSpace(text + " " + sentence) }
	if rules := schema.ValueValidation; rules != nil && len(rules.Enum) > 0 {
		values := make([]string, len(rules.Enum))
		for i := range rules.Enum {
			values[i] = fmt.Sprint(rules.Enum[i].Object)
		}
		add("One of " + strings.Join(values, ", ") + ".")
	}
	if value := schema.Default.Object; value != nil && len(schema.Properties) == 0 && !strings.Contains(text, "efaults to ") {
		add(fmt.Sprintf("Defaults to %v.", value))
	}
	for line := range strings.Lines(text) {
		m.line(indent, "# "+strings.TrimRight(line, "\n"))
	}
}
