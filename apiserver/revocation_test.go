// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	typed "goldsmith.dev/goldsmith/apis/generated/clientset/versioned/typed/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

var _ = Describe("Revoking a build", func() {
	var (
		images   typed.ImageInterface
		builds   typed.ImageBuildInterface
		contents typed.RevokedArtifactInterface
	)
	// made is the artifact of debian-1.
	made := v1alpha1.Artifact{Target: "linux/amd64/raw", Digest: digest('c'), MediaType: "application/octet-stream"}
	onDebian := v1alpha1.ResolvedInputs{InputsDigest: digest('e'), BaseDigest: digest('c'), Base: &v1alpha1.BaseBuild{Name: "debian-1", Artifacts: []v1alpha1.Artifact{made}}}
	other := *onDebian.DeepCopy()
	other.Base.Artifacts[0].Digest = digest('d')
	BeforeEach(func(ctx SpecContext) {
		namespace := newNamespace()
		images, builds, contents = imagesIn(namespace), buildsIn(namespace), client.ImagesV1alpha1().RevokedArtifacts(namespace)
		for _, name := range []string{"debian", "web", "shop", "old"} {
			must(images.Create(ctx, newImage(name), metav1.CreateOptions{}))
			must(images.Instantiate(ctx, name, request("a"), metav1.CreateOptions{}))
		}
		writeTo(ctx, builds, "debian-1", resolve(v1alpha1.ResolvedInputs{InputsDigest: digest('f')}), startAttempt(1))
		writeTo(ctx, builds, "debian-1", succeed(1))
		writeTo(ctx, builds, "web-1", resolve(onDebian), startAttempt(1))
		writeTo(ctx, builds, "web-1", succeed(1), func(status *v1alpha1.ImageBuildStatus) { status.Artifacts[0].Digest = digest('a') })
		writeTo(ctx, builds, "shop-1", resolve(v1alpha1.ResolvedInputs{
			InputsDigest: digest('e'), BaseDigest: digest('a'),
			Base: &v1alpha1.BaseBuild{Name: "web-1", Artifacts: []v1alpha1.Artifact{{Target: "linux/amd64/raw", Digest: digest('a'), MediaType: "application/octet-stream"}}},
		}), startAttempt(1))
		writeTo(ctx, builds, "old-1", resolve(other), startAttempt(1)) // of an earlier build of this name
	})
	revoke := func(ctx SpecContext, name string, request v1alpha1.RevokeRequest) (*v1alpha1.ImageBuild, error) {
		return builds.Revoke(ctx, name, &request, metav1.CreateOptions{})
	}
	revoked := func(ctx SpecContext) map[string]string {
		found := map[string]string{}
		for _, build := range must(builds.List(ctx, metav1.ListOptions{})).Items {
			if build.Status.Revoked != nil {
				found[build.Name] = build.Status.Revoked.Origin
			}
		}
		return found
	}

	It("revokes it once, and restores it", func(ctx SpecContext) {
		build := must(revoke(ctx, "debian-1", v1alpha1.RevokeRequest{Reason: "wrong key"}))
		Expect(build.Status.Revoked).To(HaveValue(And(HaveField("Reason", "wrong key"), HaveField("By", "ada"), HaveField("EffectiveTime", BeNil()))))
		Expect(build.Status.Phase).To(Equal(v1alpha1.BuildSucceeded))
		Expect(revoke(ctx, "debian-1", v1alpha1.RevokeRequest{Reason: "another"})).To(Equal(build))
		Expect(revoked(ctx)).To(Equal(map[string]string{"debian-1": ""}))

		restored := must(builds.Restore(ctx, "debian-1", &v1alpha1.RestoreRequest{Reason: "the right one"}, metav1.CreateOptions{}))
		Expect(restored.Status.Revoked).To(BeNil())
		Expect(meta.FindStatusCondition(restored.Status.Conditions, v1alpha1.BuildRevoked)).To(HaveValue(And(
			HaveField("Status", metav1.ConditionUnknown), HaveField("Reason", v1alpha1.ReasonRestored), HaveField("Message", "restored by ada: the right one"))))
		Expect(builds.Restore(ctx, "debian-1", &v1alpha1.RestoreRequest{}, metav1.CreateOptions{})).To(Equal(restored), "it is not revoked")
	})

	It("can be scheduled, and scheduled anew", func(ctx SpecContext) {
		in := func(after time.Duration) *metav1.Time {
			return new(metav1.NewTime(time.Now().Add(after)).Rfc3339Copy())
		}
		first, second := in(time.Hour), in(2*time.Hour)
		must(revoke(ctx, "debian-1", v1alpha1.RevokeRequest{Reason: "end of life", EffectiveTime: first}))
		build := must(revoke(ctx, "debian-1", v1alpha1.RevokeRequest{Reason: "end of life", EffectiveTime: second}))
		Expect(build.Status.Revoked.EffectiveTime.Unix()).To(Equal(second.Unix()))
		build = must(revoke(ctx, "debian-1", v1alpha1.RevokeRequest{Reason: "now"}))
		Expect(build.Status.Revoked).To(HaveValue(And(HaveField("Reason", "now"), HaveField("EffectiveTime", BeNil()))))
		Expect(errorOf(revoke(ctx, "debian-1", v1alpha1.RevokeRequest{Reason: "late", EffectiveTime: in(-time.Minute)}))).To(And(
			beInvalid("effectiveTime"), MatchError(ContainSubstring("must be in the future"))))
	})

	It("takes what is based on it along on request, and gives only that back", func(ctx SpecContext) {
		must(builds.Revoke(ctx, "debian-1", &v1alpha1.RevokeRequest{Reason: "wrong key", Descendants: true}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}))
		Expect(revoked(ctx)).To(BeEmpty())
		must(revoke(ctx, "web-1", v1alpha1.RevokeRequest{Reason: "its own"}))
		must(revoke(ctx, "debian-1", v1alpha1.RevokeRequest{Reason: "wrong key", Descendants: true}))
		Expect(revoked(ctx)).To(Equal(map[string]string{"debian-1": "", "web-1": "", "shop-1": "debian-1"}))
		must(builds.Restore(ctx, "debian-1", &v1alpha1.RestoreRequest{}, metav1.CreateOptions{}))
		Expect(revoked(ctx)).To(Equal(map[string]string{"web-1": "", "shop-1": "debian-1"}))
		must(builds.Restore(ctx, "debian-1", &v1alpha1.RestoreRequest{Descendants: true}, metav1.CreateOptions{}))
		Expect(revoked(ctx)).To(Equal(map[string]string{"web-1": ""}))
	})

	It("takes all builds of the same artifacts along, and gives all of them back", func(ctx SpecContext) {
		image := must(images.Get(ctx, "debian", metav1.GetOptions{}))
		image.Spec.Tests = []v1alpha1.ImageTest{{Name: "boots", Boot: &v1alpha1.TestBoot{}}}
		must(images.Update(ctx, image, metav1.UpdateOptions{}))
		retest := must(builds.Test(ctx, "debian-1", &v1alpha1.TestRequest{RequestID: "b"}, metav1.CreateOptions{}))

		must(revoke(ctx, retest.Name, v1alpha1.RevokeRequest{Reason: "wrong key", Descendants: true}))
		Expect(revoked(ctx)).To(Equal(map[string]string{"debian-1": retest.Name, retest.Name: "", "web-1": retest.Name, "shop-1": retest.Name}))
		Expect(errorOf(builds.Test(ctx, "debian-1", &v1alpha1.TestRequest{RequestID: "c"}, metav1.CreateOptions{}))).To(And(
			beInvalid("metadata.name"), MatchError(ContainSubstring("is revoked: build the image again, or take that back: goldsmith unrevoke debian-1. It was revoked by ada with "+retest.Name))))
		must(builds.Restore(ctx, "debian-1", &v1alpha1.RestoreRequest{Descendants: true}, metav1.CreateOptions{}))
		Expect(revoked(ctx)).To(BeEmpty())
	})

	It("counts more for the build itself than together with its base", func(ctx SpecContext) {
		in := func(after time.Duration) *metav1.Time {
			return new(metav1.NewTime(time.Now().Add(after)).Rfc3339Copy())
		}
		must(revoke(ctx, "debian-1", v1alpha1.RevokeRequest{Reason: "wrong key", Descendants: true}))
		must(revoke(ctx, "web-1", v1alpha1.RevokeRequest{Reason: "end of life", EffectiveTime: in(time.Hour)}))
		Expect(revoked(ctx)).To(HaveKeyWithValue("web-1", "debian-1"), "a revocation is not postponed")
		build := must(revoke(ctx, "web-1", v1alpha1.RevokeRequest{Reason: "its own"}))
		Expect(build.Status.Revoked).To(HaveValue(And(HaveField("Reason", "its own"), HaveField("Origin", ""))))
		must(builds.Restore(ctx, "debian-1", &v1alpha1.RestoreRequest{Descendants: true}, metav1.CreateOptions{}))
		Expect(revoked(ctx)).To(Equal(map[string]string{"web-1": ""}))

		must(revoke(ctx, "shop-1", v1alpha1.RevokeRequest{Reason: "end of life", EffectiveTime: in(time.Hour)}))
		must(revoke(ctx, "debian-1", v1alpha1.RevokeRequest{Reason: "later", EffectiveTime: in(2 * time.Hour), Descendants: true}))
		Expect(revoked(ctx)).To(Equal(map[string]string{"debian-1": "", "web-1": "", "shop-1": ""}))
		must(revoke(ctx, "debian-1", v1alpha1.RevokeRequest{Reason: "now", Descendants: true}))
		Expect(revoked(ctx)).To(HaveKeyWithValue("shop-1", "debian-1"))
	})

	It("is not undone by the controller, and ends what runs", func(ctx SpecContext) {
		must(revoke(ctx, "shop-1", v1alpha1.RevokeRequest{Reason: "wrong key"}))
		Expect(errorOf(tryWriteTo(ctx, builds, "shop-1", succeed(1)))).To(MatchError(ContainSubstring("the build is revoked, so that it cannot succeed")))
		build := writeTo(ctx, builds, "shop-1", setPhase(v1alpha1.BuildRunning), func(status *v1alpha1.ImageBuildStatus) { status.Revoked = nil })
		Expect(build.Status.Revoked).NotTo(BeNil())
		build = writeTo(ctx, builds, "web-1", func(status *v1alpha1.ImageBuildStatus) {
			meta.SetStatusCondition(&status.Conditions, metav1.Condition{Type: v1alpha1.BuildRevoked, Status: metav1.ConditionTrue, Reason: "Revoked"})
		})
		Expect(meta.IsStatusConditionTrue(build.Status.Conditions, v1alpha1.BuildRevoked)).To(BeTrue(), "the condition of a finished build may change")
	})

	It("refuses channels, and an Image keeps the revocation of a deleted build", func(ctx SpecContext) {
		channels := func(name string) *v1alpha1.ImageChannels {
			return &v1alpha1.ImageChannels{ObjectMeta: metav1.ObjectMeta{Name: "debian"}, Channels: []v1alpha1.ImageChannel{{Name: name, Build: "debian-1"}}}
		}
		must(images.UpdateChannels(ctx, "debian", channels("stable"), metav1.UpdateOptions{}))
		must(revoke(ctx, "debian-1", v1alpha1.RevokeRequest{Reason: "wrong key"}))
		_, err := images.UpdateChannels(ctx, "debian", channels("testing"), metav1.UpdateOptions{})
		Expect(err).To(And(beInvalid("channels[0].build"), MatchError(ContainSubstring(
			"is revoked: name another build, or take that back: goldsmith unrevoke debian-1. It was revoked by ada: wrong key"))))
		must(images.UpdateChannels(ctx, "debian", channels("stable"), metav1.UpdateOptions{})) // which it has

		image := must(images.Get(ctx, "debian", metav1.GetOptions{}))
		image.Status.Channels = []v1alpha1.ImageChannel{{Name: "stable", Build: "debian-1", Revoked: &v1alpha1.Revocation{Reason: "copied"}}, {Name: "edge", Build: "debian-1"}}
		image = must(images.UpdateStatus(ctx, image, metav1.UpdateOptions{}))
		Expect(image.Status.Channels).To(HaveExactElements(And(HaveField("Digest", digest('c')), HaveField("Revoked.Reason", "copied"))), "only the revocation of a channel is the controller's")

		Expect(builds.Delete(ctx, "debian-1", metav1.DeleteOptions{})).To(Succeed())
		image = must(images.Get(ctx, "debian", metav1.GetOptions{}))
		Expect(image.Status.Channels).To(HaveExactElements(HaveField("Revoked.Reason", "wrong key")))
	})

	Describe("revokes its content", func() {
		name := v1alpha1.RevokedArtifactName
		recorded := func(ctx SpecContext) map[string]string {
			found := map[string]string{}
			for _, content := range must(contents.List(ctx, metav1.ListOptions{})).Items {
				found[content.Spec.Digest] = content.Spec.Build + ": " + content.Spec.Revocation.Reason
			}
			return found
		}
		// again creates the Image debian anew, and an Image other. Both have a build that is about to make the content of debian-1 again.
		again := func(ctx SpecContext) {
			GinkgoHelper()
			Expect(images.Delete(ctx, "debian", metav1.DeleteOptions{})).To(Succeed())
			Expect(builds.Delete(ctx, "debian-1", metav1.DeleteOptions{})).To(Succeed()) // the garbage collector does that
			for _, image := range []string{"debian", "other"} {
				must(images.Create(ctx, newImage(image), metav1.CreateOptions{}))
				must(images.Instantiate(ctx, image, request("a"), metav1.CreateOptions{}))
				writeTo(ctx, builds, image+"-1", startAttempt(1))
			}
			must(builds.Create(ctx, newBuild("once"), metav1.CreateOptions{}))
			write(ctx, builds, startAttempt(1))
		}

		It("which outlives the build and its Image", func(ctx SpecContext) {
			must(revoke(ctx, "debian-1", v1alpha1.RevokeRequest{Reason: "wrong key"}))
			again(ctx)
			Expect(recorded(ctx)).To(Equal(map[string]string{digest('c'): "debian-1: wrong key"}))
			for _, build := range []string{"debian-1", "other-1", "once"} {
				Expect(errorOf(tryWriteTo(ctx, builds, build, succeed(1)))).To(And(beInvalid("status.phase"),
					MatchError(ContainSubstring("an artifact is one of build debian-1, which is revoked: set phase to Cancelled. It was revoked by ada"))))
				writeTo(ctx, builds, build, succeed(1), func(status *v1alpha1.ImageBuildStatus) { status.Artifacts[0].Digest = digest('1') })
			}
			Expect(contents.Delete(ctx, name(digest('c')), metav1.DeleteOptions{})).To(Succeed())
			must(images.Instantiate(ctx, "debian", request("b"), metav1.CreateOptions{}))
			writeTo(ctx, builds, "debian-2", startAttempt(1))
			writeTo(ctx, builds, "debian-2", succeed(1))
		})

		It("by the manifest in a registry, whichever file holds it", func(ctx SpecContext) {
			at := func(content string) func(*v1alpha1.ImageBuildStatus) {
				return func(status *v1alpha1.ImageBuildStatus) {
					status.Artifacts[0].Digest, status.Artifacts[0].Location = content, "registry.example/web@"+digest('9')
				}
			}
			must(images.Instantiate(ctx, "old", request("b"), metav1.CreateOptions{}))
			writeTo(ctx, builds, "old-2", startAttempt(1))
			writeTo(ctx, builds, "old-2", succeed(1), at(digest('8')))
			must(revoke(ctx, "old-2", v1alpha1.RevokeRequest{Reason: "wrong key"}))
			Expect(recorded(ctx)).To(Equal(map[string]string{digest('8'): "old-2: wrong key", digest('9'): "old-2: wrong key"}))
			again(ctx)
			Expect(errorOf(tryWriteTo(ctx, builds, "other-1", succeed(1), at(digest('7'))))).To(beInvalid("status.phase"))
			must(builds.Restore(ctx, "old-2", &v1alpha1.RestoreRequest{}, metav1.CreateOptions{}))
			Expect(recorded(ctx)).To(BeEmpty())
			writeTo(ctx, builds, "other-1", succeed(1), at(digest('7')))
		})

		It("from a time on, also if the build is deleted before", func(ctx SpecContext) {
			at := new(metav1.NewTime(time.Now().Add(time.Hour)).Rfc3339Copy())
			must(revoke(ctx, "debian-1", v1alpha1.RevokeRequest{Reason: "end of life", EffectiveTime: at}))
			again(ctx)
			for _, build := range []string{"debian-1", "other-1", "once"} {
				Expect(writeTo(ctx, builds, build, succeed(1)).Status.Revoked).To(HaveValue(And(HaveField("Origin", "debian-1"), HaveField("EffectiveTime.Time", BeTemporally("==", at.Time)))))
			}
			must(revoke(ctx, "other-1", v1alpha1.RevokeRequest{Reason: "now"}))
			Expect(recorded(ctx)).To(Equal(map[string]string{digest('c'): "other-1: now"}))
			Expect(revoked(ctx)).To(Equal(map[string]string{"debian-1": "other-1", "other-1": "", "once": "other-1"}))
		})

		It("of each artifact of each build, once", func(ctx SpecContext) {
			must(builds.Revoke(ctx, "debian-1", &v1alpha1.RevokeRequest{Reason: "wrong key", Descendants: true}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}))
			Expect(recorded(ctx)).To(BeEmpty())
			must(revoke(ctx, "shop-1", v1alpha1.RevokeRequest{Reason: "it has no artifact yet"}))
			Expect(recorded(ctx)).To(BeEmpty())
			must(revoke(ctx, "debian-1", v1alpha1.RevokeRequest{Reason: "wrong key", Descendants: true}))
			want := map[string]string{digest('c'): "debian-1: wrong key", digest('a'): "web-1: wrong key"}
			Expect(recorded(ctx)).To(Equal(want))
			must(revoke(ctx, "debian-1", v1alpha1.RevokeRequest{Reason: "another"}))
			Expect(recorded(ctx)).To(Equal(want))
			Expect(must(contents.Get(ctx, name(digest('a')), metav1.GetOptions{})).Spec).To(And(HaveField("Image", "web"), HaveField("Revocation.Origin", "debian-1")))

			Expect(contents.Delete(ctx, name(digest('a')), metav1.DeleteOptions{})).To(Succeed())
			Expect(revoked(ctx)).To(HaveKey("web-1"), "by its own status")
			must(revoke(ctx, "debian-1", v1alpha1.RevokeRequest{Reason: "another", Descendants: true}))
			Expect(recorded(ctx)).To(Equal(want), "a repeated request completes it")
		})

		It("until it is restored", func(ctx SpecContext) {
			must(revoke(ctx, "debian-1", v1alpha1.RevokeRequest{Reason: "wrong key", Descendants: true}))
			must(builds.Restore(ctx, "debian-1", &v1alpha1.RestoreRequest{Descendants: true}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}))
			Expect(recorded(ctx)).To(HaveLen(2))
			must(builds.Restore(ctx, "debian-1", &v1alpha1.RestoreRequest{}, metav1.CreateOptions{}))
			Expect(recorded(ctx)).To(Equal(map[string]string{digest('a'): "web-1: wrong key"}))
			must(builds.Restore(ctx, "debian-1", &v1alpha1.RestoreRequest{Descendants: true}, metav1.CreateOptions{}))
			Expect(recorded(ctx)).To(BeEmpty())
			again(ctx)
			writeTo(ctx, builds, "other-1", succeed(1))
		})

		It("also if an earlier version has revoked the build, once that is deleted", func(ctx SpecContext) {
			must(revoke(ctx, "debian-1", v1alpha1.RevokeRequest{Reason: "wrong key"}))
			Expect(contents.Delete(ctx, name(digest('c')), metav1.DeleteOptions{})).To(Succeed())
			again(ctx)
			Expect(recorded(ctx)).To(Equal(map[string]string{digest('c'): "debian-1: wrong key"}))
		})

		It("and that of a build that reproduces it", func(ctx SpecContext) {
			repeated := must(builds.Rerun(ctx, "debian-1", &v1alpha1.RerunRequest{RequestID: "b", Reproduce: true}, metav1.CreateOptions{}))
			Expect(repeated.Spec.Reproduces).NotTo(BeNil())
			must(revoke(ctx, "debian-1", v1alpha1.RevokeRequest{Reason: "wrong key"}))
			writeTo(ctx, builds, repeated.Name, startAttempt(1))
			Expect(writeTo(ctx, builds, repeated.Name, succeed(1)).Status.Revoked).To(HaveValue(HaveField("Origin", "debian-1")))
		})

		It("only by a request for a build", func(ctx SpecContext) {
			must(revoke(ctx, "debian-1", v1alpha1.RevokeRequest{Reason: "wrong key"}))
			of := client.ImagesV1alpha1().RESTClient()
			path := of.Get().Namespace(must(images.Get(ctx, "debian", metav1.GetOptions{})).Namespace).Resource("revokedartifacts").URL().Path
			body := manifest(must(contents.Get(ctx, name(digest('c')), metav1.GetOptions{})))
			for _, request := range []*rest.Request{
				of.Post().AbsPath(path).Body(body), of.Put().AbsPath(path, name(digest('c'))).Body(body), of.Delete().AbsPath(path),
				of.Patch(types.MergePatchType).AbsPath(path, name(digest('c'))).Body([]byte("{}")),
			} {
				Expect(request.SetHeader("Content-Type", "application/json").Do(ctx).Error()).To(Satisfy(apierrors.IsMethodNotSupported))
			}
			Expect(recorded(ctx)).To(HaveLen(1))
		})
	})

	It("names the field of a bad request", func(ctx SpecContext) {
		for field, request := range map[string]v1alpha1.RevokeRequest{
			"reason":        {},
			"metadata.name": {ObjectMeta: metav1.ObjectMeta{Name: "other"}, Reason: "bad"},
		} {
			Expect(errorOf(revoke(ctx, "debian-1", request))).To(beInvalid(field))
		}
		for _, reason := range []string{"two\nlines", " ", strings.Repeat("x", 1025)} {
			Expect(errorOf(revoke(ctx, "debian-1", v1alpha1.RevokeRequest{Reason: reason}))).To(beInvalid("reason"))
			Expect(errorOf(builds.Restore(ctx, "debian-1", &v1alpha1.RestoreRequest{Reason: reason}, metav1.CreateOptions{}))).To(beInvalid("reason"))
		}
		Expect(errorOf(revoke(ctx, "nothing", v1alpha1.RevokeRequest{Reason: "bad"}))).To(Satisfy(apierrors.IsNotFound))
		Expect(errorOf(builds.Restore(ctx, "nothing", &v1alpha1.RestoreRequest{}, metav1.CreateOptions{}))).To(Satisfy(apierrors.IsNotFound))
		Expect(revoked(ctx)).To(BeEmpty())
	})
})
