// SPDX-License-Identifier: Apache-2.0

package codecs

import (
	"bufio"
	"bytes"
	"io"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
)

// indentingSerializer writes JSON for people, as the library's serializer does, but a list item by item: browsers and curl get it,
// and a whole list would stay in memory while they read.
type indentingSerializer struct {
	runtime.Serializer // that of the library
	compact            runtime.Encoder
}

// Encode writes the object with an indentation of two spaces.
func (s indentingSerializer) Encode(object runtime.Object, out io.Writer) error {
	const compressed = 128 << 10 // the library compresses an answer whose first write is longer
	indented := &indenter{out: bufio.NewWriterSize(out, compressed+1)}
	if err := s.compact.Encode(object, indented); err != nil {
		return err
	}
	return indented.out.Flush()
}

// indenter indents compact JSON as json.Indent does.
type indenter struct {
	out     *bufio.Writer // keeps the first error
	depth   int
	opened  bool // nothing has followed the last bracket yet
	text    bool // inside a string
	escaped bool // after a backslash of a string
}

// Write takes the next part of the JSON, which can begin and end anywhere.
func (i *indenter) Write(data []byte) (int, error) {
	for rest := data; len(rest) > 0; {
		if i.text {
			rest = i.copyText(rest)
			continue
		}
		i.token(rest[0])
		rest = rest[1:]
	}
	_, err := i.out.Write(nil)
	return len(data), err
}

// copyText writes data to the end of the string, and returns what follows.
func (i *indenter) copyText(data []byte) []byte {
	end := len(data)
	if i.escaped {
		i.escaped, end = false, 1
	} else if found := bytes.IndexAny(data, `"\`); found >= 0 {
		i.escaped, i.text, end = data[found] == '\\', data[found] != '"', found+1
	}
	_, _ = i.out.Write(data[:end]) // Write returns the error
	return data[end:]
}

func (i *indenter) token(c byte) {
	if c == '\n' { // the end of compact JSON
		return
	}
	closing := c == '}' || c == ']'
	if closing {
		i.depth--
	}
	if i.opened != closing { // the first value of a bracket, or the end of one with values
		i.newline()
	}
	i.opened = c == '{' || c == '['
	if i.opened {
		i.depth++
	}
	_ = i.out.WriteByte(c)
	switch c {
	case ',':
		i.newline()
	case ':':
		_ = i.out.WriteByte(' ')
	case '"':
		i.text = true
	}
}

func (i *indenter) newline() {
	_, _ = i.out.WriteString("\n" + strings.Repeat("  ", i.depth))
}
