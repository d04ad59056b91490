// SPDX-License-Identifier: Apache-2.0

package waiting_test

import (
	"maps"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"sigs.k8s.io/cli-utils/pkg/apply"
	"sigs.k8s.io/cli-utils/pkg/apply/event"
	"sigs.k8s.io/cli-utils/pkg/common"
	"sigs.k8s.io/cli-utils/pkg/inventory"
	"sigs.k8s.io/cli-utils/pkg/object/dependson"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/deadline"
	"goldsmith.dev/goldsmith/e2e/require"
)

// applyWithCLIUtils uses the applier as `kpt live apply` does.
func applyWithCLIUtils(t *testing.T, w workspace) {
	a := newApplier(t, w)
	for _, step := range []struct {
		revision string
		want     event.WaitEventStatus
	}{
		{first, event.ReconcileSuccessful},
		{second, event.ReconcileSuccessful},
		{broken, event.ReconcileFailed},
		{third, event.ReconcileSuccessful}, // a failure is not for ever
	} {
		phase := map[event.WaitEventStatus]v1alpha1.BuildPhase{
			event.ReconcileSuccessful: v1alpha1.BuildSucceeded, event.ReconcileFailed: v1alpha1.BuildFailed,
		}
		got := a.apply(t, func(e event.Event) {
			if e.Type == event.WaitType && e.WaitEvent.Identifier.Name == "web" && e.WaitEvent.Status != event.ReconcilePending {
				w.checkBuild(t, "web", step.revision, phase[step.want])
			}
		}, w.configMap("settings"), w.image("web", step.revision))
		if want := (outcomes{"settings": event.ReconcileSuccessful, "web": step.want}); !maps.Equal(got, want) {
			t.Errorf("revision %s: got %v, want %v", step.revision, got, want)
		}
	}
	w.checkUpToDate(t, "web")
	a.apply(t, func(event.Event) {}, w.configMap("settings")) // prunes
	w.checkDeleted(t, "web")
}

// applyDependenciesWithCLIUtils lets objects depend on Images: they are applied after the Image was built, or not at all.
func applyDependenciesWithCLIUtils(t *testing.T, w workspace) {
	after := func(o *unstructured.Unstructured, image string) *unstructured.Unstructured {
		o.SetAnnotations(map[string]string{dependson.Annotation: v1alpha1.GroupName + "/namespaces/" + w.namespace + "/Image/" + image})
		return o
	}
	a := newApplier(t, w)
	for _, step := range []struct {
		revision string
		want     outcomes
	}{
		{first, outcomes{"base": event.ReconcileSuccessful, "web": event.ReconcileSuccessful, "last": event.ReconcileSuccessful}},
		{broken, outcomes{"base": event.ReconcileFailed, "web": event.ReconcileSkipped, "last": event.ReconcileSkipped}},
	} {
		got := a.apply(t, func(e event.Event) {
			if e.Type != event.ApplyType || e.ApplyEvent.Status != event.ApplySuccessful {
				return
			}
			switch e.ApplyEvent.Identifier.Name {
			case "web":
				w.checkBuild(t, "base", step.revision, v1alpha1.BuildSucceeded)
			case "last":
				w.checkBuild(t, "web", step.revision, v1alpha1.BuildSucceeded)
			}
		}, after(w.image("web", step.revision), "base"), w.image("base", step.revision), after(w.configMap("last"), "web"))
		if !maps.Equal(got, step.want) {
			t.Errorf("revision %s: got %v, want %v", step.revision, got, step.want)
		}
	}
}

// applier is cli-utils' applier, with one inventory.
type applier struct {
	*apply.Applier
	inventory inventory.Info
}

func newApplier(t *testing.T, w workspace) applier {
	t.Helper()
	flags := genericclioptions.NewConfigFlags(false)
	flags.KubeConfig = &w.Kubeconfig
	factory := cmdutil.NewFactory(flags)
	client, err := inventory.ClusterClientFactory{StatusPolicy: inventory.StatusPolicyAll}.NewClient(factory)
	require.NoError(t, err)
	a, err := apply.NewApplierBuilder().WithFactory(factory).WithInventoryClient(client).Build()
	require.NoError(t, err)
	o := w.configMap("inventory")
	o.SetLabels(map[string]string{common.InventoryLabel: w.namespace})
	return applier{a, inventory.WrapInventoryInfoObj(o)}
}

// outcomes are the last results of waiting for each object, by name.
type outcomes map[string]event.WaitEventStatus

// apply applies the objects, waits for them, and deletes those of the last set that are in this set no more. It calls seen for each
// event, before the applier continues.
func (a applier) apply(t *testing.T, seen func(event.Event), objects ...*unstructured.Unstructured) outcomes {
	t.Helper()
	got := outcomes{}
	for e := range a.Run(t.Context(), a.inventory, objects, apply.ApplierOptions{
		ReconcileTimeout: deadline.Local.Deadline(), PruneTimeout: deadline.Local.Deadline(),
	}) {
		switch e.Type {
		case event.ErrorType:
			t.Errorf("the applier stopped: %v", e.ErrorEvent.Err)
		case event.WaitType:
			got[e.WaitEvent.Identifier.Name] = e.WaitEvent.Status
		}
		seen(e)
	}
	return got
}
