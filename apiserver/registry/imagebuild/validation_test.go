// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/validation/validationtest"
)

func TestDirectImageBuild(t *testing.T) {
	trigger := &v1alpha1.BuildTrigger{Reason: v1alpha1.TriggerManual, RequestedBy: "ada"}
	for what, test := range map[string]struct {
		change func(*v1alpha1.ImageBuild)
		want   []string
	}{
		"a build of a person":    {func(*v1alpha1.ImageBuild) {}, nil},
		"the longest name":       {func(b *v1alpha1.ImageBuild) { b.Name = strings.Repeat("a", 55) }, nil},
		"a name too long":        {func(b *v1alpha1.ImageBuild) { b.Name = strings.Repeat("a", 56) }, []string{"metadata.name"}},
		"an image":               {func(b *v1alpha1.ImageBuild) { b.Spec.ImageRef = &v1alpha1.ImageReference{} }, []string{"spec.imageRef"}},
		"a number":               {func(b *v1alpha1.ImageBuild) { b.Spec.Number = new(int64(1)) }, []string{"spec.number"}},
		"a generation":           {func(b *v1alpha1.ImageBuild) { b.Spec.ImageGeneration = new(int64(1)) }, []string{"spec.imageGeneration"}},
		"pinned inputs":          {func(b *v1alpha1.ImageBuild) { b.Spec.Pinned = &v1alpha1.PinnedInputs{} }, []string{"spec.pinned"}},
		"that it is no one-off":  {func(b *v1alpha1.ImageBuild) { b.Spec.OneOff = new(false) }, []string{"spec.oneOff"}},
		"a run policy":           {func(b *v1alpha1.ImageBuild) { b.Spec.RunPolicy = v1alpha1.RunPolicyParallel }, []string{"spec.runPolicy"}},
		"a rerun":                {func(b *v1alpha1.ImageBuild) { b.Spec.Trigger.RerunOf = "debian-1" }, []string{"spec.trigger"}},
		"its own parameters":     {func(b *v1alpha1.ImageBuild) { b.Spec.Trigger.Parameters = []v1alpha1.Parameter{{Name: "a"}} }, []string{"spec.trigger"}},
		"new packages":           {func(b *v1alpha1.ImageBuild) { b.Spec.Trigger.Packages = validationtest.Packages() }, []string{"spec.trigger"}},
		"somebody else's origin": {func(b *v1alpha1.ImageBuild) { b.Spec.Trigger.RequestedBy = "grace" }, []string{"spec.trigger"}},
		"what it reproduces":     {func(b *v1alpha1.ImageBuild) { b.Spec.Reproduces = reproduction() }, nil},
		"tests": {func(b *v1alpha1.ImageBuild) {
			b.Spec.Tests = []v1alpha1.ImageTest{{Name: "boots", Boot: &v1alpha1.TestBoot{}}}
		}, nil},
		"a test of nothing": {func(b *v1alpha1.ImageBuild) { b.Spec.Tests = []v1alpha1.ImageTest{{Name: "boots"}} }, []string{"spec.tests[0]"}},
		"tests of what it reproduces": {func(b *v1alpha1.ImageBuild) {
			b.Spec.Reproduces, b.Spec.Tests = reproduction(), []v1alpha1.ImageTest{{Name: "boots", Boot: &v1alpha1.TestBoot{}}}
		}, []string{"spec.reproduces"}},
		"what it tests again": {func(b *v1alpha1.ImageBuild) {
			b.Spec.Retests = &v1alpha1.TestedBuild{Name: "debian-1", UID: "1", Artifacts: validationtest.Artifacts()}
		}, []string{"spec.retests"}},
		"cancelled at birth": {func(b *v1alpha1.ImageBuild) { b.Spec.CancelRequested = &v1alpha1.CancelRequested{} }, []string{"spec.cancelRequested"}},
	} {
		t.Run(what, func(t *testing.T) {
			build := validationtest.ImageBuild()
			build.Spec.Trigger = trigger.DeepCopy()
			test.change(build)
			validationtest.ExpectPaths(t, ValidateDirect(build, trigger), test.want)
		})
	}
}

