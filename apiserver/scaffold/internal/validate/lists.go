// SPDX-License-Identifier: Apache-2.0

package validate

import (
	"go/types"
	"strings"
)

var lists = rule{
	name:    "lists",
	doc:     "check that each object kind has a list, and that lists have metadata and items of that kind",
	section: "lists-and-simple-kinds",
	check: func(a *api) {
		byName := map[string]*structType{}
		clients := false
		for _, kind := range a.kinds {
			byName[kind.name] = kind
			clients = clients || kind.markers.has("genclient")
		}
		for _, kind := range a.kinds {
			switch {
			case kind.list() || kind.listLike():
				a.checkList(kind, byName[strings.TrimSuffix(kind.name, "List")])
			case byName[kind.name+"List"] == nil && kind.listed(clients):
				a.reportType(kind, noFix, "has no list: declare %[1]sList, with metav1.TypeMeta, metav1.ListMeta and items of %[1]s", kind.name)
			}
		}
	},
}

// listLike reports whether a kind is named like a list and is no object, so that it is checked as a list.
func (s *structType) listLike() bool {
	return s.objectMeta == nil && strings.HasSuffix(s.name, "List") && len(s.name) > len("List")
}

// listed reports whether objects of a kind can be listed. Kinds that clients can only create, and kinds that are no
// resource, cannot. The client markers decide; in a package without such markers, the suffix of the name decides.
func (s *structType) listed(clients bool) bool {
	if s.objectMeta == nil || s.markers.has("genclient:noVerbs") {
		return false
	}
	for _, verbs := range s.markers.with("genclient:onlyVerbs") {
		return strings.Contains(verbs, "list")
	}
	for _, verbs := range s.markers.with("genclient:skipVerbs") {
		if strings.Contains(verbs, "list") {
			return false
		}
	}
	if clients {
		return s.markers.has("genclient")
	}
	return !strings.HasSuffix(s.name, "Request") && !strings.HasSuffix(s.name, "Review")
}

// checkList checks a list, whose kind is nil if this package has none of that name.
func (a *api) checkList(list, kind *structType) {
	if list.listMeta != nil {
		a.checkMetadata(list.listMeta)
	} else {
		a.reportType(list, embed(list, list.typeMeta, "ListMeta", "metadata,omitempty"),
			"a list has metadata: embed metav1.ListMeta `json:\"metadata,omitempty\"`")
	}
	items := list.field("Items")
	if items == nil {
		a.reportType(list, noFix, "a list has items: add Items, a slice of the kind, tagged `json:\"items\"`")
		return
	}
	if items.json.name != "items" || items.json.mayBeAbsent() {
		a.reportField(items, setTag(items, "items"), "the items of a list are always there, even if there are none: tag them `json:\"items\"`")
	}
	slice, ok := types.Unalias(items.typ).(*types.Slice)
	if !ok {
		a.reportField(items, noFix, "the items of a list are objects of one kind: make it a slice of them")
		return
	}
	element, _ := element(slice)
	switch {
	case isNamed(element, "k8s.io/apimachinery/pkg/runtime", "RawExtension"): // objects of any kind
	case kind != nil && a.structOf(element) != kind:
		a.reportField(items, noFix, "the items of %s are of another kind: make it []%s", list.name, kind.name)
	case !embedsTypeMeta(element):
		a.reportField(items, noFix, "the items of a list are objects of one kind: %s has no metav1.TypeMeta", types.TypeString(element, types.RelativeTo(a.pass.Pkg)))
	}
}

func embedsTypeMeta(t types.Type) bool {
	fields, ok := t.Underlying().(*types.Struct)
	if !ok {
		return false
	}
	for field := range fields.Fields() {
		if field.Embedded() && isMeta(field.Type(), "TypeMeta") {
			return true
		}
	}
	return false
}
