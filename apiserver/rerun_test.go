// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	typed "goldsmith.dev/goldsmith/apis/generated/clientset/versioned/typed/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/attestation"
)

var _ = Describe("Rerunning a build", func() {
	var (
		images typed.ImageInterface
		builds typed.ImageBuildInterface
		first  *v1alpha1.ImageBuild
	)
	files := map[string]string{"etc/motd": "hello"}
	BeforeEach(func(ctx SpecContext) {
		namespace := newNamespace()
		images, builds = imagesIn(namespace), buildsIn(namespace)
		must(images.Create(ctx, newImage("debian"), metav1.CreateOptions{}))
		must(images.Instantiate(ctx, "debian", &v1alpha1.BuildRequest{
			RequestID: "first", Parameters: []v1alpha1.Parameter{{Name: "edition", Value: "server"}},
		}, metav1.CreateOptions{}))
		first = writeTo(ctx, builds, "debian-1", resolve(v1alpha1.ResolvedInputs{InputsDigest: digest('a'), BaseDigest: digest('b'), Files: files}))
	})

	rerun := func(ctx SpecContext, name, id string) (*v1alpha1.ImageBuild, error) {
		return builds.Rerun(ctx, name, &v1alpha1.RerunRequest{RequestID: id, Message: "again"}, metav1.CreateOptions{})
	}
	mustRerun := func(ctx SpecContext, name, id string) *v1alpha1.ImageBuild {
		GinkgoHelper()
		return must(rerun(ctx, name, id))
	}

	It("creates a build of the same inputs, pinned to their resolved values, even after the Image has changed", func(ctx SpecContext) {
		must(images.Patch(ctx, "debian", types.MergePatchType,
			[]byte(`{"spec":{"base":{"reference":"debian:trixie"},"runPolicy":"Parallel","timeouts":{"run":"2h"},"retry":{"limit":0}}}`), metav1.PatchOptions{}))
		build := mustRerun(ctx, "debian-1", "again")
		Expect(build.Name).To(Equal("debian-2"))
		Expect(build.Spec.Number).To(HaveValue(BeEquivalentTo(2)))
		Expect(build.Spec.ImageRef).To(Equal(first.Spec.ImageRef))
		Expect(build.OwnerReferences).To(Equal(first.OwnerReferences))
		Expect(build.Spec.ImageGeneration).To(HaveValue(BeEquivalentTo(1)))
		Expect(build.Spec.Inputs).To(Equal(first.Spec.Inputs))
		Expect(build.Spec.Timeouts).To(Equal(first.Spec.Timeouts))
		Expect(build.Spec.Retry).To(Equal(first.Spec.Retry))
		Expect(build.Spec.RunPolicy).To(Equal(v1alpha1.RunPolicyParallel), "which is the Image's, as it is")
		Expect(build.Spec.Pinned).To(HaveValue(Equal(v1alpha1.PinnedInputs{BaseDigest: digest('b'), Files: files})))
		Expect(build.Spec.Trigger).To(HaveValue(Equal(v1alpha1.BuildTrigger{
			Reason: v1alpha1.TriggerRerun, Message: "again", RequestedBy: "ada", RequestID: "again", RerunOf: "debian-1",
			Parameters: []v1alpha1.Parameter{{Name: "edition", Value: "server"}},
		})))
		Expect(build.Spec.OneOff).To(HaveValue(BeTrue()))
		Expect(build.Status).To(Equal(newBuildStatus(build)))
	})

	Describe("to make its artifacts again", func() {
		reproduce := func(ctx SpecContext, change ...func(*v1alpha1.RerunRequest)) (*v1alpha1.ImageBuild, error) {
			request := &v1alpha1.RerunRequest{RequestID: "reproduce", Reproduce: true}
			for _, c := range change {
				c(request)
			}
			return builds.Rerun(ctx, "debian-1", request, metav1.CreateOptions{})
		}

		It("gives a build that no channel can name", func(ctx SpecContext) {
			writeTo(ctx, builds, "debian-1", setPhase(v1alpha1.BuildQueued))
			writeTo(ctx, builds, "debian-1", startAttempt(1))
			first = writeTo(ctx, builds, "debian-1", succeed(1))
			build := must(reproduce(ctx))
			writeTo(ctx, builds, build.Name, resolve(*first.Status.Resolved), startAttempt(1))
			writeTo(ctx, builds, build.Name, succeed(1))
			channels := &v1alpha1.ImageChannels{ObjectMeta: metav1.ObjectMeta{Name: "debian"}, Channels: []v1alpha1.ImageChannel{{Name: "stable", Build: build.Name}}}
			Expect(errorOf(images.UpdateChannels(ctx, "debian", channels, metav1.UpdateOptions{}))).To(
				And(beInvalid("channels[0].build"), MatchError(ContainSubstring("was made to compare it with debian-1: name debian-1"))))
		})

		It("gives a one-off build that waits for no other, whatever the Image is now, and whose rerun is an ordinary one", func(ctx SpecContext) {
			must(images.Patch(ctx, "debian", types.MergePatchType, []byte(`{"spec":{"parameters":[{"name":"edition","value":"server"}]}}`), metav1.PatchOptions{}))
			write := func(changes ...func(*v1alpha1.ImageBuildStatus)) {
				first = writeTo(ctx, builds, "debian-1", changes...)
			}
			write(setPhase(v1alpha1.BuildQueued))
			write(startAttempt(1), func(status *v1alpha1.ImageBuildStatus) { status.Attempts[0].BuilderImage = "builder@" + digest('e') })
			write(succeed(1))
			build := must(reproduce(ctx))
			Expect(build.Spec.Reproduces).To(HaveValue(Equal(*attestation.Reproducible(first))))
			Expect(build.Spec.Reproduces).To(HaveValue(And(HaveField("BuilderImage", "builder@"+digest('e')), HaveField("Artifacts", Not(BeEmpty())))))
			Expect(build.Spec.OneOff).To(HaveValue(BeTrue()))
			Expect(build.Spec.RunPolicy).To(Equal(v1alpha1.RunPolicyParallel))
			Expect(build.Spec.Inputs).To(Equal(first.Spec.Inputs))
			Expect(build.Spec.Pinned).To(HaveValue(Equal(v1alpha1.PinnedInputs{BaseDigest: digest('b'), Files: files})))
			Expect(build.Spec.Trigger).To(HaveValue(And(HaveField("Reason", v1alpha1.TriggerRerun), HaveField("RerunOf", "debian-1"))))
			Expect(must(reproduce(ctx)).UID).To(Equal(build.UID))

			By("Its manifest can be applied again, and nobody changes what it reproduces")
			again := build.DeepCopy()
			again.Spec.Reproduces = nil
			Expect(must(builds.Update(ctx, again, metav1.UpdateOptions{})).Spec).To(Equal(build.Spec))
			again.Spec.Reproduces = build.Spec.Reproduces.DeepCopy()
			again.Spec.Reproduces.UID = "other"
			Expect(errorOf(builds.Update(ctx, again, metav1.UpdateOptions{}))).To(beInvalid("spec.reproduces"))

			ordinary := mustRerun(ctx, build.Name, "ordinary")
			Expect(ordinary.Spec.Reproduces).To(BeNil())
			Expect(ordinary.Spec.RunPolicy).To(Equal(v1alpha1.RunPolicySerial))

			By("The result is a condition of the first build, which its other writers keep")
			condition := func(kind string, status metav1.ConditionStatus) func(*v1alpha1.ImageBuildStatus) {
				return func(is *v1alpha1.ImageBuildStatus) {
					meta.SetStatusCondition(&is.Conditions, metav1.Condition{Type: kind, Status: status, Reason: "Because"})
				}
			}
			write(condition(v1alpha1.BuildReproduced, metav1.ConditionUnknown))
			write(condition(v1alpha1.BuildReproduced, metav1.ConditionTrue))
			write(condition(v1alpha1.BuildRecorded, metav1.ConditionTrue))
			Expect(meta.IsStatusConditionTrue(first.Status.Conditions, v1alpha1.BuildReproduced)).To(BeTrue())
			Expect(first.Status.Phase).To(Equal(v1alpha1.BuildSucceeded))
		})

		It("is refused where there are none, without a number", func(ctx SpecContext) {
			Expect(errorOf(reproduce(ctx))).To(And(beInvalid("reproduce"),
				MatchError(ContainSubstring("build debian-1 is Pending and has no artifacts to make again: wait until the build has succeeded, or name a build that has succeeded"))))
			writeTo(ctx, builds, "debian-1", func(status *v1alpha1.ImageBuildStatus) {
				status.Phase, status.CompletionTime, status.Failure = v1alpha1.BuildFailed, new(metav1.Now()), v1alpha1.ReasonQueueTimeout.Failure("no room")
			})
			Expect(errorOf(reproduce(ctx))).To(And(beInvalid("reproduce"),
				MatchError(ContainSubstring("build debian-1 is Failed and has no artifacts to make again: name a build that has succeeded"))))
			Expect(must(images.Get(ctx, "debian", metav1.GetOptions{})).Status.BuildCounter).To(BeEquivalentTo(1))
		})

		It("is not for a client that only creates builds", func(ctx SpecContext) {
			build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{GenerateName: "debian-"}, Spec: v1alpha1.ImageBuildSpec{
				ImageRef: &v1alpha1.ImageReference{Name: "debian"}, Trigger: &v1alpha1.BuildTrigger{RerunOf: "debian-1"},
				Reproduces: &v1alpha1.Reproduction{Name: "debian-1", UID: first.UID, Artifacts: []v1alpha1.ReproducedArtifact{{Target: "linux/amd64/raw", Digest: digest('a')}}},
			}}
			Expect(errorOf(builds.Create(ctx, build, metav1.CreateOptions{}))).To(beInvalid("spec"))
		})
	})

	It("is one-off unless the Image's inputs resolve to the same now", func(ctx SpecContext) {
		base := must(images.Create(ctx, newImage("base"), metav1.CreateOptions{}))
		moveTo := func(digest string) {
			GinkgoHelper()
			base.Status.LatestSuccessful = &v1alpha1.SuccessfulBuild{
				Name: "base-1", Number: 1, InputsDigest: digest, CompletionTime: metav1.Now(), Artifacts: []v1alpha1.Artifact{{Target: "linux/amd64/raw", Digest: digest, MediaType: "application/octet-stream"}},
			}
			base = must(images.UpdateStatus(ctx, base, metav1.UpdateOptions{}))
		}
		moveTo(digest('c'))
		image := newImage("web")
		image.Spec.Base = v1alpha1.Base{ImageRef: &v1alpha1.BaseImageReference{Name: "base"}}
		must(images.Create(ctx, image, metav1.CreateOptions{}))
		must(images.Instantiate(ctx, "web", request("first"), metav1.CreateOptions{}))
		Expect(mustRerun(ctx, "web-1", "unresolved").Spec.OneOff).To(HaveValue(BeFalse()), "it resolves its inputs as the Image's own")
		writeTo(ctx, builds, "web-1", resolve(v1alpha1.ResolvedInputs{InputsDigest: digest('a'), BaseDigest: digest('c')}))
		must(images.Patch(ctx, "web", types.MergePatchType, []byte(`{"spec":{"suspend":true}}`), metav1.PatchOptions{}))
		same := mustRerun(ctx, "web-1", "same")
		Expect(same.Spec.OneOff).To(HaveValue(BeFalse()))
		Expect(same.Spec.ImageGeneration).To(HaveValue(BeEquivalentTo(2)), "its inputs are those of the present generation")

		moveTo(digest('d'))
		other := mustRerun(ctx, "web-1", "other")
		Expect(other.Spec.OneOff).To(HaveValue(BeTrue()), "the base has moved")
		Expect(other.Spec.ImageGeneration).To(HaveValue(BeEquivalentTo(1)))
		Expect(mustRerun(ctx, "web-1", "same").Spec.OneOff).To(HaveValue(BeFalse()), "which was decided before")
		Expect(images.Delete(ctx, "base", metav1.DeleteOptions{})).To(Succeed())
		Expect(mustRerun(ctx, "web-1", "without a base").Spec.OneOff).To(HaveValue(BeTrue()))
	})

	It("pins the same when a rerun is rerun, before it resolved and after", func(ctx SpecContext) {
		second := mustRerun(ctx, "debian-1", "second")
		third := mustRerun(ctx, second.Name, "third")
		Expect(third.Spec.Pinned).To(Equal(second.Spec.Pinned))
		Expect(third.Spec.Trigger.RerunOf).To(Equal(second.Name))
		writeTo(ctx, builds, third.Name, resolve(*first.Status.Resolved))
		fourth := mustRerun(ctx, third.Name, "fourth")
		Expect(fourth.Spec.Pinned).To(Equal(second.Spec.Pinned))
		Expect(fourth.Spec.Inputs).To(Equal(first.Spec.Inputs))
	})

	It("pins nothing where nothing was resolved", func(ctx SpecContext) {
		second := must(images.Instantiate(ctx, "debian", request("second"), metav1.CreateOptions{}))
		Expect(mustRerun(ctx, second.Name, "again").Spec.Pinned).To(BeNil())
	})

	It("answers the same request with the same build, also at once", func(ctx SpecContext) {
		var wait sync.WaitGroup
		uids := make([]types.UID, 10)
		for i := range uids {
			wait.Go(func() {
				if build, err := rerun(ctx, "debian-1", "same"); err == nil {
					uids[i] = build.UID
				}
			})
		}
		wait.Wait()
		Expect(uids).To(HaveEach(Equal(uids[0])))
		Expect(uids[0]).NotTo(BeEmpty())
		Expect(must(builds.List(ctx, metav1.ListOptions{})).Items).To(HaveLen(2))
	})

	It("makes two builds of two requests without an ID", func(ctx SpecContext) {
		Expect(mustRerun(ctx, "debian-1", "").Name).To(Equal("debian-2"))
		Expect(mustRerun(ctx, "debian-1", "").Name).To(Equal("debian-3"))
	})

	It("answers 410 for a request whose build was deleted", func(ctx SpecContext) {
		build := mustRerun(ctx, "debian-1", "again")
		image := must(images.Get(ctx, "debian", metav1.GetOptions{}))
		image.Status.RecentRequests[1].UID = build.UID
		must(images.UpdateStatus(ctx, image, metav1.UpdateOptions{}))
		Expect(builds.Delete(ctx, build.Name, metav1.DeleteOptions{})).To(Succeed())
		Expect(errorOf(rerun(ctx, "debian-1", "again"))).To(Satisfy(apierrors.IsGone))
	})

	It("stores nothing in a dry run", func(ctx SpecContext) {
		build := must(builds.Rerun(ctx, "debian-1", &v1alpha1.RerunRequest{}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}))
		Expect(build.Name).To(Equal("debian-2"))
		Expect(errorOf(builds.Get(ctx, "debian-2", metav1.GetOptions{}))).To(Satisfy(apierrors.IsNotFound))
	})

	It("refuses a build that was created directly, and names the next step", func(ctx SpecContext) {
		must(builds.Create(ctx, newBuild("once"), metav1.CreateOptions{}))
		Expect(errorOf(rerun(ctx, "once", "again"))).To(
			And(beInvalid("metadata.name"), MatchError(ContainSubstring("create an ImageBuild with the same inputs"))))
	})

	It("refuses a build whose Image is deleted or replaced", func(ctx SpecContext) {
		Expect(images.Delete(ctx, "debian", metav1.DeleteOptions{})).To(Succeed())
		_, err := rerun(ctx, "debian-1", "again")
		Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%v", err)
		Expect(err).To(MatchError(ContainSubstring(`images.images.goldsmith.dev "debian" not found: imagebuild "debian-1" cannot be rerun without its Image`)))
		must(images.Create(ctx, newImage("debian"), metav1.CreateOptions{}))
		Expect(errorOf(rerun(ctx, "debian-1", "again"))).To(
			And(Satisfy(apierrors.IsConflict), MatchError(ContainSubstring("a deleted Image of the same name"))))
		Expect(must(images.Get(ctx, "debian", metav1.GetOptions{})).Status.BuildCounter).To(BeZero())
	})

	It("refuses a build that is not there, and names every field of an invalid request", func(ctx SpecContext) {
		Expect(errorOf(rerun(ctx, "debian-9", "again"))).To(
			And(Satisfy(apierrors.IsNotFound), MatchError(ContainSubstring(`imagebuilds.images.goldsmith.dev "debian-9" not found`))))
		_, err := builds.Rerun(ctx, "debian-1", &v1alpha1.RerunRequest{ObjectMeta: metav1.ObjectMeta{Name: "x"}, RequestID: "a\tb"}, metav1.CreateOptions{})
		Expect(fieldsOf(err)).To(ConsistOf("metadata.name", "requestID"))
	})
})
