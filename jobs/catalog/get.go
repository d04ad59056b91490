// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"encoding/json"
	"slices"
	"strings"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/catalog/metadata"
)

// Get returns the object of the kind that an Image stores. A field whose value in the Image is not one that the kind can have is left
// out. The view shares memory with the Image. An error is a bug.
func (k *Kind) Get(image *v1alpha1.Image) (*View, error) {
	view := &View{ObjectMeta: metadata.View(&image.ObjectMeta)}
	view.APIVersion, view.Kind = k.apiVersion, k.declared.Spec.Names.Kind
	var err error
	if view.ManagedFields, err = k.viewOwners(image.ManagedFields, &view.ObjectMeta); err != nil {
		return nil, err
	}
	if view.Spec, err = appendFields(nil, k.fields, &image.Spec); err != nil {
		return nil, err
	}
	status := image.Status
	status.RecentRequests, status.BuildCounter, status.CountedBuild, status.Conformance = nil, 0, 0, nil
	view.Status = &status
	return view, nil
}

// A fieldNode is a field of spec of a kind, or of an object in it: either an object with fields, or bound.
type fieldNode struct {
	name   string // as the JSON of views has it, with its colon
	fields []fieldNode
	bound  *binding
}

// fieldTree returns the fields of spec in alphabetical order.
func fieldTree(bindings []*binding) []fieldNode {
	sorted := slices.SortedFunc(slices.Values(bindings), func(a, b *binding) int { return slices.Compare(a.way, b.way) })
	return fieldsBelow(sorted, 0)
}

// fieldsBelow returns the fields of an object that is at a depth, and has all these bindings.
func fieldsBelow(bindings []*binding, depth int) []fieldNode {
	var nodes []fieldNode
	for start := 0; start < len(bindings); {
		name, end := bindings[start].way[depth], start+1
		for end < len(bindings) && bindings[end].way[depth] == name {
			end++
		}
		node := fieldNode{name: `"` + name + `":`}
		if len(bindings[start].way) == depth+1 {
			node.bound = bindings[start]
		} else {
			node.fields = fieldsBelow(bindings[start:end], depth+1)
		}
		nodes, start = append(nodes, node), end
	}
	return nodes
}

// appendFields appends an object with those fields that the Image has. An object without any has no place in its parent.
func appendFields(to []byte, fields []fieldNode, spec *v1alpha1.ImageSpec) ([]byte, error) {
	to = append(to, '{')
	empty := len(to)
	for i := range fields {
		before := len(to)
		if before > empty {
			to = append(to, ',')
		}
		to = append(to, fields[i].name...)
		value := len(to)
		var err error
		if bound := fields[i].bound; bound == nil {
			to, err = appendFields(to, fields[i].fields, spec)
			if string(to[value:]) == "{}" {
				to = to[:before]
			}
		} else if read, found := bound.read(spec); found {
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
