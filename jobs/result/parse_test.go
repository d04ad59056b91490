// SPDX-License-Identifier: Apache-2.0

package result

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

var (
	oneTarget  = []v1alpha1.Target{{Platform: "linux/amd64", Format: v1alpha1.ArtifactFormatRaw}}
	twoTargets = append(oneTarget, v1alpha1.Target{Platform: "linux/arm64/v8", Format: v1alpha1.ArtifactFormatQCOW2})

	digestA = "sha256:" + strings.Repeat("a", 64)
	digestB = "sha256:" + strings.Repeat("b", 64)
)

const (
	failedForGood = `{"version":1,"outcome":"Failed","failure":{"reason":"NoSpace","message":"disk is full"}}`
	failedForNow  = `{"version":1,"outcome":"Failed","failure":{"reason":"MirrorDown","message":"503","retryable":true}}`
)

// failedOf returns the message of a failure of a class.
func failedOf(class string) string {
	return strings.Replace(failedForGood, `"failure":{`, `"failure":{"class":"`+class+`",`, 1)
}

func artifact(target, digest string) string {
	return `{"target":"` + target + `","file":"disk","digest":"` + digest + `","sizeBytes":7}`
}

func succeeded(artifacts ...string) string {
	return `{"version":1,"outcome":"Succeeded","artifacts":[` + strings.Join(artifacts, ",") + `]}`
}

var good = succeeded(artifact("linux/amd64/raw", digestA))

// paddedTo fills a message up to a size with white space, which JSON allows at its end.
func paddedTo(size int, message string) string {
	return message + strings.Repeat(" ", size-len(message))
}

func TestParseSuccess(t *testing.T) {
	wantOne := []v1alpha1.Artifact{
		{Target: "linux/amd64/raw", Digest: digestA, SizeBytes: 7, MediaType: "application/x-raw-disk-image"},
	}
	tests := []struct {
		name    string
		message string
		targets []v1alpha1.Target
		want    []v1alpha1.Artifact
	}{
		{name: "one artifact", message: good, targets: oneTarget, want: wantOne},
		{
			name:    "artifacts come in the order of the targets",
			message: succeeded(artifact("linux/arm64/v8/qcow2", digestB), artifact("linux/amd64/raw", digestA)),
			targets: twoTargets,
			want: append(wantOne[:1:1], v1alpha1.Artifact{
				Target: "linux/arm64/v8/qcow2", Digest: digestB, SizeBytes: 7, MediaType: "application/x-qemu-disk",
			}),
		},
		{name: "white space around it", message: "\n " + good + "\n", targets: oneTarget, want: wantOne},
		{name: "exactly 4096 bytes", message: paddedTo(4096, good), targets: oneTarget, want: wantOne},
		{
			name:    "fields the contract does not name",
			message: strings.Replace(good, `"version":1`, `"version":1,"tool":{"name":"packer"},"Version":2`, 1),
			targets: oneTarget,
			want:    wantOne,
		},
		{
			name: "everything that a builder can tell, and what only Goldsmith can",
			message: strings.Replace(good, `"file":"disk"`, `"location":"oci://registry.example/debian@`+digestA+`","mediaType":"a/b","annotations":{"k":"v"},`+
				`"sbom":{"location":"https://example.com/sbom","digest":"`+digestB+`","sizeBytes":3,"mediaType":"application/vnd.cyclonedx+json","verified":"Content"},"verified":"Content","tag":"made-up",`+
				`"lock":{"location":"https://example.com/lock","digest":"`+digestA+`","sizeBytes":4},"packages":7,"made":[{"type":"SBOM","digest":"`+digestA+`"}]`, 1),
			targets: oneTarget,
			want: []v1alpha1.Artifact{{
				Target: "linux/amd64/raw", Digest: digestA, SizeBytes: 7, MediaType: "a/b", Location: "oci://registry.example/debian@" + digestA,
				Annotations: map[string]string{"k": "v"},
				Documents: []v1alpha1.ArtifactDocument{
					{Type: v1alpha1.DocumentLock, Digest: digestA, SizeBytes: 4, MediaType: v1alpha1.LockMediaType, Location: "https://example.com/lock"},
					{Type: v1alpha1.DocumentSBOM, Digest: digestB, SizeBytes: 3, MediaType: "application/vnd.cyclonedx+json", Location: "https://example.com/sbom"},
				},
			}},
		},
		{
			name:    "a check that the builder made up",
			message: strings.Replace(good, `"version":1`, `"version":1,"check":{"notStored":"full"}`, 1),
			targets: oneTarget,
			want:    wantOne,
		},
		{
			name:    "a failure that says nothing",
			message: strings.Replace(good, `"version":1`, `"version":1,"failure":{}`, 1),
			targets: oneTarget,
			want:    wantOne,
		},
		{
			name:    "an empty artifact",
			message: strings.Replace(good, `"sizeBytes":7`, `"sizeBytes":0`, 1),
			targets: oneTarget,
			want: []v1alpha1.Artifact{
				{Target: "linux/amd64/raw", Digest: digestA, MediaType: "application/x-raw-disk-image"},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Parse(tt.message, 0, tt.targets, Policy{})
			if got.Failure != nil {
				t.Fatalf("unexpected failure: %+v", got.Failure)
			}
			if diff := cmp.Diff(tt.want, got.Artifacts); diff != "" {
				t.Errorf("unexpected artifacts (-want +got):\n%s", diff)
			}
		})
	}
}

