// SPDX-License-Identifier: Apache-2.0

package validate_test

import (
	"io/fs"
	"path/filepath"
	"regexp"
	"testing"

	"goldsmith.dev/goldsmith/apiserver/scaffold/internal/validate"
)

const (
	writesItself = "the type writes its JSON itself"
	emptyText    = "an empty text is a value, and has to be written"
	listWithMore = "the type is a list, which has figures over its items, too; nobody writes it"
)

// exceptions are what the types of this module may differ in.
var exceptions = []validate.Exception{
	{"nodurations", `^field \S+ (pointer )?should not use a Duration`, "durations are written as people write them, such as 1h30m, and come back so"},
	{"nophase", `field (ComparedBuild|BuildRecord|LatestBuild|FinishedBuild|ImageBuildStatus)\.Phase:`, "a phase is what people read, and a table limits its changes; programs read conditions"},
	{"noreferences", `field Base\.Reference:`, "a reference is that of a registry, and of no object"},
	{"notimestamp", `field ImageBuildLogOptions\.Timestamps:`, "it is that of PodLogOptions"},
	{"nomaps", `field ResourceRequirements\.(Limits|Requests) `, "they are those of a container"},
	{"optionalfields", `field ImageBuildSpec\.Inputs should have the omitempty tag`, "it does nothing for a struct"},
	{"optionalfields", `field ImageKindValue\.(Value|To) should have the omitempty tag`, emptyText},
	{"optionalorrequired", `field ImageKindValue\.(Value|To) must not be marked`, emptyText},
	{"arrayofstruct", `Builder\.Targets `, "nobody writes a Builder"},
	{"arrayofstruct", `ImageReportList\.Items `, listWithMore},
	{"optionalorrequired", `ImageReportList\.Items `, listWithMore},
	{"ssatags", `ImageReportList\.Items `, listWithMore},
	{"jsontags", `field (Duration\.time\.Duration|Duration\.Written|Quantity\.Text|Quantity\.Number) is missing`, writesItself},
	{"optionalorrequired", `field (Duration\.time\.Duration|Duration\.Written|Quantity\.Text|Quantity\.Number) must`, writesItself},
}

// TestTheTypesOfThisModuleKeepTheConventions checks everything that this module serves, and that no exception is left over.
func TestTheTypesOfThisModuleKeepTheConventions(t *testing.T) {
	for _, folder := range []string{"apis/images/v1alpha1", "apiserver/example/library"} {
		// go test takes no result from its cache after a change of an entry of a folder that a test opens. It does not know what
		// the go command reads.
		err := filepath.WalkDir(filepath.Join("../../../..", folder), func(_ string, _ fs.DirEntry, err error) error { return err })
		if err != nil {
			t.Fatal(err)
		}
	}
	used := map[int]bool{}
	analyze(t, func(rule, place, message string) {
		for i, exception := range exceptions {
			if exception.Linter == rule && regexp.MustCompile(exception.Message).MatchString(message) {
				used[i] = true
				return
			}
		}
		t.Errorf("%s: %s: %s", place, rule, message)
	}, "goldsmith.dev/goldsmith/apis/images/v1alpha1", "goldsmith.dev/goldsmith/apiserver/example/library/v1", "goldsmith.dev/goldsmith/apiserver/example/library/v2")
	for i, exception := range exceptions {
		if !used[i] {
			t.Errorf("no finding needs the exception of %s for %s", exception.Linter, exception.Message)
		}
	}
}
