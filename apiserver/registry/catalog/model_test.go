// SPDX-License-Identifier: Apache-2.0

package catalog_test

import (
	"fmt"
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/catalog/ownership"
)

// side is a resource that shows the objects of the model: the kind, or Images.
type side int

const (
	ofKind side = iota
	ofImages
)

// property is a value of an object that both sides have, or one of them.
type property struct {
	name  string
	sides [2]place
	// values are the values of the property, as each side has them.
	values [][2]any
	// fallback is the index of the value that a side sets if a writer leaves the property out, or none.
	fallback [2]int
}

// place is where a side has a property: at a path, or in a parameter. The zero value is nowhere.
type place struct {
	path      []string
	parameter string
}

const none = -1

var (
	metaLabels = []string{"metadata", "labels"}
	// properties are those of the kind in machines.yaml.
	properties = []*property{
		{"release", [2]place{at("spec", "release"), at("spec", "base", "reference")}, [][2]any{{"bookworm", "debian:bookworm"}, {"trixie", "debian:trixie"}}, [2]int{0, none}},
		{"size", [2]place{at("spec", "size"), in("disk")}, [][2]any{{"small", "20Gi"}, {"large", "100Gi"}}, [2]int{none, none}},
		{"packages", [2]place{at("spec", "packages"), in("packages")}, [][2]any{{[]any{"vim"}, `["vim"]`}, {[]any{"vim", "nginx"}, `["vim","nginx"]`}, {[]any{}, `[]`}}, [2]int{none, none}},
		{"retention", [2]place{at("spec", "retention"), at("spec", "history", "fileRetention")}, [][2]any{{"2160h", "2160h"}, {"90d", "90d"}, {"24h", "24h"}}, [2]int{0, 1}},
		{"locale", [2]place{at("spec", "locale"), in("locale")}, [][2]any{{"C", "C"}, {"de", "de"}}, [2]int{0, none}},
		{"suspend", [2]place{at("spec", "suspend"), at("spec", "suspend")}, [][2]any{{false, false}, {true, true}}, [2]int{0, 0}},
		{"team", [2]place{at(append(metaLabels, "team")...), at(append(metaLabels, "team")...)}, sameTexts, [2]int{none, none}},
		{"instance", [2]place{at(append(metaLabels, "app.kubernetes.io/instance")...), at(append(metaLabels, "app.kubernetes.io.view.catalog.goldsmith.dev/instance")...)}, sameTexts, [2]int{none, none}},
		{"ownInstance", [2]place{{}, at(append(metaLabels, "app.kubernetes.io/instance")...)}, sameTexts, [2]int{none, none}},
		{"note", [2]place{at("metadata", "annotations", "note"), at("metadata", "annotations", "note")}, sameTexts, [2]int{none, none}},
		{"unbound", [2]place{{}, in("unbound")}, sameTexts, [2]int{none, none}},
		profile, kindLabel,
	}
	sameTexts = [][2]any{{"x", "x"}, {"y", "y"}}
	// profile derives from size, and has a value for each value of size.
	profile = &property{"profile", [2]place{{}, in("profile")}, [][2]any{{nil, "of-small"}, {nil, "of-large"}}, [2]int{none, none}}
	// kindLabel makes an Image an object of the kind.
	kindLabel = &property{"kind", [2]place{{}, at(append(metaLabels, v1alpha1.ImageKindLabel)...)}, [][2]any{{nil, "machines"}}, [2]int{none, none}}
	size      = properties[1]
)

func at(path ...string) place { return place{path: slices.Clone(path)} }

func in(parameter string) place { return place{parameter: parameter} }

func (p place) nowhere() bool { return p.path == nil && p.parameter == "" }

// values are properties with the indices of their values.
type values map[*property]int

// owner is a manager with an operation, as in managed fields.
type owner struct {
	manager   string
	operation metav1.ManagedFieldsOperationType
}

type ownerSet map[owner]bool

func (s ownerSet) without(other ownerSet) ownerSet {
	rest := maps.Clone(s)
	maps.DeleteFunc(rest, func(o owner, _ bool) bool { return other[o] })
	return rest
}

func (s ownerSet) with(o owner) ownerSet {
	more := ownerSet{o: true}
	maps.Copy(more, s)
	return more
}

