// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"encoding/json"
	"slices"
	"strings"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Fields are the fields of spec of a kind, or of an object in it, in the order in which the JSON of views has them.
type Fields []fieldNode

// A fieldNode is a field of spec of a kind, or of an object in it: either an object with fields, or bound.
type fieldNode struct {
	name   string // as the JSON of views has it, with its colon
	fields Fields
	bound  *Binding
}

// NewFields returns the fields of spec in alphabetical order.
func NewFields(bindings []*Binding) Fields {
	sorted := slices.SortedFunc(slices.Values(bindings), func(a, b *Binding) int { return slices.Compare(a.Way, b.Way) })
	return fieldsBelow(sorted, 0)
}

// fieldsBelow returns the fields of an object that is at a depth, and has all these bindings.
func fieldsBelow(bindings []*Binding, depth int) Fields {
	var nodes Fields
	for start := 0; start < len(bindings); {
		name, end := bindings[start].Way[depth], start+1
		for end < len(bindings) && bindings[end].Way[depth] == name {
			end++
		}
		node := fieldNode{name: `"` + name + `":`}
		if len(bindings[start].Way) == depth+1 {
			node.bound = bindings[start]
		} else {
			node.fields = fieldsBelow(bindings[start:end], depth+1)
		}
		nodes, start = append(nodes, node), end
	}
	return nodes
}

// AppendSpec appends the JSON of an object with those fields that the Image has. An object without any has no place in its parent.
func (f Fields) AppendSpec(to []byte, spec *v1alpha1.ImageSpec) ([]byte, error) {
	to = append(to, '{')
	empty := len(to)
	for i := range f {
		before := len(to)
		if before > empty {
			to = append(to, ',')
		}
		to = append(to, f[i].name...)
		value := len(to)
		var err error
		if bound := f[i].bound; bound == nil {
			to, err = f[i].fields.AppendSpec(to, spec)
			if string(to[value:]) == "{}" {
				to = to[:before]
			}
		} else if read, found := bound.Read(spec); found {
			to, err = appendJSON(to, read)
		} else {
			to = to[:before]
		}
		if err != nil {
			return nil, err
		}
	}
	return append(to, '}'), nil
}

// AppendOwned appends the JSON of the paths to those fields of an object that are owned. An object without any has no place in its
// parent.
func (f Fields) AppendOwned(to []byte, owned []*Binding) []byte {
	to = append(to, '{')
	empty := len(to)
	for i := range f {
		before := len(to)
		if before > empty {
			to = append(to, ',')
		}
		to = append(append(to, `"f:`...), f[i].name[1:]...)
		value := len(to)
		if bound := f[i].bound; bound == nil {
			to = f[i].fields.AppendOwned(to, owned)
		} else if slices.Contains(owned, bound) {
			to = append(to, "{}"...)
			continue
		}
		if len(to)-value <= len("{}") {
			to = to[:before]
		}
	}
	return append(to, '}')
}

// appendJSON appends the JSON of a value. Most values are simple texts.
func appendJSON(to []byte, value any) ([]byte, error) {
	if text, ok := value.(string); ok && !strings.ContainsFunc(text, func(r rune) bool {
		return r < ' ' || r > '~' || r == '"' || r == '\\'
	}) {
		return append(append(append(to, '"'), text...), '"'), nil
	}
	encoded, err := json.Marshal(value)
	return append(to, encoded...), err
}
