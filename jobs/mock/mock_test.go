// SPDX-License-Identifier: Apache-2.0

package mock

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/lock"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

var targets = []v1alpha1.Target{
	{Platform: "linux/amd64", Format: v1alpha1.ArtifactFormatRaw},
	{Platform: "linux/arm64/v8", Format: v1alpha1.ArtifactFormatQCOW2},
}

func sampleInput(attempt int32, parameters map[string]string) render.Input {
	input := render.Input{
		Version:    1,
		Attempt:    attempt,
		Base:       render.InputBase{Reference: "debian:bookworm"},
		Build:      render.InputBuild{Namespace: "team", Name: "debian-7", UID: "0b5c1a52"},
		Files:      map[string]string{"setup.sh": "true && <false>\n"},
		Parameters: parameters,
	}
	for _, target := range targets {
		input.Targets = append(input.Targets, render.InputTarget{
			Name: result.TargetName(target), Platform: target.Platform, Format: target.Format,
		})
	}
	return input
}

// contract holds the directory of a builder's input and output files, and the builder's output.
type contract struct {
	dir            string
	stdout, stderr bytes.Buffer
}

func newContract(t *testing.T, input any) *contract {
	t.Helper()
	c := &contract{dir: t.TempDir()}
	text, err := inputs.CanonicalJSON(input)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(c.getenv(render.EnvInput), text, 0o600))
	require.NoError(t, os.Mkdir(c.getenv(render.EnvOutput), 0o700))
	return c
}

func (c *contract) getenv(name string) string {
	return filepath.Join(c.dir, strings.ToLower(name))
}

func (c *contract) run(ctx context.Context) int {
	return Main(ctx, c.getenv, &c.stdout, &c.stderr, nil)
}

func (c *contract) result(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(c.getenv(render.EnvResult))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(text)
}

// runBubbled runs the mock builder on a clock that jumps, and returns the exit code and the time it took.
func runBubbled(t *testing.T, c *contract) (exitCode int, took time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		started := time.Now()
		exitCode = newBuilder(t.Context(), c.getenv, &c.stdout, &c.stderr).run(t.Context(), c.getenv(render.EnvInput))
		took = time.Since(started)
	})
	return exitCode, took
}