// reference is the model of one object. It knows nothing of Images or of conversion: only what each property is, and whose.
type reference struct {
	values values
	owners map[*property]ownerSet
	// items are the owners of the item of a parameter, besides its value. Only Images have them.
	items map[*property]ownerSet
}

func (r *reference) clone() *reference {
	return &reference{maps.Clone(r.values), maps.Clone(r.owners), maps.Clone(r.items)}
}

func (r *reference) equal(other *reference) bool {
	return maps.Equal(r.values, other.values) && maps.EqualFunc(r.owners, other.owners, maps.Equal[ownerSet, ownerSet]) &&
		maps.EqualFunc(r.items, other.items, maps.Equal[ownerSet, ownerSet])
}

// shows reports whether a side has the object.
func (r *reference) shows(s side) bool {
	_, labelled := r.values[kindLabel]
	return s == ofImages || labelled
}

// value returns the index of the value of a property, or none.
func (v values) value(p *property) int {
	if value, found := v[p]; found {
		return value
	}
	return none
}

// visible returns the properties that a side has.
func visible(s side) []*property {
	return slices.DeleteFunc(slices.Clone(properties), func(p *property) bool { return p.sides[s].nowhere() })
}

// of returns the values that a side has.
func (v values) of(s side) values {
	shown := values{}
	for _, p := range visible(s) {
		if value, found := v[p]; found {
			shown[p] = value
		}
	}
	return shown
}

const (
	notFound = metav1.StatusReasonNotFound
	conflict = metav1.StatusReasonConflict
	invalid  = metav1.StatusReasonInvalid
	exists   = metav1.StatusReasonAlreadyExists
	// unsupported is a write that the model cannot predict: the writers do not send it.
	unsupported = metav1.StatusReason("unsupported")
)

var kindItself = owner{ownership.Manager, metav1.ManagedFieldsOperationUpdate}

// create returns a new object that a writer makes on a side.
func create(s side, by owner, wanted values) (*reference, metav1.StatusReason) {
	r := &reference{values{}, map[*property]ownerSet{}, map[*property]ownerSet{}}
	if s == ofKind {
		if wanted.value(size) == none {
			return nil, invalid
		}
		r.set(profile, wanted[size], kindItself)
		r.set(kindLabel, 0, kindItself)
	}
	for _, p := range visible(s) {
		value := wanted.value(p)
		if value != none {
			r.set(p, value, by)
		} else if value = p.fallback[s]; value != none {
			// An update of an Image sets defaults before its owner is noted, all other writes after.
			if r.values[p] = value; s == ofImages && by.operation == metav1.ManagedFieldsOperationUpdate {
				r.set(p, value, by)
			}
		}
	}
	return r, ""
}

func (r *reference) set(p *property, value int, by owner) {
	r.values[p], r.owners[p] = value, ownerSet{by: true}
	if p.sides[ofImages].parameter != "" {
		r.items[p] = ownerSet{by: true}
	}
}

func (r *reference) remove(p *property) {
	delete(r.values, p)
	delete(r.owners, p)
	delete(r.items, p)
}

// update returns the object after a side was given other values.
func (r *reference) update(s side, by owner, wanted values) (*reference, metav1.StatusReason) {
	next := r.clone()
	for _, p := range visible(s) {
		value, former := wanted.value(p), r.values.value(p)
		if value == none && s == ofKind && p.fallback[s] != none {
			if former != none { // a default that a user leaves out is nobody's
				next.fallBack(s, p, r.owners[p])
			}
			continue
		}
		if value == none {
			value = p.fallback[s]
		}
		if value != former {
			next.change(s, p, former, value, by)
		}
	}
	return next.finish(s, r)
}

// stray is what an Image has that no object of the kind can have, or "".
func (r *reference) stray() string {
	switch value := r.values.value(size); {
	case !r.shows(ofKind):
		return ""
	case value == none:
		return "no size"
	case r.values.value(profile) != value:
		return fmt.Sprint("profile ", r.values.value(profile))
	}
	return ""
}

