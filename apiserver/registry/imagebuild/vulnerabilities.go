// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/subresource"
	"goldsmith.dev/goldsmith/jobs/advisories"
)

const vulnerabilitiesResource = "imagebuilds/vulnerabilities"

// advisoriesRetryAfter is when a client asks again while advisories cannot be read.
const advisoriesRetryAfter = 10

// Advisories are the advisories of the operator, which change while the server serves.
type Advisories interface {
	// Current returns what was read last, and where. The error is why a source has not been read yet.
	Current() ([]*advisories.Set, []v1alpha1.AdvisorySource, error)
}

// vulnerabilityFinder serves the vulnerabilities subresource: what advisories know about the packages in the artifacts of a build, which may be
// deleted.
type vulnerabilityFinder struct {
	reader
	advisories Advisories // nil if the operator has set none
}

func newVulnerabilities(finder *vulnerabilityFinder) *subresource.View[v1alpha1.ImageBuildVulnerabilitiesOptions, *v1alpha1.ImageBuildVulnerabilitiesOptions] {
	return subresource.NewView(vulnerabilitiesResource, &v1alpha1.ImageBuildVulnerabilities{}, v1alpha1.ImageBuildVulnerabilities{}, finder.list)
}

// list lists the vulnerabilities of a build.
func (f *vulnerabilityFinder) list(ctx context.Context, name string, options *v1alpha1.ImageBuildVulnerabilitiesOptions) (runtime.Object, error) {
	if err := invalidOptions(vulnerabilitiesResource, name, ValidateVulnerabilitiesOptions(options)); err != nil {
		return nil, err
	}
	build, err := f.read(ctx, vulnerabilitiesResource, name, types.UID(options.UID))
	if err != nil {
		return nil, err
	}
	answer, err := f.find(ctx, build.ImageBuild, options.Target)
	if err != nil {
		return nil, err
	}
	if options.CountsOnly {
		answer.Items = nil
	}
	return answer, nil
}

// find finds the vulnerabilities of a build. A target that is not empty selects one artifact.
func (f *vulnerabilityFinder) find(ctx context.Context, build *v1alpha1.ImageBuild, target string) (*v1alpha1.ImageBuildVulnerabilities, error) {
	if f.advisories == nil {
		return nil, noAdvisories(build.Name)
	}
	artifacts, err := withLocks(build, target, vulnerabilitiesResource)
	if err != nil {
		return nil, err
	}
	sets, sources, err := f.advisories.Current()
	if err != nil {
		return nil, unreadAdvisories(build.Name, err)
	}
	subject := subjectOf(build)
	locks := f.openLocks(vulnerabilitiesResource, build.Name)
	read := map[string]bool{} // by digest
	for _, artifact := range artifacts {
		document := artifact.ReadLock()
		if read[document.Digest] {
			continue
		}
		read[document.Digest] = true
		listed, err := locks.lock(ctx, build.Name, document)
		if err != nil {
			return nil, err
		}
		subject.Locks = append(subject.Locks, listed)
	}
	found := advisories.Match(sets, subject)
	return &v1alpha1.ImageBuildVulnerabilities{
		ObjectMeta: metav1.ObjectMeta{Name: build.Name, Namespace: build.Namespace}, BuildUID: build.UID,
		Sources: sources, Counts: found.Counts, Items: found.Items, Unmatched: found.Unmatched, Worst: found.Worst,
		OtherArchives: found.OtherArchives,
	}, nil
}

// subjectOf returns how statements name a build.
func subjectOf(build *v1alpha1.ImageBuild) advisories.Subject {
	subject := advisories.Subject{Namespace: build.Namespace}
	if build.Spec.ImageRef != nil {
		subject.Image = build.Spec.ImageRef.Name
	}
	if build.Spec.Inputs.Output != nil {
		subject.Repository = build.Spec.Inputs.Output.Repository
	}
	for i := range build.Status.Artifacts {
		its := &build.Status.Artifacts[i]
		subject.Digests = append(subject.Digests, its.Digest)
		if manifest, ok := strings.CutPrefix(its.Location, subject.Repository+"@"); ok && subject.Repository != "" { // the build published it
			subject.Digests = append(subject.Digests, manifest)
		}
	}
	return subject
}

// noAdvisories is the error of a server whose operator has set no advisories. Its cause tells it from that of a build that does not exist.
func noAdvisories(build string) error {
	const message = "this server has no advisories; its operator sets them with --advisories"
	err := unknownVulnerabilities(http.StatusNotFound, metav1.StatusReasonNotFound, build, message)
	err.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: v1alpha1.CauseNoAdvisories, Message: message}}
	return err
}

func unreadAdvisories(build string, why error) error {
	err := unknownVulnerabilities(http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, build, why.Error())
	err.ErrStatus.Details.RetryAfterSeconds = advisoriesRetryAfter
	return err
}

func unknownVulnerabilities(code int32, reason metav1.StatusReason, build, why string) *apierrors.StatusError {
	return notServed(vulnerabilitiesResource, code, reason, build, fmt.Sprintf("the vulnerabilities of imagebuild %s are unknown: %s", build, why))
}

// Vulnerabilities returns the vulnerabilities of a build, for the rules of channels. It returns nil if the operator has set no advisories.
func (s *Store) Vulnerabilities(ctx context.Context, build *v1alpha1.ImageBuild) (*v1alpha1.ImageBuildVulnerabilities, error) {
	if s.options.Advisories == nil {
		return nil, nil
	}
	return s.finder().find(ctx, build, "")
}

func (s *Store) finder() *vulnerabilityFinder {
	return &vulnerabilityFinder{reader: s.reader(), advisories: s.options.Advisories}
}
