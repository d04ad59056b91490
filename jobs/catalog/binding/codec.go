// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"goldsmith.dev/goldsmith/jobs/catalog/schema"
)

// A codec converts the value of a field of a kind to the value of its target and back. Different values of the field have different
// values in the Image. A value of an Image that no value of the field has cannot be decoded.
type codec interface {
	encode(value any) (any, error)
	decode(stored any) (any, bool)
}

// identity stores the value itself.
type identity struct{ typ string }

func (c identity) encode(value any) (any, error) {
	if c.typ == "integer" {
		return wholeNumber(value)
	}
	if !schema.HasType(value, c.typ) {
		return nil, mustBe(c.typ)
	}
	return value, nil
}

func (c identity) decode(stored any) (any, bool) { return stored, schema.HasType(stored, c.typ) }

// prefixed stores a prefix and the text of a scalar.
type prefixed struct {
	prefix string
	typ    string
}

func (c prefixed) encode(value any) (any, error) {
	text, err := scalarText(value, c.typ)
	return c.prefix + text, err
}

func (c prefixed) decode(stored any) (any, bool) {
	text, ok := stored.(string)
	text, found := strings.CutPrefix(text, c.prefix)
	if !ok || !found {
		return nil, false
	}
	return readScalar(text, c.typ)
}

// table stores a value for each value of the field.
type table struct {
	typ      string
	toStored map[string]any // by the text of the value of the field
	toValue  map[any]any
}

func (c table) encode(value any) (any, error) {
	text, err := scalarText(value, c.typ)
	if err != nil {
		return nil, err
	}
	stored, found := c.toStored[text]
	if !found {
		return nil, fmt.Errorf("the kind has no value of the Image for %q", text)
	}
	return stored, nil
}

func (c table) decode(stored any) (any, bool) {
	value, found := c.toValue[stored]
	return value, found
}

// asJSON stores the JSON of the value.
type asJSON struct{ schema *structuralschema.Structural }

func (c asJSON) encode(value any) (any, error) { return JSON(value) }

// decode also reads JSON that encode would write in another way. An Image keeps it until the value changes.
func (c asJSON) decode(stored any) (any, bool) {
	text, ok := stored.(string)
	if !ok {
		return nil, false
	}
	var value any
	if utiljson.Unmarshal([]byte(text), &value) != nil || !hasForm(value, c.schema) {
		return nil, false
	}
	return value, true
}

// joined stores the items of a list in one text, with a separator between them.
type joined struct {
	separator string
	typ       string // of the items
}

func (c joined) encode(value any) (any, error) {
	list, ok := value.([]any)
	if !ok {
		return nil, mustBe("array")
	}
	texts := make([]string, len(list))
	for i, item := range list {
		var err error
		if texts[i], err = scalarText(item, c.typ); err != nil {
			return nil, fmt.Errorf("item %d %w", i, err)
		}
	}
	text := strings.Join(texts, c.separator)
	if !slices.Equal(c.split(text), texts) {
		return nil, fmt.Errorf("must have no item that is empty, or that has %q, which is between the items in the Image", c.separator)
	}
	return text, nil
}

// split also reads a text with several separators between two items, or around them. An Image keeps it until the value changes.
func (c joined) split(text string) []string {
	return slices.DeleteFunc(strings.Split(text, c.separator), func(item string) bool { return item == "" })
}

func (c joined) decode(stored any) (any, bool) {
	text, ok := stored.(string)
	if !ok {
		return nil, false
	}
	list := []any{}
	for _, part := range c.split(text) {
		item, ok := readScalar(part, c.typ)
		if !ok {
			return nil, false
		}
		list = append(list, item)
	}
	return list, true
}

// hasForm reports whether a value has the types and the properties that a schema declares. Other values have no place in an object of
// the kind: server-side apply refuses objects with them.
func hasForm(value any, declared *structuralschema.Structural) bool {
	if value == nil {
		return declared.Nullable
	}
	if !schema.HasType(value, declared.Type) {
		return false
	}
	switch value := value.(type) {
	case []any:
		for _, item := range value {
			if declared.Items != nil && !hasForm(item, declared.Items) {
				return false
			}
		}
	case map[string]any:
		for name, member := range value {
			property, found := declared.Properties[name]
			if !found && declared.AdditionalProperties != nil && declared.AdditionalProperties.Structural != nil {
				property, found = *declared.AdditionalProperties.Structural, true
			}
			if !found || !hasForm(member, &property) {
				return false
			}
		}
	}
	return true
}

// scalarText returns the text of a scalar: its JSON, without the quotes of a string.
func scalarText(value any, typ string) (string, error) {
	if typ == "integer" {
		whole, err := wholeNumber(value)
		if err != nil {
			return "", err
		}
		value = whole
	}
	if !schema.HasType(value, typ) {
		return "", mustBe(typ)
	}
	if text, ok := value.(string); ok {
		return text, nil
	}
	if value == 0.0 {
		return "0", nil // and not -0, which is the same number
	}
	return JSON(value)
}

// readScalar returns the scalar that has this text, and false for a text that scalarText does not return, such as 007 and 1e3.
func readScalar(text, typ string) (any, bool) {
	if typ == "string" {
		return text, true
	}
	var value any
	if utiljson.Unmarshal([]byte(text), &value) != nil {
		return nil, false
	}
	again, err := scalarText(value, typ)
	return value, err == nil && again == text
}

// wholeNumber returns an integer. Clients can write 3 as 3.0.
func wholeNumber(value any) (any, error) {
	if number, ok := value.(float64); ok && schema.HasType(value, "integer") {
		return int64(number), nil
	}
	if _, ok := value.(int64); !ok {
		return nil, mustBe("integer")
	}
	return value, nil
}

// JSON returns the JSON of a value. Objects have their properties in order, and no character is escaped for HTML.
func JSON(value any) (string, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return "", err
	}
	return strings.TrimSuffix(buffer.String(), "\n"), nil
}

func mustBe(typ string) error { return fmt.Errorf("must be of type %s", typ) }
