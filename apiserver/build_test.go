// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"encoding/json"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	typed "goldsmith.dev/goldsmith/apis/generated/clientset/versioned/typed/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

var _ = Describe("A build that is created directly", func() {
	var builds typed.ImageBuildInterface
	BeforeEach(func() { builds = buildsIn(newNamespace()) })

	It("is pending and says who asked for it", func(ctx SpecContext) {
		build := newBuild("once")
		build.Status.Phase = v1alpha1.BuildSucceeded
		build = must(builds.Create(ctx, build, metav1.CreateOptions{}))
		Expect(build.Status).To(Equal(newBuildStatus(build)))
		Expect(build.Spec.Trigger).To(HaveValue(Equal(v1alpha1.BuildTrigger{Reason: v1alpha1.TriggerManual, RequestedBy: "ada"})))
		Expect(build.Spec.Timeouts.Run.Duration).To(Equal(time.Hour))
		Expect(build.Generation).To(BeEquivalentTo(1))
	})

	It("must not claim to be the server's", func(ctx SpecContext) {
		build := newBuild("pretender")
		build.Spec.ImageRef = &v1alpha1.ImageReference{Name: "debian", UID: "1"}
		build.Spec.Number = new(int64(7))
		build.Spec.ImageGeneration = new(int64(1))
		build.Spec.Trigger = &v1alpha1.BuildTrigger{Reason: v1alpha1.TriggerCreated}
		build.Spec.CancelRequested = &v1alpha1.CancelRequested{Time: metav1.Now()}
		build.Spec.Pinned = &v1alpha1.PinnedInputs{BaseDigest: digest('a')}
		build.Spec.RunPolicy = v1alpha1.RunPolicyParallel
		_, err := builds.Create(ctx, build, metav1.CreateOptions{})
		Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
		Expect(fieldsOf(err)).To(ConsistOf("spec.imageRef", "spec.number", "spec.imageGeneration", "spec.trigger", "spec.cancelRequested",
			"spec.pinned", "spec.runPolicy"))
	})

	It("must not claim to be a rerun, or to have been given parameters", func(ctx SpecContext) {
		for _, trigger := range []v1alpha1.BuildTrigger{
			{Reason: v1alpha1.TriggerManual, RequestedBy: "ada", RerunOf: "debian-1"},
			{Reason: v1alpha1.TriggerManual, RequestedBy: "ada", Parameters: []v1alpha1.Parameter{{Name: "a"}}},
		} {
			build := newBuild("pretender")
			build.Spec.Trigger = &trigger
			Expect(errorOf(builds.Create(ctx, build, metav1.CreateOptions{}))).To(beInvalid("spec.trigger"))
		}
	})

	It("keeps its spec", func(ctx SpecContext) {
		build := must(builds.Create(ctx, newBuild("once"), metav1.CreateOptions{}))
		build.Spec.Inputs.Base.Reference = "debian:trixie"
		build.Spec.Retry.Limit = new(int32(9))
		_, err := builds.Update(ctx, build, metav1.UpdateOptions{})
		Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
		Expect(fieldsOf(err)).To(ConsistOf("spec.inputs.base", "spec.retry"))
		Expect(err).To(MatchError(ContainSubstring("is immutable, because it records the request: create a new build")))
	})

	It("can be applied and replaced by its own manifest again", func(ctx SpecContext) {
		first := must(builds.Create(ctx, newBuild("once"), metav1.CreateOptions{}))
		again := must(builds.Update(ctx, newBuild("once"), metav1.UpdateOptions{}))
		Expect(again.Spec).To(Equal(first.Spec))
		Expect(again.Status).To(Equal(first.Status))
		Expect(again.Generation).To(BeEquivalentTo(1))
		must(builds.Patch(ctx, "once", types.ApplyPatchType, manifest(newBuild("once")), metav1.PatchOptions{FieldManager: "test"}))
	})

	It("takes labels at any time, without a new generation", func(ctx SpecContext) {
		must(builds.Create(ctx, newBuild("once"), metav1.CreateOptions{}))
		build := must(builds.Patch(ctx, "once", types.MergePatchType, []byte(`{"metadata":{"labels":{"a":"b"}}}`), metav1.PatchOptions{}))
		Expect(build.Labels).To(HaveKeyWithValue("a", "b"))
		Expect(build.Generation).To(BeEquivalentTo(1))
	})
})

