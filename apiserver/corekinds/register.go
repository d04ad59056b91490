// SPDX-License-Identifier: Apache-2.0

// Package corekinds serves the few Kubernetes kinds that a build touches, for a server that runs without a cluster:
// Namespaces, ConfigMaps, Secrets, Pods and their logs, Events, Jobs, and PriorityClasses; the reviews that tell users who they are
// and what they can do; and an empty list of CustomResourceDefinitions, which kubectl reads. They behave as a kube-apiserver's
// do, as far as kubectl and controllers can see. Nothing here acts on them: package jobs/local runs the Jobs. It must never be
// part of a server behind the aggregation layer, where the cluster serves these kinds.
package corekinds

import (
	"context"
	"fmt"
	"net/url"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/kubernetes"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

// Register adds the core kinds to a server. logs is asked for every pod log. The namespace "default" exists once the server is ready.
// A server whose storage is not in memory encrypts Secrets: see builder.Server.WithEncryption.
func Register(server *builder.Server, logs LogOpener) *builder.Server {
	return registerReviews(server).
		WithScheme(Install).
		WithOpenAPI("", "", OpenAPIDefinitions).
		WithResource(corev1.SchemeGroupVersion, "namespaces", namespaceStorage).
		WithResource(corev1.SchemeGroupVersion, "configmaps", configMapStorage).
		WithResource(corev1.SchemeGroupVersion, "secrets", secretStorage).
		WithResource(corev1.SchemeGroupVersion, "events", eventStorage, eventsv1.SchemeGroupVersion).
		WithResource(corev1.SchemeGroupVersion, "pods", podStorage(logs)).
		WithResource(batchv1.SchemeGroupVersion, "jobs", jobStorage).
		WithResource(schedulingv1.SchemeGroupVersion, "priorityclasses", priorityClassStorage).
		WithResource(apiextensionsv1.SchemeGroupVersion, "customresourcedefinitions", customResourceDefinitionStorage).
		WithPostStartHook("corekinds-default-namespace", ensureDefaultNamespace)
}

// Install registers the core kinds, with their defaults and field labels. The public types are the internal ones, too:
// strategic-merge patch and server-side apply want an internal version, and there is nothing to convert.
func Install(scheme *runtime.Scheme) error {
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, batchv1.AddToScheme, schedulingv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return fmt.Errorf("register core kinds: %w", err)
		}
	}
	scheme.AddKnownTypes(schema.GroupVersion{Group: corev1.GroupName, Version: runtime.APIVersionInternal},
		&corev1.Namespace{}, &corev1.NamespaceList{},
		&corev1.ConfigMap{}, &corev1.ConfigMapList{},
		&corev1.Secret{}, &corev1.SecretList{},
		&corev1.Event{}, &corev1.EventList{},
		&corev1.Pod{}, &corev1.PodList{}, &corev1.PodLogOptions{})
	scheme.AddKnownTypes(schema.GroupVersion{Group: batchv1.GroupName, Version: runtime.APIVersionInternal},
		&batchv1.Job{}, &batchv1.JobList{})
	scheme.AddKnownTypes(schema.GroupVersion{Group: schedulingv1.GroupName, Version: runtime.APIVersionInternal},
		&schedulingv1.PriorityClass{}, &schedulingv1.PriorityClassList{})
	if err := installEvents(scheme); err != nil {
		return fmt.Errorf("register events: %w", err)
	}
	installReviews(scheme)
	installCustomResourceDefinitions(scheme)
	addDefaults(scheme)
	if err := scheme.AddConversionFunc((*url.Values)(nil), (*corev1.PodLogOptions)(nil), convertLogOptions); err != nil {
		return fmt.Errorf("register the options of pod logs: %w", err)
	}
	return addFieldLabels(scheme)
}

// ensureDefaultNamespace creates the namespace that clients use when they name none.
func ensureDefaultNamespace(hook genericapiserver.PostStartHookContext) error {
	const retryInterval = 20 * time.Millisecond
	client, err := kubernetes.NewForConfig(hook.LoopbackClientConfig)
	if err != nil {
		return fmt.Errorf("connect to create the default namespace: %w", err)
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: metav1.NamespaceDefault}}
	err = wait.PollUntilContextCancel(hook, retryInterval, true, func(ctx context.Context) (bool, error) {
		_, err := client.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{})
		return err == nil || apierrors.IsAlreadyExists(err), nil
	})
	if wait.Interrupted(err) {
		return nil // the server stops before it was ready
	}
	return err
}

// clusterStrategy is the default strategy for objects in no namespace.
type clusterStrategy struct {
	resources.DefaultStrategy
}

// NamespaceScoped returns false.
func (clusterStrategy) NamespaceScoped() bool { return false }
