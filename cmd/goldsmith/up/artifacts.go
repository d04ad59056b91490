// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/client-go/kubernetes"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/record"
	"k8s.io/klog/v2"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/scheme"
	"goldsmith.dev/goldsmith/jobs/local/retention"
)

// parseArtifactsMax returns a quantity in bytes, or 0 for "".
func parseArtifactsMax(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	quantity, err := resource.ParseQuantity(text)
	if err != nil || quantity.Value() <= 0 {
		return 0, fmt.Errorf("--artifacts-max %q: must be a quantity of bytes greater than 0, such as 20Gi", text)
	}
	return quantity.Value(), nil
}

// startRetention starts what removes artifacts.
func (s *system) startRetention(ctx context.Context, config *rest.Config) (*retention.Keeper, error) {
	config.UserAgent = "goldsmith-retention"
	images, err := versioned.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connect the retention of artifacts: %w", err)
	}
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connect the retention of artifacts: %w", err)
	}
	broadcaster := record.NewBroadcaster()
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: kube.CoreV1().Events("")})
	keeper := retention.New(retention.Options{
		Client: images, Store: s.artifacts, Max: s.options.artifactsMax, Logger: klog.Background(),
		Events: broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "goldsmith-retention"}),
	})
	s.artifacts.WhenFull(func(bytes int64) (int64, error) { return keeper.MakeRoom(ctx, bytes) })
	s.components.start(ctx, "retention of artifacts", func(ctx context.Context) error {
		defer broadcaster.Shutdown()
		return keeper.Run(ctx)
	})
	return keeper, nil
}
