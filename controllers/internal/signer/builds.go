// SPDX-License-Identifier: Apache-2.0

package signer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/notfound"
	"goldsmith.dev/goldsmith/controllers/internal/caches"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
	"goldsmith.dev/goldsmith/jobs/attestation"
	"goldsmith.dev/goldsmith/jobs/signing"
)

// maxSignatures is how many signatures a request may have.
const maxSignatures = 256

// NewBuilds makes the controller that signs. Its cache has the labels of namespaces.
func NewBuilds(options Options, cache client.Reader) *reconciliation.Controller {
	b := &builds{options, cache}
	return &reconciliation.Controller{Reconciler: b, Name: "signatures", Workers: workers, Watches: []reconciliation.Watch{
		{Object: &v1alpha1.ImageBuild{}, Passes: predicate.NewPredicateFuncs(func(object client.Object) bool {
			build, ok := object.(*v1alpha1.ImageBuild)
			return ok && waits(build)
		})},
		{Object: &v1alpha1.SigningKey{}, Events: handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, _ client.Object) []reconcile.Request { return b.waiting(ctx) })},
		{
			Object: caches.Namespace(), OnlyMetadata: true, Passes: labelsChanged(),
			Events: handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, namespace client.Object) []reconcile.Request {
				return b.waiting(ctx, client.InNamespace(namespace.GetName()))
			}),
		},
	}}
}

// labelsChanged passes new namespaces, and those whose labels have changed.
func labelsChanged() predicate.Predicate {
	return predicate.Funcs{
		UpdateFunc:  func(e event.UpdateEvent) bool { return !maps.Equal(e.ObjectOld.GetLabels(), e.ObjectNew.GetLabels()) },
		DeleteFunc:  func(event.DeleteEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
}

type builds struct {
	Options
	cache client.Reader
}

// waits reports whether a build can have statements without signatures. A finished build keeps those that it has.
func waits(build *v1alpha1.ImageBuild) bool {
	return build.Status.Attestation != nil && !build.Status.Phase.Finished()
}

// waiting returns the requests for the builds that can have statements without signatures.
func (b *builds) waiting(ctx context.Context, options ...client.ListOption) []reconcile.Request {
	list := &v1alpha1.ImageBuildList{}
	if err := b.cache.List(ctx, list, append(options, client.UnsafeDisableDeepCopy)...); err != nil {
		log.FromContext(ctx).Error(err, "list the builds that wait for signatures")
		return nil
	}
	var requests []reconcile.Request
	for i := range list.Items {
		if waits(&list.Items[i]) {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
		}
	}
	return requests
}

// Reconcile signs the statements about the artifacts and indexes of a build with each key that has not signed them.
func (b *builds) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	build := &v1alpha1.ImageBuild{}
	if err := b.cache.Get(ctx, request.NamespacedName, build); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !waits(build) {
		return ctrl.Result{}, nil
	}
	namespace := caches.Namespace()
	if err := b.cache.Get(ctx, types.NamespacedName{Name: build.Namespace}, namespace); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err) // its event comes
	}
	list := &v1alpha1.SigningKeyList{}
	if err := b.cache.List(ctx, list); err != nil {
		return ctrl.Result{}, fmt.Errorf("list the SigningKeys: %w", err)
	}
	var next ctrl.Result
	var failures []error
	for i := range list.Items {
		// A key that cannot be read must not keep the others from signing.
		found, err := b.sign(ctx, build, signing.Namespace{Name: build.Namespace, Labels: namespace.Labels}, &list.Items[i])
		if found != nil {
			next.RequeueAfter = reread // a Secret that is back before the other controller reads it leads to no event
		}
		if err != nil && !notfound.Object(err) { // the build, or the SigningKey, was deleted
			failures = append(failures, fmt.Errorf("SigningKey %s: %w", list.Items[i].Name, err))
		}
	}
	return reconciliation.Result("ImageBuild", request, next, errors.Join(failures...))
}

// sign signs what a key has not signed. It ignores a key that is not Ready: the next event of the key leads back here. It returns why it cannot
// read the private key of a key that is.
func (b *builds) sign(ctx context.Context, build *v1alpha1.ImageBuild, namespace signing.Namespace, key *v1alpha1.SigningKey) (*problem, error) {
	selects, err := signing.Selects(key, namespace)
	if err != nil || !selects || key.Status.KeyID == "" || !meta.IsStatusConditionTrue(key.Status.Conditions, v1alpha1.SigningKeyReady) || signing.Expired(key, b.Clock.Now()) {
		return nil, nil // the server has told the build about a selector that it cannot read
	}
	digests := unsigned(build.Status.Attestation, key.Status.KeyID)
	if len(digests) == 0 {
		return nil, nil
	}
	private, _, found, err := b.read(ctx, key)
	if err != nil || found != nil {
		return found, err // the controller of keys reports what it finds
	}
	for part := range slices.Chunk(digests, maxSignatures) {
		made := &v1alpha1.BuildSignatures{ObjectMeta: metav1.ObjectMeta{UID: build.UID}, Key: key.Name}
		for _, digest := range part {
			signature, err := private.SignStatement(digest)
			if err != nil {
				return nil, err
			}
			made.Signatures = append(made.Signatures, v1alpha1.DigestSignature{SignedDigest: digest, Signature: signature})
		}
		if _, err := b.Client.ImagesV1alpha1().ImageBuilds(build.Namespace).Sign(ctx, build.Name, made, metav1.CreateOptions{}); err != nil {
			return nil, fmt.Errorf("store the signatures: %w", err)
		}
	}
	log.FromContext(ctx).Info("signed statements", "key", key.Name, "keyID", key.Status.KeyID, "statements", len(digests))
	return nil, nil
}

// unsigned returns the digests of the statements that a key has not signed, each once.
func unsigned(stored *v1alpha1.Attestation, keyID string) []string {
	var digests []string
	for _, statement := range attestation.All(stored) {
		if attestation.SignatureOf(statement, keyID) == nil {
			digests = append(digests, statement.SignedDigest)
		}
	}
	slices.Sort(digests)
	return slices.Compact(digests)
}
