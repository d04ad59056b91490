// SPDX-License-Identifier: Apache-2.0

package explain

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"goldsmith.dev/goldsmith/apis/constants"
	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/fake"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestEveryReasonOfTheAPIIsExplained(t *testing.T) {
	reasons, err := constants.In(filepath.Join("..", "..", "..", "..", "apis", "images", "v1alpha1"), func(_, name string) bool {
		return strings.HasPrefix(name, "Reason") || strings.HasPrefix(name, "Event") || strings.HasPrefix(name, "Trigger")
	})
	require.NoError(t, err)
	all := slices.DeleteFunc(entries(), func(of entry) bool { return strings.HasPrefix(of.reporter, "the builder ") })
	want, got := slices.Sorted(maps.Values(reasons)), names(all)
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

func TestThePagesOfTheConsoleHaveTheReasons(t *testing.T) {
	file := filepath.Join("..", "..", "..", "goldsmith-console", "reasons.json")
	generated := &bytes.Buffer{}
	for i, reason := range Reasons() {
		generated.WriteString(map[bool]string{true: "[\n", false: ",\n"}[i == 0])
		generated.Write(require.Value(json.Marshal(reason))(t))
	}
	generated.WriteString("\n]\n")
	if *update {
		require.NoError(t, os.WriteFile(file, generated.Bytes(), 0o600))
	}
	if text := require.Value(os.ReadFile(file))(t); !bytes.Equal(text, generated.Bytes()) {
		t.Errorf("%s is stale: run make generate", file)
	}
}

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
		"key conditions":                table("| condition | reason | meaning | what to do |", keyConditions),
		"archive conditions":            table("| condition | reason | meaning | what to do |", archiveConditions),
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

// lists ends the error about an unknown reason.
const lists = "`goldsmith explain` lists all reasons, except those of your own builders, which `goldsmith builders NAME` lists"

func TestAReasonIsExplained(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		writer.Header().Set("Content-Type", "application/json")
		if request.URL.Path != "/apis/images.goldsmith.dev/v1alpha1/builders" {
			t.Errorf("the server is asked for %s", request.URL)
		}
		require.NoError(t, json.NewEncoder(writer).Encode(v1alpha1.BuilderList{Items: ownBuilders}))
	}))
	defer server.Close()
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	config := clientcmdapi.NewConfig()
	config.Clusters["own"], config.Contexts["own"], config.CurrentContext = &clientcmdapi.Cluster{Server: server.URL}, &clientcmdapi.Context{Cluster: "own"}, "own"
	require.NoError(t, clientcmd.WriteToFile(*config, kubeconfig))
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
		"NoSpace": `REASON       NoSpace
reported by  the builder disk, class Config
meaning      the volume ^[[2J is full
what to do   free space
retry        Goldsmith does not retry these failures by default, because the configuration of the build has to change.

REASON       NoSpace
reported by  the builder tape, class Infrastructure
meaning      the tape is full
what to do   nothing
retry        Goldsmith retries these failures by default.
`,
		"OMKilled": "error: unknown reason \"OMKilled\": did you mean OOMKilled? " + lists,
		"NoSpaces": "error: unknown reason \"NoSpaces\": did you mean NoSpace? " + lists,
		"image":    "error: unknown reason \"image\": did you mean ImagePullFailed or ImagePulling? " + lists,
		"nothing":  "error: unknown reason \"nothing\": " + lists,
	} {
		var out bytes.Buffer
		command := NewCommand()
		command.SilenceUsage, command.SilenceErrors = true, true
		command.SetOut(&out)
		command.SetArgs([]string{asked, "--kubeconfig", kubeconfig})
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

func TestOnlyAnUnknownReasonNeedsAServer(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("KUBECONFIG", "")
	for asked, want := range map[string]string{
		"UnknownPackage": "",
		"NoSpace":        "`goldsmith explain` lists all reasons, except those of your own builders, which could not be read: " + client.ErrNoKubeconfig.Error(),
	} {
		command := NewCommand()
		command.SilenceUsage, command.SilenceErrors = true, true
		command.SetOut(t.Output())
		command.SetArgs([]string{asked})
		if err := command.ExecuteContext(t.Context()); (err == nil) != (want == "") || err != nil && !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", asked, err, want)
		}
	}
}

var ownBuilders = []v1alpha1.Builder{
	{ObjectMeta: metav1.ObjectMeta{Name: "disk"}, Reasons: []v1alpha1.BuilderReason{{Reason: "NoSpace", Class: v1alpha1.FailureConfig, Meaning: "the volume \x1b[2J is full", Remedy: "free `space`"}}},
	{ObjectMeta: metav1.ObjectMeta{Name: "tape"}, Reasons: []v1alpha1.BuilderReason{{Reason: "NoSpace", Class: v1alpha1.FailureInfrastructure, Meaning: "the tape is full"}}},
}

func TestAFailureIsExplainedByItsBuilder(t *testing.T) {
	connection := &client.Connection{Interface: fake.NewClientset(&ownBuilders[0], &ownBuilders[1])}
	for _, test := range []struct {
		builder, message string
		failure          v1alpha1.FailureReason
		reason, remedy   string
	}{
		{"debian", "StaticProgram: file scripts/a runs busybox", v1alpha1.ReasonBuilderFailed, "StaticProgram", "let the script run a program that is linked dynamically, or run the program on the machine, by a unit of systemd"},
		{"debian", "builder ended with exit code 1", v1alpha1.ReasonBuilderFailed, "BuilderFailed", v1alpha1.ReasonBuilderFailed.Remedy()},
		{"debian", "StaticProgram: no result", v1alpha1.ReasonNoResult, "NoResult", v1alpha1.ReasonNoResult.Remedy()},
		{"other", "StaticProgram: file scripts/a runs busybox", v1alpha1.ReasonBuilderFailed, "BuilderFailed", v1alpha1.ReasonBuilderFailed.Remedy()},
		{"disk", "NoSpace: /srv", v1alpha1.ReasonBuilderMisconfigured, "NoSpace", "free space"},
		{"disk", "NoSpace", v1alpha1.ReasonBuilderTempFail, "NoSpace", "free space"},
		{"disk", "NoSpaces: /srv", v1alpha1.ReasonBuilderMisconfigured, "BuilderMisconfigured", v1alpha1.ReasonBuilderMisconfigured.Remedy()},
		{"", "NoSpace: /srv", v1alpha1.ReasonBuilderFailed, "BuilderFailed", v1alpha1.ReasonBuilderFailed.Remedy()},
	} {
		build := &v1alpha1.ImageBuild{}
		build.Spec.Inputs.Builder.Name = test.builder
		build.Status.Failure = &v1alpha1.BuildFailure{Reason: test.failure, Message: test.message}
		if reason, remedy := OfFailure(t.Context(), connection, build); reason != test.reason || remedy != plainText(test.remedy) {
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