func TestParametersAndWhatBecomesOfTheBuild(t *testing.T) {
	const (
		user           = v1alpha1.FailureUser
		config         = v1alpha1.FailureConfig
		infrastructure = v1alpha1.FailureInfrastructure
	)
	type params = map[string]string
	tests := []struct {
		name        string
		parameters  params
		attempt     int32
		wantExit    int
		wantTook    time.Duration
		wantClass   v1alpha1.FailureClass // empty: it succeeds
		wantReason  v1alpha1.FailureReason
		wantMessage string
	}{
		{name: "by default it succeeds in a second", wantTook: time.Second},
		{name: "duration", parameters: params{"duration": "1h30m"}, wantTook: 90 * time.Minute},
		{name: "days", parameters: params{"duration": "1d12h"}, wantTook: 36 * time.Hour},
		{name: "no duration", parameters: params{"duration": "0s"}},
		{name: "no steps", parameters: params{"steps": "0"}, wantTook: time.Second},
		{name: "no steps and no duration", parameters: params{"steps": "0", "duration": "0"}},
		{name: "parameters of others are ignored", parameters: params{"edition": "full"}, wantTook: time.Second},
		{
			name: "failAt", parameters: params{"failAt": "3"}, wantExit: 1, wantTook: 400 * time.Millisecond,
			wantClass: user, wantReason: v1alpha1.ReasonBuilderFailed, wantMessage: "MockFailed: failed in step 3 of 5",
		},
		{
			name: "failReason", parameters: params{"failAt": "1", "failReason": "NoSpace"}, wantExit: 1,
			wantClass: user, wantReason: v1alpha1.ReasonBuilderFailed, wantMessage: "NoSpace: failed in step 1 of 5",
		},
		{
			name: "retryable", parameters: params{"failAt": "1", "retryable": "true"}, wantExit: 1,
			wantClass: infrastructure, wantReason: v1alpha1.ReasonBuilderTempFail, wantMessage: "MockFailed",
		},
		{
			name: "failClass", parameters: params{"failAt": "1", "failClass": "Config"}, wantExit: 1,
			wantClass: config, wantReason: v1alpha1.ReasonBuilderMisconfigured, wantMessage: "MockFailed",
		},
		{
			name: "failAttempts fails the first ones", parameters: params{"failAttempts": "2"}, attempt: 2, wantExit: 1,
			wantClass: user, wantReason: v1alpha1.ReasonBuilderFailed, wantMessage: "failed in step 1 of 5",
		},
		{name: "failAttempts spares the rest", parameters: params{"failAttempts": "2"}, attempt: 3, wantTook: time.Second},
		{name: "failAttempts of 0 spares all", parameters: params{"failAttempts": "0", "failAt": "1"}, wantTook: time.Second},
		{
			name: "failAttempts without steps", parameters: params{"failAttempts": "1", "steps": "0"}, wantExit: 1,
			wantClass: user, wantReason: v1alpha1.ReasonBuilderFailed, wantMessage: "MockFailed: failed, as it was told to",
		},
		{
			name: "failAttempts spares from exitCode, result and crash", attempt: 2,
			parameters: params{"failAttempts": "1", "exitCode": "75", "result": "none", "crash": "segv"}, wantTook: time.Second,
		},
		{
			name: "failAttempts with failAt", parameters: params{"failAttempts": "1", "failAt": "5"}, wantExit: 1,
			wantTook: 800 * time.Millisecond, wantClass: user, wantReason: v1alpha1.ReasonBuilderFailed, wantMessage: "step 5 of 5",
		},
		{
			name: "exitCode of a success", parameters: params{"exitCode": "3"}, wantExit: 3, wantTook: time.Second,
			wantClass: user, wantReason: v1alpha1.ReasonBuilderFailed, wantMessage: "outcome is Succeeded",
		},
		{
			name: "exitCode 75 without a result", parameters: params{"exitCode": "75", "result": "none"}, wantExit: 75, wantTook: time.Second,
			wantClass: infrastructure, wantReason: v1alpha1.ReasonBuilderTempFail, wantMessage: "no result: ",
		},
		{
			name: "exitCode 0 of a failure", parameters: params{"failAt": "1", "exitCode": "0"},
			wantClass: user, wantReason: v1alpha1.ReasonBuilderFailed, wantMessage: "MockFailed",
		},
		{
			name: "result none", parameters: params{"result": "none"}, wantTook: time.Second,
			wantClass: config, wantReason: v1alpha1.ReasonNoResult, wantMessage: "no result: ",
		},
		{
			name: "result malformed", parameters: params{"result": "malformed"}, wantTook: time.Second,
			wantClass: config, wantReason: v1alpha1.ReasonInvalidResult, wantMessage: "not JSON",
		},
		{
			name: "result malformed of a failure", parameters: params{"result": "malformed", "failAt": "1"}, wantExit: 1,
			wantClass: user, wantReason: v1alpha1.ReasonBuilderFailed, wantMessage: "not JSON",
		},
		{
			name: "result oversized", parameters: params{"result": "oversized"}, wantTook: time.Second,
			wantClass: config, wantReason: v1alpha1.ReasonInvalidResult, wantMessage: "longer than 4096 bytes",
		},
		{
			name: "result baddigest", parameters: params{"result": "baddigest"}, wantTook: time.Second,
			wantClass: config, wantReason: v1alpha1.ReasonInvalidResult, wantMessage: "64 hex digits",
		},
		{
			name: "a bad parameter", parameters: params{"duration": "soon"}, wantExit: 1,
			wantClass: user, wantReason: v1alpha1.ReasonBuilderFailed,
			wantMessage: `InvalidParameter: parameter duration is "soon": it must be a duration from 0s to 168h0m0s`,
		},
		{
			name: "a bad parameter, though retryable", parameters: params{"steps": "many", "retryable": "true", "exitCode": "75"}, wantExit: 1,
			wantClass: user, wantReason: v1alpha1.ReasonBuilderFailed, wantMessage: "InvalidParameter",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newContract(t, sampleInput(max(tt.attempt, 1), tt.parameters))
			exitCode, took := runBubbled(t, c)
			if exitCode != tt.wantExit || took != tt.wantTook {
				t.Errorf("exit code %d after %v, want %d after %v", exitCode, took, tt.wantExit, tt.wantTook)
			}
			outcome := result.Parse(c.result(t), int32(exitCode), targets, result.Policy{})
			if tt.wantClass == "" {
				if outcome.Failure != nil {
					t.Errorf("unexpected failure: %+v", outcome.Failure)
				}
				return
			}
			if outcome.Failure == nil {
				t.Fatalf("it succeeded, want %s", tt.wantReason)
			}
			if outcome.Failure.Class != tt.wantClass || outcome.Failure.Reason != tt.wantReason {
				t.Errorf("failure is %s/%s, want %s/%s", outcome.Failure.Class, outcome.Failure.Reason, tt.wantClass, tt.wantReason)
			}
			if !strings.Contains(outcome.Failure.Message, tt.wantMessage) {
				t.Errorf("message is %q, want it to contain %q", outcome.Failure.Message, tt.wantMessage)
			}
		})
	}
}

