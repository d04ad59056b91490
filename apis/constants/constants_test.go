// SPDX-License-Identifier: Apache-2.0

package constants_test

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/apis/constants"
	"goldsmith.dev/goldsmith/e2e/require"
)

const source = `package p

type Colour string

const (
	Red, Blue Colour = "red", "blue"
	Plain            = "plain"
	Derived   Colour = "dark" + Red
)

const Number = 1
`

func TestConstantsThatAreWantedAreRead(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "p.go"), []byte(source), 0o600))
	for _, test := range []struct {
		name string
		want func(kind, name string) bool
		got  map[string]string
		err  string
	}{
		{"by name", func(_, name string) bool { return name == "Plain" }, map[string]string{"Plain": "plain"}, ""},
		{"by type", func(kind, name string) bool { return kind == "Colour" && name != "Derived" }, map[string]string{"Red": "red", "Blue": "blue"}, ""},
		{"an expression", func(_, name string) bool { return name == "Derived" }, nil, "Derived is not a string literal"},
		{"a number", func(_, name string) bool { return name == "Number" }, nil, "Number is not a string literal"},
		{"nothing", func(string, string) bool { return false }, nil, "no such constants"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := constants.In(folder, test.want)
			if !maps.Equal(got, test.got) || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("got %v, error %v", got, err)
			}
		})
	}
}
