// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/e2e/cluster"
	"goldsmith.dev/goldsmith/e2e/deadline"
)

const (
	// certificates is the Secret with the serving certificate of the API servers.
	certificates = cluster.APIServer + "-tls"
	// port is where API servers listen.
	port = 8443
)

// renew throws the serving certificate away, and waits until there is another, from the same authority.
func renew(ctx context.Context, w *cluster.Workspace) *x509.Certificate {
	GinkgoHelper()
	secrets := w.Kube.CoreV1().Secrets(cluster.Namespace)
	before, err := secrets.Get(ctx, certificates, metav1.GetOptions{})
	Expect(err).NotTo(HaveOccurred())
	_, err = secrets.Patch(ctx, certificates, types.MergePatchType, []byte(`{"data":{"tls.crt":null}}`), metav1.PatchOptions{})
	Expect(err).NotTo(HaveOccurred())
	var after *corev1.Secret
	w.Eventually(ctx, func(ctx context.Context) ([]byte, error) {
		after, err = secrets.Get(ctx, certificates, metav1.GetOptions{})
		return after.Data["tls.crt"], err
	}).Should(And(Not(BeEmpty()), Not(Equal(before.Data["tls.crt"]))))
	Expect(after.Data["ca.crt"]).To(Equal(before.Data["ca.crt"]))
	block, _ := pem.Decode(after.Data["tls.crt"])
	Expect(block).NotTo(BeNil())
	certificate, err := x509.ParseCertificate(block.Bytes)
	Expect(err).NotTo(HaveOccurred())
	return certificate
}

// served waits until every API server serves a certificate.
func served(ctx context.Context, w *cluster.Workspace, certificate *x509.Certificate) {
	GinkgoHelper()
	secret, err := w.Kube.CoreV1().Secrets(cluster.Namespace).Get(ctx, certificates, metav1.GetOptions{})
	Expect(err).NotTo(HaveOccurred())
	authorities := x509.NewCertPool()
	Expect(authorities.AppendCertsFromPEM(secret.Data["ca.crt"])).To(BeTrue())
	pods := w.PodsOf(ctx, cluster.APIServer)
	Expect(pods).To(HaveLen(2))
	for _, pod := range pods {
		Eventually(ctx, func(ctx context.Context) (string, error) {
			served, err := servedBy(ctx, w, pod.Name, authorities)
			if err != nil {
				return "", err
			}
			return fingerprint(served), nil
		}).WithTimeout(deadline.SecretReachesPod.Deadline()).WithPolling(2*time.Second).Should(Equal(fingerprint(certificate)), pod.Name)
	}
}

// fingerprint identifies a certificate: serial numbers need not differ.
func fingerprint(certificate *x509.Certificate) string {
	return fmt.Sprintf("%x", sha256.Sum256(certificate.Raw))
}

// servedBy returns the certificate that an API server serves to a client that trusts the authorities.
func servedBy(ctx context.Context, w *cluster.Workspace, pod string, authorities *x509.CertPool) (*x509.Certificate, error) {
	local, stop, err := w.Environment.Forward(pod, port)
	if err != nil {
		return nil, err
	}
	defer stop()
	connection, err := (&tls.Dialer{Config: &tls.Config{RootCAs: authorities, ServerName: cluster.APIServer + "." + cluster.Namespace + ".svc"}}).
		DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", local))
	if err != nil {
		return nil, err
	}
	defer func() { _ = connection.Close() }()
	secure, ok := connection.(*tls.Conn)
	if !ok {
		return nil, fmt.Errorf("%T is no TLS connection", connection)
	}
	return secure.ConnectionState().PeerCertificates[0], nil
}
