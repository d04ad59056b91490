// SPDX-License-Identifier: Apache-2.0

package explain

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/apis/constants"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestEveryReasonOfTheAPIIsExplained(t *testing.T) {
	reasons, err := constants.In(filepath.Join("..", "..", "..", "..", "apis", "images", "v1alpha1"), func(_, name string) bool {
		return strings.HasPrefix(name, "Reason") || strings.HasPrefix(name, "Event")
	})
	require.NoError(t, err)
	all := entries()
	want, got := slices.Sorted(maps.Values(reasons)), names(all[:len(all)-len(ofBuilder())])
	slices.Sort(got)
	if diff := cmp.Diff(slices.Compact(want), got); diff != "" {
		t.Errorf("reasons of the API, and explained reasons (-want +got):\n%s", diff)
	}
}

func TestEveryEntryIsComplete(t *testing.T) {
	for _, of := range entries() {
		if of.reporter == "" || of.meaning == "" || of.remedy == "" {
			t.Errorf("a part is missing: %+v", of)
		}
		if strings.ContainsAny(of.meaning+of.remedy, "`[]") {
			t.Errorf("there is Markdown left in %+v", of)
		}
	}
}

var update = flag.Bool("update", false, "write the tables of docs/reasons.md")

func TestThePageHasTheTablesOfTheProgram(t *testing.T) {
	page := filepath.Join("..", "..", "..", "..", "docs", "reasons.md")
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	generated := string(text)
	for name, block := range map[string]string{
		"failures":                      failureTables(),
		"waits":                         table("| reason | what the build waits for | what to do |", waits),
		"build conditions":              table("| condition | reason | meaning | what to do |", buildConditions),
		"conditions of finished builds": table("| condition | reason | meaning | what to do |", finishedConditions),
		"image conditions":              table("| condition | reason | meaning | what to do |", imageConditions),
		"kind conditions":               table("| condition | reason | meaning | what to do |", kindConditions),
		"events":                        table("| event | reason | meaning | what to do |", events),
	} {
		begin, end := "<!-- begin "+name+": make generate writes it -->\n\n", "\n<!-- end "+name+" -->\n"
		before, rest, begins := strings.Cut(generated, begin)
		_, after, ends := strings.Cut(rest, end)
		if !begins || !ends {
			t.Fatalf("docs/reasons.md has no block %s", name)
		}
		generated = before + begin + block + end + after
	}
	if *update {
		require.NoError(t, os.WriteFile(page, []byte(generated), 0o600))
	} else if diff := cmp.Diff(string(text), generated); diff != "" {
		t.Errorf("docs/reasons.md is stale: run make generate (-page +program):\n%s", diff)
	}
}

// failureTables returns a section for each class of failures.
func failureTables() string {
	rows, classes := map[v1alpha1.FailureClass][]report{}, []v1alpha1.FailureClass{}
	for _, reason := range v1alpha1.FailureReasons() {
		class := reason.Class()
		if !slices.Contains(classes, class) {
			classes = append(classes, class)
		}
		rows[class] = append(rows[class], report{reason: string(reason), meaning: meaningOf(reason), remedy: reason.Remedy()})
	}
	var sections []string
	for _, class := range classes {
		sections = append(sections, fmt.Sprintf("### %s\n\n%s\n\n%s", class, retry(class), table("| reason | meaning | what to do |", rows[class])))
	}
	return strings.Join(sections, "\n")
}

func table(head string, rows []report) string {
	text := head + "\n" + strings.Repeat("|---", strings.Count(head, "|")-1) + "|\n"
	for _, row := range rows {
		if row.by != "" {
			text += "| " + row.by + " "
		}
		if row.remedy == "" {
			row.remedy = "–"
		}
		text += fmt.Sprintf("| %s | %s | %s |\n", row.reason, row.meaning, row.remedy)
	}
	return text
}