// A field that the contract does not have is ignored, and told: with the artifacts, or with the failure.
func TestIgnoredFieldsAreNamed(t *testing.T) {
	located := strings.Replace(good, `"file"`, `"location":"https://example.com/disk","file"`, 1)
	for name, test := range map[string]struct {
		message string
		exit    int32
		want    string // in Ignored, or in the message of the failure
		failure v1alpha1.FailureReason
	}{
		"nothing": {message: good},
		"at the top, in an artifact and in a document": {
			message: strings.NewReplacer(`"version":1`, `"version":1,"tool":"packer"`, `"file"`, `"mediatype":"a/b","sbom":{"mediaType":"a/b","path":"x","file":"x","digest":"`+digestA+`","sizeBytes":1},"file"`).Replace(good),
			want:    `unknown field "tool", unknown field "artifacts[0].mediatype", unknown field "artifacts[0].sbom.path"`,
		},
		"twice":            {message: strings.Replace(good, `"sizeBytes":7`, `"sizeBytes":7,"sizeBytes":7`, 1), want: `duplicate field "artifacts[0].sizeBytes"`},
		"a made-up text":   {message: strings.Replace(good, `"version":1`, `"version":1,"ignored":"made-up"`, 1)},
		"without a digest": {message: strings.Replace(located, `"digest"`, `"digst"`, 1), failure: v1alpha1.ReasonInvalidResult, want: `has no digest; ignored: unknown field "artifacts[0].digst": builder ended`},
		"no outcome":       {message: strings.Replace(good, `"outcome"`, `"outcom"`, 1), failure: v1alpha1.ReasonInvalidResult, want: `must be Succeeded or Failed; ignored: unknown field "outcom"`},
		"a failure":        {message: strings.Replace(failedForNow, `"retryable"`, `"retriable"`, 1), exit: 1, failure: v1alpha1.ReasonBuilderFailed, want: `MirrorDown: 503; ignored: unknown field "failure.retriable"`},
		"an exit code":     {message: strings.Replace(good, `"version":1`, `"version":1,"x":1`, 1), exit: 1, failure: v1alpha1.ReasonBuilderFailed, want: "but exit code is not 0"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Parse(test.message, test.exit, oneTarget, Policy{}); test.failure == "" {
				if got.Failure != nil || got.Ignored != test.want {
					t.Errorf("got %+v, want the ignored %q", got, test.want)
				}
			} else if got.Failure == nil || got.Failure.Reason != test.failure || !strings.Contains(got.Failure.Message, test.want) || got.Ignored != "" {
				t.Errorf("got %+v, want %s with %q", got, test.failure, test.want)
			}
			if read := Readable(test.message, oneTarget, Policy{}); read != nil { // as the agent passes it on
				read.Check = &Check{}
				checked, err := read.Message()
				if got := Parse(checked, 0, oneTarget, Policy{Checked: true}); err != nil || test.failure == "" && got.Ignored != test.want {
					t.Errorf("once its files were read: got %+v, %v, want the ignored %q", got, err, test.want)
				}
			}
			if read := WithFindings(test.message, `{"check":{"notStored":"full"}}`, "", nil); test.want != "" && test.failure == "" && !strings.Contains(read, "unknown field") && !strings.Contains(read, "duplicate field") {
				t.Errorf("with findings it is %s", read)
			}
		})
	}
	long := Parse(strings.Replace(good, `"version":1`, `"version":1,"`+strings.Repeat("x", 3000)+`":1`, 1), 0, oneTarget, Policy{})
	if len(long.Ignored) > v1alpha1.MaxMessageBytes || long.Failure != nil {
		t.Errorf("%d bytes are ignored: %v", len(long.Ignored), long.Failure)
	}
}

