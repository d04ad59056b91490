// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// prepareRetry is the interval at which prepare tries to reach the APIs.
const prepareRetry = 2 * time.Second

var apiServiceKind = schema.GroupVersionKind{Group: "apiregistration.k8s.io", Version: "v1", Kind: "APIService"}

// secrets ensures that the Secrets exist, because cert-controller does not create them.
type secrets struct {
	client    client.Client
	namespace string
	names     []string
}

// addTo adds the controller that creates deleted Secrets again. It watches each Secret by its name.
func (s *secrets) addTo(mgr ctrl.Manager) error {
	controller := ctrl.NewControllerManagedBy(mgr).Named("certificate-secrets")
	for _, name := range s.names {
		watched, err := cache.New(narrowed{mgr, name}.GetConfig(), cache.Options{
			Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(), DefaultNamespaces: map[string]cache.Config{s.namespace: {}},
		})
		if err == nil {
			err = mgr.Add(watched)
		}
		if err != nil {
			return fmt.Errorf("watch Secret %s: %w", name, err)
		}
		secret := &metav1.PartialObjectMetadata{}
		secret.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
		controller.WatchesRawSource(source.Kind(watched, secret, &handler.TypedEnqueueRequestForObject[*metav1.PartialObjectMetadata]{},
			predicate.TypedFuncs[*metav1.PartialObjectMetadata]{
				CreateFunc:  func(event.TypedCreateEvent[*metav1.PartialObjectMetadata]) bool { return false },
				UpdateFunc:  func(event.TypedUpdateEvent[*metav1.PartialObjectMetadata]) bool { return false },
				GenericFunc: func(event.TypedGenericEvent[*metav1.PartialObjectMetadata]) bool { return false },
			}))
	}
	if err := controller.Complete(s); err != nil {
		return fmt.Errorf("controller of Secrets: %w", err)
	}
	return nil
}

// Reconcile creates the Secret.
func (s *secrets) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	return ctrl.Result{}, s.ensure(ctx, request.Name)
}

// ensure creates an empty Secret if it does not exist. A namespace that terminates needs none.
func (s *secrets) ensure(ctx context.Context, name string) error {
	err := s.client.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
		Namespace: s.namespace,
		Name:      name,
		Labels:    map[string]string{"app.kubernetes.io/part-of": "goldsmith"},
	}})
	if apierrors.IsAlreadyExists(err) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("create Secret %s/%s: %w", s.namespace, name, err)
	}
	return nil
}

// prepare waits until Secrets and APIServices can be listed and each certificate has a Secret. cert-controller would give up.
// Package outages logs the cause meanwhile.
func (s *secrets) prepare(ctx context.Context, reader client.Reader) error {
	return wait.PollUntilContextCancel(ctx, prepareRetry, true, func(ctx context.Context) (bool, error) {
		err := s.prepareOnce(ctx, reader)
		return err == nil, nil
	})
}

func (s *secrets) prepareOnce(ctx context.Context, reader client.Reader) error {
	apiServices := &metav1.PartialObjectMetadataList{}
	apiServices.SetGroupVersionKind(apiServiceKind)
	if err := reader.List(ctx, apiServices, client.Limit(1)); err != nil {
		return fmt.Errorf("list APIServices: %w", err)
	}
	for _, name := range s.names {
		there := &corev1.SecretList{}
		if err := reader.List(ctx, there, client.InNamespace(s.namespace), client.MatchingFields{metav1.ObjectNameField: name}); err != nil {
			return fmt.Errorf("list Secret %s: %w", name, err)
		}
		if len(there.Items) > 0 {
			continue
		}
		if err := s.ensure(ctx, name); err != nil {
			return err
		}
	}
	return nil
}
