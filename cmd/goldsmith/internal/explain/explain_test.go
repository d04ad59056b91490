// SPDX-License-Identifier: Apache-2.0

package explain

import (
	"bytes"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/apis/constants"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/docs"
)

func TestThePageExplainsTheReasonsOfTheAPIAndNoOther(t *testing.T) {
	reasons, err := constants.In(filepath.Join("..", "..", "..", "..", "apis", "images", "v1alpha1"), func(_, name string) bool {
		return strings.HasPrefix(name, "Reason") || strings.HasPrefix(name, "Event")
	})
	if err != nil {
		t.Fatal(err)
	}
	want, got := slices.Sorted(maps.Values(reasons)), names(parse(docs.Reasons()))
	slices.Sort(got)
	if diff := cmp.Diff(slices.Compact(want), got); diff != "" {
		t.Errorf("reasons of the API and of the page (-want +got):\n%s", diff)
	}
}

func TestEveryEntryIsComplete(t *testing.T) {
	for _, of := range parse(docs.Reasons()) {
		if of.reporter == "" || of.meaning == "" || of.remedy == "" {
			t.Errorf("a part is missing: %+v", of)
		}
		if strings.ContainsAny(of.meaning+of.remedy, "`[]") {
			t.Errorf("there is Markdown left in %+v", of)
		}
		if class, isFailure := strings.CutPrefix(of.reporter, "a build that failed, class "); isFailure {
			if want := v1alpha1.FailureReason(of.reason).Class(); string(want) != class || of.retry == "" {
				t.Errorf("%s is of class %s, want %s; retry: %q", of.reason, class, want, of.retry)
			}
		} else if of.retry != "" && v1alpha1.FailureReason(of.reason).Class() != v1alpha1.FailureCancelled {
			t.Errorf("%s is no failure: retry: %q", of.reason, of.retry)
		}
	}
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
		"OMKilled": "error: unknown reason \"OMKilled\": did you mean OOMKilled? `goldsmith explain` lists all reasons",
		"image":    "error: unknown reason \"image\": did you mean ImagePullFailed or ImagePulling? `goldsmith explain` lists all reasons",
		"nothing":  "error: unknown reason \"nothing\": `goldsmith explain` lists all reasons",
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

func TestAllReasonsAreListed(t *testing.T) {
	var out bytes.Buffer
	if err := list(parse(docs.Reasons()), &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"REASON", "OOMKilled", "NodeLost", "NeverBuilt", "BuildRefused"} {
		if !strings.Contains(out.String(), want+" ") {
			t.Errorf("%s is not listed in\n%s", want, &out)
		}
	}
}

func TestReasonsAreCompletedInUpperAndLowerCase(t *testing.T) {
	entries := parse(docs.Reasons())
	for begun, want := range map[string][]string{
		"oom":       {"OOMKilled\tthe builder ran out of memory"},
		"BuilderNo": {"BuilderNotFound\tno builder of this name is registered", "BuilderNotAllowed\tthis server allows no container images as builders"},
		"x":         nil,
	} {
		got := completions(entries, begun)
		if diff := cmp.Diff(want, got[:min(len(got), 2)]); diff != "" {
			t.Errorf("%q (-want +got):\n%s", begun, diff)
		}
	}
}
