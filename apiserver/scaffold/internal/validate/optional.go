// SPDX-License-Identifier: Apache-2.0

package validate

var optional = rule{
	name:    "optional",
	doc:     "check that pointers are optional, and that optional fields say so twice: by +optional and by omitempty",
	section: "optional-vs-required",
	check: func(a *api) {
		a.eachField(func(_ *structType, f *field) {
			if f.metadata() || f.embedded && f.json.name == "" || f.json.name == "" {
				return
			}
			absent, marked := f.json.mayBeAbsent(), f.markers.optional()
			switch {
			case f.markers.required() && marked:
				a.reportField(f, noFix, "is marked both required and optional: remove one of the markers")
			case f.markers.required(): // a required pointer tells its zero value from nothing
			case marked && !absent && !f.structValue(): // omitempty does nothing for a struct
				a.reportField(f, omitEmpty(f), "is optional but always written: add omitempty to its JSON tag")
			case absent && !marked:
				a.reportField(f, markField(f, "+optional"), "may be absent but is not marked so: add // +optional, or remove omitempty")
			case f.pointer() && !marked:
				fix := omitEmpty(f)
				fix.TextEdits = append(markField(f, "+optional").TextEdits, fix.TextEdits...)
				fix.Message = "make it optional"
				a.reportField(f, fix, "is a pointer, which is how optional fields are told: add // +optional and omitempty, mark it // +required, or make it a value")
			}
		})
	},
}
