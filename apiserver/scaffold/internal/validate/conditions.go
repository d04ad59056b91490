// SPDX-License-Identifier: Apache-2.0

package validate

import (
	"go/types"

	"golang.org/x/tools/go/analysis"
)

var conditions = rule{
	name:    "conditions",
	doc:     "check that conditions are a list of metav1.Condition with type as the key, so that several writers can share it",
	section: "typical-status-properties",
	check: func(a *api) {
		a.eachField(func(_ *structType, f *field) {
			if f.json.name != "conditions" {
				return
			}
			slice, ok := types.Unalias(f.typ).(*types.Slice)
			if !ok || !isMeta(slice.Elem(), "Condition") {
				if !ok || likeCondition(slice.Elem()) {
					a.reportField(f, noFix, "conditions are the same in every kind: make it []metav1.Condition")
				}
				return
			}
			var missing []string
			if list := f.markers.with("listType"); len(list) == 0 && !f.markers.has("k8s:listType") {
				missing = append(missing, "+listType=map")
			} else if len(list) > 0 && list[0] != "map" {
				a.reportField(f, noFix, "writers of conditions replace each other's: mark it // +listType=map and // +listMapKey=type")
				return
			}
			if !f.markers.has("listMapKey", "k8s:listMapKey") {
				missing = append(missing, "+listMapKey=type")
			}
			if len(missing) == 0 {
				return
			}
			fix := analysis.SuggestedFix{Message: "make it a list with type as the key"}
			for _, marker := range missing {
				edits := markField(f, marker).TextEdits
				if len(fix.TextEdits) == 0 {
					fix.TextEdits = edits
					continue
				}
				fix.TextEdits[0].NewText = append(fix.TextEdits[0].NewText, edits[0].NewText...)
			}
			a.reportField(f, fix, "writers of conditions replace each other's: mark it // +listType=map and // +listMapKey=type")
		})
	},
}

// likeCondition reports whether a type has what every condition has.
func likeCondition(t types.Type) bool {
	fields, ok := t.Underlying().(*types.Struct)
	if !ok {
		return false
	}
	names := map[string]bool{}
	for field := range fields.Fields() {
		names[field.Name()] = true
	}
	return names["Type"] && names["Status"]
}