func TestLogIsAHeaderAndEachStepsLines(t *testing.T) {
	c := newContract(t, sampleInput(2, map[string]string{"steps": "2", "linesPerStep": "2", "duration": "4s"}))
	runBubbled(t, c)
	want := `mock builder: build team/debian-7, attempt 2, base debian:bookworm, 1 files, 2 targets, 4s in 2 steps
step 1/2 line 1/2
step 1/2 line 2/2
step 2/2 line 1/2
step 2/2 line 2/2
`
	if diff := cmp.Diff(want, c.stdout.String()); diff != "" {
		t.Errorf("unexpected log (-want +got):\n%s", diff)
	}
}

func TestLinesAreAsLongAsAskedFor(t *testing.T) {
	for _, size := range []string{"1", "5", "18", "19", "100"} {
		c := newContract(t, sampleInput(1, map[string]string{"steps": "1", "lineBytes": size}))
		runBubbled(t, c)
		_, line, _ := strings.Cut(c.stdout.String(), "\n")
		want := map[string]int{"1": 1, "5": 5, "18": 18, "19": 19, "100": 100}[size]
		if len(line) != want || strings.Count(line, "\n") != 1 {
			t.Errorf("lineBytes %s gives %q, which is %d bytes", size, line, len(line))
		}
	}
}

// Each step's lines are there when the step starts, so that somebody who follows the log sees the build go on.
func TestLinesComeWithTheirStep(t *testing.T) {
	c := newContract(t, sampleInput(1, map[string]string{"duration": "10s", "steps": "2"}))
	synctest.Test(t, func(t *testing.T) {
		log := &timedLog{started: time.Now()}
		newBuilder(t.Context(), c.getenv, log, &c.stderr).run(t.Context(), c.getenv(render.EnvInput))
		want := []time.Duration{0, 0, 5 * time.Second} // the header and the first step, the second step
		if diff := cmp.Diff(want, log.written); diff != "" {
			t.Errorf("unexpected times of the lines (-want +got):\n%s", diff)
		}
	})
}

// timedLog remembers when each line was written.
type timedLog struct {
	started time.Time
	written []time.Duration
}

func (l *timedLog) Write(line []byte) (int, error) {
	l.written = append(l.written, time.Since(l.started))
	return len(line), nil
}

