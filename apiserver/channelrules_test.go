// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"context"
	"encoding/json"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	restclient "k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	typed "goldsmith.dev/goldsmith/apis/generated/clientset/versioned/typed/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver"
	"goldsmith.dev/goldsmith/apiserver/builder"
)

// mayNotOverride lets a user do everything but override rules of channels.
func mayNotOverride(_ context.Context, asked authorizer.Attributes) (authorizer.Decision, string, error) {
	if asked.GetVerb() == "override" {
		return authorizer.DecisionNoOpinion, "", nil
	}
	return authorizer.DecisionAllow, "", nil
}

var _ = Describe("A channel with a rule", Ordered, func() {
	var (
		server        *builder.Running
		namespace     string
		images, guest typed.ImageInterface
	)
	as := func(token string) typed.ImagesV1alpha1Interface {
		GinkgoHelper()
		config := restclient.CopyConfig(server.ClientConfig())
		config.BearerToken = token
		return must(versioned.NewForConfig(config)).ImagesV1alpha1()
	}
	set := func(ctx SpecContext, images typed.ImageInterface, build, override string) (*v1alpha1.ImageChannels, error) {
		stable := v1alpha1.ImageChannel{Name: "stable", Build: build}
		if override != "" {
			stable.Override = &v1alpha1.ChannelOverride{Reason: override, By: "grace"}
		}
		return images.UpdateChannels(ctx, "debian", &v1alpha1.ImageChannels{
			ObjectMeta: metav1.ObjectMeta{Name: "debian"}, Channels: []v1alpha1.ImageChannel{stable},
		}, metav1.UpdateOptions{})
	}
	overridden := func(build string, override *v1alpha1.ChannelOverride) OmegaMatcher {
		return HaveField("Channels", HaveExactElements(And(HaveField("Build", build), HaveField("Override", override))))
	}

	BeforeAll(func(ctx SpecContext) {
		server = start(ctx, apiserver.Register(builder.New("channels"), apiserver.Options{Logs: logs}).
			WithGuests(authenticator.TokenFunc(asTenant), authorizer.AuthorizerFunc(mayNotOverride)))
	})
	// untested adds a build without tests, which has succeeded.
	untested := func(ctx SpecContext, name string) {
		GinkgoHelper()
		spec := must(images.Get(ctx, "debian", metav1.GetOptions{})).Spec
		rules := must(json.Marshal(map[string]any{"spec": map[string]any{"channels": spec.Channels, "tests": spec.Tests}}))
		must(images.Patch(ctx, "debian", types.MergePatchType, []byte(`{"spec":{"channels":null,"tests":null}}`), metav1.PatchOptions{}))
		must(images.Instantiate(ctx, "debian", request(name), metav1.CreateOptions{}))
		builds := as(token).ImageBuilds(namespace)
		writeTo(ctx, builds, name, startAttempt(1))
		writeTo(ctx, builds, name, succeed(1))
		must(images.Patch(ctx, "debian", types.MergePatchType, rules, metav1.PatchOptions{}))
	}
	BeforeEach(func(ctx SpecContext) {
		namespace = newNamespace()
		images, guest = as(token).Images(namespace), as("tenant").Images(namespace)
		image := newImage("debian")
		image.Spec.Tests = []v1alpha1.ImageTest{{Name: "boots", Boot: &v1alpha1.TestBoot{}}, {Name: "web", Boot: &v1alpha1.TestBoot{}}}
		image.Spec.Channels = []v1alpha1.ChannelRule{{Name: "stable", Requires: &v1alpha1.ChannelRequirements{Tests: []string{"boots", "web"}}}}
		image = must(images.Create(ctx, image, metav1.CreateOptions{}))
		Expect(image.Spec.Channels[0].Promote).To(Equal(v1alpha1.PromoteManual))
		builds := as(token).ImageBuilds(namespace)
		for _, name := range []string{"debian-1", "debian-2"} {
			must(images.Instantiate(ctx, "debian", request(name), metav1.CreateOptions{}))
			writeTo(ctx, builds, name, startAttempt(1))
			writeTo(ctx, builds, name, endAttempt(1, v1alpha1.AttemptSucceeded), func(status *v1alpha1.ImageBuildStatus) {
				succeed(1)(status)
				status.Phase, status.CompletionTime = v1alpha1.BuildTesting, nil
				status.Tests = []v1alpha1.TestStatus{{Name: "boots", Target: "linux/amd64/raw", Gates: true}, {Name: "web", Target: "linux/amd64/raw", Gates: true}}
			})
			writeTo(ctx, builds, name, startAttempt(2), func(status *v1alpha1.ImageBuildStatus) {
				status.Phase, status.Attempts[1].Tests = v1alpha1.BuildTesting, []string{"boots", "web"}
			})
			writeTo(ctx, builds, name, func(status *v1alpha1.ImageBuildStatus) {
				artifacts := status.Artifacts
				succeed(2)(status)
				status.Artifacts = artifacts
				for i, outcome := range []v1alpha1.TestOutcome{v1alpha1.TestPassed, v1alpha1.TestFlaky} {
					status.Tests[i].Outcome, status.Tests[i].Attempt = outcome, 2
				}
			})
		}
		untested(ctx, "debian-3")
	})

	It("takes only builds that meet the rule, and names all that is missing", func(ctx SpecContext) {
		must(set(ctx, guest, "debian-1", ""))
		const path = "channels[0].build"
		Expect(errorOf(set(ctx, images, "debian-3", ""))).To(And(beInvalid(path, path), MatchError(And(
			ContainSubstring("test boots did not run on debian-3"), ContainSubstring("test web did not run on debian-3")))))
		Expect(must(as(token).ImageBuilds(namespace).Get(ctx, "debian-3", metav1.GetOptions{})).Annotations).To(BeEmpty())
		Expect(must(images.GetChannels(ctx, "debian", metav1.GetOptions{}))).To(overridden("debian-1", nil))
	})

	It("takes any build with an override, which needs a right of its own, and is recorded", func(ctx SpecContext) {
		Expect(errorOf(set(ctx, guest, "debian-3", "we must"))).To(And(Satisfy(apierrors.IsForbidden),
			MatchError(ContainSubstring(`user "tenant" cannot override rules of channels in namespace "`+namespace+`": ask a user with the verb override`))))
		recorded := &v1alpha1.ChannelOverride{Reason: "we must", By: "ada"}
		Expect(must(set(ctx, images, "debian-3", "we must"))).To(overridden("debian-3", recorded))
		Expect(must(set(ctx, guest, "debian-3", ""))).To(overridden("debian-3", recorded), "the build stays")
		Expect(must(set(ctx, images, "debian-2", "we must"))).To(overridden("debian-2", nil), "the build meets the rule")
	})

	It("does not take an override for a request that only sends it back", func(ctx SpecContext) {
		read := must(set(ctx, images, "debian-3", "we must"))
		read.Channels[0].Build = "debian-2"
		Expect(must(guest.UpdateChannels(ctx, "debian", read, metav1.UpdateOptions{}))).To(overridden("debian-2", nil))
		read = must(set(ctx, images, "debian-3", "we must"))
		untested(ctx, "debian-4")
		read.Channels[0].Build, read.ResourceVersion = "debian-4", ""
		const path = "channels[0].build"
		Expect(errorOf(images.UpdateChannels(ctx, "debian", read, metav1.UpdateOptions{}))).To(beInvalid(path, path))
	})

	It("takes no build that passed another test of the name", func(ctx SpecContext) {
		image := must(images.Get(ctx, "debian", metav1.GetOptions{}))
		image.Spec.Tests[0] = v1alpha1.ImageTest{Name: "boots", Runner: &v1alpha1.TestRunner{Name: "mock"}}
		image = must(images.Update(ctx, image, metav1.UpdateOptions{}))
		const path = "channels[0].build"
		Expect(errorOf(set(ctx, images, "debian-1", ""))).To(And(beInvalid(path), MatchError(ContainSubstring("test boots was another one when debian-1 passed it"))))
		Expect(must(set(ctx, images, "debian-1", "we must"))).To(overridden("debian-1", &v1alpha1.ChannelOverride{Reason: "we must", By: "ada"}))
		image.Spec.Tests[0], image.ResourceVersion = v1alpha1.ImageTest{Name: "boots", Boot: &v1alpha1.TestBoot{}, Required: new(false)}, ""
		must(images.Update(ctx, image, metav1.UpdateOptions{}))
		Expect(must(set(ctx, images, "debian-2", ""))).To(overridden("debian-2", nil))
	})

	It("has what the controller reports that its build lacks, until it is moved", func(ctx SpecContext) {
		must(set(ctx, images, "debian-1", ""))
		image := must(images.Get(ctx, "debian", metav1.GetOptions{}))
		image.Status.Channels[0].Missing = []string{"test boots did not run on debian-1"}
		image = must(images.UpdateStatus(ctx, image, metav1.UpdateOptions{}))
		Expect(image.Status.Channels).To(HaveExactElements(HaveField("Missing", HaveExactElements("test boots did not run on debian-1"))))
		read := must(images.GetChannels(ctx, "debian", metav1.GetOptions{}))
		read.Channels[0].Missing = nil
		Expect(must(images.UpdateChannels(ctx, "debian", read, metav1.UpdateOptions{})).Channels).To(Equal(image.Status.Channels))
		Expect(must(set(ctx, images, "debian-2", "")).Channels).To(HaveExactElements(HaveField("Missing", BeEmpty())))
	})

	It("keeps its build when its rule changes", func(ctx SpecContext) {
		image := must(images.Get(ctx, "debian", metav1.GetOptions{}))
		image.Spec.Channels[0].Requires = nil
		image = must(images.Update(ctx, image, metav1.UpdateOptions{}))
		must(set(ctx, guest, "debian-3", ""))
		image.Spec.Channels[0].Requires, image.ResourceVersion = &v1alpha1.ChannelRequirements{Tests: []string{"web"}}, ""
		must(images.Update(ctx, image, metav1.UpdateOptions{}))
		Expect(must(set(ctx, guest, "debian-3", ""))).To(overridden("debian-3", nil))
	})
})
