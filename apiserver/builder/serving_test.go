// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"net"
	"testing"

	. "github.com/onsi/gomega"
	certutil "k8s.io/client-go/util/cert"
)

func TestTheCertificateNamesTheAddressOfTheListener(t *testing.T) {
	g := NewWithT(t)
	listener, err := net.Listen("tcp", "127.0.0.2:0")
	g.Expect(err).NotTo(HaveOccurred())
	options, err := New("test").WithListener(listener).ToServerOptions()
	g.Expect(err).NotTo(HaveOccurred())
	bundle, err := options.prepareServing()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(listener.Close()).To(Succeed())
	certificates, err := certutil.ParseCertsPEM(bundle)
	g.Expect(err).NotTo(HaveOccurred())
	for _, host := range []string{"127.0.0.2", "localhost"} {
		g.Expect(certificates[0].VerifyHostname(host)).To(Succeed())
	}
}
