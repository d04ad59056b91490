// SPDX-License-Identifier: Apache-2.0

package attestation

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Unsigned returns statements as the status of a build has them, without signatures.
func Unsigned(made []Statement) []v1alpha1.AttestedStatement {
	all := make([]v1alpha1.AttestedStatement, len(made))
	for i := range made {
		all[i] = v1alpha1.AttestedStatement{Type: made[i].Type, SignedDigest: made[i].SignedDigest()}
	}
	return all
}

// Find returns what a status has about the artifact for a target; nil if it has nothing.
func Find(status *v1alpha1.ImageBuildStatus, target string) *v1alpha1.AttestedArtifact {
	if status.Attestation == nil {
		return nil
	}
	for i := range status.Attestation.Artifacts {
		if artifact := &status.Attestation.Artifacts[i]; artifact.Target == target {
			return artifact
		}
	}
	return nil
}

// Add adds the statements about an artifact of the current attempt to a status. It fails if the status has other statements about the target. Without
// statements, it only compares the artifact. version is the version of the server that made the statements.
func Add(status *v1alpha1.ImageBuildStatus, about *v1alpha1.AttestedArtifact, version string) error {
	stored := Find(status, about.Target)
	switch {
	case stored == nil && status.Attestation == nil:
		status.Attestation = &v1alpha1.Attestation{Attempt: status.CurrentAttempt, Version: version}
	case stored != nil && (stored.Digest != about.Digest || stored.Manifest != about.Manifest || about.Statements != nil && !same(stored.Statements, about.Statements)):
		return fmt.Errorf("attempt %d has another statement about %s, with the content %s and the manifest %s: an attempt attests each artifact once",
			status.Attestation.Attempt, stored.Target, stored.Digest, stored.Manifest)
	case stored != nil:
		return nil
	}
	its := status.Attestation
	its.Artifacts = append(its.Artifacts, *about.DeepCopy())
	slices.SortFunc(its.Artifacts, func(a, b v1alpha1.AttestedArtifact) int { return strings.Compare(a.Target, b.Target) })
	return nil
}

// FindIndex returns what a status has about the index with a digest; nil if it has nothing.
func FindIndex(status *v1alpha1.ImageBuildStatus, digest string) *v1alpha1.AttestedIndex {
	if status.Attestation == nil {
		return nil
	}
	for i := range status.Attestation.Indexes {
		if index := &status.Attestation.Indexes[i]; index.Digest == digest {
			return index
		}
	}
	return nil
}

// AddIndex adds the statements about an index of artifacts that a status has. It fails if the status has other statements about the index, or as many
// indexes as artifacts, attested or tested. Without statements, it only looks for the index.
func AddIndex(status *v1alpha1.ImageBuildStatus, about *v1alpha1.AttestedIndex) error {
	its := status.Attestation
	switch stored := FindIndex(status, about.Digest); {
	case stored != nil && about.Statements != nil && !same(stored.Statements, about.Statements):
		return fmt.Errorf("attempt %d has another statement about the index %s: an attempt attests each index once", its.Attempt, about.Digest)
	case stored == nil && (its == nil || len(its.Indexes) >= max(len(its.Artifacts), len(status.Artifacts))):
		return fmt.Errorf("the index %s is one too many: an attempt attests at most one index for each artifact that it has attested", about.Digest)
	case stored == nil:
		its.Indexes = append(its.Indexes, *about.DeepCopy())
		slices.SortFunc(its.Indexes, func(a, b v1alpha1.AttestedIndex) int { return strings.Compare(a.Digest, b.Digest) })
	}
	return nil
}

// All returns the statements about all artifacts and indexes of a build, which the caller may change. The attestation may be nil.
func All(its *v1alpha1.Attestation) (all []*v1alpha1.AttestedStatement) {
	if its == nil {
		return nil
	}
	add := func(statements []v1alpha1.AttestedStatement) {
		for i := range statements {
			all = append(all, &statements[i])
		}
	}
	for i := range its.Artifacts {
		add(its.Artifacts[i].Statements)
	}
	for i := range its.Indexes {
		add(its.Indexes[i].Statements)
	}
	return all
}

