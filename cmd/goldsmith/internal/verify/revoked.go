// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/exit"
	"goldsmith.dev/goldsmith/jobs/attestation"
)

// findRevoked finds out whether the build that the user named is revoked, or a build that made the content, as its signed provenance says, or the content
// itself, whose builds may be deleted. With keys of files, the command reaches no server, and does not know which builds of others are revoked.
func (o *options) findRevoked(ctx context.Context, found *report) error {
	if found.build != nil {
		for _, one := range found.Artifacts {
			one.revoke(found.build, o)
		}
		return nil
	}
	if o.offline || o.keysNamed() {
		return nil
	}
	connection, err := o.connect()
	if err != nil {
		return err
	}
	for _, one := range found.Artifacts {
		namespaces := []string{connection.Namespace}
		for i := range one.Provenance {
			if of := one.Provenance[i].Namespace; one.Provenance[i].BuildType == attestation.BuildType && of != "" {
				namespaces = append(namespaces, of)
			}
		}
		slices.Sort(namespaces)
		for _, namespace := range slices.Compact(namespaces) {
			if err := one.findContent(ctx, connection, namespace, o); err != nil {
				return err
			}
		}
		for i := range one.Provenance {
			build, err := buildOf(ctx, connection, &one.Provenance[i])
			if err != nil {
				return err
			}
			if build != nil {
				one.revoke(build, o)
			}
		}
	}
	return nil
}

// findContent records that the content, or its manifest, is revoked in a namespace, if it is, and the user may read that. A container image is known by its
// manifest, and by the file that the provenance names. An older server has no revoked artifacts.
func (a *artifact) findContent(ctx context.Context, connection *client.Connection, namespace string, o *options) error {
	digests := slices.DeleteFunc(append([]string{a.Digest, a.Manifest}, a.subjects...), func(digest string) bool { return digest == "" })
	slices.Sort(digests)
	for _, digest := range slices.Compact(digests) {
		name := v1alpha1.RevokedArtifactName(digest)
		found, err := connection.ImagesV1alpha1().RevokedArtifacts(namespace).Get(ctx, name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			continue
		case apierrors.IsForbidden(err):
			return nil
		case err != nil:
			return fmt.Errorf("look for revokedartifact %s: %w", name, err)
		}
		if of := &found.Spec; of.Revocation.InEffect(o.clock.Now()) {
			a.Outcome, a.Message = revoked, fmt.Sprintf("build %s is %s", of.Build, of.Revocation.Explain())
			return nil
		}
	}
	return nil
}

// orRevoked returns an error because of which signatures cannot be checked. If the build that the user named is revoked, that counts more.
func (o *options) orRevoked(err error) error {
	if o.subject == nil || !v1alpha1.Revoked(o.subject, o.clock.Now()) {
		return err
	}
	return &exit.Error{Code: exit.NotVerified, Err: fmt.Errorf("build %s is %s; its signatures were not checked: %w", o.subject.Name, o.subject.Status.Revoked.Explain(), err)}
}

// buildOf returns the build of the server that a provenance is about. It is nil if it does not exist there any more, or the user may not read it.
func buildOf(ctx context.Context, connection *client.Connection, of *provenance) (*v1alpha1.ImageBuild, error) {
	if of.BuildType != attestation.BuildType || of.Build == "" || of.Namespace == "" {
		return nil, nil
	}
	build, err := connection.ImagesV1alpha1().ImageBuilds(of.Namespace).Get(ctx, of.Build, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err), apierrors.IsForbidden(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("look for build %s: %w", of.Build, err)
	case string(build.UID) != of.BuildUID:
		return nil, nil
	}
	return build, nil
}

// revoke records that a build of the artifact is revoked, if it is.
func (a *artifact) revoke(build *v1alpha1.ImageBuild, o *options) {
	if v1alpha1.Revoked(build, o.clock.Now()) {
		a.Outcome, a.Message = revoked, fmt.Sprintf("build %s is %s", build.Name, build.Status.Revoked.Explain())
	}
}
