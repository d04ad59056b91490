// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/util/dryrun"

	declared "goldsmith.dev/goldsmith/apis/generated/validation"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/history"
	"goldsmith.dev/goldsmith/apiserver/registry/store"
	"goldsmith.dev/goldsmith/apiserver/registry/subresource"
	"goldsmith.dev/goldsmith/apiserver/registry/validation"
	"goldsmith.dev/goldsmith/jobs/lock"
)

// attestationOfPod is an attestation, which comes from the pod of a builder after the builder has ended.
var attestationOfPod = podRequest{resource: "imagebuilds/attest", verb: "attest", noun: "attestations"}

// attester serves the attest subresource: it records the locks that the pod of the current attempt uploads.
type attester struct{ reader }

func newAttest(of reader) *subresource.Action[v1alpha1.BuildAttestation, *v1alpha1.BuildAttestation] {
	a := &attester{of}
	return subresource.NewAction(attestationOfPod.resource, v1alpha1.BuildAttestation{}, checkAttestation, a.attest)
}

// checkAttestation refuses attestations that do not come from a pod of the namespace. It leaves the locks to attest, because reading them
// takes time.
func checkAttestation(ctx context.Context, name string, request *v1alpha1.BuildAttestation) error {
	if err := attestationOfPod.checkUser(ctx, name); err != nil {
		return err
	}
	errs := validation.RequestName(request.Name, name)
	return invalidAttestation(name, validation.Declared(declared.Validate_BuildAttestation, request, nil, errs))
}

func invalidAttestation(build string, errs field.ErrorList) error {
	return subresource.Invalid(v1alpha1.Kind("BuildAttestation").GroupKind(), build, errs)
}

// attest records the locks of an attestation, if all are valid. It returns the attestation without them.
func (a *attester) attest(ctx context.Context, name string, request *v1alpha1.BuildAttestation, options *metav1.CreateOptions) (runtime.Object, error) {
	build, err := store.Get[*v1alpha1.ImageBuild](ctx, a.builds, name)
	switch {
	case apierrors.IsNotFound(err):
		return nil, attestationOfPod.notOwnBuild(name)
	case err != nil:
		return nil, err
	}
	if _, err := attestationOfPod.attempt(build, podOfUser(ctx)); err != nil {
		return nil, err
	}
	var errs field.ErrorList
	for i, compressed := range request.Locks {
		if _, err := decompressLock(compressed); err != nil {
			errs = append(errs, field.Invalid(field.NewPath("locks").Index(i), field.OmitValueType{}, err.Error()))
		}
	}
	if err := invalidAttestation(name, errs); err != nil {
		return nil, err
	}
	if !dryrun.IsDryRun(options.DryRun) {
		if err := a.record(ctx, build, request.Locks); err != nil {
			return nil, history.Error(err, attestationOfPod.resource, name)
		}
	}
	return &v1alpha1.BuildAttestation{ObjectMeta: metav1.ObjectMeta{Name: build.Name, Namespace: build.Namespace}}, nil
}

// record records valid locks. It decompresses each again, because all of them together may be large.
func (a *attester) record(ctx context.Context, build *v1alpha1.ImageBuild, locks [][]byte) error {
	for _, compressed := range locks {
		content, err := decompressLock(compressed)
		if err != nil {
			return err
		}
		if err := a.records.RecordLock(ctx, build, content); err != nil {
			return err
		}
	}
	return nil
}

// decompressLock returns the content of a valid lock.
func decompressLock(compressed []byte) ([]byte, error) {
	reader, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return nil, fmt.Errorf("must be compressed by gzip: %w", err)
	}
	content, err := io.ReadAll(io.LimitReader(reader, v1alpha1.MaxLockBytes+1)) // one byte more, which lock.Read refuses
	if err != nil {
		return nil, fmt.Errorf("cannot be decompressed: %w: send it again", err)
	}
	_, err = lock.Read(content)
	return content, err
}
