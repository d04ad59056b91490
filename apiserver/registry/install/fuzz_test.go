// SPDX-License-Identifier: Apache-2.0

package install_test

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/buildlog"
	"goldsmith.dev/goldsmith/apiserver/registry/history"
	"goldsmith.dev/goldsmith/apiserver/registry/image"
	"goldsmith.dev/goldsmith/apiserver/registry/imagebuild"
	"goldsmith.dev/goldsmith/apiserver/registry/validation"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/state"
)

var phases = []v1alpha1.BuildPhase{
	"", v1alpha1.BuildPending, v1alpha1.BuildQueued, v1alpha1.BuildStarting, v1alpha1.BuildRunning, v1alpha1.BuildRetrying,
	v1alpha1.BuildCancelling, v1alpha1.BuildSucceeded, v1alpha1.BuildFailed, v1alpha1.BuildCancelled,
}

// manifests are objects as somebody may send them: sound, incomplete, and wrong in many ways. KIND stands for
// apiVersion and kind, which follow as its value; INPUTS for sound inputs, without braces; END for a sound failure.
var manifests = []string{
	``, `null`, `[]`, `{}`, `{"kind":"Image"}`, `{KIND "Tape"}`, `{KIND "ImageList","items":[{},null]}`,

	`{KIND "Image"}`, `{KIND "Image","metadata":null,"spec":null,"status":null}`, `{KIND "Image","spec":[]}`,
	`{KIND "Image","metadata":{"name":"debian"},"spec":{INPUTS}}`,
	`{KIND "Image","metadata":{"name":"a.b","labels":{"a b":"c"}},"spec":{"builder":{"name":"A","image":"b c","command":[""]},"base":{"reference":"\n"},"colour":"blue"}}`,
	`{KIND "Image","metadata":{"generateName":"debian-"},"spec":{INPUTS,"source":{},"triggers":{},"timeouts":{},"retry":{},"history":{}}}`,
	`{KIND "Image","metadata":{"name":"debian"},"spec":{INPUTS,"source":null,"parameters":[{"name":"a"},{"name":"a","value":null}],"targets":[{}]}}`,
	`{KIND "Image","metadata":{"name":"debian"},"spec":{INPUTS,"source":{"inline":{"files":{"../x":"y"}},"configMapRef":{"name":"F"}}}}`,
	`{KIND "Image","metadata":{"name":"debian"},"spec":{INPUTS,"runPolicy":"Parallel","suspend":true,"timeouts":{"start":"0.5s","run":"1000h"},` +
		`"retry":{"limit":-1,"classes":["Weather","Weather"],"backoff":{"initial":"1h","max":"1s"}},"history":{"succeeded":0,"failed":2147483647}}}`,
	`{KIND "Image","metadata":{"name":"debian"},"spec":{INPUTS,"template":{}}}`, `{KIND "Image","spec":{"template":{"resources":{"limits":{"cpu":"a lot"}}}}}`,
	`{KIND "Image","metadata":{"name":"debian"},"spec":{INPUTS,"template":{"serviceAccountName":"builder","resources":{"requests":{"cpu":"1"},"limits":{"cpu":"2","memory":"1Gi"}},` +
		`"nodeSelector":{"disk":"fast"},"tolerations":[{"key":"builds","operator":"Exists","effect":"NoSchedule"}],"runtimeClassName":"kata","priorityClassName":"low",` +
		`"env":[{"name":"A","value":"$(B)"},{"name":"B","valueFrom":{"secretKeyRef":{"name":"s","key":"k"}}}],"affinity":{"podAntiAffinity":` +
		`{"requiredDuringSchedulingIgnoredDuringExecution":[{"topologyKey":"zone","labelSelector":{"matchLabels":{"a":"b"}}}]}}}}}`,
	`{KIND "Image","metadata":{"name":"debian"},"spec":{INPUTS,"template":{"serviceAccountName":"-","resources":{"requests":{"cpu":"-1","example.com/tape":"1.5","a/b/c":"1"},"claims":[{"name":""}]},` +
		`"nodeSelector":{"":"!"},"tolerations":[{},{"operator":"Gt","tolerationSeconds":1}],"env":[{},{"name":"GOLDSMITH_X","value":"a","valueFrom":{"fieldRef":{"fieldPath":"a"},"fileKeyRef":{}}}],` +
		`"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"a","operator":"Gt"}],"matchFields":[{}]}]},` +
		`"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":0}]},"podAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[{"podAffinityTerm":{"labelSelector":{"matchExpressions":[{}]}}}]}}}}}`,
	`{KIND "Image","spec":{"timeouts":{"run":"soon"}}}`, `{KIND "Image","spec":{"retry":{"limit":4294967296}}}`,
	`{KIND "Image","metadata":{"name":"debian"},"spec":{INPUTS},"status":{"observedGeneration":-1,"inputsDigest":"md5:1","lastAttempted":{},"latestBuild":{},` +
		`"latestSuccessful":{"artifacts":[{},{"target":"a","sizeBytes":-1}]},"recentRequests":[{}],"conditions":[{},{"type":"Ready","status":"Maybe"}]}}`,

	`{KIND "ImageBuild"}`, `{KIND "ImageBuild","metadata":{"name":"once"},"spec":{"inputs":{INPUTS}}}`,
	`{KIND "ImageBuild","metadata":{"name":"once"},"spec":{"inputs":{INPUTS},"imageRef":{},"number":0,"imageGeneration":0,"trigger":{},"cancelRequested":{"time":null}}}`,
	`{KIND "ImageBuild","metadata":{"name":"debian-1"},"spec":{"inputs":{INPUTS},"imageRef":{"name":"debian","uid":"u"},"number":1,"trigger":{"reason":"Created","changes":[{}]}}}`,
	`{KIND "ImageBuild","metadata":{"name":"once"},"spec":{"inputs":{INPUTS}},"status":{"phase":"Starting","currentAttempt":1,"attempts":[` +
		`{"number":1,"jobName":"job","startTime":"2030-01-02T03:04:05Z"}]}}`,
	`{KIND "ImageBuild","metadata":{"name":"once"},"spec":{"inputs":{INPUTS},"cancelRequested":{"time":"2030-01-02T03:04:05Z"}},"status":{"phase":"Running","currentAttempt":1,` +
		`"resolved":{"inputsDigest":"x","files":{"a":"b"}},"attempts":[{"number":1,"jobName":"job","jobUID":"j","podName":"p","podUID":"q","startTime":"2030-01-02T03:04:05Z"}]}}`,
	`{KIND "ImageBuild","metadata":{"name":"once"},"spec":{"inputs":{INPUTS}},"status":{"phase":"Retrying","currentAttempt":1,"attempts":[` +
		`{"number":1,"jobName":"job","startTime":"2030-01-02T03:04:05Z","completionTime":"2030-01-02T03:04:06Z","outcome":"Failed","failure":END}]}}`,
	`{KIND "ImageBuild","metadata":{"name":"once"},"spec":{"inputs":{INPUTS}},"status":{"phase":"Running","currentAttempt":1,"attempts":[` +
		`{"number":1,"jobName":"job","startTime":"2030-01-02T03:04:05Z","completionTime":"2030-01-02T03:04:06Z","outcome":"Succeeded"}]}}`,
	`{KIND "ImageBuild","status":{"phase":"Succeeded","artifacts":[{}],"failure":{},"attempts":[{},{}],"currentAttempt":-1,"conditions":[{"type":"LogArchived"}]}}`,
	`{KIND "RevokedArtifact","metadata":{"name":"sha256-c"},"spec":{"digest":"sha256:c","build":"a-1","revocation":{"time":null,"reason":"\n"}}}`,
	`{KIND "ImageBuild","status":{"phase":"Failed","completionTime":"2030-01-02T03:04:06Z","failure":END}}`,

	`{KIND "Image","metadata":{"name":"debian"},"spec":{INPUTS,"runPolicy":"SerialLatestOnly","triggers":{"onBaseChange":false,"disableAfterFailures":-1,"schedule":` +
		`{"cron":"*/5 0-6,22 * JAN-MAR mon","timeZone":"Europe/Berlin","mode":"IfChanged","jitter":"1h","startingDeadline":"1d1s"}},"timeouts":{"queue":"721h"},"history":{"ttl":{"succeeded":"1s"}}}}`,
	`{KIND "Image","metadata":{"name":"debian"},"spec":{INPUTS,"triggers":{"schedule":{"cron":"@every 1s","timeZone":"../../etc/passwd"}}}}`,
	`{KIND "Image","metadata":{"name":"a"},"spec":{"builder":{"name":"mock"},"base":{"imageRef":{"name":"a","channel":"-"}},"targets":[{"platform":"linux/amd64","format":"raw"}]},` +
		`"status":{"channels":[{},{"name":"stable","build":"a-1"}],"consecutiveFailures":-1,"countedBuild":-1,"lastScheduleTime":null,"lastAttempted":{"number":1,"baseDigest":"x"}}}`,
	`{KIND "ImageBuild","metadata":{"name":"debian-2"},"spec":{"inputs":{INPUTS},"imageRef":{"name":"debian","uid":"u"},"number":2,"runPolicy":"Random","priority":-1,` +
		`"pinned":{"baseDigest":"x","files":{"../a":"b"}},"trigger":{"reason":"Rerun","rerunOf":"debian-1","parameters":[{}]}}}`,
	`{KIND "ImageBuild","metadata":{"name":"once"},"spec":{"inputs":{INPUTS}},"status":{"phase":"Queued","currentAttempt":1,"attempts":[` +
		`{"number":1,"jobName":"job","jobUID":"j","startTime":"2030-01-02T03:04:05Z"}],"progress":{"percent":101,"attempt":9},"stages":[{},{"name":"a"}]}}`,

	`{KIND "RerunRequest"}`, `{KIND "RerunRequest","metadata":{"name":"x"},"requestID":"\u0000","message":"again"}`,
	`{KIND "ImageChannels"}`, `{KIND "ImageChannels","metadata":{"name":"x"},"channels":[{"name":"stable","build":"debian-1"},{"name":"stable"},{}]}`,
	`{KIND "CancelRequest","supersededBy":"A"}`, `{KIND "BuildRequest","parameters":[{"name":"a","value":"b"},{}]}`,
	`{KIND "BuildRequest"}`, `{KIND "BuildRequest","metadata":{"name":"x"},"requestID":"\u0000","reason":"Because","message":"m","changes":[{},null]}`,
	`{KIND "CancelRequest"}`, `{KIND "CancelRequest","metadata":{"name":"x"},"reason":"not needed"}`,
	`{KIND "ImageBuildLogOptions","attempt":-1,"tailLines":-1,"limitBytes":0,"sinceTime":null}`,
	`{KIND "ImageBuildPackagesOptions","uid":"/","target":"\u0000"}`,
	`{KIND "ImageHistoryOptions"}`, `{KIND "ImageHistoryOptions","limit":-1,"continue":"x","outcome":"?","trigger":"Rerun","user":"a","since":"1h","until":"2030-01-02T03:04:05Z","uid":"/"}`,
	`{KIND "ImageStatsOptions","since":"9999999999h"}`, `{KIND "ImageJournalOptions","limit":501,"uid":"u"}`,
	`{KIND "ImageNote"}`, `{KIND "ImageNote","metadata":{"name":"x"},"id":"\u0000","text":"\u0000","author":"a","time":null}`,
	`{KIND "ImageReport","stats":{"window":"1h","failures":[{}]},"health":{},"history":[{}],"changes":[{}],"notes":[{}]}`,
}

