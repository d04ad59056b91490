// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// variants are what one place of the manifests has, by combination. Combinations in which the place is absent are not in the map.
type variants map[combination]any

// domain is a set of combinations.
type domain map[combination]bool

func (v variants) domain() domain {
	all := domain{}
	for each := range v {
		all[each] = true
	}
	return all
}

// choice is true for combinations with one of the components any, or all combinations if any is empty, and with none of the
// components none.
type choice struct {
	any, none []int
}

func (c choice) matches(included combination) bool {
	has := func(index int) bool { return included.has(index) }
	return (len(c.any) == 0 || slices.ContainsFunc(c.any, has)) && !slices.ContainsFunc(c.none, has)
}

// String returns the expression for a template.
func (c choice) String() string {
	var parts []string
	if len(c.any) > 0 {
		parts = append(parts, anyOf(c.any))
	}
	if len(c.none) > 0 {
		parts = append(parts, "not "+parenthesized(anyOf(c.none)))
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return "and " + parenthesized(parts[0]) + " " + parenthesized(parts[1])
}

func anyOf(indices []int) string {
	if len(indices) == 1 {
		return components[indices[0]].condition
	}
	parts := []string{"or"}
	for _, index := range indices {
		parts = append(parts, parenthesized(components[index].condition))
	}
	return strings.Join(parts, " ")
}

func parenthesized(expression string) string {
	if !strings.Contains(expression, " ") {
		return expression
	}
	return "(" + expression + ")"
}

// choose returns the choice that is true for exactly the wanted combinations among those of a domain. It is nil if all are wanted.
// It fails if the choice depends on more than components that add and components that remove: then two components change the same
// place, and the chart cannot tell what a third would make of it.
func choose(wanted, among domain) (*choice, error) {
	if len(wanted) == len(among) {
		return nil, nil
	}
	var adders, removers []int
	for i := range components {
		single := combination(1 << i)
		switch {
		case !among[single]:
		case wanted[single] && !wanted[0]:
			adders = append(adders, i)
		case !wanted[single] && wanted[0]:
			removers = append(removers, i)
		}
	}
	for i := range components {
		if slices.Contains(adders, i) || slices.Contains(removers, i) {
			continue
		}
		for pair := range among {
			if other := pair &^ (1 << i); pair.has(i) && other != 0 && wanted[other] && !wanted[pair] {
				removers = append(removers, i)
				break
			}
		}
	}
	for _, candidate := range []choice{{any: adders}, {none: removers}, {any: adders, none: removers}} {
		if len(candidate.any)+len(candidate.none) > 0 && !slices.ContainsFunc(slices.Collect(maps.Keys(among)), func(each combination) bool {
			return candidate.matches(each) != wanted[each]
		}) {
			return &candidate, nil
		}
	}
	return nil, fmt.Errorf("no condition tells %v from the other combinations", describe(wanted))
}

// describe returns the combinations of a domain in order.
func describe(all domain) []string {
	var texts []string
	for _, each := range slices.Sorted(maps.Keys(all)) {
		texts = append(texts, strings.Join(each.names(), "+"))
	}
	return texts
}

// merger writes one template of what a place has in all combinations.
type merger struct {
	hooks map[string]hook
	lines []string
}

// hook is what the values of the chart can change at a place. In its lines, @ at the beginning is the indentation of the place.
type hook struct {
	// replace is a value that, if set, replaces what the place has.
	replace string
	// add are lines after the keys or the elements of the place.
	add []string
	// only is a further condition of the place.
	only string
}

// line writes a line of the template.
func (m *merger) line(indent int, text string) {
	m.lines = append(m.lines, strings.Repeat(" ", indent)+text)
}

// open writes the line above the keys or the elements of a place. An object has none.
func (m *merger) open(indent int, prefix string) {
	if prefix != "" {
		m.line(indent, prefix)
	}
}

func (m *merger) control(text string) { m.lines = append(m.lines, "{{- "+text+" }}") }

// conditional writes what a function writes, under the condition that a place is present.
func (m *merger) conditional(path string, present, among domain, write func() error) error {
	chosen, err := choose(present, among)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	var conditions []string
	if chosen != nil {
		conditions = append(conditions, chosen.String())
	}
	if only := m.hooks[path].only; only != "" {
		conditions = append(conditions, only)
	}
	for _, condition := range conditions {
		m.control("if " + condition)
	}
	if err := write(); err != nil {
		return err
	}
	for range conditions {
		m.control("end")
	}
	return nil
}

// node writes what a place has, as the value of a key or an element of a list.
func (m *merger) node(path, prefix string, indent int, found variants) error {
	replace := m.hooks[path].replace
	if replace == "" {
		return m.plainNode(path, prefix, indent, found)
	}
	m.control("with " + replace)
	if reflect.ValueOf(first(found)).Kind() == reflect.Map {
		m.line(indent, prefix)
		m.line(indent+2, fmt.Sprintf("{{- toYaml . | nindent %d }}", indent+2))
	} else {
		m.line(indent, prefix+" {{ toJson . }}")
	}
	m.control("else")
	if err := m.plainNode(path, prefix, indent, found); err != nil {
		return err
	}
	m.control("end")
	return nil
}

func (m *merger) plainNode(path, prefix string, indent int, found variants) error {
	switch {
	case found.equal() && !m.hooked(path):
		return m.literal(prefix, indent, first(found))
	case every[map[string]any](found):
		return m.mapping(path, prefix, indent, found)
	case every[[]any](found):
		return m.list(path, prefix, indent, found)
	}
	return m.alternatives(path, prefix, indent, found)
}

// hooked reports whether a hook is below a place, or adds lines to it.
func (m *merger) hooked(path string) bool {
	for each, hook := range m.hooks {
		if strings.HasPrefix(each, path+".") || strings.HasPrefix(each, path+"[") || each == path && hook.add != nil {
			return true
		}
	}
	return false
}

func (v variants) equal() bool {
	one := first(v)
	for _, each := range v {
		if !reflect.DeepEqual(each, one) {
			return false
		}
	}
	return true
}

// least returns the first combination.
func (v variants) least() combination { return slices.Min(slices.Collect(maps.Keys(v))) }

// first returns what the place has in the first combination.
func first(found variants) any { return found[found.least()] }

// every reports whether a place has a type, and is not empty, in each combination.
func every[T any](found variants) bool {
	for _, each := range found {
		if _, ok := each.(T); !ok || reflect.ValueOf(each).Len() == 0 {
			return false
		}
	}
	return true
}

// literal writes a value that is the same in all combinations.
func (m *merger) literal(prefix string, indent int, value any) error {
	text, err := yaml.Marshal(value)
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	nested := reflect.ValueOf(value)
	switch {
	case (nested.Kind() == reflect.Map || nested.Kind() == reflect.Slice) && nested.Len() > 0:
		m.open(indent, prefix)
		for _, line := range lines {
			m.line(indent+2, escape(line))
		}
	default: // a scalar, whose further lines are those of a block
		m.line(indent, escape(prefix+" "+lines[0]))
		for _, line := range lines[1:] {
			m.line(indent, escape(line))
		}
	}
	return nil
}

func (m *merger) mapping(path, prefix string, indent int, found variants) error {
	m.open(indent, prefix)
	keys := map[string]variants{}
	for included, value := range found {
		for key, each := range value.(map[string]any) {
			if keys[key] == nil {
				keys[key] = variants{}
			}
			keys[key][included] = each
		}
	}
	among := found.domain()
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		below := path + "." + key
		quoted, err := yaml.Marshal(key)
		if err != nil {
			return err
		}
		err = m.conditional(below, keys[key].domain(), among, func() error {
			return m.node(below, strings.TrimSpace(string(quoted))+":", indent+2, keys[key])
		})
		if err != nil {
			return err
		}
	}
	m.additions(indent+2, m.hooks[path].add)
	return nil
}