// reproduction returns what a build of validationtest.ImageBuild may be to make again.
func reproduction() *v1alpha1.Reproduction {
	sum := "sha256:" + strings.Repeat("0a", 32)
	return &v1alpha1.Reproduction{
		Name: "debian-1", UID: "0b7e", BuilderImage: "registry.example.com/builder@" + sum,
		Artifacts: []v1alpha1.ReproducedArtifact{{Target: "linux/amd64/raw", Digest: sum, Lock: sum}},
	}
}

func TestABuildReproducesArtifactsOfItsTargets(t *testing.T) {
	for what, test := range map[string]struct {
		change func(*v1alpha1.Reproduction)
		want   map[string]string // the remedies by field
	}{
		"an artifact without a lock, of a program on a host": {func(r *v1alpha1.Reproduction) { r.BuilderImage, r.Artifacts[0].Lock = "", "" }, nil},
		"nothing": {func(r *v1alpha1.Reproduction) { *r = v1alpha1.Reproduction{} }, map[string]string{
			"spec.reproduces.name": "set the name of the build whose artifacts", "spec.reproduces.uid": "set the metadata.uid of the build",
			"spec.reproduces.artifacts": "list 1 to 16 artifacts",
		}},
		"no names": {func(r *v1alpha1.Reproduction) { r.Name, r.UID, r.BuilderImage = "Debian_1", "../1", "a\nb" }, map[string]string{
			"spec.reproduces.name": "a lowercase RFC 1123 label", "spec.reproduces.uid": "must be the metadata.uid of the build", "spec.reproduces.builderImage": "remove control characters",
		}},
		"long names": {func(r *v1alpha1.Reproduction) {
			r.Name, r.BuilderImage = strings.Repeat("a", 64), strings.Repeat("a", 1025)
		}, map[string]string{"spec.reproduces.name": "no more than 63", "spec.reproduces.builderImage": "more than 1024"}},
		"an artifact without anything": {func(r *v1alpha1.Reproduction) { r.Artifacts[0] = v1alpha1.ReproducedArtifact{} }, map[string]string{
			"spec.reproduces.artifacts[0].target": "set platform/format", "spec.reproduces.artifacts[0].digest": "set the digest of the artifact",
		}},
		"other digests": {func(r *v1alpha1.Reproduction) { r.Artifacts[0].Digest, r.Artifacts[0].Lock = "sha512:0", "sha256:XY" }, map[string]string{
			"spec.reproduces.artifacts[0].digest": "must be sha256: and 64 hex digits", "spec.reproduces.artifacts[0].lock": "must be sha256: and 64 hex digits",
		}},
		"another target": {func(r *v1alpha1.Reproduction) { r.Artifacts[0].Target = "linux/arm64/raw" }, map[string]string{
			"spec.reproduces.artifacts[0].target": `supported values: "linux/amd64/raw"`,
		}},
		"a target twice": {func(r *v1alpha1.Reproduction) { r.Artifacts = append(r.Artifacts, r.Artifacts[0]) }, map[string]string{
			"spec.reproduces.artifacts[1].target": "Duplicate value",
		}},
		"too many artifacts": {func(r *v1alpha1.Reproduction) {
			for i := range 16 {
				r.Artifacts = append(r.Artifacts, v1alpha1.ReproducedArtifact{Target: fmt.Sprint(i)})
			}
		}, map[string]string{"spec.reproduces.artifacts": "must have at most 16 items"}},
	} {
		t.Run(what, func(t *testing.T) {
			build := validationtest.ImageBuild()
			build.Spec.Trigger, build.Spec.Reproduces = &v1alpha1.BuildTrigger{}, reproduction()
			test.change(build.Spec.Reproduces)
			found := map[string]bool{}
			for _, err := range ValidateDirect(build, build.Spec.Trigger) {
				want, ok := test.want[err.Field]
				if what == "too many artifacts" && err.Field != "spec.reproduces.artifacts" {
					continue // each is also refused
				}
				if !ok || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q", err, want)
				}
				found[err.Field] = true
			}
			if len(found) != len(test.want) {
				t.Errorf("errors of %v", found)
			}
		})
	}
	build := validationtest.ImageBuild()
	build.Spec.Reproduces = &v1alpha1.Reproduction{}
	validationtest.ExpectPaths(t, ValidateRepeated(build), nil)
}

