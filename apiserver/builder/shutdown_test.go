// SPDX-License-Identifier: Apache-2.0

package builder_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/builder/buildertest"
	"goldsmith.dev/goldsmith/e2e/require"
)

// shutdownDelay is longer than the few requests take that are made within it.
const shutdownDelay = 10 * time.Second

func TestAServerThatIsToStopSendsItsClientsElsewhereFirst(t *testing.T) {
	g := buildertest.Parallel(t)
	options := require.Value(buildertest.CoreKinds(builder.Memory()).ToServerOptions())(t)
	options.ServerRun.ShutdownDelayDuration = shutdownDelay
	running, stop := buildertest.StartOptions(t, options)
	client := buildertest.ConnectOutside(t, running, buildertest.Token)
	g.Expect(client.CoreV1().Pods("default").Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "p"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "image"}}},
	}, metav1.CreateOptions{})).Error().NotTo(HaveOccurred())
	log := require.Value(client.CoreV1().Pods("default").GetLogs("p", &corev1.PodLogOptions{Follow: true}).Stream(t.Context()))(t)
	defer func() { g.Expect(log.Close()).To(Succeed()) }()
	ended := make(chan error, 1)
	lines := bufio.NewScanner(log)
	g.Expect(lines.Scan()).To(BeTrue())
	go func() {
		for lines.Scan() {
		}
		ended <- lines.Err()
	}()
	kept := newKeptConnections(t, running)
	kept.list(t)
	kept.list(t)
	g.Expect(kept.opened).To(Equal(1), "a client keeps its connection")

	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		stop()
	}()
	g.Eventually(withToken.asking(t, running, "/readyz")).WithTimeout(buildertest.Patience).Should(And(HavePrefix("500 "), ContainSubstring("[-]shutdown failed")))
	kept.list(t) // tells the client
	kept.list(t)
	g.Expect(kept.opened).To(BeNumerically(">", 1), "the client still keeps its connection")
	g.Expect(ended).To(BeEmpty(), "the log ended before everything else")

	g.Eventually(ended).WithTimeout(buildertest.Patience).Should(Receive(HaveOccurred()), "a log that was broken off must not look whole")
	g.Eventually(stopped).WithTimeout(buildertest.Patience).Should(BeClosed())
}

// keptConnections is a client that keeps its connections, as an aggregator does, and counts those that it opened.
type keptConnections struct {
	client *http.Client
	url    string
	opened int
}

func newKeptConnections(t *testing.T, running *builder.Running) *keptConnections {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(running.CertificateAuthority()) {
		t.Fatal("no certificate authority")
	}
	kept := &keptConnections{url: running.Address() + podsPath}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		kept.opened++
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	kept.client = &http.Client{Transport: transport}
	t.Cleanup(transport.CloseIdleConnections)
	return kept
}

// list makes a request, which must succeed.
func (k *keptConnections) list(t *testing.T) {
	t.Helper()
	g := NewWithT(t)
	request := require.Value(http.NewRequestWithContext(t.Context(), http.MethodGet, k.url, nil))(t)
	request.Header.Set("Authorization", "Bearer "+buildertest.Token)
	response, err := k.client.Do(request)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(response.ProtoMajor).To(Equal(2))
	g.Expect(response.StatusCode).To(Equal(http.StatusOK))
	g.Expect(response.Body.Close()).To(Succeed())
}
