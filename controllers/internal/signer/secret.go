// SPDX-License-Identifier: Apache-2.0

// Package signer signs the statements about the artifacts of builds. Its first controller publishes the public key of each SigningKey. Its
// second controller signs what the server has stored in the status of unfinished builds. Both read a private key from its Secret each time
// that they need it, and keep none.
//
// A key makes the same signature of a digest each time. So any number of processes can run these controllers, without an election.
package signer

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/notfound"
	"goldsmith.dev/goldsmith/jobs/signing"
)

// Options of the controllers. All are required.
type Options struct {
	// Client writes the status of SigningKeys, and the signatures of ImageBuilds.
	Client versioned.Interface
	// Kube reads Secrets, by their names.
	Kube kubernetes.Interface
	// Namespace has the Secrets.
	Namespace string
	// Clock tells the time.
	Clock clock.PassiveClock
}

// problem is why the signer cannot sign with a key: a reason of the condition Ready, and its message.
type problem struct{ reason, message string }

// read reads the private key of a SigningKey, and its public key. A problem is not an error: it ends when somebody changes an object.
func (o *Options) read(ctx context.Context, key *v1alpha1.SigningKey) (*signing.PrivateKey, *signing.PublicKey, *problem, error) {
	name := o.Namespace + "/" + key.Spec.SecretRef.Name
	secret, err := o.Kube.CoreV1().Secrets(o.Namespace).Get(ctx, key.Spec.SecretRef.Name, metav1.GetOptions{})
	switch {
	case notfound.Object(err):
		return nil, nil, &problem{v1alpha1.ReasonSecretNotFound, fmt.Sprintf("Secret %s does not exist: create it, with the private key at %s", name, v1alpha1.SigningKeyFile)}, nil
	case err != nil:
		return nil, nil, nil, fmt.Errorf("get Secret %s: %w", name, err)
	}
	text, ok := secret.Data[v1alpha1.SigningKeyFile]
	if !ok {
		return nil, nil, &problem{v1alpha1.ReasonSecretNotFound, fmt.Sprintf("Secret %s has no key %s: add the private key", name, v1alpha1.SigningKeyFile)}, nil
	}
	private, err := signing.ReadPrivate(text)
	if err != nil {
		return nil, nil, &problem{v1alpha1.ReasonInvalidKey, fmt.Sprintf("Secret %s: %v", name, err)}, nil
	}
	public, err := private.Public()
	if err != nil {
		return nil, nil, nil, err
	}
	if published := key.Status.KeyID; published != "" && published != public.ID() {
		return nil, nil, &problem{v1alpha1.ReasonKeyChanged, fmt.Sprintf("Secret %s has another private key, %.19s…, than that of status.keyID: restore it, or make another SigningKey", name, public.ID())}, nil
	}
	return private, public, nil, nil
}

// expired returns the problem of a key whose notAfter has passed.
func expired(key *v1alpha1.SigningKey, now time.Time) *problem {
	if !signing.Expired(key, now) {
		return nil
	}
	return &problem{v1alpha1.ReasonKeyExpired, fmt.Sprintf("the key has signed nothing since %s, spec.notAfter: earlier signatures stay valid", key.Spec.NotAfter.UTC().Format(time.RFC3339))}
}
