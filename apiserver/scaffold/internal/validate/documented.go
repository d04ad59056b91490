// SPDX-License-Identifier: Apache-2.0

package validate

import (
	"go/ast"
	"go/types"
)

var documented = rule{
	name: "documented",
	doc:  "check that types and fields are documented: kubectl explain shows their comments",
	check: func(a *api) {
		values := map[*declaration]bool{}
		for _, s := range a.structs {
			if ast.IsExported(s.name) && s.doc == "" {
				a.reportType(s, noFix, "is not documented: say in a comment above it what it is")
			}
		}
		a.eachField(func(s *structType, f *field) {
			if f.doc == "" && !f.embedded && (!s.kind || f.name != "Items") {
				a.reportField(f, noFix, "is not documented: say in a comment above it what it means, its unit, limits and default")
			}
			inner, _ := element(f.typ)
			named, ok := inner.(*types.Named)
			if !ok {
				return
			}
			// Structs are said above; this is for names of strings and numbers.
			declared := a.named[named.Obj()]
			if _, basic := named.Underlying().(*types.Basic); declared == nil || !basic || values[declared] {
				return
			}
			values[declared] = true
			if declared.doc == "" {
				a.report(declared.spec.Name, declared.spec.Name.Name, "is not documented: say in a comment above it what its values mean", noFix)
			}
		})
	},
}
