// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package bench

import (
	"context"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/e2e/cluster"
)

// measured is the cluster where everything happens, in a namespace of its own.
type measured struct {
	kube      kubernetes.Interface
	goldsmith versioned.Interface
	namespace string

	environment cluster.Environment
	token       string // for metrics; set by allowMetrics
}

// connect reaches the cluster of the kubeconfig that kubectl would use, without limits of the client's own.
func connect(b *testing.B) *measured {
	b.Helper()
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(clientcmd.NewDefaultClientConfigLoadingRules(), nil).ClientConfig()
	if err != nil {
		b.Fatalf("find the cluster: %v", err)
	}
	config.QPS = -1
	config.WarningHandler = rest.NoWarnings{}
	c := &measured{environment: cluster.Environment{Config: config, Overlay: "../../kustomize/overlays/kind", Kubectl: kubectl}}
	if c.kube, err = kubernetes.NewForConfig(config); err != nil {
		b.Fatal(err)
	}
	if c.goldsmith, err = versioned.NewForConfig(config); err != nil {
		b.Fatal(err)
	}
	namespace, err := c.kube.CoreV1().Namespaces().Create(b.Context(), &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "bench-"},
	}, metav1.CreateOptions{})
	if err != nil {
		b.Fatalf("create a namespace: %v", err)
	}
	c.namespace = namespace.Name
	b.Cleanup(func() {
		if err := c.kube.CoreV1().Namespaces().Delete(context.Background(), c.namespace, metav1.DeleteOptions{}); err != nil {
			b.Errorf("delete namespace %s: %v", c.namespace, err)
		}
	})
	return c
}

func kubectl(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "kubectl", args...)
}

// quantile of durations, in milliseconds.
func quantile(durations []time.Duration, q float64) float64 {
	if len(durations) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(durations))
	return float64(sorted[int(q*float64(len(sorted)-1)+0.5)].Microseconds()) / 1000
}

// logTable writes named figures, one to a line, in the order of their names.
func logTable(b *testing.B, title string, figures map[string]float64) {
	b.Helper()
	text := title
	for _, name := range slices.Sorted(maps.Keys(figures)) {
		text += fmt.Sprintf("\n  %-60s %8.2f", name, figures[name])
	}
	b.Log(text)
}
