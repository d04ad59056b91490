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

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

const (
	// maxSpecChanges is the maximum number of changes of one edit.
	maxSpecChanges = 100

	filesPath = "source.inline.files"
)

// specChanges returns the differences of two specs, sorted by path, of every field. Values are shortened to 128 characters
// that contain the difference, and files are shown as a short digest and their size. If there are more than 100 changes, the
// last one reports how many are left out. Lists of named elements are compared by name, and a change of only their order comes last.
func specChanges(before, after *v1alpha1.ImageSpec) ([]v1alpha1.InputChange, error) {
	from, err := flattened(before)
	if err != nil {
		return nil, err
	}
	to, err := flattened(after)
	if err != nil {
		return nil, err
	}
	changes := inputs.Changes(from, to, strings.Compare, func(path string) string { return path })
	if len(changes) == 0 {
		return []v1alpha1.InputChange{{Path: "(only the order of list items)"}}, nil
	}
	return inputs.LimitChanges(changes, maxSpecChanges), nil
}

// flattened are the fields of a spec that have a value, by path.
func flattened(spec *v1alpha1.ImageSpec) (map[string]inputs.Value, error) {
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, fmt.Errorf("compare specs: %w", err)
	}
	var fields map[string]any
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber() // keeps numbers as they are written
	if err := decoder.Decode(&fields); err != nil {
		return nil, fmt.Errorf("compare specs: %w", err)
	}
	values := map[string]inputs.Value{}
	flatten("", fields, values)
	return values, nil
}

func flatten(path string, value any, into map[string]inputs.Value) {
	switch value := value.(type) {
	case nil: // a missing list
	case map[string]any:
		if len(value) == 0 && path != "" {
			into[path] = inputs.TextValue("{}") // such as an affinity without terms
		}
		for name, member := range value {
			flatten(joined(path, name), member, into)
		}
	case []any:
		flattenList(path, value, into)
	case string:
		into[path] = shownText(path, value)
	default: // a number or a boolean
		into[path] = inputs.TextValue(fmt.Sprint(value))
	}
}

// flattenList flattens named elements under their names, and other elements under their indexes. A list of strings or numbers
// is one value.
func flattenList(path string, list []any, into map[string]inputs.Value) {
	if !slices.ContainsFunc(list, isObject) {
		text, err := json.Marshal(list)
		if err != nil {
			text = fmt.Append(nil, list)
		}
		into[path] = inputs.TextValue(string(text))
		return
	}
	for i, element := range list {
		object, ok := element.(map[string]any)
		name, rest := named(object)
		switch {
		case !ok || name == "":
			flatten(path+"["+strconv.Itoa(i)+"]", element, into)
		case len(rest) == 0 && object["name"] == nil: // a target is all name
			into[path+inputs.InBrackets(name)] = shownText(path, name)
		case len(rest) == 0: // a parameter or a variable without a value has the empty one
			into[path+inputs.InBrackets(name)] = shownText(path, "")
		case len(rest) == 1 && rest["value"] != nil:
			flatten(path+inputs.InBrackets(name), rest["value"], into)
		default:
			flatten(path+inputs.InBrackets(name), rest, into)
		}
	}
}

func isObject(value any) bool {
	_, ok := value.(map[string]any)
	return ok
}

// named returns the name of a list's element, and its other fields. The name of a target is its platform and format.
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

// joined is the path of a member. A key of a map is in brackets if it does not look like a field.
func joined(path, name string) string {
	switch {
	case path == "":
		return name
	case path == filesPath, !fieldName.MatchString(name):
		return path + inputs.InBrackets(name)
	}
	return path + "." + name
}

func shownText(path, text string) inputs.Value {
	if text != "" && strings.HasPrefix(path, filesPath+"[") {
		return inputs.FileValue(text)
	}
	return inputs.TextValue(text)
}
