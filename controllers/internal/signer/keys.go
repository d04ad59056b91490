// SPDX-License-Identifier: Apache-2.0

package signer

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
)

const (
	workers = 4
	// reread is how often the Secret of a key is read. The signer has no permission to watch Secrets.
	reread = time.Minute
)

// NewKeys makes the controller that publishes public keys.
func NewKeys(options Options, cache client.Reader) *reconciliation.Controller {
	return &reconciliation.Controller{
		Reconciler: &keys{options, cache}, Name: "signingkey", Workers: workers, Watches: []reconciliation.Watch{{Object: &v1alpha1.SigningKey{}}},
	}
}

type keys struct {
	Options
	cache client.Reader
}

// Reconcile writes the status of a SigningKey.
func (k *keys) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	key := &v1alpha1.SigningKey{}
	if err := k.cache.Get(ctx, request.NamespacedName, key); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	next := ctrl.Result{RequeueAfter: reread}
	now := k.Clock.Now()
	if end := key.Spec.NotAfter; end != nil && end.After(now) {
		next.RequeueAfter = min(reread, end.Sub(now))
	}
	return reconciliation.Result("SigningKey", request, next, k.publish(ctx, key, now))
}

func (k *keys) publish(ctx context.Context, key *v1alpha1.SigningKey, now time.Time) error {
	status := key.Status.DeepCopy()
	status.ObservedGeneration = key.Generation
	found := expired(key, now)
	if found == nil || status.KeyID == "" { // the private key of a retired SigningKey may be destroyed
		_, public, unreadable, err := k.read(ctx, key)
		if err != nil {
			return err
		}
		if public != nil && status.KeyID == "" {
			status.KeyID, status.PublicKey = public.ID(), string(public.PEM())
		}
		if found == nil {
			found = unreadable
		}
	}
	ready := metav1.Condition{
		Type: v1alpha1.SigningKeyReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonKeyRead, Message: "the signer has read the private key",
		ObservedGeneration: key.Generation, LastTransitionTime: metav1.NewTime(now.Truncate(time.Second)),
	}
	if found != nil {
		ready.Status, ready.Reason, ready.Message = metav1.ConditionFalse, found.reason, v1alpha1.CutMessage(found.message)
	}
	meta.SetStatusCondition(&status.Conditions, ready)
	if equality.Semantic.DeepEqual(*status, key.Status) {
		return nil
	}
	patch, err := reconciliation.StatusPatch(key, v1alpha1.SigningKey{}, &key.Status, status)
	if err != nil {
		return err
	}
	if _, err := k.Client.ImagesV1alpha1().SigningKeys().Patch(ctx, key.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status"); err != nil {
		return fmt.Errorf("write the status: %w", err)
	}
	return nil
}
