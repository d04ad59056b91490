// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"context"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// channelsOf returns the rules of the channels of an Image with tests: auto follows the builds that pass boots, and slow, which is optional. Of an Image
// with neither it follows all builds, or none by the choice of a number.
func channelsOf(tests []v1alpha1.ImageTest, choice uint32) []v1alpha1.ChannelRule {
	auto := v1alpha1.ChannelRule{Name: "auto", Promote: v1alpha1.PromoteAutomatic, Requires: &v1alpha1.ChannelRequirements{}}
	for _, name := range []string{"boots", "slow"} {
		if inputs.FindTest(tests, name) != nil {
			auto.Requires.Tests = append(auto.Requires.Tests, name)
		}
	}
	if len(auto.Requires.Tests) == 0 && choice%2 == 0 {
		return nil
	}
	return []v1alpha1.ChannelRule{auto}
}

// setRule declares the rule of the channel auto of an Image, or removes it.
func (w *environment) setRule(image *v1alpha1.Image, declare bool) {
	w.edit(image, func(spec *v1alpha1.ImageSpec) {
		spec.Channels = nil
		if declare {
			spec.Channels = channelsOf(spec.Tests, 1)
		}
	})
}

// promotion is one under way: it has read the Image, and noted in the build which version it read.
type promotion struct {
	build    *v1alpha1.ImageBuild
	version  string
	channel  string
	override bool
}

// promote begins to move a channel of an Image to a build that has succeeded. Without an override the server refuses a build that lacks what the
// channel requires.
func (w *environment) promote(build *v1alpha1.ImageBuild, channel string, override bool) {
	image, ok := w.images.get(build.Spec.ImageRef.Name)
	if !ok || image.UID != build.Spec.ImageRef.UID || build.Status.Phase != v1alpha1.BuildSucceeded || v1alpha1.Revoked(build, w.now) {
		return
	}
	if !override && len(trigger.Missing(image, trigger.ChannelRule(image, channel), build, nil)) > 0 {
		w.cover.point("a promotion is refused")
		return
	}
	next := *build
	next.Annotations = map[string]string{v1alpha1.AnnotationPromotion: image.ResourceVersion}
	put(w, &w.builds, &next)
	w.promotions = append(w.promotions, promotion{&next, image.ResourceVersion, channel, override})
}

// finishPromotion writes the channel. The promotion begins anew if the Image has changed since it was read.
func (w *environment) finishPromotion() {
	under := w.promotions[0]
	w.promotions = w.promotions[1:]
	image, ok := w.images.get(under.build.Spec.ImageRef.Name)
	if !ok {
		return
	}
	build, exists := w.builds.get(under.build.Name)
	exists = exists && build.UID == under.build.UID
	if image.ResourceVersion != under.version {
		w.cover.point("a promotion begins anew")
		if exists {
			w.promote(build, under.channel, under.override)
		}
		return
	}
	if !exists && !w.truth.byHand[under.build.UID] {
		w.broken("%s gets a channel, and was pruned", under.build.Name)
	}
	w.move(image, under.build, under.channel, under.override)
}

// move writes a channel. No build gets a channel with a rule before it has what the rule requires, by the truth, unless a user overrides the rule.
func (w *environment) move(image *v1alpha1.Image, build *v1alpha1.ImageBuild, name string, override bool) {
	moved := v1alpha1.ImageChannel{Name: name, Build: build.Name, Digest: inputs.ArtifactsDigest(build.Status.Artifacts), Time: w.time()}
	if rule := trigger.ChannelRule(image, name); rule != nil {
		passed := !slices.ContainsFunc(rule.Requires.Tests, func(test string) bool { return !w.truth.passed[passedTest{build.UID, test}] })
		switch {
		case !passed && !override:
			w.broken("channel %s of %s gets %s, which has not passed its tests", name, image.Name, build.Name)
		case !passed:
			moved.Override = &v1alpha1.ChannelOverride{Reason: "a user wants it"}
			w.cover.point("a rule of a channel is overridden")
		}
	}
	next := *image
	next.Status.Channels = append(slices.DeleteFunc(slices.Clone(image.Status.Channels), func(channel v1alpha1.ImageChannel) bool { return channel.Name == name }), moved)
	w.othersMove(image.Name)
	put(w, &w.images, &next)
}

// UpdateChannels moves channels of an Image, as the controller asks for it.
func (c imageClient) UpdateChannels(_ context.Context, name string, wanted *v1alpha1.ImageChannels, _ metav1.UpdateOptions) (*v1alpha1.ImageChannels, error) {
	return wanted, c.p.write("channel moved", func() error {
		for i := range wanted.Channels {
			image, ok := c.p.images.get(name)
			switch {
			case !ok:
				return notFound(name)
			case image.UID != wanted.UID || i == 0 && image.ResourceVersion != wanted.ResourceVersion:
				return errConflict
			}
			if err := c.p.follow(image, &wanted.Channels[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// follow moves a channel, unless it names the build already. It never moves to an older build, or against a user's later decision.
func (w *environment) follow(image *v1alpha1.Image, wanted *v1alpha1.ImageChannel) error {
	at := slices.IndexFunc(image.Status.Channels, func(channel v1alpha1.ImageChannel) bool { return channel.Name == wanted.Name })
	if at >= 0 && image.Status.Channels[at].Build == wanted.Build {
		return nil
	}
	build, ok := w.builds.get(wanted.Build)
	if !ok || build.DeletionTimestamp != nil || build.Spec.ImageRef.UID != image.UID || len(trigger.Missing(image, trigger.ChannelRule(image, wanted.Name), build, nil)) > 0 {
		return errInvalid
	}
	if at >= 0 && build.Status.CompletionTime.Time.Before(image.Status.Channels[at].Time.Time) {
		w.broken("channel %s of %s follows %s, which finished before the channel was moved", wanted.Name, image.Name, build.Name)
	}
	if at >= 0 {
		if present, ok := w.builds.get(image.Status.Channels[at].Build); ok && numberOf(build) <= numberOf(present) {
			w.broken("channel %s of %s goes back from %s to %s", wanted.Name, image.Name, present.Name, build.Name)
		}
	}
	if build.IsOneOff() {
		w.broken("channel %s of %s follows %s, which is one-off", wanted.Name, image.Name, build.Name)
	}
	next := *build
	next.Annotations = map[string]string{v1alpha1.AnnotationPromotion: image.ResourceVersion}
	put(w, &w.builds, &next)
	w.cover.point("a channel follows a build")
	w.move(image, build, wanted.Name, false)
	return nil
}
