// SPDX-License-Identifier: Apache-2.0

package render

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/result"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var mockBuilder = inputs.Builder{Image: "goldsmith.dev/builders/mock:v1"}

// bareBuild is a build as small as it can be: every optional pointer is nil.
func bareBuild() *v1alpha1.ImageBuild {
	return &v1alpha1.ImageBuild{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "once", UID: "0b5c1a52-0000-4000-8000-000000000001"},
		Spec: v1alpha1.ImageBuildSpec{Inputs: v1alpha1.BuildInputs{
			Builder: v1alpha1.BuilderReference{Name: "mock"},
			Base:    v1alpha1.Base{Reference: "debian:bookworm"},
			Targets: []v1alpha1.Target{{Platform: "linux/amd64", Format: v1alpha1.ArtifactFormatRaw}},
		}},
	}
}

// fullBuild is a build of an Image, with files from a ConfigMap, parameters and targets.
func fullBuild() *v1alpha1.ImageBuild {
	build := bareBuild()
	build.Name = "debian-7"
	build.UID = "0b5c1a52-0000-4000-8000-000000000007"
	build.Spec.ImageRef = &v1alpha1.ImageReference{Name: "debian", UID: "0b5c1a52-0000-4000-8000-0000000000ff"}
	build.Spec.Timeouts = &v1alpha1.BuildTimeouts{Run: &v1alpha1.Duration{Duration: 90 * time.Minute}}
	build.Spec.Inputs.Source = &v1alpha1.Source{ConfigMapRef: &v1alpha1.ConfigMapReference{Name: "setup"}}
	build.Spec.Inputs.Parameters = []v1alpha1.Parameter{{Name: "locale", Value: "en"}, {Name: "edition", Value: "<minimal> & \"small\""}}
	build.Spec.Inputs.Targets = []v1alpha1.Target{
		{Platform: "linux/arm64/v8", Format: v1alpha1.ArtifactFormatQCOW2},
		{Platform: "linux/amd64", Format: v1alpha1.ArtifactFormatRaw},
	}
	build.Status.Resolved = &v1alpha1.ResolvedInputs{Files: map[string]string{"setup.sh": "apt-get update &&\napt-get install -y vim\n"}}
	return build
}

// templateBuild is a build whose template sets every field.
func templateBuild() *v1alpha1.ImageBuild {
	build := bareBuild()
	node := corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "arch", Operator: corev1.NodeSelectorOpIn, Values: []string{"amd64"}}}}
	build.Spec.Inputs.Template = &v1alpha1.BuildTemplate{
		ServiceAccountName: "builder",
		Resources: &v1alpha1.ResourceRequirements{
			Requests: map[string]v1alpha1.Quantity{"cpu": {Text: "0.5"}},
			Limits:   map[string]v1alpha1.Quantity{"cpu": {Text: "2", Number: true}, "memory": {Text: "1024Mi"}},
		},
		NodeSelector: map[string]string{"disk": "fast"},
		Tolerations: []corev1.Toleration{
			{Key: "builds", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule},
			{Key: corev1.TaintNodeNotReady, Operator: corev1.TolerationOpExists, TolerationSeconds: new(int64(10)), Effect: corev1.TaintEffectNoExecute},
		},
		Affinity: &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{node}},
		}},
		RuntimeClassName:  "kata",
		PriorityClassName: "low",
		Env: []corev1.EnvVar{
			{Name: "CACHE", Value: "$(GOLDSMITH_OUTPUT)/cache"},
			{Name: "TOKEN", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
				LocalObjectReference: corev1.LocalObjectReference{Name: "mirror"}, Key: "token",
			}}},
			{Name: EnvResult, Value: "/tmp/elsewhere"},
		},
	}
	return build
}

