// SPDX-License-Identifier: Apache-2.0

package ownership

import (
	"encoding/json"
	"fmt"
	"strings"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"goldsmith.dev/goldsmith/jobs/catalog/binding"
)

// An ownerNode is an element of a path in the managed fields of an Image, on the way to a bound field.
type ownerNode struct {
	// children are the next elements, by the text between the quotes in JSON.
	children map[string]*ownerNode
	// bound is the binding whose target the path is. It is nil on the way.
	bound *binding.Binding
}

// ownerTree returns the first elements of the paths of all targets.
func ownerTree(bindings []*binding.Binding) (*ownerNode, error) {
	root := &ownerNode{children: map[string]*ownerNode{}}
	for _, b := range bindings {
		at := root
		for _, element := range b.ImagePaths[0] {
			name, err := fieldpath.SerializePathElement(element)
			if err != nil {
				return nil, fmt.Errorf("write path %s: %w", b.ImagePaths[0], err)
			}
			quoted, err := binding.JSON(name)
			if err != nil {
				return nil, fmt.Errorf("write path %s: %w", b.ImagePaths[0], err)
			}
			name = quoted[1 : len(quoted)-1]
			if at.children[name] == nil {
				at.children[name] = &ownerNode{children: map[string]*ownerNode{}}
			}
			at = at.children[name]
		}
		at.bound = b
	}
	return root, nil
}

// A projection reads the JSON of an entry of managed fields of an Image, and collects what a view shows of it. It reads the text once and
// keeps no paths: reading them into a set takes longer than all other parts of Get.
type projection struct {
	text string
	at   int
	// metadata is the JSON of the paths in the metadata.
	metadata string
	// owned are the bindings whose targets are owned.
	owned []*binding.Binding
}

// read reads an entry. It returns false for a text that is not an object of objects.
func (p *projection) read(root *ownerNode) bool {
	return p.members(func(name string) bool {
		if name != "f:metadata" {
			return p.element(root.children[name])
		}
		start := p.at
		valid := p.skip()
		p.metadata = p.text[start:p.at]
		return valid
	})
}

// element reads the object of an element.
func (p *projection) element(node *ownerNode) bool {
	switch {
	case node == nil:
		return p.skip()
	case node.bound == nil:
		return p.members(func(name string) bool { return p.element(node.child(name)) })
	}
	start := p.at
	valid := p.skip()
	if text := p.text[start:p.at]; text == "{}" || strings.HasPrefix(text, `{".":{}`) {
		p.owned = append(p.owned, node.bound)
	}
	return valid
}

// child returns the next element with a name as JSON has it. Names can be written in several ways.
func (n *ownerNode) child(name string) *ownerNode {
	if found := n.children[name]; found != nil || !strings.Contains(name, `\`) {
		return found
	}
	var decoded string
	if json.Unmarshal([]byte(`"`+name+`"`), &decoded) != nil {
		return nil
	}
	quoted, err := binding.JSON(decoded)
	if err != nil {
		return nil
	}
	return n.children[quoted[1:len(quoted)-1]]
}

// members reads an object. It calls read with the name of each member, to read its value.
func (p *projection) members(read func(name string) bool) bool {
	if !p.next('{') {
		return false
	}
	if p.next('}') {
		return true
	}
	for {
		name, valid := p.name()
		if !valid || !p.next(':') || !read(name) {
			return false
		}
		if p.next('}') {
			return true
		}
		if !p.next(',') {
			return false
		}
	}
}

// skip reads an object of objects.
func (p *projection) skip() bool {
	return p.members(func(string) bool { return p.skip() })
}

// name reads a string, and returns the text between its quotes.
func (p *projection) name() (string, bool) {
	if !p.next('"') {
		return "", false
	}
	for start := p.at; p.at < len(p.text); p.at++ {
		switch p.text[p.at] {
		case '\\':
			p.at++
		case '"':
			p.at++
			return p.text[start : p.at-1], true
		}
	}
	return "", false
}

// next reads a character after any white space, if it is the next one.
func (p *projection) next(character byte) bool {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
	if p.at >= len(p.text) || p.text[p.at] != character {
		return false
	}
	p.at++
	return true
}
