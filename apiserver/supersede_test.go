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
)

var _ = Describe("Superseding a build", func() {
	var (
		images typed.ImageInterface
		builds typed.ImageBuildInterface
	)
	BeforeEach(func(ctx SpecContext) {
		namespace := newNamespace()
		images, builds = imagesIn(namespace), buildsIn(namespace)
		for _, name := range []string{"debian", "ubuntu"} {
			must(images.Create(ctx, newImage(name), metav1.CreateOptions{}))
			for _, id := range []string{"a", "b", "c"} {
				must(images.Instantiate(ctx, name, request(id), metav1.CreateOptions{}))
			}
		}
		must(builds.Create(ctx, newBuild("once"), metav1.CreateOptions{}))
	})
	supersede := func(ctx SpecContext, name, by string) (*v1alpha1.ImageBuild, error) {
		return builds.Cancel(ctx, name, &v1alpha1.CancelRequest{SupersededBy: by}, metav1.CreateOptions{})
	}

	It("cancels it while it waits", func(ctx SpecContext) {
		for _, change := range []func(*v1alpha1.ImageBuildStatus){setPhase(v1alpha1.BuildPending), setPhase(v1alpha1.BuildQueued)} {
			name := "debian-1"
			writeTo(ctx, builds, name, change)
			build := must(builds.Cancel(ctx, name, &v1alpha1.CancelRequest{SupersededBy: "debian-3"}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}))
			Expect(build.Spec.CancelRequested.SupersededBy).To(Equal("debian-3"))
		}
		build := must(supersede(ctx, "debian-1", "debian-3"))
		Expect(build.Spec.CancelRequested.SupersededBy).To(Equal("debian-3"))
		Expect(supersede(ctx, "debian-1", "debian-2")).To(Equal(build), "once")
	})

	It("leaves it alone once anything was begun for it", func(ctx SpecContext) {
		started := writeTo(ctx, builds, "debian-1", startAttempt(1))
		Expect(supersede(ctx, "debian-1", "debian-3")).To(Equal(started))
		suspended := writeTo(ctx, builds, "debian-1", setPhase(v1alpha1.BuildQueued))
		Expect(supersede(ctx, "debian-1", "debian-3")).To(Equal(suspended), "it waits, but has an attempt")
		build := must(builds.Cancel(ctx, "debian-1", &v1alpha1.CancelRequest{}, metav1.CreateOptions{}))
		Expect(build.Spec.CancelRequested).To(HaveValue(HaveField("SupersededBy", "")))
	})

	It("is a conflict while the newer build is on its way out itself", func(ctx SpecContext) {
		conflicts := func(by string) {
			GinkgoHelper()
			_, err := supersede(ctx, "debian-1", by)
			Expect(apierrors.IsConflict(err)).To(BeTrue(), "%v", err)
			Expect(err).To(MatchError(ContainSubstring("build " + by + ", the value of supersededBy, is being cancelled or deleted")))
			Expect(must(builds.Get(ctx, "debian-1", metav1.GetOptions{})).Spec.CancelRequested).To(BeNil())
		}
		must(builds.Cancel(ctx, "debian-2", &v1alpha1.CancelRequest{}, metav1.CreateOptions{}))
		conflicts("debian-2")
		deleteSlowly(ctx, builds, "debian-3")
		conflicts("debian-3")
		must(images.Instantiate(ctx, "debian", request("d"), metav1.CreateOptions{}))
		writeTo(ctx, builds, "debian-4", func(status *v1alpha1.ImageBuildStatus) {
			status.Phase, status.CompletionTime = v1alpha1.BuildCancelled, new(metav1.Now())
			status.Failure = &v1alpha1.BuildFailure{Class: v1alpha1.FailureCancelled, Reason: v1alpha1.ReasonCancelRequested}
		})
		conflicts("debian-4")
	})

	It("takes a newer build of the same Image", func(ctx SpecContext) {
		for by, message := range map[string]string{
			"debian-2": "name a build with a number greater than 2",
			"debian-1": "name a build with a number greater than 2",
			"debian-9": "build not found",
			"ubuntu-3": "must be a build of the same Image: name a newer build of Image debian",
			"once":     "must be a build of the same Image: name a newer build of Image debian",
			"A":        "must consist of lower case",
		} {
			_, err := supersede(ctx, "debian-2", by)
			Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%s: %v", by, err)
			Expect(fieldsOf(err)).To(HaveEach("supersededBy"), by)
			Expect(err).To(MatchError(ContainSubstring(message)), by)
		}
		Expect(errorOf(supersede(ctx, "once", "debian-3"))).To(And(beInvalid("supersededBy"), MatchError(ContainSubstring("not a build of an Image"))))
	})
})

// deleteSlowly deletes a build that stays until somebody removes its finalizer.
func deleteSlowly(ctx SpecContext, builds typed.ImageBuildInterface, name string) {
	GinkgoHelper()
	must(builds.Patch(ctx, name, types.MergePatchType, []byte(`{"metadata":{"finalizers":["example.com/wait"]}}`), metav1.PatchOptions{}))
	Expect(builds.Delete(ctx, name, metav1.DeleteOptions{})).To(Succeed())
}