// A message whose files were read has what Goldsmith found, whatever the builder had set there.
func TestParseChecked(t *testing.T) {
	incomplete := strings.Replace(good, `"digest":"`+digestA+`","sizeBytes":7`, `"verified":"Content"`, 1)
	builders := strings.Replace(incomplete, `"version":1`, `"version":1,"check":{"invalid":"no"}`, 1)
	read := Readable(builders, oneTarget, Policy{})
	if read == nil || read.Check != nil || read.Artifacts[0].Verified != "" || len(read.Contents()) != 1 {
		t.Fatalf("the readable result is %+v", read)
	}
	message := func() string {
		t.Helper()
		text, err := read.Message()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	checked := Policy{Checked: true}

	wantFailure(t, Parse(message(), 0, oneTarget, checked), v1alpha1.FailureConfig, v1alpha1.ReasonInvalidResult, 0, "has no digest")
	if Checked(message()) {
		t.Error("a result without a check counts as checked")
	}
	read.Check = &Check{NotStored: "no space left on device"}
	wantFailure(t, Parse(message(), 0, oneTarget, checked), v1alpha1.FailureInfrastructure, v1alpha1.ReasonArtifactNotStored, 0, "no space left on device")
	for _, reason := range []v1alpha1.FailureReason{v1alpha1.ReasonRegistryDenied, v1alpha1.ReasonRegistryRefused, v1alpha1.ReasonRegistryUnavailable} {
		read.Check = &Check{NotPublished: &NotPublished{Reason: reason, Message: "it said no"}}
		wantFailure(t, Parse(message(), 0, oneTarget, checked), reason.Class(), reason, 0, "it said no")
	}
	for _, reason := range []v1alpha1.FailureReason{v1alpha1.ReasonNoSigningKey, v1alpha1.ReasonSigningKeyExpired, v1alpha1.ReasonSigningKeyUnusable} {
		read.Check = &Check{NotAttested: &NotAttested{Reason: reason, Message: "make a key"}}
		wantFailure(t, Parse(message(), 0, oneTarget, checked), v1alpha1.FailureConfig, reason, 0, "make a key")
	}
	read.Check = &Check{NotAttested: &NotAttested{Reason: v1alpha1.ReasonBuilderFailed, Message: "no"}}
	wantFailure(t, Parse(message(), 0, oneTarget, checked), v1alpha1.FailureInfrastructure, v1alpha1.ReasonArtifactNotStored, 0, `the publisher ended with the unknown reason "BuilderFailed": no`)
	read.Check = &Check{}
	if !Checked(message()) {
		t.Error("a result whose check found nothing does not count as checked")
	}
	content := read.Contents()[0]
	read.Check = &Check{}
	content.Digest, content.SizeBytes, content.Verified = digestB, new(int64(9)), v1alpha1.ArtifactVerifiedContent
	want := []v1alpha1.Artifact{{
		Target: "linux/amd64/raw", Digest: digestB, SizeBytes: 9, MediaType: "application/x-raw-disk-image", Verified: v1alpha1.ArtifactVerifiedContent,
	}}
	if diff := cmp.Diff(want, Parse(message(), 0, oneTarget, checked).Artifacts); diff != "" {
		t.Errorf("unexpected artifacts (-want +got):\n%s", diff)
	}
	read.Check = &Check{Invalid: `file "disk" is a directory`}
	wantFailure(t, Parse(message(), 0, oneTarget, checked), v1alpha1.FailureConfig, v1alpha1.ReasonInvalidResult, 0, `invalid result: file "disk" is a directory`)

	twice := succeeded(`{"target":"linux/amd64/raw","file":"a"}`, `{"target":"linux/amd64/raw","file":"b"}`)
	wantFailure(t, Parse(twice, 0, oneTarget, checked), v1alpha1.FailureConfig, v1alpha1.ReasonInvalidResult, 0, "two artifacts")

	if unlocated := strings.Replace(good, `"file":"disk",`, "", 1); Parse(unlocated, 0, oneTarget, Policy{AllowUnlocated: true}).Failure != nil {
		t.Error("an artifact without file and location is not allowed")
	}
}

// An invalid message with exit code 0 is InvalidResult. With any other exit code, the exit code decides.
func TestAFileThatNobodyReadsIsRefusedWhereFilesMustBeKept(t *testing.T) {
	const lost = "is a file, which is deleted with its pod: set spec.output"
	file := succeeded(`{"target":"linux/amd64/raw","file":"disk","digest":"` + digestA + `","sizeBytes":7}`)
	located := strings.Replace(file, `"file":"disk"`, `"file":"disk","location":"https://example.com/disk"`, 1)
	documented := strings.Replace(located, `"sizeBytes":7`, `"sizeBytes":7,"sbom":{"file":"sbom","mediaType":"a/b","digest":"`+digestA+`","sizeBytes":7}`, 1)
	for name, test := range map[string]struct {
		message string
		policy  Policy
		want    string
	}{
		"a file":                        {file, Policy{RequireKept: true}, lost},
		"a file, without a digest":      {succeeded(`{"target":"linux/amd64/raw","file":"disk"}`), Policy{RequireKept: true}, "has no digest"},
		"a file that somebody has read": {file, Policy{RequireKept: true, Checked: true}, ""},
		"where nothing must be kept":    {file, Policy{}, ""},
		"a file that is elsewhere, too": {located, Policy{RequireKept: true}, ""},
		"a document":                    {documented, Policy{RequireKept: true}, "sbom of artifact \"linux/amd64/raw\" " + lost},
	} {
		t.Run(name, func(t *testing.T) {
			if read := Readable(test.message, oneTarget, test.policy); read == nil {
				t.Error("the files cannot be read")
			}
			failure := Parse(test.message, 0, oneTarget, test.policy).Failure
			if (failure == nil) != (test.want == "") || failure != nil && !strings.Contains(failure.Message, test.want) {
				t.Errorf("%+v, want %q", failure, test.want)
			}
		})
	}
}

func TestParseInvalidMessage(t *testing.T) {
	tests := map[string]struct {
		message string
		want    string // part of the failure's message
	}{
		"not JSON":                  {"done!", "not JSON"},
		"cut JSON":                  {good[:len(good)-1], "not JSON"},
		"two documents":             {good + good, "not JSON"},
		"trailing garbage":          {good + "x", "not JSON"},
		"an array":                  {"[" + good + "]", "not JSON that matches the builder contract"},
		"null":                      {"null", "version is 0"},
		"a version as text":         {strings.Replace(good, ":1,", `:"1",`, 1), "not JSON that matches the builder contract"},
		"no version":                {strings.Replace(good, `"version":1,`, "", 1), "version is 0"},
		"another version":           {strings.Replace(good, ":1,", ":2,", 1), "version is 2, must be 1"},
		"a version in other case":   {strings.Replace(good, `"version"`, `"Version"`, 1), "version is 0"},
		"no outcome":                {`{"version":1}`, `outcome is ""`},
		"another outcome":           {strings.Replace(good, "Succeeded", "succeeded", 1), `outcome is "succeeded"`},
		"success with a failure":    {strings.Replace(good, ":1,", `:1,"failure":{"reason":"x"},`, 1), "but failure is set"},
		"no artifacts":              {`{"version":1,"outcome":"Succeeded"}`, `no artifact for target "linux/amd64/raw"`},
		"artifacts null":            {`{"version":1,"outcome":"Succeeded","artifacts":null}`, `no artifact for target "linux/amd64/raw"`},
		"an artifact null":          {succeeded("null"), `artifact for ""`},
		"a foreign target":          {succeeded(artifact("linux/amd64/raw", digestA), artifact("linux/amd64/iso", digestA)), `"linux/amd64/iso", which is not a target`},
		"a target twice":            {succeeded(artifact("linux/amd64/raw", digestA), artifact("linux/amd64/raw", digestB)), "two artifacts"},
		"a digest in upper case":    {succeeded(artifact("linux/amd64/raw", strings.ToUpper(digestA))), "64 hex digits"},
		"a short digest":            {succeeded(artifact("linux/amd64/raw", digestA[:70])), "64 hex digits"},
		"a long digest":             {succeeded(artifact("linux/amd64/raw", digestA+"a")), "64 hex digits"},
		"another hash":              {succeeded(artifact("linux/amd64/raw", "sha512:"+strings.Repeat("a", 64))), "64 hex digits"},
		"a digest and a newline":    {succeeded(artifact("linux/amd64/raw", digestA+`\n`)), "64 hex digits"},
		"no file and no location":   {strings.Replace(good, `"file":"disk",`, "", 1), "has neither file nor location: set file to its path"},
		"a file that leads out":     {strings.Replace(good, `"disk"`, `"../../etc/passwd"`, 1), `is "../../etc/passwd", must be a path in the output directory`},
		"an absolute file":          {strings.Replace(good, `"disk"`, `"/etc/passwd"`, 1), "must be a path in the output directory"},
		"the output directory":      {strings.Replace(good, `"disk"`, `"a/.."`, 1), "must be a path in the output directory"},
		"an unprintable file":       {strings.Replace(good, `"disk"`, `"a\u001b[31m"`, 1), "printable"},
		"a location with a space":   {strings.Replace(good, `"file":"disk"`, `"location":"https://a b"`, 1), "must be a URL or an OCI reference"},
		"a password":                {strings.Replace(good, `"file":"disk"`, `"location":"https://me:secret@host/disk"`, 1), `location of artifact "linux/amd64/raw" has a password, which everybody`},
		"a long location":           {strings.Replace(good, `"file":"disk"`, `"location":"`+strings.Repeat("x", 2049)+`"`, 1), "longer than 2048 bytes"},
		"a media type of one word":  {strings.Replace(good, `"file"`, `"mediaType":"disk","file"`, 1), "must be a media type"},
		"an unprintable annotation": {strings.Replace(good, `"file"`, `"annotations":{"a":"\n"},"file"`, 1), `annotation "a" of artifact`},
		"an annotation without key": {strings.Replace(good, `"file"`, `"annotations":{"":"a"},"file"`, 1), "the key not empty"},
		"an SBOM without a place":   {strings.Replace(good, `"file"`, `"sbom":{"mediaType":"a/b"},"file"`, 1), `sbom of artifact "linux/amd64/raw" has neither file nor location`},
		"a lock of another version": {strings.Replace(good, `"file"`, `"lock":{"file":"x","mediaType":"application/vnd.goldsmith.lock.v2+json"},"file"`, 1), `mediaType of lock of artifact "linux/amd64/raw" is "application/vnd.goldsmith.lock.v2+json", must be application/vnd.goldsmith.lock.v1+json`},
		"a provenance by us":        {strings.Replace(good, `"file"`, `"provenance":{"file":"x","mediaType":"application/vnd.in-toto.Provenance+json"},"file"`, 1), "which only Goldsmith reports: set another one, such as application/vnd.in-toto+json"},
		"a bundle by us":            {strings.Replace(good, `"file"`, `"sbom":{"file":"x","mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"},"file"`, 1), "which only Goldsmith reports"},
		"an SBOM without a type":    {strings.Replace(good, `"file"`, `"sbom":{"file":"x"},"file"`, 1), `mediaType of sbom`},
		"a provenance that is text": {strings.Replace(good, `"file"`, `"provenance":"x","file"`, 1), "not JSON that matches the builder contract"},
		"no digest":                 {strings.Replace(good, `"digest":"`+digestA+`",`, "", 1), "has no digest"},
		"no size":                   {strings.Replace(good, `,"sizeBytes":7`, "", 1), "no sizeBytes"},
		"a negative size":           {strings.Replace(good, `:7`, ":-7", 1), "negative"},
		"a fraction as size":        {strings.Replace(good, `:7`, ":7.5", 1), "not JSON that matches the builder contract: artifacts.sizeBytes: must be a whole number"},
		"a size beyond 64 bits":     {strings.Replace(good, `:7`, ":9223372036854775808", 1), "not JSON that matches the builder contract"},
		"oversized":                 {paddedTo(4097, good), "longer than 4096 bytes"},
		"oversized and cut":         {strings.Repeat("x", 4096), "probably cut at 4096 bytes"},
		"oversized, though Failed":  {paddedTo(4097, failedForNow), "longer than 4096 bytes"},
		"bytes that are no text":    {"\xff\xfe\x00", "not JSON"},
		"deeply nested":             {strings.Repeat("[", 4000), "not JSON"},
		"nested in a foreign field": {`{"x":` + strings.Repeat("[", 2000) + strings.Repeat("]", 2000) + "}", "version is 0"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := Parse(tt.message, 0, oneTarget, Policy{})
			wantFailure(t, got, v1alpha1.FailureConfig, v1alpha1.ReasonInvalidResult, 0, tt.want)

			got = Parse(tt.message, 3, oneTarget, Policy{})
			wantFailure(t, got, v1alpha1.FailureUser, v1alpha1.ReasonBuilderFailed, 3, tt.want)

			got = Parse(tt.message, 75, oneTarget, Policy{})
			wantFailure(t, got, v1alpha1.FailureInfrastructure, v1alpha1.ReasonBuilderTempFail, 75, tt.want)
		})
	}
}