var _ = Describe("The status of a build", func() {
	var builds typed.ImageBuildInterface
	BeforeEach(func(ctx SpecContext) {
		builds = buildsIn(newNamespace())
		must(builds.Create(ctx, newBuild("once"), metav1.CreateOptions{}))
	})

	It("follows the phase table, and finished follows the phase", func(ctx SpecContext) {
		refuse(ctx, builds, "from Pending to Running: set one of: Queued, Starting, Testing, Failed, Cancelled", setPhase(v1alpha1.BuildRunning))
		write(ctx, builds, setPhase(v1alpha1.BuildQueued))
		write(ctx, builds, startAttempt(1))
		write(ctx, builds, setPhase(v1alpha1.BuildQueued)) // Kueue suspended the Job
		write(ctx, builds, setPhase(v1alpha1.BuildStarting))
		refuse(ctx, builds, "from Starting to Pending", setPhase(v1alpha1.BuildPending))
		refuse(ctx, builds, "Unsupported value", setPhase("Resting"))
		done := write(ctx, builds, succeed(1))
		Expect(done.Status.Finished).To(BeTrue())
	})

	It("is final once the build has finished, but for the condition LogArchived", func(ctx SpecContext) {
		write(ctx, builds, startAttempt(1))
		write(ctx, builds, succeed(1))
		refuse(ctx, builds, "from Succeeded to Failed: phase Succeeded is final", setPhase(v1alpha1.BuildFailed))
		refuse(ctx, builds, "is final", func(status *v1alpha1.ImageBuildStatus) { status.Artifacts[0].SizeBytes++ })
		refuse(ctx, builds, "is final", func(status *v1alpha1.ImageBuildStatus) { status.Attempts[0].NodeName = "another" })
		write(ctx, builds, func(*v1alpha1.ImageBuildStatus) {})
		archived := write(ctx, builds, func(status *v1alpha1.ImageBuildStatus) {
			status.Conditions = append(status.Conditions, metav1.Condition{
				Type: "LogArchived", Status: metav1.ConditionTrue, Reason: "Archived", LastTransitionTime: metav1.Now(),
			})
		})
		Expect(archived.Status.Conditions).To(HaveLen(len(newBuildStatus(archived).Conditions) + 1))
	})

	It("does not change what the builder reported, but for the end of the last stage", func(ctx SpecContext) {
		write(ctx, builds, startAttempt(1))
		made := write(ctx, builds, func(status *v1alpha1.ImageBuildStatus) {
			status.Progress = &v1alpha1.BuildProgress{Stage: "a lie", Time: metav1.NowMicro(), Attempt: 1}
			status.Stages = []v1alpha1.BuildStage{{Name: "a lie", StartTime: metav1.Now()}}
		})
		Expect(made.Status.Progress).To(BeNil())
		Expect(made.Status.Stages).To(BeEmpty())
	})

	It("does not let the spec or the metadata through", func(ctx SpecContext) {
		build := must(builds.Get(ctx, "once", metav1.GetOptions{}))
		build.Spec.Inputs.Base.Reference = "debian:trixie"
		build.Labels = map[string]string{"a": "b"}
		build.Status.Phase = v1alpha1.BuildQueued
		after := must(builds.UpdateStatus(ctx, build, metav1.UpdateOptions{}))
		Expect(after.Spec.Inputs.Base.Reference).To(Equal("debian:bookworm"))
		Expect(after.Labels).To(BeEmpty())
		Expect(after.Status.Phase).To(Equal(v1alpha1.BuildQueued))
		Expect(after.Generation).To(BeEquivalentTo(1))
	})

	It("does not change through the main resource", func(ctx SpecContext) {
		build := must(builds.Patch(ctx, "once", types.MergePatchType, []byte(`{"status":{"phase":"Succeeded"}}`), metav1.PatchOptions{}))
		Expect(build.Status.Phase).To(Equal(v1alpha1.BuildPending))
	})
})