// basedBuild is a build based on another Image, with a template of its own and a queue of Kueue.
func basedBuild() *v1alpha1.ImageBuild {
	build := bareBuild()
	build.Spec.Inputs.Base = v1alpha1.Base{ImageRef: &v1alpha1.BaseImageReference{Name: "debian", Channel: "stable"}}
	build.Spec.Inputs.Template = &v1alpha1.BuildTemplate{QueueName: "builds", Env: []corev1.EnvVar{
		{Name: "PROGRESS", Value: "$(GOLDSMITH_REPORT_URL)"},
		{Name: EnvReportToken, Value: "/tmp/elsewhere"},
	}}
	digest := "sha256:" + strings.Repeat("d", 64)
	build.Status.Resolved = &v1alpha1.ResolvedInputs{BaseDigest: digest, Base: &v1alpha1.BaseBuild{Name: "debian-7", Artifacts: []v1alpha1.Artifact{
		{Target: "linux/arm64/v8/qcow2", Digest: digest, SizeBytes: 7, MediaType: "application/x-qemu-disk", Location: "https://images.example/debian"},
		{
			Target: "linux/amd64/raw", Digest: digest, SizeBytes: 9, MediaType: "application/x-raw-disk-image",
			Location: v1alpha1.ArtifactPath("team", "debian-7", digest), Verified: v1alpha1.ArtifactVerifiedContent,
		},
	}}}
	return build
}

var rendered = []struct {
	name    string
	build   *v1alpha1.ImageBuild
	attempt int32
	builder inputs.Builder
}{
	{name: "bare", build: bareBuild(), attempt: 1, builder: mockBuilder},
	{
		name:    "full",
		build:   fullBuild(),
		attempt: 3,
		builder: inputs.Builder{Image: "registry.example.com/team/packer:2", Command: []string{"/usr/bin/packer", "build"}},
	},
	{name: "template", build: templateBuild(), attempt: 1, builder: mockBuilder},
	{
		name: "publishes", build: publishingBuild(), attempt: 1,
		builder: inputs.Builder{Image: mockBuilder.Image, Publisher: inputs.Publisher{Image: "goldsmith-controller:1", PlainHTTP: []string{"registry.lan:5000"}}},
	},
	{
		name: "fetches", build: fetchingBuild(), attempt: 1,
		builder: inputs.Builder{Image: mockBuilder.Image, Publisher: inputs.Publisher{Image: "goldsmith-controller:1", PlainHTTP: []string{"registry.lan:5000"}}},
	},
	{
		name: "sources", build: sourcedBuild(), attempt: 1,
		builder: inputs.Builder{Image: mockBuilder.Image, Publisher: inputs.Publisher{
			Image: "goldsmith-controller:1", PlainHTTP: []string{"registry.lan:5000"}, AllowedNetworks: []string{"127.0.0.0/8"},
		}},
	},
	{
		name: "tests", build: testedBuild(), attempt: 2,
		builder: inputs.Builder{Image: "goldsmith-tester:1", Publisher: inputs.Publisher{Image: "goldsmith-controller:1"}},
	},
	{
		name: "reports", build: basedBuild(), attempt: 1,
		builder: inputs.Builder{Image: mockBuilder.Image, Reports: true, Publisher: inputs.Publisher{Agent: true}},
	},
}

// publishingBuild is a build that publishes two artifacts, each with a tag of its own.
func publishingBuild() *v1alpha1.ImageBuild {
	build := templateBuild()
	build.Spec.Inputs.Targets = []v1alpha1.Target{{Platform: "linux/amd64", Format: "raw"}, {Platform: "linux/arm64/v8", Format: "oci"}}
	build.Spec.Inputs.Output = &v1alpha1.Output{
		Repository: "registry.example.com/team/debian", TagTemplate: "{build}-{platform}", SecretRef: &v1alpha1.SecretReference{Name: "registry"},
	}
	return build
}

