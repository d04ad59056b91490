// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/attestation"
	"goldsmith.dev/goldsmith/jobs/signing"
)

// answer is what a publisher learns at the attest subresource.
type answer uint8

const (
	answerSigned  answer = iota // or nobody signs
	answerWaiting               // for the signer
	answerRefused               // the pod is not that of the current attempt
	answerFailed                // no key can sign
)

// attest is the subresource of that name. The publisher of a pod asks it before it sets tags.
func (w *environment) attest(pod *corev1.Pod, artifact *v1alpha1.AttestedArtifact) (answer, *v1alpha1.BuildFailure) {
	index := slices.IndexFunc(w.builds.all, func(build *v1alpha1.ImageBuild) bool {
		return active(build) && lastAttempt(build).PodUID == pod.UID && lastAttempt(build).Outcome == ""
	})
	if index < 0 {
		return answerRefused, nil
	}
	build := w.builds.all[index]
	attempt := lastAttempt(build)
	keys, failure := signing.Choose(build.Spec.Inputs.Output.Attest, w.keys, signing.Namespace{Name: build.Namespace}, w.now)
	next := *build
	next.Status = *build.Status.DeepCopy()
	if failure == nil {
		artifact.Statements = []v1alpha1.AttestedStatement{
			{Type: "provenance", SignedDigest: fmt.Sprint(build.UID, attempt.Number, attempt.BuilderImage, artifact.Digest)}, {Type: "signature", SignedDigest: artifact.Manifest},
		}
		if err := attestation.Add(&next.Status, artifact, "v1"); err != nil {
			w.broken("%s states something else about an artifact of one pod: %v", build.Name, err)
		}
		other := *artifact
		other.Digest, other.Statements = "sha256:another", nil
		if err := attestation.Add(next.Status.DeepCopy(), &other, "v1"); err == nil {
			w.broken("%s has a second statement about an artifact", build.Name)
		}
	}
	if failure == nil && len(keys) > 0 && len(attestation.WaitingFor(keys, next.Status.Attestation)) == 0 { // then the publisher attests the index of its tag
		index := &v1alpha1.AttestedIndex{Digest: "index of " + artifact.Manifest, Statements: []v1alpha1.AttestedStatement{{Type: "signature", SignedDigest: "index of " + artifact.Manifest}}}
		if err := attestation.AddIndex(&next.Status, index); err != nil {
			w.broken("%s states something else about an index of one pod: %v", build.Name, err)
		}
	}
	attestation.Await(&next, keys, failure, w.now)
	w.storeAttestation(build, &next)
	if failure != nil {
		return answerFailed, failure
	}
	if len(attestation.WaitingFor(keys, next.Status.Attestation)) > 0 {
		return answerWaiting, nil
	}
	for _, key := range keys {
		signed := 0
		for _, statement := range attestation.All(next.Status.Attestation) {
			if slices.ContainsFunc(statement.Signatures, func(s v1alpha1.StatementSignature) bool { return s.KeyID == key.Status.KeyID && len(s.Signature) > 0 }) {
				signed++
			}
		}
		if signed != 3 { // two about the artifact, and one about the index
			w.broken("the publisher of %s may set tags, and SigningKey %s has signed %d statements", build.Name, key.Name, signed)
		}
	}
	return answerSigned, nil
}

// storeAttestation stores what the attest and the signatures subresource change.
func (w *environment) storeAttestation(was, is *v1alpha1.ImageBuild) {
	w.checkKept(was, is)
	if its := is.Status.Attestation; its != nil && len(its.Artifacts) > 1 {
		w.broken("%s has %d artifacts with statements, and makes one", is.Name, len(its.Artifacts))
	}
	if !equality.Semantic.DeepEqual(&was.Status, &is.Status) {
		put(w, &w.builds, is)
	}
}

// checkKept checks that a status keeps what is stated and signed until another pod makes other artifacts.
func (w *environment) checkKept(was, is *v1alpha1.ImageBuild) {
	before, after := lastAttempt(was), lastAttempt(is)
	if after != nil && len(after.Tests) == 0 && (len(is.Status.Attempts) > len(was.Status.Attempts) || before.PodUID != "" && after.PodUID == "") {
		if is.Status.Attestation != nil || meta.FindStatusCondition(is.Status.Conditions, v1alpha1.BuildAttested) != nil {
			w.broken("%s keeps statements about what its former pod has made", is.Name)
		}
		return
	}
	if was.Status.Attestation == nil {
		return
	}
	kept := attestation.All(is.Status.Attestation)
	for _, former := range attestation.All(was.Status.Attestation) {
		at := slices.IndexFunc(kept, func(statement *v1alpha1.AttestedStatement) bool { return statement.SignedDigest == former.SignedDigest })
		if at < 0 {
			w.broken("%s loses statements", is.Name)
		}
		for _, signature := range former.Signatures {
			if now := attestation.SignatureOf(kept[at], signature.KeyID); now == nil || string(now.Signature) != string(signature.Signature) {
				w.broken("%s loses a signature of %s", is.Name, signature.KeyID)
			}
		}
	}
}