// finish checks the object of a kind, and derives from it. An Image that is no longer of the kind has nothing that the kind owns.
func (r *reference) finish(s side, before *reference) (*reference, metav1.StatusReason) {
	if s == ofImages {
		if stray := r.stray(); stray != "" && stray != before.stray() {
			return nil, invalid
		}
		if before.shows(ofKind) && !r.shows(ofKind) {
			for _, p := range properties {
				if r.owners[p] != nil {
					r.leave(p, ownerSet{kindItself: true})
				}
			}
		}
		return r, ""
	}
	if r.values.value(size) == none && !maps.Equal(specOnly(before.values), specOnly(r.values)) { // otherwise only the metadata changes
		return nil, invalid
	}
	if r.values.value(size) != before.values.value(size) {
		r.set(profile, r.values[size], kindItself)
	}
	return r, ""
}

// specOnly returns the values that the kind has in its spec, with its defaults.
func specOnly(all values) values {
	spec := all.of(ofKind)
	maps.DeleteFunc(spec, func(p *property, _ int) bool { return p.sides[ofKind].path[0] != "spec" })
	for _, p := range visible(ofKind) {
		if _, found := spec[p]; !found && p.fallback[ofKind] != none {
			spec[p] = p.fallback[ofKind]
		}
	}
	return spec
}

// change gives a property another value, or none, and its owner.
func (r *reference) change(s side, p *property, former, value int, by owner) {
	if value == none {
		r.remove(p)
		return
	}
	items := r.items[p]
	switch { // on the side of Images, an item stays with those who added it
	case s == ofKind:
		if items = items.without(r.owners[p].without(ownerSet{by: true})); !r.owners[p][by] {
			items = items.with(by)
		}
	case former == none:
		items = ownerSet{by: true}
	}
	r.set(p, value, by)
	if p.sides[ofImages].parameter != "" {
		r.items[p] = items
	}
}

// apply returns the object after a manager has applied values on a side.
func (r *reference) apply(s side, by owner, applied values, force bool) (*reference, metav1.StatusReason) {
	next, me := r.clone(), ownerSet{by: true}
	for _, p := range visible(s) {
		value, wanted := applied[p]
		former := r.values.value(p)
		others := r.owners[p].without(me)
		switch {
		case wanted && value == former:
			if !r.owners[p][by] {
				next.join(p, by)
			}
		case wanted:
			if len(others) > 0 && !force {
				return nil, conflict
			}
			next.change(s, p, former, value, by)
			if s == ofImages && p.sides[s].parameter != "" {
				next.items[p] = next.items[p].with(by)
			}
		case s == ofImages && r.items[p] != nil:
			if reason := next.leaveItem(p, by); reason != "" {
				return nil, reason
			}
		case r.owners[p][by] && len(others) > 0:
			next.leave(p, me)
		case r.owners[p][by] && s == ofImages && len(p.sides[s].path) == 3 && p.sides[s].path[0] == "spec" && p.fallback[s] != none:
			return nil, unsupported // its parent has other fields, which are removed as well if the kind that set them has released the Image
		case r.owners[p][by]:
			next.fallBack(s, p, me)
		}
	}
	return next.finish(s, r)
}

// fallBack gives a property its default, or removes it. The value is nobody's, and its item that of its other owners.
func (r *reference) fallBack(s side, p *property, former ownerSet) {
	items := r.items[p].without(former)
	if r.remove(p); p.fallback[s] == none {
		return
	}
	if r.values[p] = p.fallback[s]; len(items) > 0 {
		r.items[p] = items
	}
}

// join adds an owner of a value that stays.
func (r *reference) join(p *property, by owner) {
	r.owners[p] = r.owners[p].with(by)
	if p.sides[ofImages].parameter != "" {
		r.items[p] = r.items[p].with(by)
	}
}

// leave removes owners of a value that others own.
func (r *reference) leave(p *property, me ownerSet) {
	r.owners[p] = r.owners[p].without(me)
	if r.items[p] != nil {
		r.items[p] = r.items[p].without(me)
	}
}

// leaveItem removes an owner of a parameter of an Image, whose value and whose item can have different owners. Without an owner, an item is
// removed, even if its value has one.
func (r *reference) leaveItem(p *property, by owner) metav1.StatusReason {
	had, owned := r.items[p][by], r.owners[p][by]
	switch r.leave(p, ownerSet{by: true}); {
	case had && len(r.items[p]) == 0:
		r.remove(p)
	case owned && len(r.owners[p]) == 0:
		return unsupported // the item would be left without a value
	}
	return ""
}