func TestParseFailure(t *testing.T) {
	const (
		user           = v1alpha1.FailureUser
		config         = v1alpha1.FailureConfig
		infrastructure = v1alpha1.FailureInfrastructure
	)
	tests := []struct {
		name        string
		message     string
		exitCode    int32
		wantClass   v1alpha1.FailureClass
		wantReason  v1alpha1.FailureReason
		wantMessage string
	}{
		{"no message, exit code 0", "", 0, config, v1alpha1.ReasonNoResult, "no result: builder ended with exit code 0"},
		{"a blank message is none", " \n", 0, config, v1alpha1.ReasonNoResult, "no result: "},
		{"no message, exit code 1", "", 1, user, v1alpha1.ReasonBuilderFailed, "no result: builder ended with exit code 1"},
		{"no message, exit code 75", "", 75, infrastructure, v1alpha1.ReasonBuilderTempFail, "exit code 75"},
		{"no message, ended by a signal", "", 139, user, v1alpha1.ReasonBuilderFailed, "exit code 139 (signal 11)"},
		{"an exit code that is no signal's", "", 255, user, v1alpha1.ReasonBuilderFailed, "exit code 255"},
		{"a negative exit code", "", -1, user, v1alpha1.ReasonBuilderFailed, "exit code -1"},
		{"Failed for good", failedForGood, 1, user, v1alpha1.ReasonBuilderFailed, "NoSpace: disk is full"},
		{"Failed, retryable", failedForNow, 1, infrastructure, v1alpha1.ReasonBuilderTempFail, "MirrorDown: 503"},
		{"Failed, exit code 0", failedForGood, 0, user, v1alpha1.ReasonBuilderFailed, "NoSpace: disk is full"},
		{"Failed, retryable, exit code 0", failedForNow, 0, infrastructure, v1alpha1.ReasonBuilderTempFail, "MirrorDown: 503"},
		{"Failed, exit code 75", failedForGood, 75, infrastructure, v1alpha1.ReasonBuilderTempFail, "NoSpace: disk is full"},
		{"Failed of class User", failedOf("User"), 1, user, v1alpha1.ReasonBuilderFailed, "NoSpace: disk is full"},
		{"Failed of class Config", failedOf("Config"), 1, config, v1alpha1.ReasonBuilderMisconfigured, "NoSpace: disk is full"},
		{"Failed of class Config, exit code 0", failedOf("Config"), 0, config, v1alpha1.ReasonBuilderMisconfigured, "NoSpace: disk is full"},
		{"Failed of class Infrastructure", failedOf("Infrastructure"), 1, infrastructure, v1alpha1.ReasonBuilderTempFail, "NoSpace: disk is full"},
		{"Failed of a class that builders cannot report", failedOf("Registry"), 1, user, v1alpha1.ReasonBuilderFailed, `full; ignored: class "Registry", must be User, Config or Infrastructure`},
		{"Failed of a class in other case", failedOf("config"), 75, infrastructure, v1alpha1.ReasonBuilderTempFail, `ignored: class "config", must be`},
		{"Failed of class Config, exit code 75", failedOf("Config"), 75, infrastructure, v1alpha1.ReasonBuilderTempFail, `full; ignored: class "Config", because another attempt may help`},
		{"Failed of class User, retryable", failedOf(`User","retryable":true,"x":"`), 1, infrastructure, v1alpha1.ReasonBuilderTempFail, `ignored: unknown field "failure.x", class "User", because`},
		{"Failed of class Infrastructure, retryable", failedOf(`Infrastructure","retryable":true,"x":"`), 1, infrastructure, v1alpha1.ReasonBuilderTempFail, `full; ignored: unknown field "failure.x"`},
		{"Failed without a failure", `{"version":1,"outcome":"Failed"}`, 2, user, v1alpha1.ReasonBuilderFailed, "without reason and message"},
		{"Failed with a reason only", `{"version":1,"outcome":"Failed","failure":{"reason":"NoSpace"}}`, 1, user, v1alpha1.ReasonBuilderFailed, "NoSpace"},
		{"Failed with a message only", `{"version":1,"outcome":"Failed","failure":{"message":"full"}}`, 1, user, v1alpha1.ReasonBuilderFailed, "full"},
		{"Failed with artifacts", `{"version":1,"outcome":"Failed","artifacts":[{"target":"x"}]}`, 1, user, v1alpha1.ReasonBuilderFailed, "without reason and message"},
		{"Succeeded, exit code 1", good, 1, user, v1alpha1.ReasonBuilderFailed, "outcome is Succeeded, but exit code is not 0: builder ended with exit code 1"},
		{"Succeeded, exit code 75", good, 75, infrastructure, v1alpha1.ReasonBuilderTempFail, "outcome is Succeeded"},
		{"Succeeded, ended by a signal", good, 137, user, v1alpha1.ReasonBuilderFailed, "exit code 137 (signal 9)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wantFailure(t, Parse(tt.message, tt.exitCode, oneTarget, Policy{}), tt.wantClass, tt.wantReason, tt.exitCode, tt.wantMessage)
		})
	}
}

