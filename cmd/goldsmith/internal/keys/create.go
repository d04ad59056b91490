// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/kubernetes"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/jobs/signing"
)

// request is what the user of create wants.
type request struct {
	name, namespace string
	selector        *metav1.LabelSelector
	notAfter        *metav1.Time
	// private is an existing private key, or nil, and file the path where it was read.
	private []byte
	file    string
}

func (r *request) secretName() string { return r.name + "-signing-key" }

// creator makes keys.
type creator struct {
	connection *client.Connection
	kube       kubernetes.Interface
}

func newCreator(connection *client.Connection) (*creator, error) {
	kube, err := kubernetes.NewForConfig(connection.Config)
	if err != nil {
		return nil, fmt.Errorf("create a client for Secrets: %w", err)
	}
	return &creator{connection, kube}, nil
}

// create makes the Secret first, so that the signer finds it at once.
func (c *creator) create(ctx context.Context, wanted request, timeout time.Duration, out, stderr io.Writer) error {
	if n := len(wanted.name); n > validation.LabelValueMaxLength {
		return fmt.Errorf("the NAME has %d bytes, at most %d are allowed, because it is the value of a label of the Secret: choose a shorter one", n, validation.LabelValueMaxLength)
	}
	keys := c.connection.ImagesV1alpha1().SigningKeys()
	switch _, err := keys.Get(ctx, wanted.name, metav1.GetOptions{}); {
	case err == nil:
		return alreadyExists(wanted.name)
	case !client.IsNotFound(err, "signingkeys", wanted.name):
		return fmt.Errorf("get SigningKey %s: %w", wanted.name, err)
	}
	key := &v1alpha1.SigningKey{ObjectMeta: metav1.ObjectMeta{Name: wanted.name}, Spec: v1alpha1.SigningKeySpec{
		SecretRef: v1alpha1.SecretReference{Name: wanted.secretName()}, NamespaceSelector: wanted.selector, NotAfter: wanted.notAfter,
	}}
	// What the server refuses must leave no Secret behind.
	if _, err := keys.Create(ctx, key, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}); err != nil {
		return fmt.Errorf("create SigningKey %s: %w", wanted.name, err)
	}
	public, err := c.store(ctx, wanted, stderr)
	if err != nil {
		return err
	}
	created, err := keys.Create(ctx, key, metav1.CreateOptions{})
	switch {
	case apierrors.IsAlreadyExists(err):
		return alreadyExists(wanted.name)
	case err != nil:
		return fmt.Errorf("create SigningKey %s: %w", wanted.name, err)
	}
	published, err := c.connection.WaitForSigningKey(ctx, wanted.name, func(key *v1alpha1.SigningKey) bool {
		return key.Status.ObservedGeneration >= created.Generation && meta.FindStatusCondition(key.Status.Conditions, v1alpha1.SigningKeyReady) != nil
	})
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("SigningKey %s exists, but no signer has published its public key within %s: %s", wanted.name, timeout, lookAtTheSigner)
	case err != nil:
		return fmt.Errorf("wait for the public key of SigningKey %s: %w", wanted.name, err)
	case published.Status.PublicKey == "":
		return unpublished(published)
	case published.Status.KeyID != public.ID():
		return fmt.Errorf("the signer has published another key than that of Secret %s/%s: is --signer-namespace the namespace of the signer?", wanted.namespace, wanted.secretName())
	}
	_, err = fmt.Fprintf(out, "SigningKey %s signs %s.\nKey ID:     %s\nPublic key: goldsmith keys get %[1]s\n", wanted.name, describe(published), published.Status.KeyID)
	return err
}

func alreadyExists(name string) error {
	return fmt.Errorf("SigningKey %s exists already: `goldsmith keys get %[1]s` prints its public key; for another key, choose another name", name)
}

