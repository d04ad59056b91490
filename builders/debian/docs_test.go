// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

const page = "../../docs/debian.md"

// TestThePageHasEveryParameter holds that docs/debian.md describes the parameters as the schema does. -update writes the rows.
func TestThePageHasEveryParameter(t *testing.T) {
	text := string(require.Value(os.ReadFile(page))(t))
	const heading = "| parameter | default | meaning |\n|---|---|---|\n"
	before, rest, found := strings.Cut(text, heading)
	if !found {
		t.Fatal("the page has no table of parameters")
	}
	rows, after, _ := strings.Cut(rest, "\n\n")
	var want []string
	properties := Capabilities().Parameters.Properties
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		value := "none"
		if property := properties[name]; property.Default != nil {
			value = fmt.Sprintf("`%v`", property.Default)
		}
		want = append(want, fmt.Sprintf("| `%s` | %s | %s |", name, value, properties[name].Description))
	}
	if *update {
		require.NoError(t, os.WriteFile(page, []byte(before+heading+strings.Join(want, "\n")+"\n\n"+after), 0o600))
		return
	}
	if rows != strings.Join(want, "\n") {
		t.Errorf("go test -update writes the rows again: they are\n%s\nwant\n%s", rows, strings.Join(want, "\n"))
	}
}

// reasonInSource finds the reasons of failures in Go and in the shell.
var reasonInSource = regexp.MustCompile(`(?:refuse|unavailable|misconfigured)\("(\w+)"|[rR]eason[A-Z]\w+ += "(\w+)"|\bfail ([A-Z]\w+) `)

func TestThePageHasEveryReason(t *testing.T) {
	text := string(require.Value(os.ReadFile(page))(t))
	_, failures, _ := strings.Cut(text, "\n## Failures\n")
	failures, _, _ = strings.Cut(failures, "\n## ")
	for _, file := range slices.Concat(require.Value(filepath.Glob("*.*"))(t), require.Value(filepath.Glob("sandbox/*.go"))(t)) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source := string(require.Value(os.ReadFile(file))(t))
		for _, found := range reasonInSource.FindAllStringSubmatch(source, -1) {
			reason := cmp.Or(found[1], found[2], found[3])
			if !strings.Contains(failures, "`"+reason+"`") {
				t.Errorf("the page does not have the reason %s of %s", reason, file)
			}
		}
	}
}
