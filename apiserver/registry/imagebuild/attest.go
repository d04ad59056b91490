// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/util/dryrun"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/history"
	"goldsmith.dev/goldsmith/apiserver/registry/store"
	"goldsmith.dev/goldsmith/apiserver/registry/subresource"
	"goldsmith.dev/goldsmith/jobs/attestation"
	"goldsmith.dev/goldsmith/jobs/lock"
	"goldsmith.dev/goldsmith/jobs/signing"
)

// attestationOfPod is an attestation, which comes from the pod of a builder after the builder has ended.
var attestationOfPod = podRequest{resource: "imagebuilds/attest", verb: "attest", noun: "attestations"}

// attester serves the attest subresource: it records the locks that the pod of the current attempt uploads, and makes the statements about the
// artifacts that the publisher of this pod has read, and about the indexes of them.
type attester struct {
	reader
	attested store.Store[*v1alpha1.ImageBuild] // changes only what Goldsmith states
	keys     *signingKeys
	tokens   PublisherTokens
	builder  attestation.Builder
	clock    clock.PassiveClock
	// making has room for one: the statements about an artifact with 20,000 packages take more memory than all else.
	making chan struct{}
}

func newAttest(a *attester) *subresource.Action[v1alpha1.BuildAttestation, *v1alpha1.BuildAttestation] {
	return subresource.NewAction(attestationOfPod.resource, v1alpha1.BuildAttestation{}, checkAttestation, a.attest)
}

// checkAttestation refuses attestations that do not come from a pod of the namespace. It leaves the locks to attest, because reading them
// takes time.
func checkAttestation(ctx context.Context, name string, request *v1alpha1.BuildAttestation) error {
	if err := attestationOfPod.checkUser(ctx, name); err != nil {
		return err
	}
	return invalidAttestation(name, ValidateAttestation(request, name))
}

func invalidAttestation(build string, errs field.ErrorList) error {
	return subresource.Invalid(v1alpha1.Kind("BuildAttestation").GroupKind(), build, errs)
}

// attest handles an attestation: with an artifact or an index it makes statements, and else it records locks.
func (a *attester) attest(ctx context.Context, name string, request *v1alpha1.BuildAttestation, options *metav1.CreateOptions) (runtime.Object, error) {
	build, err := store.Get[*v1alpha1.ImageBuild](ctx, a.builds, name)
	switch {
	case apierrors.IsNotFound(err):
		return nil, attestationOfPod.notOwnBuild(name)
	case err != nil:
		return nil, err
	}
	pod := podOfUser(ctx)
	if _, err := attestationOfPod.attempt(build, pod); err != nil {
		return nil, err
	}
	if request.Artifact == nil && len(request.Index) == 0 {
		return a.attestLocks(ctx, build, request.Locks, options)
	}
	if err := a.checkPublisher(ctx, name); err != nil {
		return nil, err
	}
	check, of := checkArtifact, a.ofArtifact(ctx, request)
	if len(request.Index) > 0 {
		check, of = checkIndex, ofIndex(request.Index, build.Spec.Retests != nil, a.builder.Version)
	}
	if err := invalidAttestation(name, check(build, request)); err != nil {
		return nil, err
	}
	return a.attestSubject(ctx, build, pod, of, options)
}

// attestLocks records locks, if all are valid. It returns the attestation without them.
func (a *attester) attestLocks(ctx context.Context, build *v1alpha1.ImageBuild, locks [][]byte, options *metav1.CreateOptions) (runtime.Object, error) {
	var errs field.ErrorList
	for i, compressed := range locks {
		if _, err := decompressLock(compressed); err != nil {
			errs = append(errs, invalidLock(i, err))
		}
	}
	if err := invalidAttestation(build.Name, errs); err != nil {
		return nil, err
	}
	if !dryrun.IsDryRun(options.DryRun) {
		if err := a.record(ctx, build, locks); err != nil {
			return nil, history.Error(err, attestationOfPod.resource, build.Name)
		}
	}
	return attestationOf(build), nil
}

// attestationOf returns an answer without contents.
func attestationOf(build *v1alpha1.ImageBuild) *v1alpha1.BuildAttestation {
	return &v1alpha1.BuildAttestation{ObjectMeta: metav1.ObjectMeta{Name: build.Name, Namespace: build.Namespace}}
}

