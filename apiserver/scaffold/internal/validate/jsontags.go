// SPDX-License-Identifier: Apache-2.0

package validate

var jsonTags = rule{
	name:    "jsontags",
	doc:     "check that every exported field has a JSON tag: without one, it is called by its Go name",
	section: "naming-conventions",
	check: func(a *api) {
		a.eachField(func(_ *structType, f *field) {
			switch {
			case f.metadata() || f.json.found && f.json.name != "":
			case f.embedded && f.json.found: // an empty name means inline
			case f.embedded:
				a.reportField(f, setTag(f, ",inline"), "does not say where its fields lie: tag it `json:\",inline\"`, or give it a name")
			default:
				value := jsonName(f.name)
				if f.pointer() || f.markers.optional() || f.json.omitempty {
					value += ",omitempty"
				}
				a.reportField(f, setTag(f, value), "has no name in JSON: tag it `json:%q`", value)
			}
		})
	},
}
