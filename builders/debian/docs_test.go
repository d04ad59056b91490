// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/e2e/require"
)

const page = "../../docs/reference/debian.md"

// TestThePageHasEveryParameter holds that docs/reference/debian.md describes the parameters as the schema does. -update writes the rows.
func TestThePageHasEveryParameter(t *testing.T) {
	var want []string
	properties := Capabilities().Parameters.Properties
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		value := "none"
		if property := properties[name]; property.Default != nil {
			value = fmt.Sprintf("`%v`", property.Default)
		}
		want = append(want, fmt.Sprintf("| `%s` | %s | %s |", name, value, properties[name].Description))
	}
	checkRows(t, "| parameter | default | meaning |\n|---|---|---|\n", want)
}

// checkRows holds that the table of the page with this heading has these rows. -update writes them.
func checkRows(t *testing.T, heading string, want []string) {
	t.Helper()
	text := string(require.Value(os.ReadFile(page))(t))
	before, rest, found := strings.Cut(text, heading)
	if !found {
		t.Fatalf("the page has no table\n%s", heading)
	}
	rows, after, _ := strings.Cut(rest, "\n\n")
	if *update {
		require.NoError(t, os.WriteFile(page, []byte(before+heading+strings.Join(want, "\n")+"\n\n"+after), 0o600))
	} else if diff := cmp.Diff(strings.Split(rows, "\n"), want); diff != "" {
		t.Errorf("go test -update writes the rows again (-page +want):\n%s", diff)
	}
}

func TestThePageHasEveryReason(t *testing.T) {
	var rows []string
	for _, reason := range Reasons() {
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %s | %s |", reason.Reason, reason.Class, reason.Meaning, reason.Remedy))
	}
	checkRows(t, "| word | class | meaning | what to do |\n|---|---|---|---|\n", rows)
}

// reasonInSource finds the reasons of failures in Go and in the shell.
var reasonInSource = regexp.MustCompile(`(?:\bfail\("|[rR]eason[A-Z]\w+ += "|\bfail )([A-Z]\w+)`)

func TestReasonsAreThoseOfTheSource(t *testing.T) {
	used := map[string]bool{}
	for _, file := range slices.Concat(require.Value(filepath.Glob("*.*"))(t), require.Value(filepath.Glob("sandbox/*.go"))(t)) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, found := range reasonInSource.FindAllStringSubmatch(string(require.Value(os.ReadFile(file))(t)), -1) {
			used[found[1]] = true
		}
	}
	listed := map[string]bool{}
	for _, reason := range Reasons() {
		listed[reason.Reason] = true
	}
	if diff := cmp.Diff(used, listed); diff != "" {
		t.Errorf("reasons of the source, and of Reasons (-source +Reasons):\n%s", diff)
	}
}
