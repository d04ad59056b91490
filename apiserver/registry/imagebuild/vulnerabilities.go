// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
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
	leave, err := f.limiter.admit(ctx)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, leave) // when the client has read the answer
	answer, err := f.find(ctx, build.ImageBuild, options.Target)
	if err != nil {
		return nil, err
	}
	if options.CountsOnly {
		answer.Items = nil
	}
	return answer, nil
}

// find finds the vulnerabilities of a build for an admitted request. A target that is not empty selects one artifact.
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
	answer := &v1alpha1.ImageBuildVulnerabilities{
		ObjectMeta: metav1.ObjectMeta{Name: build.Name, Namespace: build.Namespace}, BuildUID: build.UID, Sources: sources,
	}
	err = f.limiter.alone(ctx, func() error {
		found, err := f.match(ctx, sets, build, artifacts)
		if err != nil {
			return err
		}
		answer.Counts, answer.Items, answer.Unmatched, answer.Worst = found.Counts, found.Items, found.Unmatched, found.Worst
		answer.OtherArchives = found.OtherArchives
		return nil
	})
	if err != nil {
		return nil, err
	}
	return answer, nil
}

// match matches advisories with the locks of artifacts of a build.
func (f *vulnerabilityFinder) match(ctx context.Context, sets []*advisories.Set, build *v1alpha1.ImageBuild, artifacts []*v1alpha1.Artifact) (*advisories.Result, error) {
	subject := subjectOf(build)
	documents := map[string]*v1alpha1.ArtifactDocument{} // by digest
	for _, artifact := range artifacts {
		documents[artifact.ReadLock().Digest] = artifact.ReadLock()
	}
	digests := slices.Sorted(maps.Keys(documents))
	key := fmt.Sprintf("vulnerabilities %d %q %q", f.limiter.revisionOf(sets), subject, digests)
	return remember(f.limiter, key, func() (*advisories.Result, int, error) {
		locks := f.openLocks(vulnerabilitiesResource, build.Name)
		for _, digest := range digests {
			listed, err := locks.lock(ctx, build.Name, documents[digest])
			if err != nil {
				return nil, 0, err
			}
			subject.Locks = append(subject.Locks, listed)
		}
		found, err := advisories.Find(ctx, sets, subject)
		if err != nil && ctx.Err() == nil {
			err = unknownVulnerabilities(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, build.Name, err.Error())
		}
		size := len(key) + (1+len(found.Items))*vulnerabilitySize
		for _, line := range slices.Concat(found.Unmatched, found.OtherArchives) {
			size += len(line)
		}
		return &found, size, err
	})
}

// vulnerabilitySize is about how many bytes a vulnerability needs. Its texts belong to the advisories and the locks.
const vulnerabilitySize = 512

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
	leave, err := s.limiter.admit(ctx)
	if err != nil {
		return nil, err
	}
	defer leave() // the client gets no list
	return s.finder().find(ctx, build, "")
}

func (s *Store) finder() *vulnerabilityFinder {
	return &vulnerabilityFinder{reader: s.reader(), advisories: s.options.Advisories}
}
