// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"errors"
	"fmt"

	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	imagesv1alpha1 "goldsmith.dev/goldsmith/apis/generated/clientset/versioned/typed/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers"
	"goldsmith.dev/goldsmith/jobs/local/cascade"
	"goldsmith.dev/goldsmith/jobs/result"
)

// startControllers returns once the caches of the controllers hold every object.
func (s *system) startControllers(ctx context.Context, config *rest.Config) error {
	limits, err := s.options.Limits.Read()
	if err != nil {
		return err
	}
	buildTTL, err := s.options.Retention.Read()
	if err != nil {
		return err
	}
	archives, err := s.options.Archives.Read()
	if err != nil {
		return err
	}
	sources, err := s.options.Sources.Read()
	if err != nil {
		return err
	}
	running, err := controllers.New(ctx, controllers.Options{
		Config:   config,
		Builders: s.builders.Allowed(),

		BuildersChanged: s.builders.Changed(),

		Results:  s.resultPolicy(),
		Kept:     s.artifacts.Has,
		Queue:    limits,
		BuildTTL: buildTTL,
		Logger:   klog.Background(),

		LogArchive: s.logs,
		Records:    s.records,

		SourceInterval:   sources.Interval,
		ArchiveInterval:  archives.Interval,
		RolloutWave:      archives.Wave,
		ArchiveNamespace: v1alpha1.ArchiveNamespace,

		ArchiveNamespaceCreate: true,
	})
	if err != nil {
		return fmt.Errorf("set up the controllers: %w", err)
	}
	s.components.start(ctx, "controllers", func(ctx context.Context) error { return controllers.Run(ctx, running) })
	if !running.GetCache().WaitForCacheSync(ctx) {
		return errors.Join(errors.New("wait for the caches of the controllers: the caches did not sync"), ctx.Err())
	}
	if sources.Webhook != "" {
		images, err := imagesv1alpha1.NewForConfig(config)
		if err != nil {
			return fmt.Errorf("connect the receiver of webhooks: %w", err)
		}
		s.components.start(ctx, "webhooks", func(ctx context.Context) error {
			return sources.Serve(ctx, images, func(err error) { klog.Background().Error(err, "A webhook was lost") },
				func(address string) { s.notice(ctx, "webhooks: http://"+address+"/hooks/source/NAMESPACE/IMAGE") })
		})
	}
	return nil
}

// startSigner does not wait for the caches of the signer, which only builds with statements need.
func (s *system) startSigner(ctx context.Context, config *rest.Config) error {
	running, err := controllers.NewSigner(controllers.SignerOptions{Config: config, Namespace: v1alpha1.SystemNamespace, Logger: klog.Background()})
	if err != nil {
		return fmt.Errorf("set up the signer: %w", err)
	}
	s.components.start(ctx, "signer", func(ctx context.Context) error { return controllers.Run(ctx, running) })
	return nil
}

// resultPolicy returns what results must have. The agent reads the files that results name.
func (s *system) resultPolicy() result.Policy { return s.options.Results.Policy(true) }

func (s *system) startCascade(ctx context.Context, config *rest.Config) error {
	config.UserAgent = "goldsmith-cascade"
	client, err := corev1client.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("connect the cascade: %w", err)
	}
	objects, err := metadata.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("connect the cascade: %w", err)
	}
	deletions, err := cascade.New(objects, client.Namespaces())
	if err != nil {
		return fmt.Errorf("set up the cascade: %w", err)
	}
	s.components.start(ctx, "cascade", deletions.Run)
	return nil
}