// fetchingBuild is a build that publishes, and whose base is published: one artifact as a file, and one as an image.
func fetchingBuild() *v1alpha1.ImageBuild {
	build := publishingBuild()
	build.Spec.Inputs.Base = v1alpha1.Base{ImageRef: &v1alpha1.BaseImageReference{Name: "debian"}}
	digest := "sha256:" + strings.Repeat("d", 64)
	location := "registry.example.com/team/base@sha256:" + strings.Repeat("e", 64)
	build.Status.Resolved = &v1alpha1.ResolvedInputs{BaseDigest: digest, Base: &v1alpha1.BaseBuild{Name: "debian-7", Artifacts: []v1alpha1.Artifact{
		{Target: "linux/arm64/v8/oci", Digest: digest, SizeBytes: 7, MediaType: result.MediaTypeLayout, Location: location, Verified: v1alpha1.ArtifactVerifiedContent},
		{Target: "linux/amd64/raw", Digest: digest, SizeBytes: 9, MediaType: "application/x-raw-disk-image", Location: location, Verified: v1alpha1.ArtifactVerifiedContent},
	}}}
	return build
}

// sourcedBuild is a build that publishes, with files of a Git repository.
func sourcedBuild() *v1alpha1.ImageBuild {
	build := publishingBuild()
	build.Spec.Inputs.Source = &v1alpha1.Source{Git: &v1alpha1.GitSource{
		URL: "https://git.example.com/team/images.git", Ref: "main", Path: "web", SecretRef: &v1alpha1.SecretReference{Name: "git"},
	}}
	build.Status.Resolved = &v1alpha1.ResolvedInputs{Source: &v1alpha1.SourceRevision{
		Revision: "sha1:0123456789abcdef0123456789abcdef01234567", Ref: "refs/heads/main", Summary: "Add a page",
	}}
	return build
}

func withoutOutput(build *v1alpha1.ImageBuild) *v1alpha1.ImageBuild {
	build.Spec.Inputs.Output = nil
	return build
}

func TestOnlyWhatGoldsmithPublishedAsAFileIsFetched(t *testing.T) {
	for name, test := range map[string]struct {
		change       func(*v1alpha1.Artifact)
		fetched, has bool // in a cluster, and for the agent
	}{
		"published":                 {func(*v1alpha1.Artifact) {}, true, true},
		"kept by the server":        {func(a *v1alpha1.Artifact) { a.Location = v1alpha1.ArtifactPath("team", "debian-7", a.Digest) }, false, true},
		"published by the builder":  {func(a *v1alpha1.Artifact) { a.Verified = "" }, false, false},
		"published as an image":     {func(a *v1alpha1.Artifact) { a.MediaType = result.MediaTypeLayout }, false, true},
		"at a digest that is short": {func(a *v1alpha1.Artifact) { a.Location = "registry.example.com/a@sha256:e" }, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			build := withoutOutput(fetchingBuild())
			build.Status.Resolved.Base.Artifacts = build.Status.Resolved.Base.Artifacts[1:]
			test.change(&build.Status.Resolved.Base.Artifacts[0])
			for agent, want := range map[bool]bool{false: test.fetched, true: test.has} {
				job := mustRender(t, build, 1, inputs.Builder{Image: "builder", Publisher: inputs.Publisher{Image: "controller", Agent: agent}})
				if got := strings.Contains(inputOf(job), `"path":"linux-amd64.raw"`); got != want {
					t.Errorf("agent %v: a path is %v, want %v", agent, got, want)
				}
				if got := len(job.Spec.Template.Spec.InitContainers) == 1; got != (want && !agent) {
					t.Errorf("agent %v: a fetcher is %v", agent, got)
				}
			}
		})
	}
}

func TestJobIsTheGoldenOne(t *testing.T) {
	for _, tt := range rendered {
		t.Run(tt.name, func(t *testing.T) {
			got := require.Value(yaml.Marshal(mustRender(t, tt.build, tt.attempt, tt.builder)))(t)
			golden := filepath.Join("testdata", tt.name+".yaml")
			if *update {
				require.NoError(t, os.WriteFile(golden, got, 0o644))
			}
			want := require.Value(os.ReadFile(golden))(t)
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("the Job is not that of %s; run the test with -update if it should be (-want +got):\n%s", golden, diff)
			}
		})
	}
}

