// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/resources"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// validateChannelRules validates the rules of channels: each test exists, and builds can be signed if that is required.
func validateChannelRules(image *v1alpha1.ImageSpec, path *field.Path) (errs field.ErrorList) {
	seen := map[string]bool{}
	for i := range image.Channels {
		rule, path := &image.Channels[i], path.Index(i)
		if seen[rule.Name] {
			errs = append(errs, field.Duplicate(path.Child("name"), rule.Name))
		}
		seen[rule.Name] = true
		if rule.Requires == nil {
			continue
		}
		for j, name := range rule.Requires.Tests {
			if inputs.FindTest(image.Tests, name) == nil {
				errs = append(errs, field.Invalid(path.Child("requires", "tests").Index(j), name,
					"is no test of the Image: add it to spec.tests, or remove it here"+namesOfTests(image.Tests)))
			}
		}
		if output := image.Output; rule.Requires.Attested && output != nil && output.Attest == v1alpha1.AttestNever {
			errs = append(errs, field.Invalid(path.Child("requires", "attested"), true,
				"no build of this Image is signed: set spec.output.attest to Automatic or Required"))
		}
		if rule.Requires.NoOtherArchives && rule.Requires.MaxSeverity == "" {
			errs = append(errs, field.Invalid(path.Child("requires", "noOtherArchives"), true, "needs maxSeverity: set it, to High or a lower severity"))
		}
	}
	return errs
}

func namesOfTests(tests []v1alpha1.ImageTest) string {
	if len(tests) == 0 {
		return ""
	}
	names := make([]string, len(tests))
	for i := range tests {
		names[i] = tests[i].Name
	}
	return "; the tests are " + enumerate(names)
}

// overrides returns the overrides that a request adds, by the names of their channels. An override that a channel has already does not count:
// a client that read the channel sends it again.
func overrides(image *v1alpha1.Image, wanted []v1alpha1.ImageChannel) map[string]*v1alpha1.ChannelOverride {
	added := map[string]*v1alpha1.ChannelOverride{}
	for i := range wanted {
		if wanted[i].Override != nil {
			added[wanted[i].Name] = wanted[i].Override
		}
	}
	for i := range image.Status.Channels {
		stored := &image.Status.Channels[i]
		if equality.Semantic.DeepEqual(added[stored.Name], stored.Override) {
			delete(added, stored.Name)
		}
	}
	return added
}

// checkMayOverride returns Forbidden unless the user of a request can override the rules of an Image's channels.
func (p *promotion) checkMayOverride(ctx context.Context) error {
	namespace := apirequest.NamespaceValue(ctx)
	allowed, err := p.scope.UserMay(ctx, "override", v1alpha1.SchemeGroupVersion.WithResource("images"), "channels", namespace, p.image)
	switch {
	case err != nil:
		return apierrors.NewInternalError(fmt.Errorf("check whether the user may override rules of channels of image %s: %w", p.image, err))
	case allowed:
		return nil
	}
	return apierrors.NewForbidden(v1alpha1.Resource("images/channels"), p.image, fmt.Errorf(
		"user %q cannot override rules of channels in namespace %q: ask a user with the verb override, which the role admin has", resources.UserName(ctx), namespace))
}

// known returns the vulnerabilities of a build if the rule of a channel needs them. It returns nil for a build that does not exist or has not succeeded,
// which no channel can name. The error is that of a server with too many requests.
func (p *promotion) known(ctx context.Context, rule *v1alpha1.ChannelRule, name string) (*trigger.Vulnerabilities, error) {
	if rule == nil || rule.Requires == nil || rule.Requires.MaxSeverity == "" {
		return nil, nil
	}
	build, err := p.vulnerabilities.GetBuild(ctx, name)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return trigger.UnknownVulnerabilities(err), nil
	case build.Status.Phase != v1alpha1.BuildSucceeded:
		return nil, nil
	}
	found, err := p.vulnerabilities.Vulnerabilities(ctx, build)
	switch {
	case apierrors.IsTooManyRequests(err):
		return nil, err
	case err != nil:
		return trigger.UnknownVulnerabilities(err), nil
	case found == nil:
		return nil, nil
	}
	return trigger.KnownVulnerabilities(found), nil
}

// unmet returns an error for each thing that a build lacks for a channel.
func unmet(image *v1alpha1.Image, rule *v1alpha1.ChannelRule, build *v1alpha1.ImageBuild, known *trigger.Vulnerabilities, path *field.Path) (errs field.ErrorList) {
	for _, missing := range trigger.Missing(image, rule, build, known) {
		errs = append(errs, field.Forbidden(path, missing))
	}
	return errs
}