func (m *merger) additions(indent int, lines []string) {
	for _, line := range lines {
		if text, found := strings.CutPrefix(line, "@"); found {
			line = strings.Repeat(" ", indent) + text
		}
		m.lines = append(m.lines, strings.ReplaceAll(line, "INDENT", fmt.Sprint(indent+2)))
	}
}

func (m *merger) list(path, prefix string, indent int, found variants) error {
	m.open(indent, prefix)
	name := namesOf(found)
	elements := map[string]variants{}
	after := map[string]map[string]bool{} // the elements that come before an element somewhere
	var appearance []string
	for _, included := range slices.Sorted(maps.Keys(found)) {
		previous := ""
		for _, element := range found[included].([]any) {
			key := name(element)
			if elements[key] == nil {
				elements[key], after[key] = variants{}, map[string]bool{}
				appearance = append(appearance, key)
			}
			elements[key][included] = element
			if previous != "" {
				after[key][previous] = true
			}
			previous = key
		}
	}
	among := found.domain()
	for len(appearance) > 0 {
		next := slices.IndexFunc(appearance, func(key string) bool { return len(after[key]) == 0 })
		if next < 0 && unordered(path, found) {
			next = 0 // a strategic merge changes their order
		}
		if next < 0 {
			return fmt.Errorf("%s: components disagree about the order of %v", path, appearance)
		}
		key := appearance[next]
		appearance = slices.Delete(appearance, next, next+1)
		for _, others := range after {
			delete(others, key)
		}
		below := path + "[" + key + "]"
		err := m.conditional(below, elements[key].domain(), among, func() error {
			return m.node(below, "-", indent+2, elements[key])
		})
		if err != nil {
			return err
		}
	}
	m.additions(indent+2, m.hooks[path].add)
	return nil
}

