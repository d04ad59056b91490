// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	typed "goldsmith.dev/goldsmith/apis/generated/clientset/versioned/typed/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	buildinputs "goldsmith.dev/goldsmith/jobs/inputs"
)

var _ = Describe("Testing a build again", func() {
	const tests = `{"spec":{"tests":[{"name":"boots","boot":{},"required":false},{"name":"web","boot":{},"checks":{"ports":[{"port":80}]}}]}}`
	var (
		images typed.ImageInterface
		builds typed.ImageBuildInterface
		image  *v1alpha1.Image
		first  *v1alpha1.ImageBuild
	)
	inputsDigest := func() string {
		return buildinputs.Digest(image.Spec.BuildInputs, buildinputs.Files(image.Spec.BuildInputs, nil), "", "")
	}
	BeforeEach(func(ctx SpecContext) {
		namespace := newNamespace()
		images, builds = imagesIn(namespace), buildsIn(namespace)
		image = must(images.Create(ctx, newImage("debian"), metav1.CreateOptions{}))
		must(images.Instantiate(ctx, "debian", request("first"), metav1.CreateOptions{}))
	})
	// finish lets the first build succeed, and gives the Image its tests.
	finish := func(ctx SpecContext) {
		GinkgoHelper()
		writeTo(ctx, builds, "debian-1", resolve(v1alpha1.ResolvedInputs{InputsDigest: inputsDigest()}))
		writeTo(ctx, builds, "debian-1", startAttempt(1))
		first = writeTo(ctx, builds, "debian-1", succeed(1), func(status *v1alpha1.ImageBuildStatus) {
			its := &status.Artifacts[0]
			its.Location, its.Tag = v1alpha1.ArtifactPath(image.Namespace, "debian-1", its.Digest), "debian-1"
		})
		image = must(images.Patch(ctx, "debian", types.MergePatchType, []byte(tests), metav1.PatchOptions{}))
	}
	test := func(ctx SpecContext, name string, change ...func(*v1alpha1.TestRequest)) (*v1alpha1.ImageBuild, error) {
		request := &v1alpha1.TestRequest{RequestID: "again", Message: "the mirror is back"}
		for _, c := range change {
			c(request)
		}
		return builds.Test(ctx, name, request, metav1.CreateOptions{})
	}
	only := func(names ...string) func(*v1alpha1.TestRequest) {
		return func(request *v1alpha1.TestRequest) { request.Tests = names }
	}

	It("creates a build that has the artifacts and the inputs of the earlier build, and the tests of the Image", func(ctx SpecContext) {
		finish(ctx)
		build := must(test(ctx, "debian-1"))
		Expect(build.Name).To(Equal("debian-2"))
		Expect(build.Spec.Inputs).To(Equal(first.Spec.Inputs))
		Expect(build.Spec.Pinned).To(HaveValue(Equal(*buildinputs.Pinned(first))))
		Expect(build.Spec.Tests).To(Equal(image.Spec.Tests))
		artifact := first.Status.Artifacts[0]
		artifact.Tag, artifact.Location = "", v1alpha1.ArtifactPath(image.Namespace, "debian-2", artifact.Digest)
		Expect(build.Spec.Retests).To(HaveValue(Equal(v1alpha1.TestedBuild{Name: "debian-1", UID: first.UID, Artifacts: []v1alpha1.Artifact{artifact}})))
		Expect(build.Spec.Trigger).To(HaveValue(Equal(v1alpha1.BuildTrigger{
			Reason: v1alpha1.TriggerManual, Message: "the mirror is back", RequestedBy: "ada", RequestID: "again",
		})))
		Expect(build.Spec.OneOff).To(HaveValue(BeFalse()), "its inputs, tests and artifacts are the present ones")
		Expect(build.Spec.ImageGeneration).To(HaveValue(Equal(image.Generation)))
		Expect(must(test(ctx, "debian-1")).UID).To(Equal(build.UID))

		By("Its manifest can be applied again, and nobody changes what it tests")
		again := build.DeepCopy()
		again.Spec.Retests = nil
		Expect(must(builds.Update(ctx, again, metav1.UpdateOptions{})).Spec).To(Equal(build.Spec))
		again.Spec.Retests = build.Spec.Retests.DeepCopy()
		again.Spec.Retests.UID = "other"
		Expect(errorOf(builds.Update(ctx, again, metav1.UpdateOptions{}))).To(beInvalid("spec.retests"))

		By("A rerun of it makes artifacts, and tests them")
		rerun := must(builds.Rerun(ctx, "debian-2", &v1alpha1.RerunRequest{RequestID: "rerun"}, metav1.CreateOptions{}))
		Expect(rerun.Spec.Retests).To(BeNil())
		Expect(rerun.Spec.Tests).To(Equal(image.Spec.Tests))
	})

	It("is one-off with some of the tests, and for a build of other inputs or other artifacts", func(ctx SpecContext) {
		finish(ctx)
		some := must(test(ctx, "debian-1", only("web")))
		Expect(some.Spec.Tests).To(ConsistOf(HaveField("Name", "web")))
		Expect(some.Spec.OneOff).To(HaveValue(BeTrue()))
		other := func(id string) func(*v1alpha1.TestRequest) {
			return func(request *v1alpha1.TestRequest) { request.RequestID = id }
		}
		must(images.Instantiate(ctx, "debian", request("second"), metav1.CreateOptions{}))
		writeTo(ctx, builds, "debian-3", resolve(v1alpha1.ResolvedInputs{InputsDigest: inputsDigest()}))
		writeTo(ctx, builds, "debian-3", startAttempt(1))
		writeTo(ctx, builds, "debian-3", endAttempt(1, v1alpha1.AttemptSucceeded), func(status *v1alpha1.ImageBuildStatus) {
			status.Phase, status.Artifacts = v1alpha1.BuildTesting, []v1alpha1.Artifact{{Target: "linux/amd64/raw", Digest: digest('d'), MediaType: "application/octet-stream"}}
			status.Tests = []v1alpha1.TestStatus{{Name: "boots", Target: "linux/amd64/raw"}, {Name: "web", Target: "linux/amd64/raw", Gates: true}}
		})
		Expect(errorOf(test(ctx, "debian-3", other("testing")))).To(And(Satisfy(apierrors.IsConflict), MatchError(ContainSubstring("it is Testing: wait until it has finished"))))
		writeTo(ctx, builds, "debian-3", func(status *v1alpha1.ImageBuildStatus) {
			now := metav1.Now()
			status.Phase, status.CompletionTime = v1alpha1.BuildFailed, &now
			status.Failure = v1alpha1.ReasonTestMachineFailed.Failure("no outcome")
		})
		Expect(must(test(ctx, "debian-3", other("newest"))).Spec.OneOff).To(HaveValue(BeFalse()))
		Expect(must(test(ctx, "debian-1", other("older"))).Spec.OneOff).To(HaveValue(BeTrue()))
		must(images.Patch(ctx, "debian", types.MergePatchType, []byte(`{"spec":{"base":{"reference":"debian:trixie"}}}`), metav1.PatchOptions{}))
		Expect(must(test(ctx, "debian-3", other("changed"))).Spec.OneOff).To(HaveValue(BeTrue()))
	})

	It("is refused where nothing can be tested, without a number", func(ctx SpecContext) {
		const field = "metadata.name"
		Expect(errorOf(test(ctx, "debian-7"))).To(Satisfy(apierrors.IsNotFound))
		Expect(errorOf(test(ctx, "debian-1"))).To(And(Satisfy(apierrors.IsConflict), MatchError(ContainSubstring("it is Pending: wait until it has finished"))))
		finish(ctx)
		Expect(errorOf(test(ctx, "debian-1", only("boots", "login")))).To(And(beInvalid("tests[1]"), MatchError(ContainSubstring(`"boots", "web"`))))
		Expect(errorOf(test(ctx, "debian-1", func(request *v1alpha1.TestRequest) { request.UID = "other" }))).To(And(Satisfy(apierrors.IsGone), MatchError(ContainSubstring("was deleted, with its artifacts"))))
		Expect(errorOf(test(ctx, "debian-1", func(request *v1alpha1.TestRequest) { request.RequestID = "tests:none:1" }))).To(beInvalid("requestID"))
		must(images.Patch(ctx, "debian", types.MergePatchType, []byte(`{"spec":{"tests":null}}`), metav1.PatchOptions{}))
		Expect(errorOf(test(ctx, "debian-1"))).To(And(beInvalid("tests"), MatchError(ContainSubstring("set spec.tests of Image debian"))))

		must(images.Instantiate(ctx, "debian", request("second"), metav1.CreateOptions{}))
		writeTo(ctx, builds, "debian-2", func(status *v1alpha1.ImageBuildStatus) {
			now := metav1.Now()
			status.Phase, status.CompletionTime, status.Failure = v1alpha1.BuildFailed, &now, v1alpha1.ReasonSourceNotFound.Failure("nothing")
		})
		Expect(errorOf(test(ctx, "debian-2"))).To(And(beInvalid(field), MatchError(ContainSubstring("is Failed and has no artifacts that could be tested"))))
		must(builds.Create(ctx, newBuild("once"), metav1.CreateOptions{}))
		Expect(errorOf(test(ctx, "once"))).To(And(beInvalid(field), MatchError(ContainSubstring("is not a build of an Image"))))
		Expect(must(images.Get(ctx, "debian", metav1.GetOptions{})).Status.BuildCounter).To(BeEquivalentTo(2))
	})

	Describe("because the tests have changed", func() {
		ask := func(ctx SpecContext, digest string) (*v1alpha1.ImageBuild, error) {
			request := &v1alpha1.BuildRequest{RequestID: "tests:" + digest + ":1", Reason: v1alpha1.TriggerTestsChange, Message: "the tests differ"}
			return images.Instantiate(ctx, "debian", request, metav1.CreateOptions{})
		}

		It("tests the artifacts of the last build, once, and only while that is due", func(ctx SpecContext) {
			finish(ctx)
			Expect(errorOf(ask(ctx, digest('a')))).To(And(Satisfy(apierrors.IsConflict), MatchError(ContainSubstring("no trigger requests a build"))))
			wanted := buildinputs.TestsDigest(image.Spec.Tests)
			build := must(ask(ctx, wanted))
			Expect(build.Spec.Retests).To(HaveValue(HaveField("Name", "debian-1")))
			Expect(build.Spec.Tests).To(Equal(image.Spec.Tests))
			Expect(build.Spec.OneOff).To(BeNil())
			Expect(build.Spec.Trigger.Reason).To(Equal(v1alpha1.TriggerTestsChange))
			Expect(must(ask(ctx, wanted)).UID).To(Equal(build.UID))
			Expect(errorOf(images.Instantiate(ctx, "debian", &v1alpha1.BuildRequest{Reason: v1alpha1.TriggerTestsChange}, metav1.CreateOptions{}))).To(beInvalid("reason"))
		})

		It("is no longer due if the build was deleted", func(ctx SpecContext) {
			finish(ctx)
			Expect(builds.Delete(ctx, "debian-1", metav1.DeleteOptions{})).To(Succeed())
			Expect(errorOf(ask(ctx, buildinputs.TestsDigest(image.Spec.Tests)))).To(Satisfy(apierrors.IsConflict))
		})
	})
})