// FuzzObjects sends objects through the steps of every request: decoding, defaults and validation. Nothing
// may panic. An accepted status of a build does not panic the state machine either.
func FuzzObjects(f *testing.F) {
	complete := strings.NewReplacer(
		`KIND `, fmt.Sprintf(`"apiVersion":%q,"kind":`, v1alpha1.SchemeGroupVersion),
		`INPUTS`, `"builder":{"name":"mock"},"base":{"reference":"debian:bookworm"},"targets":[{"platform":"linux/amd64","format":"raw"}]`,
		`END`, `{"class":"Infrastructure","reason":"Evicted","exitCode":1}`,
	)
	for _, manifest := range manifests {
		f.Add(complete.Replace(manifest), false)
	}
	for _, phase := range phases {
		manifest := fmt.Sprintf(`{KIND "ImageBuild","metadata":{"name":"once"},"spec":{"inputs":{INPUTS}},"status":{"phase":%q}}`, phase)
		f.Add(complete.Replace(manifest), false)
	}
	for _, example := range examples(f) {
		f.Add(example, true)
	}
	scheme := newScheme(f)
	lenient := serializer.NewCodecFactory(scheme)
	strict := serializer.NewCodecFactory(scheme, serializer.EnableStrict)

	f.Fuzz(func(_ *testing.T, manifest string, strictly bool) {
		codecs := lenient
		if strictly {
			codecs = strict
		}
		object, err := runtime.Decode(codecs.UniversalDecoder(v1alpha1.SchemeGroupVersion), []byte(manifest))
		if err != nil {
			return
		}
		switch object := object.(type) {
		case *v1alpha1.Image:
			image.Validate(object)
			image.ValidateUpdate(object, &v1alpha1.Image{})
			image.ValidateStatus(object)
			validation.InputWarnings(&object.Spec.BuildInputs, field.NewPath("spec"))
		case *v1alpha1.ImageBuild:
			validateBuild(object)
		case *v1alpha1.BuildRequest:
			image.ValidateBuildRequest(object, "debian")
			image.ValidateMergedParameters(object.Parameters)
		case *v1alpha1.RerunRequest:
			image.ValidateRerunRequest(object, "once")
		case *v1alpha1.ImageChannels:
			image.ValidateChannels(object, "debian")
		case *v1alpha1.CancelRequest:
			imagebuild.ValidateCancelRequest(object, "once")
		case *v1alpha1.ImageBuildLogOptions:
			buildlog.ValidateLogOptions(object)
		case *v1alpha1.ImageBuildDiffOptions:
			imagebuild.ValidateDiffOptions(object)
		case *v1alpha1.ImageBuildPackagesOptions:
			imagebuild.ValidatePackagesOptions(object)
		case *v1alpha1.ImageHistoryOptions:
			history.ValidateHistoryOptions(object, time.Unix(1_900_000_000, 0))
		case *v1alpha1.ImageStatsOptions:
			history.ValidateStatsOptions(object)
		case *v1alpha1.ImageJournalOptions:
			history.ValidateJournalOptions(object)
		case *v1alpha1.ImageNote:
			history.ValidateNote(object, "debian")
		}
	})
}

