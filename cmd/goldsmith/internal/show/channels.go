// SPDX-License-Identifier: Apache-2.0

package show

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/duration"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// channelsOf describes the channels of the Image, with the build that each waits for. If the user named a build, it describes only the channels of
// that build.
func (p *page) channelsOf(image *v1alpha1.Image) (lines []string) {
	channels := slices.Clone(image.Status.Channels)
	for i := range image.Spec.Channels {
		name := image.Spec.Channels[i].Name
		if !slices.ContainsFunc(channels, func(channel v1alpha1.ImageChannel) bool { return channel.Name == name }) {
			channels = append(channels, v1alpha1.ImageChannel{Name: name, Build: "none"})
		}
	}
	for i := range channels {
		channel := &channels[i]
		if p.asked.name == p.build.Name && channel.Build != p.build.Name {
			continue
		}
		line := channel.Name + ": " + channel.Build
		if channel.Revoked.InEffect(p.asked.clock.Now()) {
			line += ", which is revoked"
		}
		if len(channel.Missing) > 0 {
			line += ", which lacks what its rule requires: " + strings.Join(channel.Missing, "; ")
		}
		if override := channel.Override; override != nil {
			line += fmt.Sprintf(", by an override of %s: %s", override.By, override.Reason)
		}
		if waits := p.waitsFor(image, channel); waits != "" {
			line += " (" + waits + ")"
		}
		lines = append(lines, line)
	}
	return lines
}

// fixOf describes the last fix of the Image. If the user named a build, it describes that build if it is a fix.
func (p *page) fixOf(image *v1alpha1.Image) string {
	for i := range image.Status.Fixes {
		fix := &image.Status.Fixes[i]
		if p.asked.name == p.build.Name && fix.Build != p.build.Name {
			continue
		}
		parts := []string{fmt.Sprintf("%s, %s after the archive", fix.Build, duration.HumanDuration(fix.TimeUntil(fix.ReadyTime)))}
		for _, channel := range fix.Channels {
			parts = append(parts, fmt.Sprintf("%s after %s", channel.Name, duration.HumanDuration(fix.TimeUntil(channel.Time))))
		}
		return strings.Join(parts, "; ")
	}
	return ""
}

// waitsFor describes what moves a channel with a rule to a build after the present one, or returns "".
func (p *page) waitsFor(image *v1alpha1.Image, channel *v1alpha1.ImageChannel) string {
	rule := trigger.ChannelRule(image, channel.Name)
	if rule == nil || channel.Build == p.build.Name {
		return ""
	}
	lacks := cmp.Or(trigger.WaitsFor(image, rule, nil, nil), "succeeds")
	if p.build.Status.Phase == v1alpha1.BuildSucceeded && p.build.Counts() && !v1alpha1.Revoked(p.build, p.asked.clock.Now()) {
		lacks = trigger.WaitsFor(image, rule, p.build, p.known)
	}
	switch {
	case lacks != "":
		return "waits for a build that " + lacks
	case rule.Promote == v1alpha1.PromoteAutomatic:
		return "waits for a later build"
	}
	return p.build.Name + " can be promoted"
}
