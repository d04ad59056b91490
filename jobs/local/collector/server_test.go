// SPDX-License-Identifier: Apache-2.0

package collector_test

import (
	"context"
	"io"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apiserver/pkg/authentication/user"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/corekinds"
)

// newServer starts a real API server of the core kinds, which keeps its objects in memory.
func newServer(ctx context.Context) *builder.Running {
	GinkgoHelper()
	server := builder.New("collector-test").
		WithStorage(builder.Memory()).
		WithConnProvider(builder.InMemoryConnections()).
		WithBearerToken("secret", &user.DefaultInfo{Name: "admin", Groups: []string{user.SystemPrivilegedGroup}})
	options, err := corekinds.Register(server, noLogs{}).ToServerOptions()
	Expect(err).NotTo(HaveOccurred())
	running, err := options.Start(ctx)
	Expect(err).NotTo(HaveOccurred())
	return running
}

// noLogs stands in for the logs of pods, which no spec reads.
type noLogs struct{}

func (noLogs) OpenLog(context.Context, *corev1.Pod, *corev1.PodLogOptions) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader("")), nil
}
