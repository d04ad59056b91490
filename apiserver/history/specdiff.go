// SPDX-License-Identifier: Apache-2.0

package history

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

const (
	// maxSpecChanges is how many changes of one edit are told.
	maxSpecChanges = 100
	// maxShownRunes is how long a value, or a name in a path, is shown.
	maxShownRunes = 128
	// shortDigestLen is "sha256:" and 12 hex digits.
	shortDigestLen = len("sha256:") + 12

	filesPath = "source.inline.files"
)

// specChanges tells how two specs differ, sorted by path: of every field, whether it counts as an input or not. Values are
// shortened to 128 characters, and files are shown as a short digest and their size. Of more than 100 changes the last tells
// how many are left out. Lists whose elements have names are compared by these; that only their order differs comes last.
func specChanges(before, after *v1alpha1.ImageSpec) ([]v1alpha1.InputChange, error) {
	from, err := flattened(before)
	if err != nil {
		return nil, err
	}
	to, err := flattened(after)
	if err != nil {
		return nil, err
	}
	paths := maps.Clone(from)
	maps.Copy(paths, to)
	var changes []v1alpha1.InputChange
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		if from[path] != to[path] {
			changes = append(changes, v1alpha1.InputChange{Path: path, From: from[path].shown, To: to[path].shown})
		}
	}
	if len(changes) == 0 {
		return []v1alpha1.InputChange{{Path: "order of lists"}}, nil
	}
	if len(changes) > maxSpecChanges {
		more := len(changes) - (maxSpecChanges - 1)
		changes = append(changes[:maxSpecChanges-1], v1alpha1.InputChange{Path: fmt.Sprintf("and %d more", more)})
	}
	return changes, nil
}

// fieldValue is what is compared, and what is shown of it. The zero value is that of something that is not there.
type fieldValue struct{ exact, shown string }

// flattened are the fields of a spec that have a value, by path.
func flattened(spec *v1alpha1.ImageSpec) (map[string]fieldValue, error) {
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, fmt.Errorf("comparing specs: %w", err)
	}
	var fields map[string]any
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber() // as they are written
	if err := decoder.Decode(&fields); err != nil {
		return nil, fmt.Errorf("comparing specs: %w", err)
	}
	values := map[string]fieldValue{}
	flatten("", fields, values)
	return values, nil
}

func flatten(path string, value any, into map[string]fieldValue) {
	switch value := value.(type) {
	case nil: // a list that is not there
	case map[string]any:
		if len(value) == 0 && path != "" {
			into[path] = fieldValue{exact: "{}", shown: "{}"} // such as an affinity without terms
		}
		for name, member := range value {
			flatten(joined(path, name), member, into)
		}
	case []any:
		flattenList(path, value, into)
	case string:
		into[path] = shownText(path, value)
	default: // a number or a boolean
		text := fmt.Sprint(value)
		into[path] = fieldValue{exact: text, shown: text}
	}
}

// flattenList has elements with names under their names, others under their places; a list of texts or numbers is one value.
func flattenList(path string, list []any, into map[string]fieldValue) {
	if !slices.ContainsFunc(list, isObject) {
		text, err := json.Marshal(list)
		if err != nil {
			text = fmt.Append(nil, list)
		}
		into[path] = fieldValue{exact: string(text), shown: shortened(string(text))}
		return
	}
	for i, element := range list {
		object, ok := element.(map[string]any)
		name, rest := named(object)
		switch {
		case !ok || name == "":
			flatten(path+"["+strconv.Itoa(i)+"]", element, into)
		case len(rest) == 0 && object["name"] == nil: // a target is all name
			into[path+inBrackets(name)] = shownText(path, name)
		case len(rest) == 0: // a parameter or a variable without a value has the empty one
			into[path+inBrackets(name)] = shownText(path, "")
		case len(rest) == 1 && rest["value"] != nil:
			flatten(path+inBrackets(name), rest["value"], into)
		default:
			flatten(path+inBrackets(name), rest, into)
		}
	}
}

func isObject(value any) bool {
	_, ok := value.(map[string]any)
	return ok
}

// named is the name of a list's element and what it has besides: its name, or platform and format of a target.
func named(object map[string]any) (name string, rest map[string]any) {
	rest = maps.Clone(object)
	if text, ok := object["name"].(string); ok {
		delete(rest, "name")
		return text, rest
	}
	platform, ok := object["platform"].(string)
	format, also := object["format"].(string)
	if !ok || !also {
		return "", rest
	}
	delete(rest, "platform")
	delete(rest, "format")
	return platform + "/" + format, rest
}

var fieldName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*$`)

// joined is the path of a member: that of a map's key is in brackets, where it does not look like a field.
func joined(path, name string) string {
	switch {
	case path == "":
		return name
	case path == filesPath, !fieldName.MatchString(name):
		return path + inBrackets(name)
	}
	return path + "." + name
}

func shownText(path, text string) fieldValue {
	switch {
	case text == "":
		return fieldValue{shown: `""`}
	case strings.HasPrefix(path, filesPath+"["):
		return fieldValue{exact: text, shown: fmt.Sprintf("%s (%d bytes)", inputs.DigestBytes([]byte(text))[:shortDigestLen], len(text))}
	}
	return fieldValue{exact: text, shown: shortened(text)}
}

// inBrackets is a name as a path has it. Of a long one a digest is the end, so that two that begin alike stay two.
func inBrackets(name string) string {
	if utf8.RuneCountInString(name) > maxShownRunes {
		digest := inputs.DigestBytes([]byte(name))[len("sha256:"):shortDigestLen]
		name = string([]rune(name)[:maxShownRunes-1-len(digest)]) + "…" + digest
	}
	return "[" + name + "]"
}

// shortened cuts text to maxShownRunes characters, the last of them an ellipsis.
func shortened(text string) string {
	if utf8.RuneCountInString(text) <= maxShownRunes {
		return text
	}
	return string([]rune(text)[:maxShownRunes-1]) + "…"
}
