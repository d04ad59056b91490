// SPDX-License-Identifier: Apache-2.0

package waiting_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/kube"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/deadline"
	"goldsmith.dev/goldsmith/e2e/require"
)

// installWithHelm uses Helm's library as `helm install --wait` and the other commands do.
func installWithHelm(t *testing.T, w workspace) {
	h := w.helm(t)
	require.NoError(t, h.install(first))
	w.checkBuild(t, "web", first, v1alpha1.BuildSucceeded)
	require.NoError(t, h.upgrade(second))
	w.checkBuild(t, "web", second, v1alpha1.BuildSucceeded)
	checkFailed(t, h.upgrade(broken))
	w.checkBuild(t, "web", broken, v1alpha1.BuildFailed)

	rollback := action.NewRollback(h.Configuration)
	rollback.WaitStrategy, rollback.Timeout, rollback.Version = kube.StatusWatcherStrategy, deadline.Local.Deadline(), 2
	require.NoError(t, rollback.Run("release"))
	w.checkBuild(t, "web", second, v1alpha1.BuildSucceeded)
	w.checkUpToDate(t, "web")

	uninstall := action.NewUninstall(h.Configuration)
	uninstall.WaitStrategy, uninstall.Timeout = kube.StatusWatcherStrategy, deadline.Local.Deadline()
	if _, err := uninstall.Run("release"); err != nil {
		t.Fatal(err)
	}
	w.checkDeleted(t, "web")
}

// failToInstallWithHelm installs an Image that has never been built. An Image without an artifact is not ready, whatever its failure.
func failToInstallWithHelm(t *testing.T, w workspace) {
	h := w.helm(t)
	checkFailed(t, h.install(broken))
	w.checkBuild(t, "web", broken, v1alpha1.BuildFailed)
}

// helm is the configuration of Helm's actions in one namespace.
type helm struct {
	*action.Configuration
	w workspace
}

func (w workspace) helm(t *testing.T) helm {
	t.Helper()
	flags := genericclioptions.NewConfigFlags(false)
	flags.KubeConfig, flags.Namespace = &w.Kubeconfig, &w.namespace
	configuration := action.NewConfiguration(action.ConfigurationSetLogger(slog.DiscardHandler))
	require.NoError(t, configuration.Init(flags, w.namespace, ""))
	return helm{configuration, w}
}

func (h helm) install(revision string) error {
	install := action.NewInstall(h.Configuration)
	install.ReleaseName, install.Namespace = "release", h.w.namespace
	install.WaitStrategy, install.Timeout = kube.StatusWatcherStrategy, deadline.Local.Deadline()
	_, err := install.Run(h.chart(revision), nil)
	return err
}

func (h helm) upgrade(revision string) error {
	upgrade := action.NewUpgrade(h.Configuration)
	upgrade.Namespace = h.w.namespace
	upgrade.WaitStrategy, upgrade.Timeout = kube.StatusWatcherStrategy, deadline.Local.Deadline()
	_, err := upgrade.Run("release", h.chart(revision), nil)
	return err
}

// chart has the Image web, and demands a version of Kubernetes as many charts do.
func (h helm) chart(revision string) *chart.Chart {
	manifest, _ := yaml.Marshal(h.w.image("web", revision))
	return &chart.Chart{
		Metadata:  &chart.Metadata{APIVersion: chart.APIVersionV2, Name: "web", Version: "1.0.0", KubeVersion: ">=1.30.0-0"},
		Templates: []*common.File{{Name: "templates/image.yaml", Data: manifest}},
	}
}

// checkFailed checks that Helm returned because an object has failed, and not because it waited long enough.
func checkFailed(t *testing.T, err error) {
	t.Helper()
	if err == nil || errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "status: Failed") {
		t.Errorf("got the error %v, want a failed resource", err)
	}
}