func TestParseCleansWhatTheBuilderSays(t *testing.T) {
	said := `{"version":1,"outcome":"Failed","failure":{"reason":" No\nSpace\u0000","message":"\u001b[31mred\u202e\ttext\u200b` + "\xff" + `\n"}}`
	got := Parse(said, 1, oneTarget, Policy{})
	if want := "No Space: [31mred text\ufffd"; got.Failure.Message != want {
		t.Errorf("message is %q, want %q", got.Failure.Message, want)
	}

	long := `{"version":1,"outcome":"Failed","failure":{"message":"` + strings.Repeat("ü", 1000) + `"}}`
	message := Parse(long, 1, oneTarget, Policy{}).Failure.Message
	if len(message) > v1alpha1.MaxMessageBytes || !utf8.ValidString(message) || !strings.HasSuffix(message, "ü…") {
		t.Errorf("a long message becomes %d bytes: %q", len(message), message)
	}
}

func TestMediaTypeIsOneForEachFormat(t *testing.T) {
	seen := map[string]v1alpha1.ArtifactFormat{}
	for _, format := range []v1alpha1.ArtifactFormat{"raw", "qcow2", "vmdk", "iso", "oci", "unheard of"} {
		mediaType := MediaType(format)
		if other, ok := seen[mediaType]; ok {
			t.Errorf("%s and %s have the same media type %s", format, other, mediaType)
		}
		seen[mediaType] = format
	}
}