// unordered reports whether the order of a list has no meaning: of volumes, and of variables none of which refers to another.
func unordered(path string, found variants) bool {
	if strings.HasSuffix(path, ".volumes") || strings.HasSuffix(path, ".volumeMounts") {
		return true
	}
	for _, list := range found {
		if !strings.HasSuffix(path, ".env") || strings.Contains(content(list), "$(") {
			return false
		}
	}
	return true
}

// namesOf returns a function that names the elements of a list, so that the same element is found in all combinations: by their
// names, or by their content if names are missing or repeated.
func namesOf(found variants) func(any) string {
	for _, list := range found {
		seen := map[string]bool{}
		for _, element := range list.([]any) {
			name := elementName(element)
			if name == "" || seen[name] {
				return content
			}
			seen[name] = true
		}
	}
	return elementName
}

func elementName(element any) string {
	switch element := element.(type) {
	case map[string]any:
		if path, mounted := element["mountPath"]; mounted {
			return fmt.Sprint(path)
		}
		if name, ok := element["name"].(string); ok {
			return name
		}
		if metadata, ok := element["metadata"].(map[string]any); ok {
			return elementName(metadata)
		}
		return ""
	default:
		return fmt.Sprint(element)
	}
}

func content(element any) string {
	text, err := json.Marshal(element)
	if err != nil {
		panic(err) // it was read from YAML
	}
	return string(text)
}

// alternatives writes the values of a place of which each is that of some combinations.
func (m *merger) alternatives(path, prefix string, indent int, found variants) error {
	values := map[string]variants{}
	for included, value := range found {
		key := content(value)
		if values[key] == nil {
			values[key] = variants{}
		}
		values[key][included] = value
	}
	order := slices.SortedFunc(maps.Values(values), func(a, b variants) int { return cmp.Compare(a.least(), b.least()) })
	keyword := "if "
	for _, each := range order[1:] {
		chosen, err := choose(each.domain(), found.domain())
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		m.control(keyword + chosen.String())
		keyword = "else if "
		if err := m.literal(prefix, indent, first(each)); err != nil {
			return err
		}
	}
	m.control("else")
	if err := m.literal(prefix, indent, first(order[0])); err != nil {
		return err
	}
	m.control("end")
	return nil
}
