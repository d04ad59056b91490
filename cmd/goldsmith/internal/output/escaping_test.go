// SPDX-License-Identifier: Apache-2.0

package output

import (
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestEscaping(t *testing.T) {
	for name, test := range map[string]struct{ text, want, log string }{
		"plain text":              {"a\tb\n", "a\tb\n", "a\tb\n"},
		"the title of a terminal": {"a\x1b]0;x\ab", "a^[]0;x^Gb", "a^[]0;x^Gb"},
		"a colour":                {"\x1b[1;32mgreen\x1b[0m", "^[[1;32mgreen^[[0m", "\x1b[1;32mgreen\x1b[0m"},
		"a cleared screen":        {"\x1b[2Ja", "^[[2Ja", "^[[2Ja"},
		"a carriage return":       {"a\rb", "a^Mb", "a\rb"},
		"a C1 control":            {"a\u009b2J", `a\u009b2J`, `a\u009b2J`},
		"an override":             {"a\u202eb", `a\u202eb`, `a\u202eb`},
		"an invisible character":  {"a\u200bb", `a\u200bb`, `a\u200bb`},
		"a tag":                   {"a\U000e0041b", `a\U000e0041b`, `a\U000e0041b`},
		"a joiner of nothing":     {"a\u200db", `a\u200db`, `a\u200db`},
		"a joiner of a selector":  {"a\ufe0f\u200db", `a\ufe0f\u200db`, `a\ufe0f\u200db`},
		"no UTF-8":                {"a\xffb", `a\xffb`, `a\xffb`},
		"other letters":           {"Grüße 👩‍💻 שלום", "Grüße 👩‍💻 שלום", "Grüße 👩‍💻 שלום"},
		"a character cut short":   {"a\xe2\x80", `a\xe2\x80`, `a\xe2\x80`},
		"a colour cut short":      {"a\x1b[1", "a^[[1", "a^[[1"},
	} {
		for _, size := range []int{1, 2, len(test.text)} {
			var plain, log strings.Builder
			for writer, want := range map[*Escaping]*string{NewEscaping(&plain): &test.want, NewEscaping(&log).ForLog(): &test.log} {
				for rest := test.text; rest != ""; {
					part := rest[:min(size, len(rest))]
					rest = rest[len(part):]
					if n, err := writer.Write([]byte(part)); n != len(part) || err != nil {
						t.Fatalf("%s: wrote %d of %d bytes: %v", name, n, len(part), err)
					}
				}
				require.NoError(t, writer.Flush())
				if got := writer.out.(*strings.Builder).String(); got != *want {
					t.Errorf("%s in parts of %d: %q, want %q", name, size, got, *want)
				}
			}
		}
	}
}
