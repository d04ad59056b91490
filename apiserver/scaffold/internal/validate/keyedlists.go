// SPDX-License-Identifier: Apache-2.0

package validate

import (
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
)

var keyedLists = rule{
	name:    "keyedlists",
	doc:     "check that named parts of an object are a list with keys, not a map, that patches merge such a list, and that the keys of maps are strings",
	section: "lists-of-named-subobjects-preferred-over-maps",
	check: func(a *api) {
		a.eachField(func(_ *structType, f *field) {
			a.checkMergeKey(f)
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

// checkMergeKey checks that a strategic merge patch merges a list by the key by which server-side apply merges it. Such a patch
// can have only one key.
func (a *api) checkMergeKey(f *field) {
	keys := slices.Concat(f.markers.with("listMapKey"), f.markers.with("k8s:listMapKey"))
	if len(keys) != 1 || f.tag("patchStrategy") != "" && f.tag("patchMergeKey") == keys[0] {
		return
	}
	tags := `patchStrategy:"merge" patchMergeKey:"` + keys[0] + `"`
	fix := noFix
	if old := f.node.Tag; old != nil && f.tag("patchStrategy") == "" && f.tag("patchMergeKey") == "" {
		fix = analysis.SuggestedFix{Message: "tag it " + tags, TextEdits: []analysis.TextEdit{
			{Pos: old.Pos(), End: old.End(), NewText: []byte("`" + strings.Trim(old.Value, "`") + " " + tags + "`")},
		}}
	}
	a.reportField(f, fix, "strategic merge patches replace the list: tag it %s", tags)
}
