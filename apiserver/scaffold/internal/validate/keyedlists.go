// SPDX-License-Identifier: Apache-2.0

package validate

import "go/types"

var keyedLists = rule{
	name:    "keyedlists",
	doc:     "check that named parts of an object are a list with keys, not a map, and that the keys of maps are strings",
	section: "lists-of-named-subobjects-preferred-over-maps",
	check: func(a *api) {
		a.eachField(func(_ *structType, f *field) {
			t := types.Unalias(f.typ)
			if pointer, ok := t.(*types.Pointer); ok {
				t = pointer.Elem()
			}
			found, ok := t.Underlying().(*types.Map)
			if !ok {
				return
			}
			if key, ok := found.Key().Underlying().(*types.Basic); !ok || key.Info()&types.IsString == 0 {
				a.reportField(f, noFix, "keys in JSON are strings: use a string as the key")
			}
			value := types.Unalias(found.Elem())
			if pointer, ok := value.(*types.Pointer); ok {
				value = types.Unalias(pointer.Elem())
			}
			if _, ok := value.Underlying().(*types.Struct); ok && !marshals(value) {
				a.reportField(f, noFix, "is a map of objects: make it a list of them, with a field for the key, and mark it // +listType=map and // +listMapKey=name")
			}
		})
	},
}