// checkAttested checks that a finished build does not wait for the signer.
func (w *environment) checkAttested(build *v1alpha1.ImageBuild) {
	attested := meta.FindStatusCondition(build.Status.Conditions, v1alpha1.BuildAttested)
	if attested == nil {
		return
	}
	w.cover.point("a build ends with Attested=" + string(attested.Status))
	if attested.Reason == v1alpha1.ReasonWaitingForSigner {
		w.broken("%s has finished, and waits for the signer", build.Name)
	}
}

// sign lets the signer read the keys, and sign what they have not signed. It is killed after some requests. It returns whether it made any.
func (w *environment) sign(requests int) (worked bool) {
	for i, key := range w.keys {
		if key.Status.KeyID == "" {
			read := key.DeepCopy()
			read.Status.KeyID = "id of " + key.Name
			w.keys[i], worked = read, true
		}
	}
	for _, build := range slices.Clone(w.builds.all) {
		if build.Status.Finished || build.Status.Attestation == nil {
			continue
		}
		for _, key := range w.keys {
			signatures := missing(build, key)
			if signing.Expired(key, w.now) || meta.IsStatusConditionFalse(key.Status.Conditions, v1alpha1.SigningKeyReady) || len(signatures) == 0 {
				continue
			}
			if requests == 0 {
				w.cover.point("the signer is killed")
				return worked
			}
			requests--
			w.addSignatures(build.Name, key, signatures)
			worked = true
		}
	}
	return worked
}

// missing returns the signatures of a key that a build lacks.
func missing(build *v1alpha1.ImageBuild, key *v1alpha1.SigningKey) (signatures []v1alpha1.DigestSignature) {
	for _, statement := range attestation.All(build.Status.Attestation) {
		if attestation.SignatureOf(statement, key.Status.KeyID) == nil {
			signatures = append(signatures, v1alpha1.DigestSignature{SignedDigest: statement.SignedDigest, Signature: []byte(key.Name + " signs " + statement.SignedDigest)})
		}
	}
	return signatures
}

// addSignatures is the subresource signatures.
func (w *environment) addSignatures(name string, key *v1alpha1.SigningKey, signatures []v1alpha1.DigestSignature) {
	build, _ := w.builds.get(name)
	next := *build
	next.Status = *build.Status.DeepCopy()
	if unknown := attestation.Sign(&next.Status, key.Status.KeyID, signatures); len(unknown) > 0 {
		w.broken("%s does not know what the signer has read in it", name)
	}
	if keys, failure := signing.Choose(build.Spec.Inputs.Output.Attest, w.keys, signing.Namespace{Name: build.Namespace}, w.now); failure == nil {
		attestation.AwaitSignature(&next, keys, w.now)
	}
	w.storeAttestation(build, &next)
}

// changeKeys lets the operator make a key, or change one.
func (w *environment) changeKeys(a int) {
	n := len(w.keys)
	switch {
	case a%4 == 0 || n == 0:
		w.keys = append(slices.Clone(w.keys), &v1alpha1.SigningKey{ObjectMeta: metav1.ObjectMeta{Name: "key-" + string(w.uid())}})
	case a%4 == 1:
		w.changeKey(a/4%n, func(key *v1alpha1.SigningKey) { key.Spec.NotAfter = new(w.time()) })
	case a%4 == 2:
		w.changeKey(a/4%n, func(key *v1alpha1.SigningKey) {
			status := metav1.ConditionFalse
			if meta.IsStatusConditionFalse(key.Status.Conditions, v1alpha1.SigningKeyReady) {
				status = metav1.ConditionTrue
			}
			key.Status.Conditions = []metav1.Condition{{Type: v1alpha1.SigningKeyReady, Status: status, Reason: v1alpha1.ReasonSecretNotFound}}
		})
	default:
		w.keys = slices.Clone(w.keys[1:])
	}
}

func (w *environment) changeKey(index int, change func(*v1alpha1.SigningKey)) {
	key := w.keys[index].DeepCopy()
	change(key)
	w.keys = slices.Clone(w.keys)
	w.keys[index] = key
}
