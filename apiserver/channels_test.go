// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	typed "goldsmith.dev/goldsmith/apis/generated/clientset/versioned/typed/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

var _ = Describe("The channels of an Image", func() {
	var (
		namespace string
		images    typed.ImageInterface
		builds    typed.ImageBuildInterface
	)
	BeforeEach(func(ctx SpecContext) {
		namespace = newNamespace()
		images, builds = imagesIn(namespace), buildsIn(namespace)
		must(images.Create(ctx, newImage("debian"), metav1.CreateOptions{}))
		for i := range 3 {
			must(images.Instantiate(ctx, "debian", request(fmt.Sprint(i)), metav1.CreateOptions{}))
		}
		for _, name := range []string{"debian-1", "debian-2"} {
			writeTo(ctx, builds, name, startAttempt(1))
			writeTo(ctx, builds, name, succeed(1))
		}
	})

	set := func(ctx SpecContext, channels ...v1alpha1.ImageChannel) (*v1alpha1.ImageChannels, error) {
		return images.UpdateChannels(ctx, "debian", &v1alpha1.ImageChannels{ObjectMeta: metav1.ObjectMeta{Name: "debian"}, Channels: channels}, metav1.UpdateOptions{})
	}
	mustSet := func(ctx SpecContext, channels ...v1alpha1.ImageChannel) *v1alpha1.ImageChannels {
		GinkgoHelper()
		return must(set(ctx, channels...))
	}
	stable := func(build string) v1alpha1.ImageChannel { return v1alpha1.ImageChannel{Name: "stable", Build: build} }

	It("are empty at first", func(ctx SpecContext) {
		channels := must(images.GetChannels(ctx, "debian", metav1.GetOptions{}))
		image := must(images.Get(ctx, "debian", metav1.GetOptions{}))
		Expect(channels.Channels).To(BeEmpty())
		Expect(channels.Name).To(Equal("debian"))
		Expect(channels.UID).To(Equal(image.UID))
		Expect(channels.ResourceVersion).To(Equal(image.ResourceVersion))
	})

	It("name a build that succeeded, with its digest and time from the server", func(ctx SpecContext) {
		before := metav1.Now().Rfc3339Copy()
		lie := stable("debian-1")
		lie.By, lie.Digest, lie.Time = "grace", digest('f'), metav1.Unix(1, 0)
		channels := mustSet(ctx, lie)
		Expect(channels.Channels).To(HaveLen(1))
		channel := channels.Channels[0]
		Expect(channel.Build).To(Equal("debian-1"))
		Expect(channel.Digest).To(Equal(digest('c')))
		Expect(channel.By).To(Equal("ada"))
		Expect(channel.Time.Time).To(BeTemporally(">=", before.Time))
		image := must(images.Get(ctx, "debian", metav1.GetOptions{}))
		Expect(image.Status.Channels).To(Equal(channels.Channels))
		Expect(image.Status.BuildCounter).To(BeEquivalentTo(3), "the rest of the status stays")
		Expect(image.Generation).To(BeEquivalentTo(1))
	})

	It("move in one write, and keep unchanged channels even after their build is deleted", func(ctx SpecContext) {
		first := mustSet(ctx, stable("debian-1"), v1alpha1.ImageChannel{Name: "testing", Build: "debian-1"})
		Expect(builds.Delete(ctx, "debian-1", metav1.DeleteOptions{})).To(Succeed())
		second := mustSet(ctx, stable("debian-1"), v1alpha1.ImageChannel{Name: "testing", Build: "debian-2"})
		Expect(second.Channels[0]).To(Equal(first.Channels[0]))
		Expect(second.Channels[1].Build).To(Equal("debian-2"))
		Expect(mustSet(ctx, second.Channels[1]).Channels).To(Equal(second.Channels[1:]), "what is left out is removed")
	})

	It("are named in a warning when their build is deleted, as are the images based on an image that is deleted", func(ctx SpecContext) {
		mustSet(ctx, stable("debian-1"), v1alpha1.ImageChannel{Name: "beta", Build: "debian-1"})
		remove := func(resource, name string) []string {
			GinkgoHelper()
			result := client.ImagesV1alpha1().RESTClient().Delete().Namespace(namespace).Resource(resource).Name(name).Do(ctx)
			Expect(result.Error()).NotTo(HaveOccurred())
			var warnings []string
			for _, warning := range result.Warnings() {
				warnings = append(warnings, warning.Text)
			}
			return warnings
		}
		Expect(remove("imagebuilds", "debian-2")).To(BeEmpty())
		Expect(remove("imagebuilds", "debian-1")).To(ConsistOf(
			`channel beta, stable of image "debian" names imagebuild "debian-1", which is deleted: promote another build`))

		for i := range 7 {
			based := newImage(fmt.Sprint("app-", i))
			based.Spec.Base = v1alpha1.Base{ImageRef: &v1alpha1.BaseImageReference{Name: "debian"}}
			must(images.Create(ctx, based, metav1.CreateOptions{}))
		}
		Expect(remove("images", "debian")).To(ConsistOf(
			`image "debian" is the base of app-0, app-1, app-2, app-3, app-4 and 2 more: they wait with BaseNotFound until there is an image "debian" with an artifact again`))
		Expect(remove("images", "app-0")).To(BeEmpty())
	})

	It("are not written where nothing changes", func(ctx SpecContext) {
		first := mustSet(ctx, stable("debian-1"))
		Expect(mustSet(ctx, stable("debian-1"))).To(Equal(first))
	})

	It("move only if the Image is unchanged since it was read, if the client asks for that", func(ctx SpecContext) {
		read := mustSet(ctx, stable("debian-1"))
		mustSet(ctx, stable("debian-2"))
		Expect(errorOf(images.UpdateChannels(ctx, "debian", read, metav1.UpdateOptions{}))).To(Satisfy(apierrors.IsConflict))
		read.ResourceVersion, read.UID = "", "another"
		Expect(errorOf(images.UpdateChannels(ctx, "debian", read, metav1.UpdateOptions{}))).To(Satisfy(apierrors.IsConflict))
		Expect(must(images.GetChannels(ctx, "debian", metav1.GetOptions{})).Channels[0].Build).To(Equal("debian-2"))
	})

	It("can be patched", func(ctx SpecContext) {
		patch := []byte(`{"channels":[{"name":"stable","build":"debian-2"}]}`)
		must(images.Patch(ctx, "debian", types.MergePatchType, patch, metav1.PatchOptions{}, "channels"))
		Expect(must(images.GetChannels(ctx, "debian", metav1.GetOptions{})).Channels).To(ConsistOf(HaveField("Build", "debian-2")))
	})

	It("are not stored in a dry run", func(ctx SpecContext) {
		Expect(must(images.UpdateChannels(ctx, "debian", &v1alpha1.ImageChannels{
			ObjectMeta: metav1.ObjectMeta{Name: "debian"}, Channels: []v1alpha1.ImageChannel{stable("debian-1")},
		}, metav1.UpdateOptions{DryRun: []string{metav1.DryRunAll}})).Channels).To(HaveLen(1))
		Expect(must(images.GetChannels(ctx, "debian", metav1.GetOptions{})).Channels).To(BeEmpty())
	})

	It("stay through a write of the Image's status, and through one of the Image", func(ctx SpecContext) {
		mustSet(ctx, stable("debian-1"))
		image := must(images.Get(ctx, "debian", metav1.GetOptions{}))
		image.Status.Channels = nil
		after := must(images.UpdateStatus(ctx, image, metav1.UpdateOptions{}))
		Expect(after.Status.Channels).To(HaveLen(1))
		after.Status.Channels = nil
		Expect(must(images.Update(ctx, after, metav1.UpdateOptions{})).Status.Channels).To(HaveLen(1))
		must(images.Instantiate(ctx, "debian", request("more"), metav1.CreateOptions{}))
		Expect(must(images.GetChannels(ctx, "debian", metav1.GetOptions{})).Channels).To(HaveLen(1))
	})

	It("name no build that has not succeeded, is another Image's, or is not there", func(ctx SpecContext) {
		must(images.Create(ctx, newImage("ubuntu"), metav1.CreateOptions{}))
		must(images.Instantiate(ctx, "ubuntu", request("first"), metav1.CreateOptions{}))
		must(builds.Create(ctx, newBuild("once"), metav1.CreateOptions{}))
		for build, message := range map[string]string{
			"debian-3": "is Pending: only a build that Succeeded can have a channel",
			"debian-9": "build not found",
			"ubuntu-1": "is not a build of Image debian",
			"once":     "is not a build of Image debian",
		} {
			Expect(errorOf(set(ctx, v1alpha1.ImageChannel{Name: "testing", Build: "debian-1"}, stable(build)))).To(
				And(beInvalid("channels[1].build"), MatchError(ContainSubstring(message))))
		}
	})

	It("name no build that failed", func(ctx SpecContext) {
		writeTo(ctx, builds, "debian-3", func(status *v1alpha1.ImageBuildStatus) {
			now := metav1.Now()
			status.Phase, status.CompletionTime = v1alpha1.BuildFailed, &now
			status.Failure = &v1alpha1.BuildFailure{Class: v1alpha1.FailureConfig, Reason: v1alpha1.ReasonBaseNotFound}
		})
		Expect(errorOf(set(ctx, stable("debian-3")))).To(
			And(beInvalid("channels[0].build"), MatchError(ContainSubstring("is Failed: only a build that Succeeded can have a channel"))))
	})

	It("name no build that is being deleted, but keep a build that they name already", func(ctx SpecContext) {
		mustSet(ctx, stable("debian-1"))
		deleteSlowly(ctx, builds, "debian-1")
		deleteSlowly(ctx, builds, "debian-2")
		Expect(errorOf(set(ctx, stable("debian-1"), v1alpha1.ImageChannel{Name: "testing", Build: "debian-2"}))).To(
			And(beInvalid("channels[1].build"), MatchError(ContainSubstring("is being deleted"))))
		Expect(mustSet(ctx, stable("debian-1")).Channels).To(HaveLen(1))
	})

	It("are valid, each of them", func(ctx SpecContext) {
		_, err := set(ctx, v1alpha1.ImageChannel{Name: "Stable", Build: "debian-1"}, v1alpha1.ImageChannel{Name: "testing"})
		Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
		Expect(fieldsOf(err)).To(ConsistOf("channels[0].name", "channels[1].build"))
		_, err = images.UpdateChannels(ctx, "nothing", &v1alpha1.ImageChannels{ObjectMeta: metav1.ObjectMeta{Name: "nothing"}}, metav1.UpdateOptions{})
		Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%v", err)
	})
})