func TestInstantiatedImageBuild(t *testing.T) {
	build := validationtest.ImageBuild()
	validationtest.ExpectPaths(t, ValidateInstantiated(build), []string{"spec.imageRef", "spec.number"})
	build.Spec.ImageRef, build.Spec.Number = &v1alpha1.ImageReference{Name: "debian", UID: "1"}, new(int64(1))
	build.Name = strings.Repeat("a", 45) + "-1234567890123456"
	validationtest.ExpectPaths(t, ValidateInstantiated(build), nil)
	build.Spec.Number = new(int64(0))
	validationtest.ExpectPaths(t, ValidateInstantiated(build), []string{"spec.number"})
	build.Spec.Number = new(int64(1))
	build.Spec.Retests = &v1alpha1.TestedBuild{Name: "debian-1", UID: "1", Artifacts: validationtest.Artifacts()}
	validationtest.ExpectPaths(t, ValidateInstantiated(build), nil)
	build.Spec.Retests = &v1alpha1.TestedBuild{Name: "Debian_1", UID: "../1", Artifacts: []v1alpha1.Artifact{{Target: "linux/arm64/raw"}}}
	validationtest.ExpectPaths(t, ValidateInstantiated(build), []string{
		"spec.retests.name", "spec.retests.uid", "spec.retests.artifacts[0].target", "spec.retests.artifacts[0].digest", "spec.retests.artifacts[0].mediaType",
	})
	build.Spec.Retests = &v1alpha1.TestedBuild{}
	validationtest.ExpectPaths(t, ValidateInstantiated(build), []string{"spec.retests.name", "spec.retests.uid", "spec.retests.artifacts"})
	build.Spec.Retests, build.Spec.Trigger = nil, &v1alpha1.BuildTrigger{Reason: v1alpha1.TriggerPackageChange, Packages: validationtest.Packages()}
	validationtest.ExpectPaths(t, ValidateInstantiated(build), nil)
	build.Spec.Trigger.Packages.Build = ""
	validationtest.ExpectPaths(t, ValidateInstantiated(build), []string{"spec.trigger.packages.build"})
	build.Spec.Trigger, build.Spec.RunPolicy = nil, "Random"
	validationtest.ExpectPaths(t, ValidateInstantiated(build), []string{"spec.runPolicy"})
}

