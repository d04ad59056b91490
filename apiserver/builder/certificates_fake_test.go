// SPDX-License-Identifier: Apache-2.0

package builder_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"testing"
	"time"

	"goldsmith.dev/goldsmith/e2e/require"
)

// authority is a CA that signs certificates of clients and servers.
type authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	template := newTemplate(t, "a CA of the tests")
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	key := newKey(t)
	return authority{certificate: sign(t, template, template, key, key), key: key}
}

// issue signs a certificate for clients of that name and for servers at 127.0.0.1.
func (a authority) issue(t *testing.T, name string) tls.Certificate {
	t.Helper()
	template := newTemplate(t, name)
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	key := newKey(t)
	certificate := sign(t, template, a.certificate, key, a.key)
	return tls.Certificate{Certificate: [][]byte{certificate.Raw}, PrivateKey: key, Leaf: certificate}
}

func (a authority) pem() []byte { return encodeCertificate(a.certificate) }

func newTemplate(t *testing.T, name string) *x509.Certificate {
	t.Helper()
	serial := require.Value(rand.Int(rand.Reader, big.NewInt(1<<62)))(t)
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
	}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	return require.Value(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
}

func sign(t *testing.T, template, parent *x509.Certificate, key, parentKey crypto.Signer) *x509.Certificate {
	t.Helper()
	raw := require.Value(x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey))(t)
	return require.Value(x509.ParseCertificate(raw))(t)
}

// encodePair returns a certificate and its key as files have them.
func encodePair(t *testing.T, pair tls.Certificate) (certificate, key []byte) {
	t.Helper()
	encoded := require.Value(x509.MarshalPKCS8PrivateKey(pair.PrivateKey))(t)
	return encodeCertificate(pair.Leaf), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})
}