func TestPodMeetsTheRestrictedPodSecurityStandard(t *testing.T) {
	evaluator := require.Value(policy.NewEvaluator(policy.DefaultChecks(), nil))(t)
	level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	for _, tt := range rendered {
		template := mustRender(t, tt.build, tt.attempt, tt.builder).Spec.Template
		results := evaluator.EvaluatePod(level, &template.ObjectMeta, &template.Spec)
		if len(results) == 0 {
			t.Errorf("%s: no check was made", tt.name)
		}
		for _, result := range results {
			if !result.Allowed {
				t.Errorf("%s: %s: %s", tt.name, result.ForbiddenReason, result.ForbiddenDetail)
			}
		}
	}
}

func TestRenderingChangesNothingAndRepeats(t *testing.T) {
	for _, make := range []func() *v1alpha1.ImageBuild{fullBuild, templateBuild} {
		build := make()
		first := mustRender(t, build, 1, mockBuilder)
		if diff := cmp.Diff(make(), build); diff != "" {
			t.Errorf("rendering changed the build:\n%s", diff)
		}
		if diff := cmp.Diff(first, mustRender(t, build, 1, mockBuilder)); diff != "" {
			t.Errorf("rendering again gives another Job:\n%s", diff)
		}
	}
}

func TestATolerationOfLostNodesReplacesOurs(t *testing.T) {
	const notReady, unreachable = corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable
	for name, test := range map[string]struct {
		theirs corev1.Toleration
		ours   []string
	}{
		"another taint":          {corev1.Toleration{Key: "builds", Operator: corev1.TolerationOpExists}, []string{notReady, unreachable}},
		"the same taint":         {corev1.Toleration{Key: unreachable, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute}, []string{notReady}},
		"all effects":            {corev1.Toleration{Key: unreachable, Operator: corev1.TolerationOpExists}, []string{notReady}},
		"another effect":         {corev1.Toleration{Key: unreachable, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule}, []string{notReady, unreachable}},
		"every taint":            {corev1.Toleration{Operator: corev1.TolerationOpExists}, nil},
		"a value it cannot have": {corev1.Toleration{Key: unreachable, Value: "yes"}, []string{notReady, unreachable}},
	} {
		t.Run(name, func(t *testing.T) {
			build := bareBuild()
			build.Spec.Inputs.Template = &v1alpha1.BuildTemplate{Tolerations: []corev1.Toleration{test.theirs}}
			got := mustRender(t, build, 1, mockBuilder).Spec.Template.Spec.Tolerations
			var ours []string
			for _, toleration := range got[:len(got)-1] {
				ours = append(ours, toleration.Key)
			}
			if diff := cmp.Diff(test.ours, ours); diff != "" {
				t.Errorf("ours (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.theirs, got[len(got)-1]); diff != "" {
				t.Errorf("theirs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheContractsVariablesAreNotTheTemplates(t *testing.T) {
	for _, variable := range mustRender(t, templateBuild(), 1, mockBuilder).Spec.Template.Spec.Containers[0].Env {
		if variable.Name == EnvResult && variable.Value != resultPath {
			t.Errorf("the result is written to %s", variable.Value)
		}
	}
}

func TestJobName(t *testing.T) {
	build := bareBuild()
	name := JobName(build, 1)
	if !strings.HasPrefix(name, "once-") || len(name) != len("once-")+7 {
		t.Errorf("name is %q", name)
	}
	if JobName(build, 2) == name {
		t.Error("two attempts have the same Job name")
	}
	again := bareBuild()
	again.UID = "another"
	if JobName(again, 1) == name {
		t.Error("two builds of the same name have the same Job name")
	}
	for _, length := range []int{55, 56, 63, 253} {
		build.Name = strings.Repeat("a", 54) + "-" + strings.Repeat("b", length-55)
		name := JobName(build, 1)
		if problems := validation.IsDNS1123Label(name); len(problems) > 0 {
			t.Errorf("the Job of a name of %d characters is called %q: %v", length, name, problems)
		}
	}
}

func TestAttemptReadsBackWhatJobWrote(t *testing.T) {
	build := fullBuild()
	uid, attempt, ok := Attempt(mustRender(t, build, 12, mockBuilder))
	if uid != build.UID || attempt != 12 || !ok {
		t.Errorf("got %s, %d, %v", uid, attempt, ok)
	}
}

func TestAttemptOfAStrangersJobIsNotOK(t *testing.T) {
	tests := map[string]func(*batchv1.Job){
		"no owner":            func(j *batchv1.Job) { j.OwnerReferences = nil },
		"no controller":       func(j *batchv1.Job) { j.OwnerReferences[0].Controller = nil },
		"another kind":        func(j *batchv1.Job) { j.OwnerReferences[0].Kind = "CronJob" },
		"another group":       func(j *batchv1.Job) { j.OwnerReferences[0].APIVersion = "images.example.com/v1alpha1" },
		"a malformed group":   func(j *batchv1.Job) { j.OwnerReferences[0].APIVersion = "a/b/c" },
		"no attempt":          func(j *batchv1.Job) { delete(j.Labels, v1alpha1.LabelAttempt) },
		"attempt 0":           func(j *batchv1.Job) { j.Labels[v1alpha1.LabelAttempt] = "0" },
		"a negative attempt":  func(j *batchv1.Job) { j.Labels[v1alpha1.LabelAttempt] = "-1" },
		"no number":           func(j *batchv1.Job) { j.Labels[v1alpha1.LabelAttempt] = "first" },
		"a number over 2^31":  func(j *batchv1.Job) { j.Labels[v1alpha1.LabelAttempt] = "2147483648" },
		"no labels whatever":  func(j *batchv1.Job) { j.Labels = nil },
		"a number with space": func(j *batchv1.Job) { j.Labels[v1alpha1.LabelAttempt] = " 1" },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			job := mustRender(t, fullBuild(), 1, mockBuilder)
			change(job)
			if uid, attempt, ok := Attempt(job); ok || uid != types.UID("") || attempt != 0 {
				t.Errorf("got %q, %d, %v", uid, attempt, ok)
			}
		})
	}
}

func TestDeadlineIsInWholeSeconds(t *testing.T) {
	for run, want := range map[time.Duration]int64{0: 1, time.Millisecond: 1, time.Second: 1, 1500 * time.Millisecond: 2, time.Hour: 3600} {
		build := bareBuild()
		build.Spec.Timeouts = &v1alpha1.BuildTimeouts{Run: &v1alpha1.Duration{Duration: run}}
		if got := *mustRender(t, build, 1, mockBuilder).Spec.Template.Spec.ActiveDeadlineSeconds; got != want {
			t.Errorf("timeouts.run %v becomes %d s, want %d", run, got, want)
		}
	}
}

func TestInputIsCanonicalJSON(t *testing.T) {
	for _, tt := range rendered {
		text := inputOf(mustRender(t, tt.build, tt.attempt, tt.builder))
		var fields map[string]any
		require.NoError(t, json.Unmarshal([]byte(text), &fields))
		canonical := require.Value(inputs.CanonicalJSON(fields))(t)
		if text != string(canonical) {
			t.Errorf("%s: the input is not canonical:\n got %s\nwant %s", tt.name, text, canonical)
		}
		for _, field := range []string{"version", "build", "attempt", "base", "files", "parameters", "targets"} {
			if fields[field] == nil {
				t.Errorf("%s: the input has no %s", tt.name, field)
			}
		}
	}
}

func TestTheInputTellsWhetherTheBuildReproducesAnother(t *testing.T) {
	build := bareBuild()
	first := inputOf(mustRender(t, build, 1, mockBuilder))
	build.Spec.Reproduces = &v1alpha1.Reproduction{Name: "once", UID: "0b5c1a52-0000-4000-8000-000000000001"}
	want := strings.Replace(first, `"namespace":"team",`, `"namespace":"team","reproduces":true,`, 1)
	if got := inputOf(mustRender(t, build, 1, mockBuilder)); first == want || got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestJobIsRefused(t *testing.T) {
	unresolved := fullBuild()
	unresolved.Status.Resolved = nil
	tooLarge := fullBuild()
	for i := range 64 {
		tooLarge.Spec.Inputs.Parameters = append(tooLarge.Spec.Inputs.Parameters,
			v1alpha1.Parameter{Name: fmt.Sprintf("p%d", i), Value: strings.Repeat("x", 4096)})
	}
	baseless := basedBuild()
	baseless.Status.Resolved.BaseDigest = ""
	unchecked := sourcedBuild()
	unchecked.Status.Resolved = nil
	unseen := basedBuild()
	unseen.Status.Resolved = nil
	tests := []struct {
		name    string
		build   *v1alpha1.ImageBuild
		builder inputs.Builder
		want    string
	}{
		{"without the base's digest", baseless, mockBuilder, `render Job team/once-7c5a508: digest of base Image "debian" is not resolved: build again`},
		{"before the base is resolved", unseen, mockBuilder, `render Job team/once-7c5a508: digest of base Image "debian" is not resolved: build again`},
		{"without an image", bareBuild(), inputs.Builder{}, "render Job team/once-7c5a508: the builder has no image"},
		{"before the files are resolved", unresolved, mockBuilder, `files of ConfigMap "setup" are not resolved: build again`},
		{"before the source is checked", unchecked, mockBuilder, "the commit of the source is not resolved: build again"},
		{"without a fetcher of sources", withoutOutput(sourcedBuild()), mockBuilder, "this controller cannot fetch a base or publish"},
		{"without a publisher", publishingBuild(), mockBuilder, "this controller cannot fetch a base or publish: the operator sets --publisher-image"},
		{"without a fetcher", withoutOutput(fetchingBuild()), mockBuilder, "this controller cannot fetch a base or publish"},
		{"where the input is too large", tooLarge, mockBuilder, "more than the limit of 245760"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			job, err := Job(tt.build, 1, tt.builder)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want it to contain %q", err, tt.want)
			}
			if job != nil {
				t.Error("there is a Job nevertheless")
			}
		})
	}
}

// The annotations of a pod have at most 256 KiB. Files of the largest size fit with any characters.
func TestTheLargestFilesFitIntoTheAnnotation(t *testing.T) {
	const maxAnnotationBytes = 256 << 10
	for _, content := range []string{"x", "\x00", "\n", `"`, `\`, "<", "ü", "\u2028", "\xff"} {
		build := fullBuild()
		files := map[string]string{"f": ""}
		room := inputs.MaxSourceBytes - inputs.SourceBytes(files)
		each := inputs.SourceBytes(map[string]string{"f": content}) - inputs.SourceBytes(files)
		files["f"] = strings.Repeat(content, room/each)
		if size := inputs.SourceBytes(files); size > inputs.MaxSourceBytes || size+each <= inputs.MaxSourceBytes {
			t.Fatalf("%q: the files are %d bytes, not the largest there may be", content, size)
		}
		build.Status.Resolved.Files = files

		total := 0
		for key, value := range mustRender(t, build, 1, mockBuilder).Spec.Template.Annotations {
			total += len(key) + len(value)
		}
		if total > maxAnnotationBytes {
			t.Errorf("%q: the annotations are %d bytes", content, total)
		}
	}
}

func mustRender(t *testing.T, build *v1alpha1.ImageBuild, attempt int32, builder inputs.Builder) *batchv1.Job {
	t.Helper()
	job := require.Value(Job(build, attempt, builder))(t)
	return job
}

func inputOf(job *batchv1.Job) string {
	return job.Spec.Template.Annotations[v1alpha1.AnnotationInput]
}