var _ = Describe("Cancelling a build", func() {
	var builds typed.ImageBuildInterface
	BeforeEach(func(ctx SpecContext) {
		builds = buildsIn(newNamespace())
		must(builds.Create(ctx, newBuild("once"), metav1.CreateOptions{}))
	})

	It("records who asked and why, once", func(ctx SpecContext) {
		before := metav1.Now().Rfc3339Copy()
		build := must(builds.Cancel(ctx, "once", &v1alpha1.CancelRequest{Reason: "not needed"}, metav1.CreateOptions{}))
		Expect(build.Spec.CancelRequested.By).To(Equal("ada"))
		Expect(build.Spec.CancelRequested.Reason).To(Equal("not needed"))
		Expect(build.Spec.CancelRequested.Time.Time).To(BeTemporally(">=", before.Time))
		Expect(build.Generation).To(BeEquivalentTo(2))

		Expect(builds.Cancel(ctx, "once", &v1alpha1.CancelRequest{Reason: "really"}, metav1.CreateOptions{})).To(Equal(build))

		replaced := must(builds.Update(ctx, newBuild("once"), metav1.UpdateOptions{}))
		Expect(replaced.Spec.CancelRequested).To(Equal(build.Spec.CancelRequested), "a manifest without it does not take it back")
	})

	It("leaves a finished build as it is", func(ctx SpecContext) {
		write(ctx, builds, startAttempt(1))
		done := write(ctx, builds, succeed(1))
		Expect(builds.Cancel(ctx, "once", &v1alpha1.CancelRequest{}, metav1.CreateOptions{})).To(Equal(done))
	})

	It("stores nothing in a dry run", func(ctx SpecContext) {
		build := must(builds.Cancel(ctx, "once", &v1alpha1.CancelRequest{}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}))
		Expect(build.Spec.CancelRequested).NotTo(BeNil())
		Expect(must(builds.Get(ctx, "once", metav1.GetOptions{})).Spec.CancelRequested).To(BeNil())
	})

	It("refuses a request for another build, and a build that is not there", func(ctx SpecContext) {
		_, err := builds.Cancel(ctx, "once", &v1alpha1.CancelRequest{ObjectMeta: metav1.ObjectMeta{Name: "twice"}}, metav1.CreateOptions{})
		Expect(fieldsOf(err)).To(ConsistOf("metadata.name"))
		Expect(errorOf(builds.Cancel(ctx, "nothing", &v1alpha1.CancelRequest{}, metav1.CreateOptions{}))).To(Satisfy(apierrors.IsNotFound))
	})
})

func setPhase(phase v1alpha1.BuildPhase) func(*v1alpha1.ImageBuildStatus) {
	return func(status *v1alpha1.ImageBuildStatus) { status.Phase = phase }
}

func startAttempt(number int32) func(*v1alpha1.ImageBuildStatus) {
	return func(status *v1alpha1.ImageBuildStatus) {
		status.Phase = v1alpha1.BuildStarting
		status.CurrentAttempt = number
		if status.StartTime == nil {
			status.StartTime = new(metav1.Now())
		}
		status.Attempts = append(status.Attempts, v1alpha1.BuildAttempt{
			Number: number, JobName: fmt.Sprintf("job-%d", number), StartTime: metav1.Now(),
		})
	}
}

func bindPod(number int32, uid types.UID) func(*v1alpha1.ImageBuildStatus) {
	return func(status *v1alpha1.ImageBuildStatus) {
		status.Attempts[number-1].PodName = "pod-" + string(uid)
		status.Attempts[number-1].PodUID = uid
	}
}