// validateBuild validates a build as new, as a change of another build and of itself, and as a status after any phase.
func validateBuild(build *v1alpha1.ImageBuild) {
	imagebuild.ValidateDirect(build, nil)
	imagebuild.ValidateInstantiated(build)
	imagebuild.ValidateRanked(build)
	imagebuild.ValidateUpdate(build, &v1alpha1.ImageBuild{})
	imagebuild.ValidateUpdate(&v1alpha1.ImageBuild{}, build)
	imagebuild.ValidateStatusUpdate(&v1alpha1.ImageBuild{}, build)
	validation.InputWarnings(&build.Spec.Inputs, field.NewPath("spec", "inputs"))

	accepted := len(imagebuild.ValidateStatusUpdate(build, build)) == 0 && !build.Status.Phase.Finished()
	for _, phase := range phases {
		old := &v1alpha1.ImageBuild{Status: v1alpha1.ImageBuildStatus{Phase: phase}}
		accepted = len(imagebuild.ValidateStatusUpdate(build, old)) == 0 || accepted
	}
	if !accepted {
		return
	}
	missing := &v1alpha1.BuildFailure{Class: v1alpha1.FailureConfig, Reason: v1alpha1.ReasonSourceNotFound}
	for _, observed := range []state.Observed{{}, {Admission: state.Admission{Admitted: true}}, {Unresolved: missing}, {Rejected: "no"}} {
		observed.Build, observed.Now = build, time.Unix(1_900_000_000, 0)
		state.Next(observed)
	}
}

// examples are the manifests that the project shows.
func examples(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("../../../examples/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no examples: %v", err)
	}
	var all []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		all = append(all, strings.Split(string(text), "\n---\n")...)
	}
	return all
}

func FuzzLogOptions(f *testing.F) {
	for _, query := range []string{
		"", "attempt=2&follow=true&tailLines=3&limitBytes=4&timestamps=true&sinceTime=2030-01-02T03:04:05Z",
		"attempt=0&tailLines=-1&limitBytes=0", "attempt=&follow=&tailLines=&limitBytes=&timestamps=&sinceTime=",
		"attempt=4294967297", "attempt=1&attempt=x", "follow=perhaps&sinceTime=yesterday&colour=blue", "attempt", "%zz",
	} {
		f.Add(query)
	}
	codec := runtime.NewParameterCodec(newScheme(f))
	f.Fuzz(func(_ *testing.T, query string) {
		values, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		options := &v1alpha1.ImageBuildLogOptions{}
		if err := codec.DecodeParameters(values, v1alpha1.SchemeGroupVersion, options); err == nil {
			buildlog.ValidateLogOptions(options)
		}
	})
}
