// SPDX-License-Identifier: Apache-2.0

package validate

import "slices"

// observed are the JSON names of fields that a controller reports.
var observed = []string{"conditions", "observedGeneration", "phase"}

var specStatus = rule{
	name:    "specstatus",
	doc:     "check that desired and observed state are apart, in spec and status",
	section: "spec-and-status",
	check: func(a *api) {
		for _, kind := range a.kinds {
			if kind.list() || kind.objectMeta == nil {
				continue
			}
			spec, status := kind.field("Spec"), kind.field("Status")
			for _, field := range kind.fields {
				if field.metadata() || field == spec || field == status || !field.exported() {
					continue
				}
				switch {
				case slices.Contains(observed, field.json.name):
					a.reportField(field, noFix, "observed state belongs in status: move it there")
				case spec != nil && status != nil:
					a.reportField(field, noFix, "lies beside spec and status: move what is desired into spec, and what is observed into status")
				}
			}
			if spec != nil {
				a.checkSpec(spec)
			}
		}
	},
}

// checkSpec finds fields that a controller reports in a spec.
func (a *api) checkSpec(spec *field) {
	fields := a.structOf(spec.typ)
	if fields == nil {
		return
	}
	for _, field := range fields.fields {
		if slices.Contains(observed, field.json.name) {
			a.reportField(field, noFix, "observed state belongs in status, not in spec: move it there")
		}
	}
}
