// SPDX-License-Identifier: Apache-2.0

package security

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"regexp"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/e2e/cluster"
)

// server is goldsmith-apiserver as a client in the cluster's network reaches it, without kube-apiserver.
type server struct {
	address string
	roots   *x509.CertPool
}

// newServer forwards a port to goldsmith-apiserver until the spec ends.
func newServer(ctx context.Context, w *cluster.Workspace) server {
	GinkgoHelper()
	secret, err := w.Kube.CoreV1().Secrets(cluster.Namespace).Get(ctx, "goldsmith-apiserver-tls", metav1.GetOptions{})
	Expect(err).NotTo(HaveOccurred())
	roots := x509.NewCertPool()
	Expect(roots.AppendCertsFromPEM(secret.Data["ca.crt"])).To(BeTrue(), "ca.crt has no certificate")

	forwarding, stop := context.WithCancel(context.Background())
	command := w.Environment.Kubectl(forwarding, "--namespace="+cluster.Namespace, "port-forward", "service/"+cluster.APIServer, ":443", "--address=127.0.0.1")
	out, err := command.StdoutPipe()
	Expect(err).NotTo(HaveOccurred())
	command.Stderr = GinkgoWriter
	Expect(command.Start()).To(Succeed())
	DeferCleanup(func() {
		stop()
		_ = command.Wait() // the error is that it was stopped
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	Expect(err).NotTo(HaveOccurred())
	found := regexp.MustCompile(`from (127\.0\.0\.1:\d+)`).FindStringSubmatch(line)
	Expect(found).To(HaveLen(2), line)
	go func() { _, _ = io.Copy(io.Discard, out) }() // kubectl prints a line for every connection
	return server{address: found[1], roots: roots}
}

// answer is the answer to a call. Matchers read its fields.
type answer struct {
	Code int
	Body string
}

// list asks for all images, with these headers and, where there are any, client certificates.
func (s server) list(ctx context.Context, headers http.Header, certificates ...tls.Certificate) answer {
	GinkgoHelper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{
		RootCAs: s.roots, ServerName: fmt.Sprintf("%s.%s.svc", cluster.APIServer, cluster.Namespace), Certificates: certificates,
		MinVersion: tls.VersionTLS12,
	}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+s.address+"/apis/images.goldsmith.dev/v1alpha1/images", nil)
	Expect(err).NotTo(HaveOccurred())
	request.Header = headers
	response, err := transport.RoundTrip(request)
	Expect(err).NotTo(HaveOccurred())
	body, err := io.ReadAll(response.Body)
	Expect(err).NotTo(HaveOccurred())
	Expect(response.Body.Close()).To(Succeed())
	return answer{response.StatusCode, string(body)}
}