func invalidLock(index int, err error) *field.Error {
	return field.Invalid(field.NewPath("locks").Index(index), field.OmitValueType{}, err.Error())
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

// checkArtifact checks that an artifact is one that a build makes.
func checkArtifact(build *v1alpha1.ImageBuild, request *v1alpha1.BuildAttestation) (errs field.ErrorList) {
	path, of := field.NewPath("artifact"), request.Artifact
	targets := targetNames(build.Spec.Inputs.Targets)
	if !slices.Contains(targets, of.Target) {
		errs = append(errs, field.NotSupported(path.Child("target"), of.Target, targets))
	}
	want := v1alpha1.ArtifactPath(build.Namespace, build.Name, of.Digest)
	output := build.Spec.Inputs.Output
	if output != nil {
		want = output.Repository + "@" + request.Manifest
	}
	if of.Location != want && (output != nil || of.Location != "") {
		errs = append(errs, field.Invalid(path.Child("location"), of.Location, fmt.Sprintf("must be %s, where this build stores the artifact", want)))
	}
	return errs
}

// subject is what statements are about: an artifact, or an index of artifacts.
type subject struct {
	// stored returns the statements that a status has. It returns nil if the status has none.
	stored func(status *v1alpha1.ImageBuildStatus) []v1alpha1.AttestedStatement
	// make makes the statements.
	make func(build *v1alpha1.ImageBuild) ([]attestation.Statement, error)
	// add adds the statements to a status. It fails if the status has others. Without statements, it compares only the subject.
	add func(status *v1alpha1.ImageBuildStatus, statements []v1alpha1.AttestedStatement) error
}

// ofArtifact returns how the artifact of a request is attested.
func (a *attester) ofArtifact(ctx context.Context, request *v1alpha1.BuildAttestation) *subject {
	of := request.Artifact
	return &subject{
		stored: func(status *v1alpha1.ImageBuildStatus) []v1alpha1.AttestedStatement {
			if artifact := attestation.Find(status, of.Target); artifact != nil {
				return artifact.Statements
			}
			return nil
		},
		make: func(build *v1alpha1.ImageBuild) ([]attestation.Statement, error) { return a.make(ctx, build, request) },
		add: func(status *v1alpha1.ImageBuildStatus, statements []v1alpha1.AttestedStatement) error {
			about := &v1alpha1.AttestedArtifact{Target: of.Target, Digest: of.Digest, Manifest: request.Manifest, Statements: statements}
			return attestation.Add(status, about, a.builder.Version)
		},
	}
}

// attestSubject stores the digests of the statements about a subject, which are then signed, and answers with the statements once they are. Before,
// it answers with the keys that have not signed yet, and does not make the statements again.
func (a *attester) attestSubject(ctx context.Context, build *v1alpha1.ImageBuild, pod types.UID, of *subject, options *metav1.CreateOptions) (runtime.Object, error) {
	keys, namespace, err := a.keys.keysOf(ctx, build)
	if err != nil {
		return nil, err
	}
	now := a.clock.Now()
	chosen, failure := signing.Choose(attestPolicy(build), keys, namespace, now)
	var made []attestation.Statement
	var unsigned []v1alpha1.AttestedStatement
	if failure == nil && of.stored(&build.Status) == nil {
		if made, err = of.make(build); err != nil {
			return nil, err
		}
		unsigned = attestation.Unsigned(made)
	}
	build, err = a.attested.Update(ctx, build.Name, options.DryRun, func(_ context.Context, build *v1alpha1.ImageBuild) error {
		if _, err := attestationOfPod.attempt(build, pod); err != nil {
			return err
		}
		if failure == nil {
			if err := of.add(&build.Status, unsigned); err != nil {
				return conflict(build.Name, err)
			}
		}
		attestation.Await(build, chosen, failure, now)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if failure != nil {
		return nil, notAttested(build.Name, failure)
	}
	answer := attestationOf(build)
	if answer.WaitingFor = attestation.WaitingFor(chosen, build.Status.Attestation); len(answer.WaitingFor) > 0 {
		return answer, nil
	}
	if made == nil {
		if made, err = of.make(build); err != nil {
			return nil, err
		}
		if err := of.add(&build.Status, attestation.Unsigned(made)); err != nil { // it only compares, because the status has statements
			return nil, conflict(build.Name, err)
		}
	}
	answer.Statements, err = signedStatements(made, of.stored(&build.Status), chosen)
	return answer, err
}

// make makes the statements about the artifact of a request, for one request at a time.
func (a *attester) make(ctx context.Context, build *v1alpha1.ImageBuild, request *v1alpha1.BuildAttestation) ([]attestation.Statement, error) {
	select {
	case a.making <- struct{}{}:
		defer func() { <-a.making }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	var content []byte
	if len(request.Locks) > 0 {
		var err error
		if content, err = decompressLock(request.Locks[0]); err == nil {
			err = checkLockOf(request.Artifact, content)
		}
		if err != nil {
			return nil, invalidAttestation(build.Name, field.ErrorList{invalidLock(0, err)})
		}
	}
	builder := a.builder
	if stored := build.Status.Attestation; stored != nil {
		builder.Version = stored.Version // a newer server makes the same statements again
	}
	made, err := attestation.Make(build, attestation.Subject{Artifact: request.Artifact, Manifest: request.Manifest}, content, builder)
	if err != nil {
		return nil, conflict(build.Name, fmt.Errorf("make the statements about %s: %w", request.Artifact.Target, err))
	}
	return made, nil
}

// checkLockOf checks that a lock is the one that an artifact has.
func checkLockOf(artifact *v1alpha1.Artifact, content []byte) error {
	if document, digest := artifact.Document(v1alpha1.DocumentLock), contents.Digest(content); document == nil || document.Digest != digest {
		return fmt.Errorf("has the digest %s, and is not the document of type %s of the artifact", digest, v1alpha1.DocumentLock)
	}
	return nil
}

// conflict is the answer for an artifact or an index about which the attempt has another statement.
func conflict(build string, err error) error {
	return apierrors.NewConflict(v1alpha1.Resource("imagebuilds"), build, err)
}

// notAttested is the answer for artifacts that no key can sign. Its cause is the failure of the build.
func notAttested(build string, failure *v1alpha1.BuildFailure) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusUnprocessableEntity, Reason: metav1.StatusReasonInvalid, Message: failure.Message,
		Details: &metav1.StatusDetails{
			Group: v1alpha1.SchemeGroupVersion.Group, Kind: "BuildAttestation", Name: build,
			Causes: []metav1.StatusCause{{Type: metav1.CauseType(failure.Reason), Message: failure.Message, Field: "spec.inputs.output.attest"}},
		},
	}}
}

// signedStatements returns statements, which it releases, with the signatures of keys, the oldest key first. SigningKeys with the same private key have one
// signature.
func signedStatements(made []attestation.Statement, stored []v1alpha1.AttestedStatement, keys []*v1alpha1.SigningKey) ([]v1alpha1.SignedStatement, error) {
	keys = slices.Clone(keys)
	slices.SortStableFunc(keys, func(a, b *v1alpha1.SigningKey) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	var all []v1alpha1.SignedStatement
	for i, its := range stored { // as many as were made
		var compressed bytes.Buffer
		writer, err := gzip.NewWriterLevel(&compressed, gzip.BestSpeed)
		if err == nil {
			_, err = writer.Write(made[i].Payload)
		}
		if err == nil {
			err = writer.Close()
		}
		if err != nil {
			return nil, fmt.Errorf("compress a statement: %w", err)
		}
		made[i].Payload = nil // it may have many megabytes
		one := v1alpha1.SignedStatement{Type: made[i].Type, Payload: compressed.Bytes()}
		for _, key := range keys {
			signature := attestation.SignatureOf(&its, key.Status.KeyID)
			if signature != nil && !slices.ContainsFunc(one.Signatures, func(other v1alpha1.StatementSignature) bool { return other.KeyID == signature.KeyID }) {
				one.Signatures = append(one.Signatures, *signature.DeepCopy())
			}
		}
		all = append(all, one)
	}
	return all, nil
}