func TestImageBuildUpdateNamesEveryChangedField(t *testing.T) {
	for path, change := range map[string]func(*v1alpha1.ImageBuildSpec){
		"spec.imageRef":          func(s *v1alpha1.ImageBuildSpec) { s.ImageRef = &v1alpha1.ImageReference{} },
		"spec.number":            func(s *v1alpha1.ImageBuildSpec) { s.Number = new(int64(1)) },
		"spec.imageGeneration":   func(s *v1alpha1.ImageBuildSpec) { s.ImageGeneration = new(int64(1)) },
		"spec.trigger":           func(s *v1alpha1.ImageBuildSpec) { s.Trigger = &v1alpha1.BuildTrigger{} },
		"spec.inputs.builder":    func(s *v1alpha1.ImageBuildSpec) { s.Inputs.Builder.Name = "x" },
		"spec.inputs.base":       func(s *v1alpha1.ImageBuildSpec) { s.Inputs.Base.Reference = "x" },
		"spec.inputs.source":     func(s *v1alpha1.ImageBuildSpec) { s.Inputs.Source = nil },
		"spec.inputs.parameters": func(s *v1alpha1.ImageBuildSpec) { s.Inputs.Parameters = nil },
		"spec.inputs.targets":    func(s *v1alpha1.ImageBuildSpec) { s.Inputs.Targets = nil },
		"spec.inputs.template":   func(s *v1alpha1.ImageBuildSpec) { s.Inputs.Template = &v1alpha1.BuildTemplate{} },
		"spec.timeouts":          func(s *v1alpha1.ImageBuildSpec) { s.Timeouts.Run = validationtest.Seconds(1) },
		"spec.retry":             func(s *v1alpha1.ImageBuildSpec) { s.Retry.Limit = new(int32(1)) },
		"spec.pinned":            func(s *v1alpha1.ImageBuildSpec) { s.Pinned = &v1alpha1.PinnedInputs{} },
		"spec.priority":          func(s *v1alpha1.ImageBuildSpec) { s.Priority = new(int32(1)) },
		"spec.runPolicy":         func(s *v1alpha1.ImageBuildSpec) { s.RunPolicy = v1alpha1.RunPolicyParallel },
		"spec.oneOff":            func(s *v1alpha1.ImageBuildSpec) { s.OneOff = new(true) },
		"spec.reproduces":        func(s *v1alpha1.ImageBuildSpec) { s.Reproduces = reproduction() },
		"spec.tests":             func(s *v1alpha1.ImageBuildSpec) { s.Tests = []v1alpha1.ImageTest{{Name: "boots"}} },
		"spec.retests":           func(s *v1alpha1.ImageBuildSpec) { s.Retests = &v1alpha1.TestedBuild{} },
	} {
		build := validationtest.ImageBuild()
		change(&build.Spec)
		validationtest.ExpectPaths(t, ValidateUpdate(build, validationtest.ImageBuild()), []string{path})
	}
	validationtest.ExpectPaths(t, ValidateUpdate(validationtest.ImageBuild(), validationtest.ImageBuild()), nil)

	rewritten := validationtest.ImageBuild()
	rewritten.Spec.Timeouts.Run.Written = fmt.Sprintf("%dns", rewritten.Spec.Timeouts.Run.Duration)
	stored := rewritten.DeepCopy()
	limits := func(cpu, memory string) *v1alpha1.BuildTemplate {
		return &v1alpha1.BuildTemplate{Resources: &v1alpha1.ResourceRequirements{
			Limits: map[string]v1alpha1.Quantity{"cpu": {Text: cpu}, "memory": {Text: memory}},
		}}
	}
	stored.Spec.Inputs.Template, rewritten.Spec.Inputs.Template = limits("500m", "1Gi"), limits("0.5", "1024Mi")
	validationtest.ExpectPaths(t, ValidateUpdate(rewritten, stored), nil)
	rewritten.Spec.Inputs.Template = nil
	validationtest.ExpectPaths(t, ValidateUpdate(rewritten, validationtest.ImageBuild()), nil)
}

func TestAnUpdateCancelsABuildOnce(t *testing.T) {
	request := func(reason string) *v1alpha1.CancelRequested { return &v1alpha1.CancelRequested{Reason: reason} }
	for what, test := range map[string]struct {
		phase           v1alpha1.BuildPhase
		stored, written *v1alpha1.CancelRequested
		want            []string
	}{
		"requested":             {v1alpha1.BuildRunning, nil, request("not needed"), nil},
		"without a reason":      {v1alpha1.BuildPending, nil, request(""), nil},
		"of two lines":          {v1alpha1.BuildRunning, nil, request("not\nneeded"), []string{"spec.cancelRequested.reason"}},
		"by a newer build":      {v1alpha1.BuildQueued, nil, &v1alpha1.CancelRequested{SupersededBy: "debian-2"}, []string{"spec.cancelRequested.supersededBy"}},
		"after the end":         {v1alpha1.BuildSucceeded, nil, request("too late"), []string{"spec.cancelRequested"}},
		"again":                 {v1alpha1.BuildCancelling, request("first"), request("second"), []string{"spec.cancelRequested"}},
		"the same":              {v1alpha1.BuildCancelled, request("first"), request("first"), nil},
		"withdrawn":             {v1alpha1.BuildCancelling, request("first"), nil, []string{"spec.cancelRequested"}},
		"not, and has finished": {v1alpha1.BuildSucceeded, nil, nil, nil},
	} {
		t.Run(what, func(t *testing.T) {
			old, build := validationtest.ImageBuild(), validationtest.ImageBuild()
			old.Status.Phase = test.phase
			old.Spec.CancelRequested, build.Spec.CancelRequested = test.stored, test.written
			validationtest.ExpectPaths(t, ValidateUpdate(build, old), test.want)
		})
	}
}