// same reports whether two lists have the same statements, signed or not.
func same(a, b []v1alpha1.AttestedStatement) bool {
	return slices.EqualFunc(a, b, func(a, b v1alpha1.AttestedStatement) bool {
		return a.Type == b.Type && a.SignedDigest == b.SignedDigest
	})
}

// SignatureOf returns the signature of a statement by a key, or nil.
func SignatureOf(statement *v1alpha1.AttestedStatement, keyID string) *v1alpha1.StatementSignature {
	for i := range statement.Signatures {
		if signature := &statement.Signatures[i]; signature.KeyID == keyID {
			return signature
		}
	}
	return nil
}

// WaitingFor returns the names of the keys that have not signed each statement about the artifacts and indexes of a build.
func WaitingFor(keys []*v1alpha1.SigningKey, its *v1alpha1.Attestation) (names []string) {
	statements := All(its)
	for _, key := range keys {
		if slices.ContainsFunc(statements, func(statement *v1alpha1.AttestedStatement) bool {
			return SignatureOf(statement, key.Status.KeyID) == nil
		}) {
			names = append(names, key.Name)
		}
	}
	return names
}

// Sign adds the signatures of a key, which the caller has verified, to the statements in a status. A signature that the status has stays. Sign returns the
// indices of the signatures of anything else.
func Sign(status *v1alpha1.ImageBuildStatus, keyID string, signatures []v1alpha1.DigestSignature) (unknown []int) {
	statements := map[string][]*v1alpha1.AttestedStatement{}
	for _, statement := range All(status.Attestation) {
		statements[statement.SignedDigest] = append(statements[statement.SignedDigest], statement)
	}
	for i := range signatures {
		signed := statements[signatures[i].SignedDigest]
		if signed == nil {
			unknown = append(unknown, i)
		}
		for _, statement := range signed {
			if SignatureOf(statement, keyID) != nil {
				continue
			}
			statement.Signatures = append(statement.Signatures, v1alpha1.StatementSignature{KeyID: keyID, Signature: signatures[i].Signature})
			slices.SortFunc(statement.Signatures, func(a, b v1alpha1.StatementSignature) int { return strings.Compare(a.KeyID, b.KeyID) })
		}
	}
	return unknown
}

// Await sets the condition Attested of a build to whether keys have signed all statements about its artifacts and indexes. Without keys and without a
// failure, the build has no such condition.
func Await(build *v1alpha1.ImageBuild, keys []*v1alpha1.SigningKey, failure *v1alpha1.BuildFailure, now time.Time) {
	condition := metav1.Condition{
		Type: v1alpha1.BuildAttested, Status: metav1.ConditionFalse, ObservedGeneration: build.Generation, LastTransitionTime: metav1.NewTime(now.Truncate(time.Second)),
	}
	var names []string
	for _, key := range keys {
		names = append(names, key.Name)
	}
	waiting := WaitingFor(keys, build.Status.Attestation)
	switch {
	case failure != nil:
		condition.Reason, condition.Message = string(failure.Reason), failure.Message
	case len(keys) == 0:
		meta.RemoveStatusCondition(&build.Status.Conditions, v1alpha1.BuildAttested)
		return
	case len(waiting) > 0:
		condition.Reason = v1alpha1.ReasonWaitingForSigner
		condition.Message = v1alpha1.CutMessage("the artifacts are not signed yet with SigningKey " + strings.Join(waiting, ", ") + ": if this stays, see the log of the signer")
	default:
		condition.Status, condition.Reason = metav1.ConditionTrue, v1alpha1.ReasonSigned
		condition.Message = v1alpha1.CutMessage("signed with SigningKey " + strings.Join(names, ", "))
	}
	meta.SetStatusCondition(&build.Status.Conditions, condition)
}

// AwaitSignature sets the condition Attested of a build after signatures were added. A build that waits may be signed then. A signed build does not wait
// again for a key that was made since, because its publisher does not wait either.
func AwaitSignature(build *v1alpha1.ImageBuild, keys []*v1alpha1.SigningKey, now time.Time) {
	if attested := meta.FindStatusCondition(build.Status.Conditions, v1alpha1.BuildAttested); attested != nil && attested.Reason == v1alpha1.ReasonWaitingForSigner {
		Await(build, keys, nil, now)
	}
}
