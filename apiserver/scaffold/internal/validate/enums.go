// SPDX-License-Identifier: Apache-2.0

package validate

import (
	"fmt"
	"go/ast"
	"go/types"
	"iter"
	"maps"
	"slices"
)

var enums = rule{
	name:    "enums",
	doc:     "check that a type marked +enum has constants, each documented: OpenAPI lists them",
	section: "constants",
	check: func(a *api) {
		for object, declared := range a.inOrder() {
			if declared.spec.Assign.IsValid() || !declared.markers.has("enum") {
				continue
			}
			if len(a.members[object]) == 0 {
				a.report(declared.spec.Name, object.Name(), "is marked +enum and has no constants: declare one for each value", noFix)
			}
			var undocumented []*ast.Ident
			for _, constant := range a.members[object] {
				if constant.Doc == nil {
					undocumented = append(undocumented, constant.Names...)
				}
			}
			if len(undocumented) > 0 {
				a.report(undocumented[0], object.Name(), fmt.Sprintf("%d of its values have no documentation, beginning with %s: say in a comment above each what it means",
					len(undocumented), undocumented[0].Name), noFix)
			}
		}
	},
}

// inOrder yields the types of the package as they are written.
func (a *api) inOrder() iter.Seq2[types.Object, *declaration] {
	objects := slices.SortedFunc(maps.Keys(a.named), func(one, other types.Object) int { return int(one.Pos() - other.Pos()) })
	return func(yield func(types.Object, *declaration) bool) {
		for _, object := range objects {
			if !yield(object, a.named[object]) {
				return
			}
		}
	}
}
