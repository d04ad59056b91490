// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"errors"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/store"
	"goldsmith.dev/goldsmith/apiserver/registry/subresource"
	"goldsmith.dev/goldsmith/jobs/attestation"
	"goldsmith.dev/goldsmith/jobs/signing"
)

const signaturesResource = "imagebuilds/signatures"

// signatures serves the signatures subresource: it stores the signatures of the statements about the artifacts and indexes of a build.
type signatures struct {
	attested store.Store[*v1alpha1.ImageBuild]
	keys     *signingKeys
	clock    clock.PassiveClock
}

func newSignatures(s *signatures) *subresource.Action[v1alpha1.BuildSignatures, *v1alpha1.BuildSignatures] {
	return subresource.NewAction(signaturesResource, v1alpha1.BuildSignatures{}, subresource.Valid(v1alpha1.Kind("BuildSignatures").GroupKind(), ValidateSignatures), s.add)
}

func invalidSignatures(build string, errs ...*field.Error) error {
	return subresource.Invalid(v1alpha1.Kind("BuildSignatures").GroupKind(), build, errs)
}

// add stores signatures of a key, if all are valid. A signature that is stored already stays.
func (s *signatures) add(ctx context.Context, name string, request *v1alpha1.BuildSignatures, options *metav1.CreateOptions) (runtime.Object, error) {
	build, err := s.attested.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	if attestPolicy(build) == v1alpha1.AttestNever {
		return nil, invalidSignatures(name, field.Forbidden(field.NewPath("signatures"), "spec.inputs.output.attest of the build is Never: nobody signs its artifacts"))
	}
	keys, namespace, err := s.keys.keysOf(ctx, build)
	if err != nil {
		return nil, err
	}
	now := s.clock.Now()
	index := slices.IndexFunc(keys, func(key *v1alpha1.SigningKey) bool { return key.Name == request.Key })
	if index < 0 {
		return nil, invalidSignatures(name, field.NotFound(field.NewPath("key"), request.Key))
	}
	key := keys[index]
	selects, err := signing.Selects(key, namespace)
	invalidKey := func(why string) error {
		return invalidSignatures(name, field.Invalid(field.NewPath("key"), key.Name, why))
	}
	switch {
	case err != nil:
		return nil, invalidKey(err.Error())
	case !selects:
		return nil, invalidKey("does not select namespace " + build.Namespace)
	case signing.Expired(key, now):
		return nil, invalidKey("has expired: it signs nothing any more")
	case key.Status.PublicKey == "":
		return nil, invalidKey("has no public key in its status: the signer sets it first")
	}
	public, err := signing.ReadPublic([]byte(key.Status.PublicKey))
	if err != nil {
		return nil, invalidKey("status.publicKey: " + err.Error())
	}
	if err := invalidSignatures(name, forged(public, request.Signatures)...); err != nil {
		return nil, err
	}
	chosen, failure := signing.Choose(attestPolicy(build), keys, namespace, now)
	build, err = s.attested.Update(ctx, name, options.DryRun, func(_ context.Context, build *v1alpha1.ImageBuild) error {
		if build.Status.Phase.Finished() {
			return apierrors.NewConflict(v1alpha1.Resource("imagebuilds"), name, errors.New("it has finished, and takes no more signatures"))
		}
		var errs field.ErrorList
		for _, i := range attestation.Sign(&build.Status, public.ID(), request.Signatures) {
			errs = append(errs, field.Invalid(field.NewPath("signatures").Index(i).Child("signedDigest"), request.Signatures[i].SignedDigest,
				"must be the signedDigest of a statement in status.attestation of the build"))
		}
		if failure == nil {
			attestation.AwaitSignature(build, chosen, now)
		}
		return invalidSignatures(name, errs...)
	})
	if err != nil {
		return nil, err
	}
	return &v1alpha1.BuildSignatures{ObjectMeta: metav1.ObjectMeta{Name: build.Name, Namespace: build.Namespace}, Key: request.Key, Signatures: request.Signatures}, nil
}

// forged returns the errors of signatures that a key has not made.
func forged(public *signing.PublicKey, all []v1alpha1.DigestSignature) (errs field.ErrorList) {
	for i := range all {
		if !public.VerifyStatement(all[i].SignedDigest, all[i].Signature) {
			errs = append(errs, field.Invalid(field.NewPath("signatures").Index(i).Child("signature"), field.OmitValueType{}, "must be a signature of signedDigest by the key"))
		}
	}
	return errs
}
