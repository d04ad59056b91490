// SPDX-License-Identifier: Apache-2.0

package requesterrors

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
)

const (
	// maxDepth is how deep a field is looked for that is in another place.
	maxDepth = 4
	// maxSuggestions is how many unknown fields of a request get a suggestion, and maxUnknown how long their names may be: each costs time.
	maxSuggestions = 10
	maxUnknown     = 64
)

var index = regexp.MustCompile(`\[[^\]]*\]`)

// Fields returns the names of the fields of the object at a path, without the indexes of lists. They are empty at any other path.
type Fields func(path []string) []string

// FieldsOf returns the fields of a Go type by their names in JSON.
func FieldsOf(example any) Fields {
	return func(path []string) []string {
		kind := reflect.TypeOf(example)
		for _, step := range path {
			fields := members(kind)
			if kind = fields[step]; kind == nil {
				return nil
			}
		}
		return slices.Sorted(maps.Keys(members(kind)))
	}
}

// members returns the types of the fields of a struct, which can be behind pointers and in lists.
func members(kind reflect.Type) map[string]reflect.Type {
	for kind.Kind() == reflect.Pointer || kind.Kind() == reflect.Slice {
		kind = kind.Elem()
	}
	fields := map[string]reflect.Type{}
	if kind.Kind() != reflect.Struct {
		return fields
	}
	for member := range kind.Fields() {
		name, options, tagged := strings.Cut(member.Tag.Get("json"), ",")
		switch {
		case name == "" && (member.Anonymous || tagged && strings.Contains(options, "inline")):
			maps.Copy(fields, members(member.Type))
		case name != "" && name != "-":
			fields[name] = member.Type
		}
	}
	return fields
}

// NameUnknownFields adds to the error of a strict decoder the field that each unknown field is probably meant to be.
func NameUnknownFields(err error, fields Fields) error {
	strict, isStrict := runtime.AsStrictDecodingError(err)
	if !isStrict {
		return err
	}
	faults := make([]error, 0, len(strict.Errors()))
	suggestions := 0
	for _, fault := range strict.Errors() {
		unknown, isUnknown := strings.CutPrefix(fault.Error(), `unknown field "`)
		unknown = strings.TrimSuffix(unknown, `"`)
		if isUnknown && suggestions < maxSuggestions {
			suggestions++
			if near := nearest(unknown, fields); near != "" {
				fault = fmt.Errorf("%w: did you mean %q?", fault, near)
			}
		}
		faults = append(faults, fault)
	}
	return runtime.NewStrictDecodingError(faults)
}

// nearest returns the path of the field whose name is most like that of an unknown field: beside it, or else the same name in another place.
// It is empty without one.
func nearest(unknown string, fields Fields) string {
	parent, name := "", unknown
	if dot := strings.LastIndexByte(unknown, '.'); dot >= 0 {
		parent, name = unknown[:dot+1], unknown[dot+1:]
	}
	if len(name) > maxUnknown {
		return ""
	}
	var path []string
	if parent != "" {
		path = strings.Split(index.ReplaceAllString(strings.TrimSuffix(parent, "."), ""), ".")
	}
	best, least := "", max(1, len(name)/3)+1
	for _, known := range fields(path) {
		if d := distance(strings.ToLower(name), strings.ToLower(known)); d < least {
			best, least = known, d
		}
	}
	if best != "" {
		return parent + best
	}
	return elsewhere(name, fields)
}

// elsewhere returns the shallowest path of a field with a name, apart from metadata and status, which nobody writes by mistake.
func elsewhere(name string, fields Fields) string {
	paths := [][]string{nil}
	for range maxDepth {
		var next [][]string
		for _, path := range paths {
			for _, field := range fields(path) {
				if len(path) == 0 && (field == "metadata" || field == "status") {
					continue
				}
				below := append(slices.Clone(path), field)
				if strings.EqualFold(field, name) {
					return strings.Join(below, ".")
				}
				next = append(next, below)
			}
		}
		paths = next
	}
	return ""
}

// distance is the number of letters to insert, to remove, to replace or to exchange with their neighbour. The Levenshtein distance of
// libraries counts an exchange as two steps. With it, a short name with two exchanged letters, such as "sepc", gets no suggestion.
func distance(a, b string) int {
	before, row, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(row[j+1]+1, next[j]+1, row[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row, next = row, next, before
	}
	return row[len(b)]
}
