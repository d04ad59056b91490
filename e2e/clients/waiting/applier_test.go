// SPDX-License-Identifier: Apache-2.0

// Package waiting_test lets programs that apply objects and then wait for them do so with Images.
package waiting_test

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/kubernetes"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"sigs.k8s.io/cli-utils/pkg/apply"
	"sigs.k8s.io/cli-utils/pkg/apply/event"
	"sigs.k8s.io/cli-utils/pkg/common"
	"sigs.k8s.io/cli-utils/pkg/inventory"

	"goldsmith.dev/goldsmith/e2e/clients/server"
	"goldsmith.dev/goldsmith/e2e/deadline"
)

// TestApplier lets cli-utils' applier, which is that of `kpt live apply`, apply a set of objects, wait for them, and prune.
func TestApplier(t *testing.T) {
	s := server.Start(t)
	kube := kubernetes.NewForConfigOrDie(s.Config)
	namespace := openNamespace(t, kube)
	a := newApplier(t, s, namespace)

	a.apply(t, configMap(namespace, "first"), configMap(namespace, "second"))
	a.apply(t, configMap(namespace, "second"))
	if _, err := kube.CoreV1().ConfigMaps(namespace).Get(t.Context(), "first", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("an object that is no longer in the set exists: %v", err)
	}
	if _, err := kube.CoreV1().ConfigMaps(namespace).Get(t.Context(), "second", metav1.GetOptions{}); err != nil {
		t.Errorf("an object that is still in the set: %v", err)
	}
}

// applier is cli-utils' applier, with one inventory.
type applier struct {
	*apply.Applier
	inventory inventory.Info
}

func newApplier(t *testing.T, s server.Server, namespace string) applier {
	t.Helper()
	flags := genericclioptions.NewConfigFlags(false)
	flags.KubeConfig = &s.Kubeconfig
	factory := cmdutil.NewFactory(flags)
	client, err := inventory.ClusterClientFactory{StatusPolicy: inventory.StatusPolicyNone}.NewClient(factory)
	if err != nil {
		t.Fatal(err)
	}
	a, err := apply.NewApplierBuilder().WithFactory(factory).WithInventoryClient(client).Build()
	if err != nil {
		t.Fatal(err)
	}
	return applier{a, inventory.WrapInventoryInfoObj(&unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{
			"name": "inventory", "namespace": namespace, "labels": map[string]any{common.InventoryLabel: namespace},
		},
	}})}
}

// apply applies the objects, waits for them, and deletes those of the last set that are in this set no more.
func (a applier) apply(t *testing.T, objects ...*unstructured.Unstructured) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline.Local.Deadline())
	defer cancel()
	for e := range a.Run(ctx, a.inventory, objects, apply.ApplierOptions{
		ReconcileTimeout: deadline.Local.Deadline(), PruneTimeout: deadline.Local.Deadline(),
	}) {
		if e.Type == event.ErrorType {
			t.Error(e.ErrorEvent.Err)
		}
		if e.Type == event.WaitType && e.WaitEvent.Status != event.ReconcilePending && e.WaitEvent.Status != event.ReconcileSuccessful {
			t.Errorf("%s: %s", e.WaitEvent.Identifier, e.WaitEvent.Status)
		}
	}
}

func openNamespace(t *testing.T, kube kubernetes.Interface) string {
	t.Helper()
	namespace, err := kube.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "waiting-"},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return namespace.Name
}

func configMap(namespace, name string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": name, "namespace": namespace},
	}}
}