func wantFailure(t *testing.T, got Outcome, class v1alpha1.FailureClass, reason v1alpha1.FailureReason, exitCode int32, message string) {
	t.Helper()
	if got.Artifacts != nil || got.Failure == nil {
		t.Fatalf("no failure but artifacts: %+v", got.Artifacts)
	}
	if got.Failure.Class != class || got.Failure.Reason != reason {
		t.Errorf("failure is %s/%s, want %s/%s", got.Failure.Class, got.Failure.Reason, class, reason)
	}
	if got.Failure.ExitCode == nil || *got.Failure.ExitCode != exitCode {
		t.Errorf("exit code is %v, want %d", got.Failure.ExitCode, exitCode)
	}
	if !strings.Contains(got.Failure.Message, message) {
		t.Errorf("message is %q, want it to contain %q", got.Failure.Message, message)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", " ", "{", "null", "0", `""`, "[]", "{}", good, good[1:], good + good, failedForGood, failedForNow, failedOf("Config"), failedOf("x"),
		succeeded("null"), succeeded(artifact("linux/arm64/v8/qcow2", digestB), artifact("linux/amd64/raw", digestA)),
		`{"version":1,"outcome":"Failed","failure":{"reason":"\u0000\u001b","message":"\ud800"}}`,
		`{"version":1e0,"outcome":"Succeeded","artifacts":{}}`, paddedTo(4096, good), paddedTo(5000, good),
		strings.Repeat("[", 4096), "\xff\xfe",
	} {
		f.Add(seed, int32(0))
		f.Add(seed, int32(75))
		f.Add(seed, int32(137))
	}
	f.Fuzz(func(t *testing.T, message string, exitCode int32) {
		got := Parse(message, exitCode, twoTargets, Policy{})
		if Readable(message, twoTargets, Policy{}) == nil && Parse(message, 0, twoTargets, Policy{Checked: true}).Failure == nil && len(message) <= MaxBytes {
			t.Error("the files of a success are not read, so what the builder set for Goldsmith counts")
		}
		if got.Failure == nil {
			checkArtifacts(t, got.Artifacts, message, exitCode)
			return
		}
		if got.Artifacts != nil {
			t.Error("there are a failure and artifacts")
		}
		checkFuzzedFailure(t, got.Failure, exitCode)
	})
}

func checkArtifacts(t *testing.T, artifacts []v1alpha1.Artifact, message string, exitCode int32) {
	if exitCode != 0 || len(message) > MaxBytes {
		t.Errorf("success with exit code %d and %d bytes", exitCode, len(message))
	}
	if len(artifacts) != len(twoTargets) {
		t.Fatalf("success with %d artifacts", len(artifacts))
	}
	for i, artifact := range artifacts {
		if artifact.Target != TargetName(twoTargets[i]) || len(artifact.Digest) != 71 || artifact.SizeBytes < 0 || artifact.MediaType == "" {
			t.Errorf("success with artifact %+v", artifact)
		}
	}
}

func checkFuzzedFailure(t *testing.T, failure *v1alpha1.BuildFailure, exitCode int32) {
	if failure.ExitCode == nil || *failure.ExitCode != exitCode {
		t.Errorf("exit code is %v, want %d", failure.ExitCode, exitCode)
	}
	text := failure.Message
	if text == "" || len(text) > v1alpha1.MaxMessageBytes || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		t.Errorf("the message is not fit to be shown: %q", text)
	}
	classes := map[v1alpha1.FailureReason]v1alpha1.FailureClass{
		v1alpha1.ReasonBuilderFailed:        v1alpha1.FailureUser,
		v1alpha1.ReasonBuilderTempFail:      v1alpha1.FailureInfrastructure,
		v1alpha1.ReasonBuilderMisconfigured: v1alpha1.FailureConfig,
		v1alpha1.ReasonNoResult:             v1alpha1.FailureConfig,
		v1alpha1.ReasonInvalidResult:        v1alpha1.FailureConfig,
	}
	if classes[failure.Reason] != failure.Class {
		t.Errorf("reason %s of class %s", failure.Reason, failure.Class)
	}
}