func TestToldToEnd(t *testing.T) {
	tests := []struct {
		onTerm       string
		wantExit     int
		wantTook     time.Duration
		wantLastLine string
		wantResult   bool
	}{
		{onTerm: "exit", wantExit: 143, wantTook: 3 * time.Second, wantLastLine: "told to end: exiting"},
		{onTerm: "ignore", wantExit: 0, wantTook: 10 * time.Second, wantLastLine: "told to end: ignored", wantResult: true},
		{onTerm: "hurry", wantExit: 0, wantTook: 3 * time.Second, wantLastLine: "told to end: hurrying", wantResult: true},
	}
	for _, tt := range tests {
		t.Run(tt.onTerm, func(t *testing.T) {
			c := newContract(t, sampleInput(1, map[string]string{"duration": "10s", "steps": "1", "onTerm": tt.onTerm}))
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				started := time.Now()
				exitCode := newBuilder(ctx, c.getenv, &c.stdout, &c.stderr).run(ctx, c.getenv(render.EnvInput))
				if took := time.Since(started); exitCode != tt.wantExit || took != tt.wantTook {
					t.Errorf("exit code %d after %v, want %d after %v", exitCode, took, tt.wantExit, tt.wantTook)
				}
			})
			lines := strings.Split(strings.TrimSpace(c.stdout.String()), "\n")
			if last := lines[len(lines)-1]; last != tt.wantLastLine {
				t.Errorf("the last line is %q, want %q", last, tt.wantLastLine)
			}
			if left := c.result(t) != ""; left != tt.wantResult {
				t.Errorf("left a result: %v, want %v", left, tt.wantResult)
			}
		})
	}
}

