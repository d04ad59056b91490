// SPDX-License-Identifier: Apache-2.0

package collector_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/e2e/deadline"
	"goldsmith.dev/goldsmith/jobs/local/collector"
)

func TestCollector(t *testing.T) {
	builder.QuietLogs(GinkgoWriter)
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(deadline.InProcess.Deadline())
	SetDefaultEventuallyPollingInterval(10 * time.Millisecond)
	RunSpecs(t, "Collector")
}

var (
	serverConfig *rest.Config
	client       kubernetes.Interface
)

var _ = BeforeSuite(func(ctx SpecContext) {
	serving, stop := context.WithCancel(context.Background())
	server := newServer(serving)
	DeferCleanup(func() error {
		stop()
		return server.Wait()
	})
	Expect(server.WaitReady(ctx)).To(Succeed())
	serverConfig = server.ClientConfig()
	var err error
	client, err = kubernetes.NewForConfig(serverConfig)
	Expect(err).NotTo(HaveOccurred())
}, NodeTimeout(deadline.InProcess.Deadline()))

// startCollector runs a collector until the spec ends, or until stop is called, and returns what it talks through.
func startCollector() (traffic *transport, stop func()) {
	GinkgoHelper()
	traffic = &transport{counts: map[string]int{}}
	config := rest.CopyConfig(serverConfig)
	config.Wrap(func(server http.RoundTripper) http.RoundTripper {
		traffic.server = server
		return traffic
	})
	own, err := kubernetes.NewForConfig(config)
	Expect(err).NotTo(HaveOccurred())
	meta, err := metadata.NewForConfig(config)
	Expect(err).NotTo(HaveOccurred())
	c, err := collector.New(collector.Options{Client: own, Metadata: meta})
	Expect(err).NotTo(HaveOccurred())

	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	stop = func() {
		if ctx.Err() == nil {
			cancel()
			Expect(<-done).To(Succeed())
		}
	}
	DeferCleanup(stop)
	return traffic, stop
}

// newNamespace makes a namespace of its own for a spec.
func newNamespace(ctx context.Context) string {
	GinkgoHelper()
	namespace, err := client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "spec-"}}, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	return namespace.Name
}
