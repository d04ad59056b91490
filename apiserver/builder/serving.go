// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/util/uuid"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	certutil "k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

// renewBefore is how long before its end the server replaces a certificate of its own.
const renewBefore = 30 * 24 * time.Hour

const (
	// servingLifetime is the lifetime of a self-signed serving certificate.
	servingLifetime = 365 * 24 * time.Hour
	// loopbackLifetime is the lifetime of the certificate for the connection of a server to itself. The certificate exists only
	// in memory, and expires with its authority after ten years.
	loopbackLifetime = 10 * 365 * 24 * time.Hour
	// clockSkew is how far the clock of a client may be behind.
	clockSkew = time.Hour
)

// prepareServing opens the listener, and reads or creates the serving certificate. It returns the PEM bundle with which
// clients verify the certificate.
func (o *Options) prepareServing() (authority []byte, err error) {
	serving := o.Recommended.SecureServing
	switch {
	case o.server.connProvider != nil:
		serving.Listener, err = o.server.connProvider.Listen()
	case o.server.listener != nil:
		serving.Listener = o.server.listener
	default:
		serving.Listener, err = net.Listen("tcp", net.JoinHostPort(serving.BindAddress.String(), strconv.Itoa(serving.BindPort)))
	}
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	if authority, err = o.prepareCertificate(); err != nil && serving.Listener != nil {
		err = errors.Join(err, serving.Listener.Close())
	}
	return authority, err
}

func (o *Options) prepareCertificate() ([]byte, error) {
	given := &o.Recommended.SecureServing.ServerCert
	if given.CertKey.CertFile != "" {
		authority, err := os.ReadFile(given.CertKey.CertFile)
		if err != nil {
			return nil, fmt.Errorf("read the serving certificate: %w", err)
		}
		return authority, nil
	}
	hosts := servingHosts(o.servingAddress())
	certificate, key, err := ownCertificate(given.CertDirectory, hosts, time.Now())
	if err != nil {
		return nil, err
	}
	given.GeneratedCert, err = dynamiccertificates.NewStaticCertKeyContent("self-signed serving certificate", certificate, key)
	if err != nil {
		return nil, fmt.Errorf("use the serving certificate: %w", err)
	}
	return certificate, nil
}

// servingAddress is the address that the server listens on, which is that of an open listener if there is one.
func (o *Options) servingAddress() net.IP {
	if listener := o.Recommended.SecureServing.Listener; listener != nil {
		if address, ok := listener.Addr().(*net.TCPAddr); ok {
			return address.IP
		}
	}
	return o.Recommended.SecureServing.BindAddress
}

// servingHosts are the names and addresses of the server for clients. The first is the common name of the certificate.
func servingHosts(bindAddress net.IP) []string {
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	if own := bindAddress.String(); !bindAddress.IsUnspecified() && !slices.Contains(hosts, own) {
		hosts = append(hosts, own)
	}
	return hosts
}

// ownCertificate returns a self-signed certificate, with its CA, and its key. If a directory is given, they are kept
// there and used again as long as they are valid for these hosts.
func ownCertificate(directory string, hosts []string, now time.Time) (certificate, key []byte, err error) {
	if directory == "" {
		return generateCertificate(hosts, servingLifetime)
	}
	certificateFile := filepath.Join(directory, "apiserver.crt")
	keyFile := filepath.Join(directory, "apiserver.key")
	certificate, key, err = readPair(certificateFile, keyFile)
	if err != nil {
		return nil, nil, err
	}
	if usable(certificate, key, hosts, now) {
		return certificate, key, nil
	}
	if certificate, key, err = generateCertificate(hosts, servingLifetime); err != nil {
		return nil, nil, err
	}
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return nil, nil, fmt.Errorf("make the certificate directory: %w", err)
	}
	// The key first: a crash in between leaves a pair that does not match, which is replaced.
	if err := keyutil.WriteKey(keyFile, key); err != nil {
		return nil, nil, fmt.Errorf("keep the serving key: %w", err)
	}
	if err := certutil.WriteCert(certificateFile, certificate); err != nil {
		return nil, nil, fmt.Errorf("keep the serving certificate: %w", err)
	}
	return certificate, key, nil
}

// readPair reads a certificate and its key. A missing file is empty.
func readPair(certificateFile, keyFile string) (certificate, key []byte, err error) {
	if certificate, err = os.ReadFile(certificateFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("read the serving certificate: %w", err)
	}
	if key, err = os.ReadFile(keyFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("read the serving key: %w", err)
	}
	return certificate, key, nil
}

// generateCertificate creates an authority, a certificate for the hosts, and its key. The certificate is first in the bundle.
// Keys are ECDSA: certutil.GenerateSelfSignedCertKey creates RSA keys, which took most of the CPU time of a start.
func generateCertificate(hosts []string, lifetime time.Duration) (certificate, key []byte, err error) {
	certificate, key, err = signedByItsOwnAuthority(hosts, time.Now().Add(-clockSkew), lifetime)
	if err != nil {
		return nil, nil, fmt.Errorf("make a certificate for %s: %w", hosts[0], err)
	}
	return certificate, key, nil
}

func signedByItsOwnAuthority(hosts []string, notBefore time.Time, lifetime time.Duration) (certificate, key []byte, err error) {
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	authority, err := certutil.NewSelfSignedCACert(certutil.Config{CommonName: hosts[0] + "-ca", NotBefore: notBefore}, authorityKey)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: hosts[0]},
		NotBefore:   notBefore,
		NotAfter:    notBefore.Add(lifetime),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	leaf, err := x509.CreateCertificate(rand.Reader, template, authority, signer.Public(), authorityKey)
	if err != nil {
		return nil, nil, err
	}
	certificate, err = certutil.EncodeCertificates(&x509.Certificate{Raw: leaf}, authority)
	if err != nil {
		return nil, nil, err
	}
	key, err = keyutil.MarshalPrivateKeyToPEM(signer)
	return certificate, key, err
}

// secure applies the options for serving to a configuration, and adds the privileged connection of the server to itself. It
// replaces SecureServingOptionsWithLoopback.ApplyToConfig, which creates two RSA keys for that connection.
func (o *Options) secure(config *genericapiserver.Config) error {
	if err := o.Recommended.SecureServing.SecureServingOptions.ApplyTo(&config.SecureServing); err != nil {
		return err
	}
	const name = genericapiserver.LoopbackClientServerNameOverride
	certificate, key, err := generateCertificate([]string{name}, loopbackLifetime)
	if err != nil {
		return err
	}
	content, err := dynamiccertificates.NewStaticSNICertKeyContent("self-signed loopback", certificate, key, name)
	if err != nil {
		return err
	}
	// The first certificate for a name is served.
	config.SecureServing.SNICerts = append([]dynamiccertificates.SNICertKeyContentProvider{content}, config.SecureServing.SNICerts...)
	config.LoopbackClientConfig, err = config.SecureServing.NewLoopbackClientConfig(string(uuid.NewUUID()), certificate)
	return err
}

// usable reports whether a stored certificate belongs to its key, has all hosts and does not expire soon.
func usable(certificate, key []byte, hosts []string, now time.Time) bool {
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return false
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil || now.Add(renewBefore).After(leaf.NotAfter) {
		return false
	}
	return !slices.ContainsFunc(hosts, func(host string) bool { return leaf.VerifyHostname(host) != nil })
}