func TestToldToEndWhileItLogs(t *testing.T) {
	c := newContract(t, sampleInput(1, map[string]string{"linesPerStep": "100000", "duration": "0s"}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if exitCode := c.run(ctx); exitCode != 143 {
		t.Errorf("exit code %d, want 143", exitCode)
	}
	if lines := strings.Count(c.stdout.String(), "\n"); lines != 3 {
		t.Errorf("there are %d lines, want 3", lines)
	}
}

func TestArtifactsAreTheInputOfTheirTargetWithoutBuildAndAttempt(t *testing.T) {
	c := newContract(t, sampleInput(1, map[string]string{"duration": "0s"}))
	runBubbled(t, c)
	outcome := result.Parse(c.result(t), 0, targets, result.Policy{})
	if outcome.Failure != nil {
		t.Fatal(outcome.Failure)
	}
	for i, want := range []struct{ file, target string }{
		{"linux-amd64.raw", `{"format":"raw","name":"linux/amd64/raw","platform":"linux/amd64"}`},
		{"linux-arm64-v8.qcow2", `{"format":"qcow2","name":"linux/arm64/v8/qcow2","platform":"linux/arm64/v8"}`},
	} {
		content, err := os.ReadFile(filepath.Join(c.getenv(render.EnvOutput), want.file))
		require.NoError(t, err)
		const made = `{"base":{"reference":"debian:bookworm"},"files":{"setup.sh":"true && <false>\n"},"parameters":{"duration":"0s"},` +
			`"targets":[%s],"version":1}`
		if diff := cmp.Diff(fmt.Sprintf(made, want.target), string(content)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", want.file, diff)
		}
		artifact := outcome.Artifacts[i]
		if artifact.Digest != contents.Digest(content) || artifact.SizeBytes != int64(len(content)) {
			t.Errorf("the result has %+v for %s", artifact, want.file)
		}
	}
}

func TestAllTargetsShareALock(t *testing.T) {
	for name, test := range map[string]struct {
		parameters map[string]string
		want       []v1alpha1.Package
		invalid    string
	}{
		"by default":           {nil, []v1alpha1.Package{all("mock-base", "1.0"), all("mock-kernel", "6.12.1"), all("mock-shell", "5.2")}, ""},
		"packages":             {map[string]string{"packages": "openssl=3.5.6-1, zlib1g\ncurl=1=2"}, []v1alpha1.Package{all("openssl", "3.5.6-1"), all("zlib1g", "1.0"), all("curl", "1=2")}, ""},
		"packages in JSON":     {map[string]string{"packages": `["nginx","curl"]`}, []v1alpha1.Package{all("nginx", "1.0"), all("curl", "1.0")}, ""},
		"no packages":          {map[string]string{"packages": ""}, nil, ""},
		"packages of bad form": {map[string]string{"packages": "a\u202e=1"}, nil, "packages[0].name"},
		"the same twice":       {map[string]string{"packages": "a=1,a=1"}, nil, "packages[1] is the same as packages[0]"},
		"malformed":            {map[string]string{"lock": "malformed"}, nil, "is not a JSON object"},
	} {
		t.Run(name, func(t *testing.T) {
			input := sampleInput(1, test.parameters)
			target := input.Targets[0]
			input.Targets = nil
			var wanted []v1alpha1.Target
			for i := range 16 { // as many as an image can have, with long names
				target.Platform = fmt.Sprintf("linux/architecture%d/v8", i)
				wanted = append(wanted, v1alpha1.Target{Platform: target.Platform, Format: target.Format})
				target.Name = result.TargetName(wanted[i])
				input.Targets = append(input.Targets, target)
			}
			c := newContract(t, input)
			runBubbled(t, c)
			if outcome := result.Parse(c.result(t), 0, wanted, result.Policy{AllowUnlocated: true}); outcome.Failure != nil {
				t.Fatal(outcome.Failure)
			}
			var left result.Result
			require.NoError(t, json.Unmarshal([]byte(c.result(t)), &left))
			for _, artifact := range left.Artifacts {
				if artifact.Lock == nil || artifact.Lock.File != "lock.json" {
					t.Errorf("the lock of %s is %+v", artifact.Target, artifact.Lock)
				}
			}
			content := require.Value(os.ReadFile(filepath.Join(c.getenv(render.EnvOutput), "lock.json")))(t)
			read, err := lock.Read(content)
			if test.invalid != "" {
				if err == nil || !strings.Contains(err.Error(), test.invalid) {
					t.Errorf("error %v, want %q", err, test.invalid)
				}
				return
			}
			require.NoError(t, err)
			if diff := cmp.Diff(test.want, read.Packages, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
	if its, _ := buildAt(t, map[string]string{"distribution": "debian:13"}, nil); its.Distribution == nil || *its.Distribution != (v1alpha1.Distribution{ID: "debian", Version: "13"}) {
		t.Errorf("the distribution is %v", its.Distribution)
	}
	c := newContract(t, sampleInput(1, map[string]string{"lock": "none"}))
	runBubbled(t, c)
	if _, err := os.Stat(filepath.Join(c.getenv(render.EnvOutput), "lock.json")); err == nil || strings.Contains(c.result(t), "lock") {
		t.Error("it writes a lock")
	}
}

func TestTheFilesOfTheBaseAreCompared(t *testing.T) {
	content := []byte("the disk of the base")
	for name, test := range map[string]struct {
		has  []byte // nil: no file
		want string // of the failure
	}{
		"that of the digest": {has: content},
		"another":            {[]byte("another"), "BaseNotReadable: read artifact linux/amd64/raw of the base: its digest is " + contents.Digest([]byte("another")) + ", must be " + contents.Digest(content)},
		"none":               {nil, "BaseNotReadable: read artifact linux/amd64/raw of the base: open "},
	} {
		t.Run(name, func(t *testing.T) {
			input := sampleInput(1, map[string]string{"duration": "0s"})
			input.Base = render.InputBase{Image: "base", Artifacts: []render.InputArtifact{
				{Target: "linux/amd64/raw", Path: "linux-amd64.raw", Digest: contents.Digest(content), SizeBytes: int64(len(content))},
				{Target: "linux/arm64/v8/qcow2", Location: "https://images.example/base"},
			}}
			c := newContract(t, input)
			require.NoError(t, os.Mkdir(c.getenv(render.EnvBase), 0o700))
			if test.has != nil {
				require.NoError(t, os.WriteFile(filepath.Join(c.getenv(render.EnvBase), "linux-amd64.raw"), test.has, 0o400))
			}
			runBubbled(t, c)
			outcome := result.Parse(c.result(t), 0, targets, result.Policy{})
			if failed := outcome.Failure != nil; failed != (test.want != "") || failed && !strings.HasPrefix(outcome.Failure.Message, test.want) {
				t.Errorf("%+v, want %q", outcome.Failure, test.want)
			}
			if stopped := strings.Contains(c.stdout.String(), "the base has linux/amd64/raw, 20 bytes, "+contents.Digest(content)+"\n"); stopped != (test.want == "") {
				t.Errorf("log %q", c.stdout.String())
			}
		})
	}
}

func TestDigestIsThatOfTheInputsAndTheTargetAlone(t *testing.T) {
	digests := func(change func(*render.Input)) []string {
		input := sampleInput(1, map[string]string{"duration": "0s"})
		change(&input)
		c := newContract(t, input)
		runBubbled(t, c)
		var left result.Result
		require.NoError(t, json.Unmarshal([]byte(c.result(t)), &left))
		var digests []string
		for _, artifact := range left.Artifacts {
			digests = append(digests, artifact.Digest)
		}
		return digests
	}
	first := digests(func(*render.Input) {})
	if len(first) != len(targets) || first[0] == first[1] {
		t.Errorf("the targets' digests are %q, want %d different ones", first, len(targets))
	}
	if again := digests(func(i *render.Input) { i.Attempt, i.Build.Name, i.Build.UID = 2, "debian-8", "other" }); !slices.Equal(again, first) {
		t.Error("another build of the same inputs has other digests")
	}
	unique := func(build string) []string {
		return digests(func(i *render.Input) { i.Parameters["reproducible"], i.Build.Name = "false", build })
	}
	if one, other := unique("debian-7"), unique("debian-8"); one[0] == other[0] || one[1] == other[1] || one[0] == one[1] {
		t.Error("two builds that are not reproducible have the same digests")
	}
	if alone := digests(func(i *render.Input) { i.Targets = i.Targets[1:] }); !slices.Equal(alone, first[1:]) {
		t.Error("a target has another digest without the other target")
	}
	if other := digests(func(i *render.Input) { i.Files["setup.sh"] = "true\n" }); other[0] == first[0] || other[1] == first[1] {
		t.Error("other files have the same digest")
	}
}

func TestBadInput(t *testing.T) {
	tests := map[string]struct {
		input string
		want  string
	}{
		"no JSON":         {"hello", "read the input"},
		"another type":    {`{"version":1,"attempt":"first"}`, "read the input"},
		"another version": {`{"version":2}`, "version is 2, not 1"},
		"no version":      {`{}`, "version is 0, not 1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := newContract(t, sampleInput(1, nil))
			require.NoError(t, os.WriteFile(c.getenv(render.EnvInput), []byte(tt.input), 0o600))
			wantRefused(t, c, "InvalidInput", tt.want)
		})
	}
	t.Run("no file", func(t *testing.T) {
		c := newContract(t, sampleInput(1, nil))
		require.NoError(t, os.Remove(c.getenv(render.EnvInput)))
		wantRefused(t, c, "InvalidInput", "no such file")
	})
	t.Run("no output directory", func(t *testing.T) {
		c := newContract(t, sampleInput(1, map[string]string{"duration": "0s"}))
		require.NoError(t, os.Remove(c.getenv(render.EnvOutput)))
		wantRefused(t, c, "OutputNotWritable", "make the artifact for linux/amd64/raw")
	})
}

func wantRefused(t *testing.T, c *contract, reason, message string) {
	t.Helper()
	if exitCode := c.run(t.Context()); exitCode != 1 {
		t.Errorf("exit code %d, want 1", exitCode)
	}
	var left result.Result
	require.NoError(t, json.Unmarshal([]byte(c.result(t)), &left))
	if left.Failure == nil || left.Failure.Reason != reason || left.Failure.Retryable || !strings.Contains(left.Failure.Message, message) {
		t.Errorf("failure is %+v, want %s with %q", left.Failure, reason, message)
	}
	if !strings.Contains(c.stderr.String(), message) {
		t.Errorf("stderr is %q, want it to contain %q", c.stderr.String(), message)
	}
}

func TestWithoutItsVariables(t *testing.T) {
	var stdout, stderr bytes.Buffer
	exitCode := Main(t.Context(), func(string) string { return "" }, &stdout, &stderr, nil)
	if exitCode != 1 || !strings.Contains(stderr.String(), "$GOLDSMITH_INPUT is not set") {
		t.Errorf("exit code %d, stderr %q", exitCode, stderr.String())
	}
}

func TestArgumentsAreRefused(t *testing.T) {
	var stdout, stderr bytes.Buffer
	exitCode := Main(t.Context(), os.Getenv, &stdout, &stderr, []string{"--help"})
	if exitCode != 2 || !strings.Contains(stderr.String(), "takes no arguments") {
		t.Errorf("exit code %d, stderr %q", exitCode, stderr.String())
	}
}
