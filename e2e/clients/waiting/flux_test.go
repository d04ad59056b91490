// SPDX-License-Identifier: Apache-2.0

package waiting_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/polling"
	"github.com/fluxcd/pkg/ssa"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/deadline"
	"goldsmith.dev/goldsmith/e2e/require"
)

// applyWithFlux applies and waits with the library of Flux's kustomize-controller, as it does for a Kustomization with wait: true.
func applyWithFlux(t *testing.T, w workspace) {
	c, err := client.New(w.Config, client.Options{})
	require.NoError(t, err)
	manager := ssa.NewResourceManager(c, polling.NewStatusPoller(c, c.RESTMapper(), polling.Options{}),
		ssa.Owner{Field: "kustomize-controller", Group: "kustomize.toolkit.fluxcd.io"})
	for _, step := range []struct {
		revision, failure string
		phase             v1alpha1.BuildPhase
	}{
		{first, "", v1alpha1.BuildSucceeded},
		{second, "", v1alpha1.BuildSucceeded},
		{broken, "failed early due to stalled resources", v1alpha1.BuildFailed},
		{third, "", v1alpha1.BuildSucceeded},
	} {
		objects := []*unstructured.Unstructured{w.configMap("settings"), w.image("web", step.revision)}
		if _, err := manager.ApplyAllStaged(t.Context(), objects, ssa.DefaultApplyOptions()); err != nil {
			t.Fatal(err)
		}
		err := manager.Wait(objects, ssa.WaitOptions{Interval: 100 * time.Millisecond, Timeout: deadline.Local.Deadline(), FailFast: true})
		switch {
		case step.failure == "" && err != nil, step.failure != "" && (err == nil || !strings.Contains(err.Error(), step.failure)):
			t.Errorf("revision %s: got the error %v, want %q", step.revision, err, step.failure)
		}
		w.checkBuild(t, "web", step.revision, step.phase)
	}
	w.checkUpToDate(t, "web")
}
