// SPDX-License-Identifier: Apache-2.0

package validate

var objectMeta = rule{
	name:    "objectmeta",
	doc:     "check that object kinds have metadata: an embedded metav1.ObjectMeta named metadata",
	section: "metadata",
	check: func(a *api) {
		for _, kind := range a.kinds {
			if kind.list() {
				continue
			}
			switch meta := kind.objectMeta; {
			case meta == nil && kind.persistent():
				a.reportType(kind, embed(kind, kind.typeMeta, "ObjectMeta", "metadata,omitempty"),
					"an object kind has metadata: embed metav1.ObjectMeta `json:\"metadata,omitempty\"`")
			case meta != nil:
				a.checkMetadata(meta)
			}
		}
	},
}

// persistent reports whether a kind is one of objects with names. Options and requests are not, and need no metadata.
func (s *structType) persistent() bool {
	root := s.markers.has("genclient")
	for _, value := range s.markers.with("kubebuilder:object:root") {
		root = root || value == "true"
	}
	return root || s.field("Spec") != nil || s.field("Status") != nil && s.field("Metadata") == nil
}

// checkMetadata checks the tag of ObjectMeta or ListMeta.
func (a *api) checkMetadata(meta *field) {
	if meta.json.name != "metadata" || meta.name == "ObjectMeta" && !meta.json.mayBeAbsent() {
		a.reportField(meta, setTag(meta, "metadata,omitempty"), "it is called metadata: tag it `json:\"metadata,omitempty\"`")
	}
}
