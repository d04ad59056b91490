// SPDX-License-Identifier: Apache-2.0

package documents

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"
)

// separator begins the next document of a YAML file, and end ends a document.
const separator, end = "---", "..."

// Document is a YAML document of a file.
type Document struct {
	// Line is the line of the file in which the document begins, from 1.
	Line int
	Text []byte
	err  error // why it cannot be read
}

// Split returns the documents of a YAML file. A document can have only comments.
func Split(content []byte) []Document {
	var found []Document
	current, number := Document{Line: 1}, 0
	for line := range bytes.Lines(content) {
		number++
		marker, rest := line[:min(len(separator), len(line))], line[min(len(separator), len(line)):]
		if (string(marker) == separator || string(marker) == end) && (len(rest) == 0 || bytes.ContainsAny(rest[:1], " \t\r\n")) {
			found = append(found, current)
			current = Document{Line: number + 1}
			if rest = bytes.TrimSpace(rest); len(rest) > 0 && rest[0] != '#' { // the parser would ignore it
				current = Document{Line: number, err: errors.New("text follows the separator: write it in the next line")}
			}
			continue
		}
		current.Text = append(current.Text, line...)
	}
	return append(found, current)
}

// JSON returns the document as JSON: null if it has only comments. A field that is set twice is an error, which names the line of the file.
func (d Document) JSON() ([]byte, error) {
	if d.err != nil {
		return nil, d.err
	}
	// Lines above it let a message name the line of the file.
	text, err := yaml.YAMLToJSONStrict(append(bytes.Repeat([]byte("\n"), d.Line-1), d.Text...))
	if err != nil {
		message := strings.TrimPrefix(err.Error(), "error converting YAML to JSON: ")
		return nil, fmt.Errorf("%s: correct the file", strings.Join(strings.Fields(message), " ")) // in one line
	}
	return text, nil
}
