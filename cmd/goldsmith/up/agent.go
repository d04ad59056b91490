// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/history"
	"goldsmith.dev/goldsmith/apiserver/requesterrors"
	"goldsmith.dev/goldsmith/jobs/documents"
	"goldsmith.dev/goldsmith/jobs/local"
	"goldsmith.dev/goldsmith/jobs/local/process"
)

// startAgent starts the agent. If reporting is nil, no builder reports. attesting attests the artifacts, and fit makes them fit their limit.
func (s *system) startAgent(ctx context.Context, config *rest.Config, reporting *local.Reporting, attesting *publisher, fit func(context.Context) error, logs *agentLogs) error {
	config.UserAgent = "goldsmith-agent"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("connect the agent: %w", err)
	}
	images, err := versioned.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("connect the agent: %w", err)
	}
	hidden, err := s.hidden()
	if err != nil {
		return err
	}
	if notice := neighboursNotice(hidden, manyNeighbours); notice != "" && process.LandlockVersion() > 0 {
		_, _ = fmt.Fprintln(s.options.Notices, notice) // a notice that nobody can read is no failure
	}
	networks, err := s.options.Sources.Allowed.Prefixes()
	if err != nil {
		return err
	}
	agent, err := local.New(local.Options{
		Client:              client,
		Builders:            s.builders.Local(),
		Dir:                 s.data.Builds,
		Artifacts:           s.artifacts,
		PlainHTTPRegistries: s.options.Registries.PlainHTTP,
		AllowedNetworks:     networks,
		Images:              images.ImagesV1alpha1(),
		Fit:                 fit,
		RecordLocks:         s.recordLocks,
		Attest:              attesting.attest,
		Results:             s.resultPolicy(),
		Hidden:              hidden,
		Workers:             s.options.Workers,
		TestWorkers:         s.options.TestWorkers,
		CheckWorkers:        s.options.CheckWorkers,
		Reporting:           reporting,
		Supervisor:          []string{s.options.Executable, SuperviseCommand},
		Logger:              klog.Background(),
	})
	if err != nil {
		return err
	}
	s.components.start(ctx, "agent", agent.Run)
	s.startBuilders(ctx, agent)
	logs.agent.Store(agent)
	return nil
}

// recordLocks records the locks of the artifacts of a build, whose packages the server then lists.
func (s *system) recordLocks(ctx context.Context, build *v1alpha1.ImageBuild, locks []documents.Lock) error {
	for i := range locks {
		content, err := locks[i].Content()
		if err != nil {
			return err
		}
		if err := history.RecordLock(ctx, history.Connect(s.records), build, content); err != nil {
			return err
		}
	}
	return nil
}

// agentLogs gives the server the logs of the agent, which starts after the server.
type agentLogs struct {
	agent atomic.Pointer[local.Agent]
}

// OpenLog asks the agent, once the agent runs.
func (l *agentLogs) OpenLog(ctx context.Context, pod *corev1.Pod, options *corev1.PodLogOptions) (io.ReadCloser, error) {
	agent := l.agent.Load()
	if agent == nil {
		return nil, requesterrors.Unavailable("the agent that has the logs is starting", metav1.StatusDetails{RetryAfterSeconds: 1})
	}
	return agent.OpenLog(ctx, pod, options)
}
