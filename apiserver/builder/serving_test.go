// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"crypto/x509"
	"net"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	certutil "k8s.io/client-go/util/cert"

	"goldsmith.dev/goldsmith/apiserver/certificates"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestTheCertificateNamesTheAddressOfTheListener(t *testing.T) {
	g := NewWithT(t)
	listener, err := net.Listen("tcp", "127.0.0.2:0")
	g.Expect(err).NotTo(HaveOccurred())
	options, err := New("test").WithListener(listener).ToServerOptions()
	g.Expect(err).NotTo(HaveOccurred())
	authority, err := options.prepareServing()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(listener.Close()).To(Succeed())
	bundle, _ := options.Recommended.SecureServing.ServerCert.GeneratedCert.CurrentCertKeyContent()
	served, err := certutil.ParseCertsPEM(bundle)
	g.Expect(err).NotTo(HaveOccurred())
	roots := x509.NewCertPool()
	g.Expect(roots.AppendCertsFromPEM(authority)).To(BeTrue())
	for _, host := range []string{"127.0.0.2", "localhost"} {
		_, err := served[0].Verify(x509.VerifyOptions{Roots: roots, DNSName: host})
		g.Expect(err).NotTo(HaveOccurred())
	}
}

func TestARunningServerRenewsItsCertificate(t *testing.T) {
	g := NewWithT(t)
	own := &ownCertificate{directory: t.TempDir(), hosts: []string{"localhost"}}
	g.Expect(own.renew(time.Now())).To(Succeed())
	first, _ := own.CurrentCertKeyContent()
	g.Expect(own.renew(time.Now().AddDate(0, 11, 15))).To(Succeed())
	renewed, _ := own.CurrentCertKeyContent()
	g.Expect(renewed).NotTo(Equal(first))
	g.Expect(certificates.AuthorityOf(renewed)).To(Equal(require.Value(certificates.AuthorityOf(first))(t)))
	_, err := dynamiccertificates.NewStaticCertKeyContent("renewed", own.certificate, own.key)
	g.Expect(err).NotTo(HaveOccurred())
}
