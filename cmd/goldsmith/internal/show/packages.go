// SPDX-License-Identifier: Apache-2.0

package show

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/utils/ptr"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/diff"
)

// countPackages counts the packages of each artifact with a lock, and those that differ from the last good build. Without that build, or
// if the server cannot compare them, the page has the number alone.
func (p *page) countPackages(ctx context.Context, connection *client.Connection) {
	var since *comparedPackages
	if slices.ContainsFunc(p.build.Status.Artifacts, func(artifact v1alpha1.Artifact) bool { return artifact.Packages != nil }) {
		since = p.comparePackages(ctx, connection)
	}
	var texts []string
	targets := map[string][]string{}
	for i := range p.build.Status.Artifacts {
		artifact := &p.build.Status.Artifacts[i]
		if artifact.Packages == nil {
			continue
		}
		text := fmt.Sprint(*artifact.Packages)
		if changes := since.of(artifact.Target); changes != "" {
			text += " (" + changes + ")"
		}
		if targets[text] == nil {
			texts = append(texts, text)
		}
		targets[text] = append(targets[text], artifact.Target)
	}
	for _, text := range texts {
		if len(texts) > 1 {
			text = strings.Join(targets[text], ", ") + " " + text
		}
		p.packages = append(p.packages, text)
	}
}

// comparedPackages is a difference from the last good build.
type comparedPackages struct {
	good       *v1alpha1.ImageBuild
	difference *v1alpha1.ImageBuildDiff
}

// comparePackages compares the build with the last good build, or returns nil.
func (p *page) comparePackages(ctx context.Context, connection *client.Connection) *comparedPackages {
	before := p.before
	if before == nil {
		return nil // the first build, or one of no image
	}
	if before.Status.Phase == v1alpha1.BuildSucceeded && !ptr.Deref(before.Spec.OneOff, false) {
		if p.difference == nil {
			return nil
		}
		return &comparedPackages{before, p.difference}
	}
	good, err := connection.LastGoodBuild(ctx, p.build.Namespace, p.build.Spec.ImageRef.UID, *p.build.Spec.Number)
	if err != nil || good == nil {
		return nil
	}
	difference, err := p.readDiff(ctx, connection, good)
	if err != nil {
		return nil
	}
	return &comparedPackages{good, difference}
}

// of returns what differs in the artifact of a target, or "" if that is not known.
func (c *comparedPackages) of(target string) string {
	if c == nil {
		return ""
	}
	var parts []string
	compared := false
	for i := range c.difference.Packages {
		if !slices.Contains(c.difference.Packages[i].Targets, target) {
			continue
		}
		compared = true
		added, removed, changed := diff.CountPackages(c.difference.Packages[i].Changes)
		for _, part := range []struct {
			number int
			what   string
		}{{added, "added"}, {removed, "removed"}, {changed, "changed"}} {
			if part.number > 0 {
				parts = append(parts, fmt.Sprintf("%d %s", part.number, part.what))
			}
		}
	}
	if len(parts) > 0 {
		return strings.Join(parts, ", ") + " since " + c.good.Name
	}
	if compared {
		return "the same as in " + c.good.Name
	}
	return ""
}
