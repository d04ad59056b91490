// SPDX-License-Identifier: Apache-2.0

package validate

import (
	"go/types"
	"strings"
)

var numbers = rule{
	name:    "numbers",
	doc:     "check that numbers are int32 or int64: clients disagree on unsigned ones, and floats do not survive a round trip",
	section: "primitive-types",
	check: func(a *api) {
		a.eachField(func(_ *structType, f *field) {
			inner, steps := element(f.typ)
			if named, ok := inner.(*types.Named); ok && a.named[named.Obj()] == nil {
				return // another package's, which has its own rules
			}
			basic, ok := inner.Underlying().(*types.Basic)
			if !ok {
				return
			}
			switch info := basic.Info(); {
			case basic.Kind() == types.Uint8 && strings.HasSuffix(steps, "[]"): // bytes, which are base64 in JSON
			case info&(types.IsFloat|types.IsComplex) != 0:
				a.reportField(f, noFix, "%s does not survive a round trip: use an integer with a smaller unit, or resource.Quantity", basic)
			case info&types.IsUnsigned != 0:
				a.reportField(f, noFix, "%s is unsigned, which not every client can be: use int32 or int64 and validate that it is not negative", basic)
			case info&types.IsInteger != 0 && basic.Kind() != types.Int32 && basic.Kind() != types.Int64:
				a.reportField(f, noFix, "%s has no size that every client knows: use int32 or int64", basic)
			}
		})
	},
}
