// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"context"
	"fmt"
	"io"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/buildlog"
)

// fakeLogs is a log source: the specs set the logs of pods.
type fakeLogs struct {
	lock sync.Mutex
	pods map[types.UID]func(ctx context.Context, options corev1.PodLogOptions) (io.ReadCloser, error)
}

func newFakeLogs() *fakeLogs {
	return &fakeLogs{pods: map[types.UID]func(context.Context, corev1.PodLogOptions) (io.ReadCloser, error){}}
}

func (f *fakeLogs) set(pod types.UID, open func(context.Context, corev1.PodLogOptions) (io.ReadCloser, error)) {
	f.lock.Lock()
	defer f.lock.Unlock()
	f.pods[pod] = open
}

func (f *fakeLogs) Open(ctx context.Context, build *v1alpha1.ImageBuild, attempt *v1alpha1.BuildAttempt, options corev1.PodLogOptions) (io.ReadCloser, error) {
	f.lock.Lock()
	open, ok := f.pods[attempt.PodUID]
	f.lock.Unlock()
	if !ok {
		return nil, fmt.Errorf("pod %s/%s: %w", build.Namespace, attempt.PodName, buildlog.ErrGone)
	}
	return open(ctx, options)
}