func endAttempt(number int32, outcome v1alpha1.AttemptOutcome) func(*v1alpha1.ImageBuildStatus) {
	return func(status *v1alpha1.ImageBuildStatus) {
		status.Phase = v1alpha1.BuildRetrying
		status.Attempts[number-1].Outcome = outcome
		status.Attempts[number-1].CompletionTime = new(metav1.Now())
		if outcome != v1alpha1.AttemptSucceeded {
			status.Attempts[number-1].Failure = &v1alpha1.BuildFailure{Class: v1alpha1.FailureInfrastructure, Reason: v1alpha1.ReasonEvicted}
		}
	}
}

func succeed(number int32) func(*v1alpha1.ImageBuildStatus) {
	return func(status *v1alpha1.ImageBuildStatus) {
		endAttempt(number, v1alpha1.AttemptSucceeded)(status)
		status.Phase = v1alpha1.BuildSucceeded
		status.CompletionTime = new(metav1.Now())
		status.Artifacts = []v1alpha1.Artifact{{Target: "linux/amd64/raw", Digest: digest('c'), MediaType: "application/octet-stream"}}
	}
}

func digest(digit byte) string {
	digits := make([]byte, 64)
	for i := range digits {
		digits[i] = digit
	}
	return "sha256:" + string(digits)
}

// write stores a change of the status of the build "once".
func write(ctx SpecContext, builds typed.ImageBuildInterface, changes ...func(*v1alpha1.ImageBuildStatus)) *v1alpha1.ImageBuild {
	GinkgoHelper()
	return must(tryWrite(ctx, builds, changes...))
}

// refuse expects a change of the status to be answered with a 422 whose message has a part.
func refuse(ctx SpecContext, builds typed.ImageBuildInterface, message string, change func(*v1alpha1.ImageBuildStatus)) {
	GinkgoHelper()
	Expect(errorOf(tryWrite(ctx, builds, change))).To(And(Satisfy(apierrors.IsInvalid), MatchError(ContainSubstring(message))))
}

func tryWrite(ctx SpecContext, builds typed.ImageBuildInterface, changes ...func(*v1alpha1.ImageBuildStatus)) (*v1alpha1.ImageBuild, error) {
	GinkgoHelper()
	return tryWriteTo(ctx, builds, "once", changes...)
}

// writeTo stores a change of the status of any build.
func writeTo(ctx SpecContext, builds typed.ImageBuildInterface, name string, changes ...func(*v1alpha1.ImageBuildStatus)) *v1alpha1.ImageBuild {
	GinkgoHelper()
	return must(tryWriteTo(ctx, builds, name, changes...))
}

func tryWriteTo(ctx SpecContext, builds typed.ImageBuildInterface, name string, changes ...func(*v1alpha1.ImageBuildStatus)) (*v1alpha1.ImageBuild, error) {
	GinkgoHelper()
	build := must(builds.Get(ctx, name, metav1.GetOptions{}))
	for _, change := range changes {
		change(&build.Status)
	}
	return builds.UpdateStatus(ctx, build, metav1.UpdateOptions{})
}

// resolve records what the inputs of a build resolved to.
func resolve(resolved v1alpha1.ResolvedInputs) func(*v1alpha1.ImageBuildStatus) {
	return func(status *v1alpha1.ImageBuildStatus) { status.Resolved = &resolved }
}

// manifest is an object as a person would write it.
func manifest(object any) []byte {
	GinkgoHelper()
	raw := must(json.Marshal(object))
	fields := map[string]any{}
	Expect(json.Unmarshal(raw, &fields)).To(Succeed())
	delete(fields, "status")
	kind := "ImageBuild"
	if _, ok := object.(*v1alpha1.Image); ok {
		kind = "Image"
	}
	fields["apiVersion"], fields["kind"] = v1alpha1.SchemeGroupVersion.String(), kind
	raw = must(json.Marshal(fields))
	return raw
}