// describe tells whose builds a key signs, and until when.
func describe(key *v1alpha1.SigningKey) string {
	if !meta.IsStatusConditionTrue(key.Status.Conditions, v1alpha1.SigningKeyReady) {
		return "nothing, because it has expired"
	}
	text := "the builds of all namespaces"
	if selected := namespacesOf(key); selected != all {
		text = "the builds of namespaces with " + selected
	}
	if end := key.Spec.NotAfter; end != nil {
		text += " until " + end.UTC().Format(time.RFC3339)
	}
	return text
}

// store stores the private key, and returns its public key. A private key that is stored already stays.
func (c *creator) store(ctx context.Context, wanted request, stderr io.Writer) (*signing.PublicKey, error) {
	private, err := wanted.read()
	if err != nil {
		return nil, err
	}
	text, err := private.PEM()
	if err != nil {
		return nil, err
	}
	name := wanted.namespace + "/" + wanted.secretName()
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: wanted.secretName(), Labels: map[string]string{v1alpha1.LabelSigningKey: wanted.name}},
		Immutable:  new(true),
		Data:       map[string][]byte{v1alpha1.SigningKeyFile: text},
	}
	_, err = c.kube.CoreV1().Secrets(wanted.namespace).Create(ctx, secret, metav1.CreateOptions{})
	if apierrors.IsNotFound(err) {
		if err = c.createNamespace(ctx, wanted.namespace); err != nil {
			return nil, err
		}
		_, err = c.kube.CoreV1().Secrets(wanted.namespace).Create(ctx, secret, metav1.CreateOptions{})
	}
	switch {
	case apierrors.IsAlreadyExists(err):
		return c.stored(ctx, wanted, stderr)
	case err != nil:
		return nil, fmt.Errorf("create Secret %s: %w", name, err)
	}
	return private.Public()
}

// read returns the private key of the user, or a new one.
func (r *request) read() (*signing.PrivateKey, error) {
	if r.private == nil {
		return signing.Generate()
	}
	private, err := signing.ReadPrivate(r.private)
	if err != nil {
		return nil, fmt.Errorf("--from-file %s: %w", r.file, err)
	}
	return private, nil
}

// stored returns the public key of a Secret that an earlier try has made.
func (c *creator) stored(ctx context.Context, wanted request, stderr io.Writer) (*signing.PublicKey, error) {
	name := wanted.namespace + "/" + wanted.secretName()
	found, err := c.kube.CoreV1().Secrets(wanted.namespace).Get(ctx, wanted.secretName(), metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("get Secret %s: %w", name, err)
	}
	private, err := signing.ReadPrivate(found.Data[v1alpha1.SigningKeyFile])
	if err != nil || found.Labels[v1alpha1.LabelSigningKey] != wanted.name {
		return nil, fmt.Errorf("the Secret %s exists already, and is not that of an earlier try: choose another name, or delete the Secret", name)
	}
	public, err := private.Public()
	if err != nil || wanted.private == nil {
		_, _ = fmt.Fprintf(stderr, "using the private key in Secret %s, which an earlier try has stored\n", name)
		return public, err
	}
	given, err := signing.ReadPrivate(wanted.private)
	if err != nil {
		return nil, fmt.Errorf("--from-file %s: %w", wanted.file, err)
	}
	if same, err := given.Public(); err != nil || same.ID() != public.ID() {
		return nil, errors.Join(err, fmt.Errorf("the Secret %s exists already, with another private key than --from-file: choose another name", name))
	}
	return public, nil
}

// createNamespace creates the namespace of the Secrets, unless the server is a cluster: there it comes with the signer.
func (c *creator) createNamespace(ctx context.Context, name string) error {
	groups, err := c.kube.Discovery().ServerGroups()
	if err != nil {
		return fmt.Errorf("find out whether the server is a cluster: %w", err)
	}
	if slices.ContainsFunc(groups.Groups, func(group metav1.APIGroup) bool { return group.Name == "apps" }) {
		return fmt.Errorf("there is no namespace %s: set --signer-namespace to the namespace of goldsmith-signer", name)
	}
	_, err = c.kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create namespace %s: %w", name, err)
	}
	return nil
}