func TestRequestedImageBuild(t *testing.T) {
	defaults := &v1alpha1.ImageBuildSpec{Timeouts: &v1alpha1.BuildTimeouts{Run: validationtest.Seconds(60)}, Retry: &v1alpha1.RetryPolicy{Limit: new(int32(2))}}
	for what, test := range map[string]struct {
		change func(*v1alpha1.ImageBuild)
		want   []string
	}{
		"a build":                {func(*v1alpha1.ImageBuild) {}, nil},
		"a build with a message": {func(b *v1alpha1.ImageBuild) { b.Spec.Trigger = &v1alpha1.BuildTrigger{Message: "new kernel"} }, nil},
		"a rerun": {func(b *v1alpha1.ImageBuild) {
			b.Spec.Trigger = &v1alpha1.BuildTrigger{Reason: "Rerun", RerunOf: "debian-1"}
		}, nil},
		"a rerun by another name": {func(b *v1alpha1.ImageBuild) {
			b.Spec.Trigger = &v1alpha1.BuildTrigger{Reason: "Manual", RerunOf: "debian-1"}
		}, []string{"spec.trigger.reason"}},
		"a rerun of no build": {func(b *v1alpha1.ImageBuild) { b.Spec.Trigger = &v1alpha1.BuildTrigger{RerunOf: "Debian_1"} }, []string{"spec.trigger.rerunOf"}},
		"a rerun with parameters": {func(b *v1alpha1.ImageBuild) {
			b.Spec.Trigger = &v1alpha1.BuildTrigger{RerunOf: "debian-1", Parameters: []v1alpha1.Parameter{{Name: "a"}}}
		}, []string{"spec.trigger.parameters"}},
		"by somebody else": {func(b *v1alpha1.ImageBuild) { b.Spec.Trigger = &v1alpha1.BuildTrigger{RequestedBy: "grace"} }, []string{"spec.trigger.requestedBy"}},
		"with changes": {func(b *v1alpha1.ImageBuild) {
			b.Spec.Trigger = &v1alpha1.BuildTrigger{Changes: []v1alpha1.InputChange{{}}}
		}, []string{"spec.trigger.changes"}},
		"for packages": {func(b *v1alpha1.ImageBuild) {
			b.Spec.Trigger = &v1alpha1.BuildTrigger{Packages: validationtest.Packages()}
		}, []string{"spec.trigger.packages"}},
		"with another name": {func(b *v1alpha1.ImageBuild) { b.GenerateName = "web-" }, []string{"metadata.generateName"}},
		"of no image":       {func(b *v1alpha1.ImageBuild) { b.GenerateName, b.Spec.ImageRef.Name = "-", "" }, []string{"spec.imageRef.name"}},
		"with inputs":       {func(b *v1alpha1.ImageBuild) { b.Spec.Inputs.Builder.Name = "mock" }, []string{"spec"}},
		"with a number":     {func(b *v1alpha1.ImageBuild) { b.Spec.Number = new(int64(7)) }, []string{"spec"}},
		"with a timeout": {func(b *v1alpha1.ImageBuild) {
			b.Spec.Timeouts = &v1alpha1.BuildTimeouts{Run: validationtest.Seconds(1)}
		}, []string{"spec"}},
		"that is cancelled":        {func(b *v1alpha1.ImageBuild) { b.Spec.CancelRequested = &v1alpha1.CancelRequested{} }, []string{"spec"}},
		"with the files of others": {func(b *v1alpha1.ImageBuild) { b.Spec.Pinned = &v1alpha1.PinnedInputs{} }, []string{"spec"}},
		"that reproduces another": {func(b *v1alpha1.ImageBuild) {
			b.Spec.Trigger, b.Spec.Reproduces = &v1alpha1.BuildTrigger{RerunOf: "debian-1"}, reproduction()
		}, []string{"spec"}},
	} {
		t.Run(what, func(t *testing.T) {
			build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{GenerateName: "debian-"}, Spec: *defaults.DeepCopy()}
			build.Spec.ImageRef = &v1alpha1.ImageReference{Name: "debian"}
			test.change(build)
			validationtest.ExpectPaths(t, ValidateRequested(build, defaults), test.want)
		})
	}
}
