// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/subresource"
)

const packagesResource = "imagebuilds/packages"

// packageLister serves the packages subresource: the packages in the artifacts of a build, which may be deleted.
type packageLister struct{ reader }

func newPackages(of reader) *subresource.View[v1alpha1.ImageBuildPackagesOptions, *v1alpha1.ImageBuildPackagesOptions] {
	p := &packageLister{of}
	return subresource.NewView(packagesResource, &v1alpha1.ImageBuildPackages{}, v1alpha1.ImageBuildPackages{}, p.list)
}

// list lists the packages of a build.
func (p *packageLister) list(ctx context.Context, name string, options *v1alpha1.ImageBuildPackagesOptions) (runtime.Object, error) {
	if err := invalidOptions(packagesResource, name, ValidatePackagesOptions(options)); err != nil {
		return nil, err
	}
	build, err := p.read(ctx, packagesResource, name, types.UID(options.UID))
	if err != nil {
		return nil, err
	}
	artifacts, err := withLocks(build.ImageBuild, options.Target, packagesResource)
	if err != nil {
		return nil, err
	}
	answer := &v1alpha1.ImageBuildPackages{ObjectMeta: metav1.ObjectMeta{Name: build.Name, Namespace: build.Namespace}, BuildUID: build.UID}
	err = p.limiter.serve(ctx, func() error { return p.add(ctx, answer, artifacts) })
	if err != nil {
		return nil, err
	}
	return answer, nil
}

// add adds the locks of artifacts to an answer.
func (p *packageLister) add(ctx context.Context, answer *v1alpha1.ImageBuildPackages, artifacts []*v1alpha1.Artifact) error {
	locks := p.openLocks(packagesResource, answer.Name)
	indexes := map[string]int{} // by digest
	for _, artifact := range artifacts {
		document := artifact.ReadLock()
		i, known := indexes[document.Digest]
		if !known {
			listed, err := locks.lock(ctx, answer.Name, document)
			if err != nil {
				return err
			}
			i = len(answer.Locks)
			indexes[document.Digest] = i
			answer.Locks = append(answer.Locks, v1alpha1.ArtifactLock{Digest: document.Digest, Lock: *listed})
		}
		answer.Locks[i].Targets = append(answer.Locks[i].Targets, artifact.Target)
	}
	return nil
}

// withLocks returns the artifacts of a build that have a lock. A target that is not empty selects one artifact. resource is that of the request.
func withLocks(build *v1alpha1.ImageBuild, target, resource string) (found []*v1alpha1.Artifact, _ error) {
	var targets, selected []string
	unread := ""
	for i := range build.Status.Artifacts {
		artifact := &build.Status.Artifacts[i]
		targets = append(targets, artifact.Target)
		if target != "" && artifact.Target != target {
			continue
		}
		selected = append(selected, artifact.Target)
		if artifact.ReadLock() != nil {
			found = append(found, artifact)
		} else {
			unread = unreadLock(artifact)
		}
	}
	switch {
	case len(targets) == 0 && build.Status.Phase.Finished():
		return nil, noPackages(resource, build.Name, fmt.Sprintf("imagebuild %s has no artifacts: it is %s; use a build that succeeded", build.Name, build.Status.Phase))
	case len(targets) == 0:
		return nil, noPackages(resource, build.Name, fmt.Sprintf("imagebuild %s has no artifacts yet: it is %s; wait until it succeeds", build.Name, build.Status.Phase))
	case len(selected) == 0:
		return nil, invalidOptions(resource, build.Name, field.ErrorList{field.NotSupported(field.NewPath("target"), target, targets)})
	case len(found) == 0:
		return nil, noPackages(resource, build.Name, fmt.Sprintf("imagebuild %s has no lock of %s that Goldsmith read: %s", build.Name, strings.Join(selected, ", "), unread))
	}
	return found, nil
}

// invalidOptions returns an error about query parameters, or nil.
func invalidOptions(resource, build string, errs field.ErrorList) error {
	kind := "ImageBuildPackagesOptions"
	if resource == vulnerabilitiesResource {
		kind = "ImageBuildVulnerabilitiesOptions"
	}
	return subresource.Invalid(v1alpha1.Kind(kind).GroupKind(), build, errs)
}

func noPackages(resource, build, message string) error {
	return notServed(resource, http.StatusNotFound, metav1.StatusReasonNotFound, build, message)
}
