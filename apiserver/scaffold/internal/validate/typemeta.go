// SPDX-License-Identifier: Apache-2.0

package validate

var typeMeta = rule{
	name:    "typemeta",
	doc:     "check that object kinds and lists have a kind and an apiVersion: an embedded metav1.TypeMeta, inline",
	section: "types-kinds",
	check: func(a *api) {
		for _, kind := range a.kinds {
			switch meta := kind.typeMeta; {
			case meta == nil && kind.field("Kind") != nil && kind.field("APIVersion") != nil: // it has both itself
			case meta == nil:
				a.reportType(kind, embed(kind, nil, "TypeMeta", ",inline"),
					"an object kind has a kind and an apiVersion: embed metav1.TypeMeta `json:\",inline\"` first")
			case !meta.json.found || meta.json.name != "":
				a.reportField(meta, setTag(meta, ",inline"), "kind and apiVersion lie in the object itself: tag it `json:\",inline\"`")
			}
		}
	},
}