func TestAReasonIsExplained(t *testing.T) {
	const oomKilled = `REASON       OOMKilled
reported by  a build that failed, class User
meaning      the builder ran out of memory
what to do   raise spec.template.resources.limits.memory
retry        Goldsmith does not retry these failures by default, because the image has to change.
`
	for asked, want := range map[string]string{
		"OOMKilled":      oomKilled,
		"oomkilled":      oomKilled,
		"User/OOMKilled": oomKilled,
		"Succeeded": `REASON       Succeeded
reported by  condition Succeeded: True, Finished: True
meaning      the build made every artifact
what to do   nothing

REASON       Succeeded
reported by  event of a build
meaning      the build made every artifact
what to do   nothing
`,
		"WaitingForSlot": `REASON       WaitingForSlot
reported by  a build that waits
meaning      it waits for an earlier build of the image, or room under a limit of the namespace or of all builds; the message says which
what to do   wait, or raise a limit (docs/queueing.md)
`,
		"UnknownPackage": `REASON       UnknownPackage
reported by  the builder debian, class User
meaning      the mirror has no package of this name, or not in this version
what to do   correct the name in packages, or set a mirror or components with the package
retry        Goldsmith does not retry these failures by default, because the image has to change.
`,
		"OMKilled": "error: unknown reason \"OMKilled\": did you mean OOMKilled? `goldsmith explain` lists all reasons, except those of your own builders",
		"image":    "error: unknown reason \"image\": did you mean ImagePullFailed or ImagePulling? `goldsmith explain` lists all reasons, except those of your own builders",
		"nothing":  "error: unknown reason \"nothing\": `goldsmith explain` lists all reasons, except those of your own builders",
	} {
		var out bytes.Buffer
		command := NewCommand()
		command.SilenceUsage, command.SilenceErrors = true, true
		command.SetOut(&out)
		command.SetArgs([]string{asked})
		err := command.ExecuteContext(t.Context())
		if message, isError := strings.CutPrefix(want, "error: "); isError {
			if err == nil || err.Error() != message || out.Len() > 0 {
				t.Errorf("%s: got %q, error %v, want %q", asked, &out, err, message)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", asked, err)
		}
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", asked, diff)
		}
	}
}

func TestAFailureIsExplainedByItsBuilder(t *testing.T) {
	for _, test := range []struct{ builder, message, reason, remedy string }{
		{"debian", "StaticProgram: file scripts/a runs busybox", "StaticProgram", "let the script run a program that is linked dynamically, or run the program on the machine, by a unit of systemd"},
		{"debian", "builder ended with exit code 1", "NoResult", v1alpha1.ReasonNoResult.Remedy()},
		{"other", "StaticProgram: file scripts/a runs busybox", "NoResult", v1alpha1.ReasonNoResult.Remedy()},
	} {
		build := &v1alpha1.ImageBuild{}
		build.Spec.Inputs.Builder.Name = test.builder
		build.Status.Failure = &v1alpha1.BuildFailure{Reason: v1alpha1.ReasonNoResult, Message: test.message}
		if reason, remedy := OfFailure(build); reason != test.reason || remedy != plain(test.remedy) {
			t.Errorf("%s of builder %s: got %s, %q", test.message, test.builder, reason, remedy)
		}
	}
}

func TestAllReasonsAreListed(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, list(entries(), &out))
	for _, want := range []string{"REASON", "OOMKilled", "NodeLost", "NeverBuilt", "BuildRefused", "UnknownPackage"} {
		if !strings.Contains(out.String(), want+" ") {
			t.Errorf("%s is not listed in\n%s", want, &out)
		}
	}
}

func TestReasonsAreCompletedInUpperAndLowerCase(t *testing.T) {
	all := entries()
	for begun, want := range map[string][]string{
		"oom":       {"OOMKilled\tthe builder ran out of memory"},
		"BuilderNo": {"BuilderNotFound\tno builder of this name is registered", "BuilderNotAllowed\tthis server allows no container images as builders"},
		"x":         nil,
	} {
		got := completions(all, begun)
		if diff := cmp.Diff(want, got[:min(len(got), 2)]); diff != "" {
			t.Errorf("%q (-want +got):\n%s", begun, diff)
		}
	}
}
