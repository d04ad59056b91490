// SPDX-License-Identifier: Apache-2.0

package files

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"unicode/utf8"

	"sigs.k8s.io/yaml"
)

// hiddenMetadata are the fields of an object's metadata that are not in its file, because the server sets them. Files contain
// only what people write, so that they change under version control only if people change them. The journal has the rest.
var hiddenMetadata = []string{"creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"}

// hiddenStatus is another field that is not in the file of an object, because it changes without an edit of a user.
const hiddenStatus = "status"

// render returns the file of an object that is stored as JSON: YAML, with its fields in the order of their names.
func render(value []byte) ([]byte, error) {
	object, err := decode(value)
	if err != nil {
		return nil, err
	}
	plain, err := json.Marshal(object)
	if err != nil {
		return nil, fmt.Errorf("write as JSON: %w", err)
	}
	content, err := yaml.JSONToYAML(escape(plain))
	if err != nil {
		return nil, fmt.Errorf("write as YAML: %w", err)
	}
	return content, nil
}

// escape escapes the characters that JSON allows and YAML does not. They occur only in strings.
func escape(value []byte) []byte {
	var escaped []byte
	for _, char := range string(value) {
		if char >= 0x7f && char <= 0x9f || char == 0xfeff || char == 0xfffe || char == 0xffff {
			escaped = fmt.Appendf(escaped, `\u%04x`, char)
			continue
		}
		escaped = utf8.AppendRune(escaped, char)
	}
	return escaped
}

// decode returns the fields of an object that its file shows.
func decode(value []byte) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(value))
	decoder.UseNumber() // no number is rounded
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		return nil, fmt.Errorf("read JSON: %w", err)
	}
	if metadata, ok := object["metadata"].(map[string]any); ok {
		for _, name := range hiddenMetadata {
			delete(metadata, name)
		}
	}
	delete(object, hiddenStatus)
	return object, nil
}

// secondDocument matches the beginning of a second document in a file.
var secondDocument = regexp.MustCompile(`(?m)^(---|\.\.\.)(\s|$)`)

// beginning matches the lines that may precede an object: comments, directives and the marker of a document.
var beginning = regexp.MustCompile(`\A(?:[ \t]*(?:[#%].*)?\r?\n)*---(?:\s|$)`)

// parse reads a file that a user wrote.
func parse(content []byte) (map[string]any, error) {
	body := strings.TrimSpace(string(content))
	if body == "" {
		return nil, errors.New("the file is empty")
	}
	if secondDocument.MatchString(strings.TrimSuffix(beginning.ReplaceAllString(body, ""), "\n...")) {
		return nil, errors.New("the file has more than one document: write each object to a separate file")
	}
	value, err := yaml.YAMLToJSONStrict(content)
	if err != nil {
		return nil, errors.New(strings.ReplaceAll(err.Error(), "\n", " "))
	}
	decoder := json.NewDecoder(bytes.NewReader(value))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil || object == nil {
		return nil, errors.New("the file must contain one object")
	}
	return object, nil
}

// sameFile reports whether the files of two versions of a stored object are the same.
func sameFile(before, after []byte) (bool, error) {
	shownBefore, err := decode(before)
	if err != nil {
		return false, err
	}
	shownAfter, err := decode(after)
	return err == nil && reflect.DeepEqual(shownBefore, shownAfter), err
}

// sameObject reports whether a text is equivalent to the file of a stored object.
func sameObject(content, value []byte) bool {
	rendered, err := render(value)
	if err != nil || bytes.Equal(content, rendered) {
		return err == nil
	}
	written, err := parse(content)
	if err != nil {
		return false
	}
	stored, err := parse(rendered)
	return err == nil && reflect.DeepEqual(written, stored)
}

// shown returns an object as it would be read from its file, so that the conversion to YAML does not count as an edit.
func shown(value []byte) (map[string]any, error) {
	content, err := render(value)
	if err != nil {
		return nil, err
	}
	return parse(content)
}

// mergePatch returns the JSON merge patch (RFC 7386) from one object to another. It is empty if they are equal.
func mergePatch(from, to map[string]any) map[string]any {
	patch := map[string]any{}
	for name := range from {
		if _, kept := to[name]; !kept {
			patch[name] = nil
		}
	}
	for name, after := range to {
		before, known := from[name]
		if known && reflect.DeepEqual(before, after) {
			continue
		}
		beforeFields, wasObject := before.(map[string]any)
		afterFields, isObject := after.(map[string]any)
		if wasObject && isObject {
			patch[name] = mergePatch(beforeFields, afterFields)
			continue
		}
		patch[name] = after
	}
	return patch
}
